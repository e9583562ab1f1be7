"""Time and memory of the open-data report, raw files to pages; run: python benchmarks/bench_open_data.py [RUNS]."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import copytree

ROOT = Path(__file__).resolve().parents[1]
RAW = ROOT / "raw"


def run(folder: str) -> float:
    """Seconds of one `mtvp open-data` in its own process, with its notebook in both languages."""
    environment = {**os.environ, "MTVP_PROJECT": folder, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "mtvp_eval", "open-data", "--data", str(RAW)],
        env=environment, check=True, capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - start


def main() -> None:
    if not (RAW / "vektis").is_dir():
        sys.exit("There is no folder raw/vektis/: README.md says which files to download.")
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with tempfile.TemporaryDirectory() as folder:
        copytree(ROOT / "reports" / "open_data", Path(folder) / "reports" / "open_data")
        seconds = [run(folder) for _ in range(runs)]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("| command | least, s | most, s | processor, s a run | limit, s |\n|---|---|---|---|---|")
    processor = (used.ru_utime + used.ru_stime) / runs
    print(f"| mtvp open-data | {min(seconds):.1f} | {max(seconds):.1f} | {processor:.1f} | 60 |")
    print(f"\nLargest process: {used.ru_maxrss / 1024:.0f} MiB (limit 2,048).")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
