"""One environment a peer, made once from its pinned requirements; what cannot be installed is said, not raised."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENTS, REQUIREMENTS = HERE / ".envs", HERE / "peers"
LABELS = {
    "ours": "mtvp_eval", "diff_diff": "diff-diff", "statspai": "StatsPAI", "csdid": "csdid", "moderndid": "moderndid",
    "pyfixest": "pyfixest",
}  # fmt: skip
PEERS = tuple(name for name in LABELS if name != "ours")


def python_of(name: str) -> Path | None:
    """Return the Python of an environment; None where it was not (or could not be) made."""
    if name == "ours":
        return Path(sys.executable)
    folder = ENVIRONMENTS / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / ".ready"
    return python if stamp.exists() and stamp.read_text() == requirements(name) else None


def requirements(name: str) -> str:
    return (REQUIREMENTS / f"{name}.txt").read_text()


def install(name: str) -> str | None:
    """Make a peer's environment unless it is there; return why it could not be made, or None."""
    if python_of(name):
        return None
    folder = ENVIRONMENTS / name
    make = [sys.executable, "-m", "venv", "--clear", str(folder)]
    fill = [
        str(folder / ("Scripts/python" if os.name == "nt" else "bin/python")), "-m", "pip", "install", "--quiet",
        "--only-binary", ":all:", "--requirement", str(REQUIREMENTS / f"{name}.txt"),
    ]  # fmt: skip
    for command in (make, fill):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"not installed ({type(error).__name__})"
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no reason given"]
            return f"not installed ({said[-1][:90]})"
    (folder / ".ready").write_text(requirements(name))
    return None


def settings() -> dict[str, str]:
    """Return the environment of a job: one thread in every library, this folder and the project on the path."""
    threads = ("OPENBLAS", "OMP", "MKL", "RAYON", "NUMBA", "NUMEXPR", "VECLIB_MAXIMUM")
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    return {
        **os.environ, **{f"{library}_NUM_THREADS": "1" for library in threads}, "POLARS_MAX_THREADS": "1",
        "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "Agg",
    }  # fmt: skip
