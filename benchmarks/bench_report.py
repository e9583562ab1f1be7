"""Time the report of the example region as a whole process; run: python benchmarks/bench_report.py [RUNS]."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(verb: str, folder: str) -> float:
    """Seconds of one `mtvp VERB example` in its own process."""
    environment = {**os.environ, "MTVP_PROJECT": folder, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "mtvp_eval", verb, "example"], env=environment, check=True, capture_output=True
    )
    return time.perf_counter() - start


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        run("simulate", folder)
        print("| command | first, s | later: least, s | later: most, s |\n|---|---|---|---|")
        for verb in ("evaluate", "report", "verify"):
            first, later = run(verb, folder), [run(verb, folder) for _ in range(runs)]
            print(f"| mtvp {verb} example | {first:.1f} | {min(later):.1f} | {max(later):.1f} |")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\nLargest process: {peak:.0f} MiB. {os.cpu_count()} processors.")


if __name__ == "__main__":
    main()
