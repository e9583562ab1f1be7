"""Time `mtvp evaluate` on 5,000 practices × 28 quarters × 6 outcomes; run: python benchmarks/bench_evaluate.py.

The region is the embedded example with more practices and quarters, simulated into benchmarks/data/ once, and again
when the data dictionary has changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml
from environments import HERE, settings

PRACTICES, QUARTERS, FIRST = 5_000, 28, "2018Q1"
PROJECT = HERE / "data" / "region"
ROOT = HERE.parent


def state() -> str:
    """Return what the simulated region depends on besides code."""
    files = sorted(path for path in (ROOT / "data_dictionary").rglob("*") if path.is_file())
    seen = hashlib.sha256(f"{PRACTICES} {QUARTERS} {FIRST}".encode())
    for path in [*files, ROOT / "reports" / "example" / "evaluation.yaml"]:
        seen.update(path.read_bytes())
    return seen.hexdigest()


def prepare() -> None:
    """Simulate the large region, unless it is there."""
    stamp = PROJECT / "state"
    if stamp.exists() and stamp.read_text() == state():
        return
    shutil.rmtree(PROJECT, ignore_errors=True)
    shutil.copytree(ROOT / "data_dictionary", PROJECT / "data_dictionary")
    path = PROJECT / "data_dictionary" / "regions.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["regions"]["example"].update(practices=PRACTICES, quarters=QUARTERS, first_quarter=FIRST)
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    run("simulate")
    price_one_more_year(PROJECT / "reports" / "example" / "evaluation.yaml")
    stamp.write_text(state())


def price_one_more_year(path: Path) -> None:
    """Give the assumed amounts for the year after the observed ones: with more practices, effects reach a year on."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for amounts in document["cost_benefit"]["inputs"].values():
        amounts[max(amounts) + 1] = amounts[max(amounts)]
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")


def run(verb: str) -> tuple[float, float]:
    """Return seconds and peak MiB of `mtvp VERB example` in the large project."""
    line = (
        "import json, sys, worker; from mtvp_eval.cli import main; code = main(sys.argv[1:]); "
        "print(json.dumps([code, worker.peak()]))"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", line, verb, "example"], env={**settings(), "MTVP_PROJECT": str(PROJECT)}, cwd=PROJECT,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    took = time.perf_counter() - start
    code, peak = json.loads(done.stdout.splitlines()[-1])
    if code:
        raise SystemExit(f"mtvp {verb} ended with {code}: {done.stderr.strip()[-300:]}")
    return took, peak


def main() -> None:
    PROJECT.parent.mkdir(exist_ok=True)
    prepare()
    took, peak = run("evaluate")
    rows = sum(1 for _ in Path(PROJECT / "raw" / "example").glob("*.csv"))
    print("| work | seconds | peak, MiB |\n|---|---|---|")
    print(
        f"| `mtvp evaluate`: {PRACTICES:,} practices × {QUARTERS} quarters × 6 outcomes, {rows} extracts read, draw "
        f"replayed | {took:.1f} | {peak:.0f} |\n"
    )


if __name__ == "__main__":
    main()
