"""One job in a process of its own: read a panel, call a package again and again, write times, peak and estimates.

python benchmarks/worker.py MODULE CALL PANEL.npz SECONDS OUT.json
"""

from __future__ import annotations

import importlib
import json
import math
import sys
import textwrap
import time
import warnings
from pathlib import Path

MOST_CALLS = 15


def peak() -> float:
    """MiB of the largest resident size so far."""
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage it forgets what the process was before it became this program
        line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def frame(path: str):
    import numpy as np
    import pandas as pd

    with np.load(path) as columns:
        return pd.DataFrame({name: columns[name] for name in columns.files})


def plain(found: dict) -> dict:
    """Return estimates as JSON can hold them: numbers that are not finite become None."""

    def number(value: object) -> float | None:
        return float(value) if value is not None and math.isfinite(float(value)) else None

    return {
        "rows": [[None if e is None else int(e), number(b), number(s)] for e, b, s in found["rows"]],
        "more": {key: number(value) for key, value in found.get("more", {}).items()},
    }


def main() -> None:
    module, call, panel, seconds, out = sys.argv[1:]
    warnings.filterwarnings("ignore")
    result: dict = {}
    try:
        table = frame(panel)
        start = time.perf_counter()
        job = getattr(importlib.import_module(f"calls.{module}"), call)(table)
        result["import"] = time.perf_counter() - start
        times: list[float] = []
        processor: list[float] = []
        # The first call pays for lazy imports and compilation; a long one is not repeated.
        limit = float(seconds)
        while not times or (sum(processor[1:]) < limit and len(times) <= MOST_CALLS and processor[0] < 4 * limit):
            start, worked = time.perf_counter(), time.process_time()
            found = job()
            times.append(time.perf_counter() - start)
            processor.append(time.process_time() - worked)
        result |= {
            "first": times[0],
            "warm": times[1:] or times,
            "processor": processor[1:] or processor,
            **plain(found),
        }
    except BaseException as error:  # noqa: BLE001 - whatever a package does, it becomes a row
        result["error"] = textwrap.shorten(f"{type(error).__name__}: {error}", 300, placeholder=" …")
    result["peak"] = peak()
    Path(out).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
