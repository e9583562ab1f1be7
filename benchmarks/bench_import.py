"""Time imports in fresh processes; run: python benchmarks/bench_import.py."""

from __future__ import annotations

import statistics
import subprocess
import time

from environments import LABELS, python_of, settings

MODULES = {"ours": "mtvp_eval", "diff_diff": "diff_diff", "statspai": "statspai", "csdid": "csdid.att_gt",
           "moderndid": "moderndid", "pyfixest": "pyfixest"}  # fmt: skip
RUNS = 5


def seconds(python: str, module: str) -> float | None:
    """Return the median over fresh processes, without the start of Python itself."""
    line = f"import time; a = time.perf_counter(); import {module}; print(time.perf_counter() - a)"
    times = []
    for _ in range(RUNS + 1):
        done = subprocess.run([python, "-c", line], env=settings(), capture_output=True, text=True, check=False)
        if done.returncode:
            return None
        times.append(float(done.stdout.split()[-1]))
    return statistics.median(times[1:])  # the first fills the disk's cache


def main() -> None:
    own = settings()
    start = time.perf_counter()
    subprocess.run([str(python_of("ours")), "-m", "mtvp_eval", "--version"], env=own, check=True, capture_output=True)
    command = time.perf_counter() - start
    print("| package | seconds |\n|---|---|")
    for name, module in MODULES.items():
        python = python_of(name)
        taken = seconds(str(python), module) if python else None
        limit = (
            "" if name != "ours" else " (limit 0.7)" if taken is not None and taken <= 0.7 else " (limit 0.7, missed)"
        )
        print(f"| {LABELS[name]} | {'not installed' if taken is None else f'{taken:.2f}{limit}'} |")
    print(f"\n`mtvp --version` as a whole process: {command:.2f} s.\n")


if __name__ == "__main__":
    main()
