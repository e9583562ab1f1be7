"""What a result was made from (the same on every machine) and in which run (different every time), kept apart.

`Provenance` goes into `manifest.json`, which is committed with a published report and must not change when the report
is made again from the same inputs. `RunRecord` goes into `run.json`, which stays on the machine.
"""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mtvp_eval

_NUMERIC_PACKAGES = ("numpy", "scipy", "pandas", "statsmodels", "linearmodels", "matplotlib", "seaborn", "papermill")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the numbers follow from: no time, commit, platform, package version or place on disk.

    Parameters
    ----------
    version : version of mtvp_eval.
    seed : seed of all random numbers, or None where none are drawn.
    inputs : sorted pairs of a file's name in the project (with forward slashes) and the SHA-256 of its bytes.
    """

    version: str
    seed: int | None
    inputs: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `manifest.json`, in a fixed order."""
        return {"mtvp_eval": self.version, "seed": self.seed, "inputs": dict(self.inputs)}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run on one machine: nothing in it may enter a committed file.

    Parameters
    ----------
    finished : moment in UTC, ISO 8601.
    python, platform : versions in words.
    packages : pairs of a package that makes numbers or pictures and its version.
    commit : commit of the project folder, or None outside a git clone.
    clean : whether the clone had no change of its own; None outside a git clone.
    """

    finished: str
    python: str
    platform: str
    packages: tuple[tuple[str, str], ...]
    commit: str | None
    clean: bool | None

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `run.json`."""
        return {
            "finished": self.finished,
            "python": self.python,
            "platform": self.platform,
            "packages": dict(self.packages),
            "commit": self.commit,
            "clean": self.clean,
        }


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimals."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def named_files(folder: Path, prefix: str) -> dict[str, Path]:
    """Return the files anywhere below a folder, named `prefix/...` with forward slashes, hidden ones left out."""
    names = {path: path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {f"{prefix}/{name.as_posix()}": path for path, name in names.items() if not _hidden(name.parts)}


def provenance(files: Mapping[str, Path], seed: int | None) -> Provenance:
    """Hash the input files under the names given; the names, not the places on disk, are kept.

    >>> provenance({"reports/example/evaluation.yaml": Path(__file__)}, seed=1).to_dict()["seed"]
    1
    """
    hashes = sorted((name, sha256(path)) for name, path in files.items())
    return Provenance(mtvp_eval.__version__, seed, tuple(hashes))


def fingerprint(made_from: Mapping[str, Any]) -> str:
    """Return one hash of all that numbers follow from: a manifest, the files of this package, and versions.

    Two processes of one machine with the same fingerprint compute the same numbers. It is never published, since
    versions differ between machines.

    >>> len(fingerprint(Provenance("0.1.0", 1, ()).to_dict()))
    64
    """
    files = named_files(Path(mtvp_eval.__file__).parent, "mtvp_eval")
    own = {name: sha256(path) for name, path in files.items() if not name.endswith(".pyc")}
    content = [dict(made_from), own, platform.python_version(), sorted(_versions(_NUMERIC_PACKAGES))]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def record_run(root: Path) -> RunRecord:
    """Record this run: when, with which Python and packages, on what, from which commit of the folder `root`."""
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain")
    return RunRecord(
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        python=platform.python_version(),
        platform=platform.platform(),
        packages=tuple(_versions(_NUMERIC_PACKAGES)),
        commit=commit,
        clean=None if commit is None else changes == "",
    )


def _hidden(parts: Iterable[str]) -> bool:
    return any(part.startswith((".", "~$")) for part in parts)


def _versions(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Yield the versions of the packages that are installed."""
    for name in names:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git says about the folder, or None without git or outside a clone."""
    try:
        answer = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
