"""The files the rules are held to."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mtvp_eval"


def tracked_files() -> list[str]:
    """Return the files that git keeps or would keep; outside a clone, what stands in the visible folders."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        listed = [p.as_posix() for p in found if not any(part.startswith(".") or part == "raw" for part in p.parts)]
    return sorted(name for name in set(listed) if (ROOT / name).is_file())


def modules() -> list[str]:
    """Return the Python files of the package."""
    return [name for name in tracked_files() if name.startswith("mtvp_eval/") and name.endswith(".py")]


def notebooks() -> list[str]:
    """Return the notebooks: templates and published reports."""
    return [name for name in tracked_files() if name.endswith(".ipynb")]
