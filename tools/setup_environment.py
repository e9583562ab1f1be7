"""Make the project's own environment in .venv; `make` and Windows users both come here.

The machine is checked first: what it lacks is said in one line, before anything is downloaded. Standard library
only, and only syntax that Python 3.6 reads, so that a Python that is too old gets that line and no SyntaxError.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LOCK = PROJECT / "requirements.lock"
VENV = PROJECT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / ".stamp"

# One question to any Python: where it really lives (not in a virtual environment), its version, can it make one.
ABOUT = """
import importlib.util, json, sys
print(json.dumps({
    "path": getattr(sys, "_base_executable", None) or sys.executable,
    "version": sys.version_info[:2],
    "makes_venv": all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
}))
"""
SMALL_PACKAGE = "iniconfig"  # any package of the lock would do to see whether an index answers

Installer = namedtuple("Installer", "name create reach packages project")


class SetupError(Exception):
    """One line: what this machine lacks, and what to do."""


def python_bounds(pyproject):
    """Return the lowest accepted and the first refused Python, as pyproject.toml states them."""
    found = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', pyproject)
    return (3, int(found.group(1))), (3, int(found.group(2)))


def ask(command):
    """Return what a Python says about itself, or None if there is no working Python there."""
    try:
        answer = subprocess.run(
            [*command, "-c", ABOUT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True
        )
        return json.loads(answer.stdout.decode())
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def python_commands(bounds, uv):
    """Yield the commands that may start a Python of the right version, the present one first."""
    yield [sys.executable]
    for minor in reversed(range(bounds[0][1], bounds[1][1])):
        yield ["py", "-3.%d" % minor] if os.name == "nt" else ["python3.%d" % minor]
    if uv:
        found = subprocess.run(
            [uv, "python", "find", ">=3.%d,<3.%d" % (bounds[0][1], bounds[1][1])],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if found.returncode == 0:
            yield [found.stdout.decode().strip()]


def choose_python(answers, bounds, needs_venv_module):
    """Return the path of the first suitable Python among the answers, or say what is missing."""
    suitable = [answer for answer in answers if answer and bounds[0] <= tuple(answer["version"]) < bounds[1]]
    for answer in suitable:
        if answer["makes_venv"] or not needs_venv_module:
            return answer["path"]
    if suitable:
        version = "%d.%d" % tuple(suitable[0]["version"])
        raise SetupError(
            "Python %s is here without its venv module: install it (Debian, Ubuntu: apt install python%s-venv) "
            "and run the command again." % (version, version)
        )
    raise SetupError(
        "Python 3.%d to 3.%d is needed; this is %d.%d and no other was found: install one (python.org, or your "
        "system's packages) and run the command again."
        % (bounds[0][1], bounds[1][1] - 1, sys.version_info[0], sys.version_info[1])
    )


def uv_installer(uv, python, probe):
    """Return the steps with uv."""
    target = ["--python", str(VENV_PYTHON)]
    return Installer(
        "uv",
        [uv, "venv", "--quiet", "--python", python, str(VENV)],
        [uv, "pip", "install", "--dry-run", "--no-deps", *target, probe],
        [uv, "pip", "sync", "--quiet", "--require-hashes", *target, str(LOCK)],
        [uv, "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", *target, "--editable", str(PROJECT)],
    )


def pip_installer(python):
    """Return the steps with the standard library's venv and pip."""
    pip = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check"]
    return Installer(
        "pip",
        [python, "-m", "venv", str(VENV)],
        [*pip, "index", "versions", SMALL_PACKAGE, "--timeout", "15", "--retries", "0"],
        [*pip, "install", "--require-hashes", "--progress-bar", "off", "--requirement", str(LOCK)],
        [*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(PROJECT)],
    )


def run(command, step):
    """Run one step and show how far it is; what it said is shown only if it fails."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, errors="replace"
    )
    said, found = [], 0
    for line in process.stdout:
        said.append(line)
        if line.startswith(("Collecting ", "Processing ")):
            found += 1
            if found % 25 == 0:
                print("  %d packages found" % found, flush=True)
        elif line.startswith("Installing collected packages"):
            print("  %d packages found; unpacking them" % found, flush=True)
    if process.wait() != 0:
        sys.stderr.writelines([line for line in said if not line.startswith("WARNING")][-20:])
        raise SetupError("%s failed; the reason stands above." % step)


def reaches_index(installer):
    """Say whether a package index answers within seconds; nothing is downloaded."""
    quick = dict(os.environ, UV_HTTP_TIMEOUT="15", UV_HTTP_RETRIES="0")
    answer = subprocess.run(installer.reach, env=quick, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return answer.returncode == 0


def build(installer, lock_hash):
    """Make .venv anew from the lock; leave nothing behind when that is not possible."""
    if VENV.exists():
        shutil.rmtree(str(VENV))
    try:
        run(installer.create, "Making .venv")
        if not reaches_index(installer):
            raise SetupError(
                "No package index can be reached: check the network or proxy, or point %s to your organisation's "
                "mirror, and run the command again." % installer.name
            )
        print("Installing the locked packages with %s (about a minute) ..." % installer.name, flush=True)
        run(installer.packages, "Installing the locked packages")
        run(installer.project, "Installing the project")
        STAMP.write_text("%s %s\n" % (installer.name, lock_hash))
    except BaseException:
        shutil.rmtree(str(VENV), ignore_errors=True)
        raise


def set_up():
    """Bring .venv up to date with the lock and the project."""
    os.environ["UV_PYTHON_DOWNLOADS"] = "never"
    uv = shutil.which("uv")
    bounds = python_bounds((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = LOCK.read_bytes()
    lock_hash = hashlib.sha256(lock).hexdigest()
    probe = re.search(r"(?m)^%s==[\w.]+" % SMALL_PACKAGE, lock.decode("utf-8")).group(0)
    answers = [ask(command) for command in python_commands(bounds, uv)]

    stamp = STAMP.read_text().split() if STAMP.exists() else []
    failure = None
    for name in ["uv", "pip"] if uv else ["pip"]:
        try:
            python = choose_python(answers, bounds, needs_venv_module=name == "pip")
            installer = uv_installer(uv, python, probe) if name == "uv" else pip_installer(python)
            if stamp == [name, lock_hash] and ask([str(VENV_PYTHON)]):
                run(installer.project, "Installing the project")
                STAMP.touch()
            else:
                build(installer, lock_hash)
            return
        except SetupError as error:
            failure = failure or error
    raise failure


def main():
    """Set up, or end with exit code 2 and one line."""
    try:
        set_up()
    except SetupError as error:
        print("mtvp_eval cannot be set up: %s" % error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; run the command again to set up from the start.", file=sys.stderr)
        return 130
    print("Ready: .venv with Python %d.%d" % tuple(ask([str(VENV_PYTHON)])["version"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
