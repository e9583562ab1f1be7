"""Time this package and its peers side by side: the same panels, one core, one process a job, estimates compared.

    python benchmarks/run.py                    # everything, half an hour; writes benchmarks/README.md
    python benchmarks/run.py --quick            # 200 × 16 and 5,000 × 28 only, 8 minutes; prints the tables
    python benchmarks/run.py --tasks sun_abraham imputation --sizes medium

A peer that is not installed, fails, needs more memory than the cap or more time than the limit is a row that says so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environments import HERE, LABELS, install, python_of, settings
from jobs import ALONE, EVERY, TASKS, Task
from panels import SIZES, write
from tables import Run, page, tables

SECONDS = {"small": 60, "medium": 120, "large": 300}
"""A job is stopped after so much processor time, or ten times as long on the clock."""
REPEAT = {"small": 1.0, "medium": 3.0, "large": 5.0}
"""Calls are repeated for so many seconds of processor time; one that takes four times as long is not repeated."""

SCRIPTS = {
    "bench_import": "Import in a fresh process",
    "bench_lottery": "Draws and replays",
    "bench_costbenefit": "Cost and benefit",
    "bench_evaluate": "A large region, one process",
    "bench_report": "The example region",
    "bench_open_data": "The open-data report, from the yearly files to the pages",
}
"""Further benchmarks, of our own work alone, and their titles on the page."""

WHOLE_REPORTS = frozenset({"bench_report", "bench_open_data"})
"""They take minutes and have no peer: run only with everything, the second where `PUBLIC_FILES` are."""
PUBLIC_FILES = HERE.parent / "raw" / "vektis"


def main() -> None:
    arguments = _parser().parse_args()
    sizes = [s for s in EVERY if s in (("small", "medium") if arguments.quick else arguments.sizes)]
    started = time.time()
    chosen = [task for task in TASKS if not arguments.tasks or task.call in arguments.tasks]
    peers = sorted({peer for task in chosen for peer in task.peers})
    missing = {peer: reason for peer in peers if (reason := _installed(peer))}
    jobs = [(task, size) for size in sizes for task in chosen if size in task.sizes]
    runs: list[Run] = []
    for number, (task, size) in enumerate(jobs, 1):
        print(f"[{number}/{len(jobs)}] {SIZES[size].title}  {task.title}", flush=True)
        runs.append(compare(task, size, missing, runs, arguments.cap))
    for name in ALONE:
        for size in (s for s in sizes if s != "small"):
            if not arguments.tasks or name in arguments.tasks:
                print(f"[ours] {SIZES[size].title}  {name}", flush=True)
                own = job("ours", name, size, arguments.cap)
                runs.append(Run(Task(name, name, ()), size, {"mtvp_eval": own}))
    whole = not arguments.tasks and not arguments.quick and sizes == list(EVERY)
    left_out = (set() if whole else WHOLE_REPORTS) | (set() if PUBLIC_FILES.is_dir() else {"bench_open_data"})
    beside = [name for name in SCRIPTS if not arguments.tasks and name not in left_out]
    others = [_script(name) for name in arguments.others or beside]
    text = tables(runs, peers)
    if whole or arguments.write:
        (HERE / "README.md").write_text(
            page(text, others, time.time() - started, arguments.cap, SECONDS), encoding="utf-8"
        )
    print("\n".join([text, *others]))
    print(
        f"{(time.time() - started) / 60:.1f} minutes"
        + ("; benchmarks/README.md written" if whole or arguments.write else "")
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the two smaller sizes; nothing is written")
    parser.add_argument("--sizes", nargs="+", choices=EVERY, default=list(EVERY))
    parser.add_argument("--tasks", nargs="+", choices=[*(task.call for task in TASKS), *ALONE], default=[])
    parser.add_argument("--others", nargs="*", choices=list(SCRIPTS), default=[], help="scripts to run beside tasks")
    parser.add_argument("--write", action="store_true", help="write benchmarks/README.md from a part as well")
    parser.add_argument("--cap", type=float, default=10.0, metavar="GIB", help="memory of one job (default 10)")
    return parser


def _installed(peer: str) -> str | None:
    if python_of(peer) is None:
        print(f"making the environment of {LABELS[peer]} ...", flush=True)
    return install(peer)


def compare(task: Task, size: str, missing: dict[str, str], before: list[Run], cap: float) -> Run:
    """Run a task by everybody, ours before and after the peers, so that a busy machine slows all alike."""
    ours = job("ours", task.call, size, cap)
    found = {LABELS["ours"]: ours}
    for peer in task.peers:
        calls = [task.call, *([task.also[peer]] if peer in task.also else [])]
        for call in calls:
            label = LABELS[peer] + (" by hand" if call != task.call else "")
            smaller = [r.found[label] for r in before if r.task is task and label in r.found]
            if peer in missing:
                found[label] = {"error": missing[peer]}
            elif any(each.get("stopped") for each in smaller):
                found[label] = {"error": "not tried: stopped at a smaller size", "stopped": True}
            else:
                found[label] = job(peer, call, size, cap)
            print(f"    {label}: {_said(found[label])}", flush=True)
    again = job("ours", task.call, size, cap)
    if "warm" in ours and "warm" in again:
        for key in ("warm", "processor"):
            ours[key] = ours[key] + again[key]
        ours["first"], ours["peak"] = min(ours["first"], again["first"]), max(ours["peak"], again["peak"])
    print(f"    {LABELS['ours']}: {_said(ours)}", flush=True)
    return Run(task, size, found)


def _said(result: dict) -> str:
    if "error" in result:
        return result["error"]
    return f"{statistics.median(result['warm']):.4g} s warm, {result['first']:.3g} s first, {result['peak']:.0f} MiB"


def job(who: str, call: str, size: str, cap: float) -> dict:
    """Run one job in its own process on one core, and stop it when it takes too long or too much memory."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [
            str(python_of(who)),
            str(HERE / "worker.py"),
            who,
            call,
            str(write(size)),
            str(REPEAT[size]),
            str(out),
        ]
        process = subprocess.Popen(
            command, env=settings(), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            preexec_fn=_one_core if hasattr(os, "sched_setaffinity") else None,
        )  # fmt: skip
        limit = time.monotonic() + 10 * SECONDS[size]
        while process.poll() is None:
            memory, worked = used(process.pid)
            if memory > cap or worked > SECONDS[size] or time.monotonic() > limit:
                process.kill()
                process.wait()
                said = f"more than {cap:g} GiB" if memory > cap else f"more than {SECONDS[size]} s of processor time"
                return {"error": said, "stopped": True}
            time.sleep(0.02)
        if out.exists():
            return json.loads(out.read_text())
        return {"error": f"the process ended with code {process.returncode}", "stopped": True}


def _one_core() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def used(pid: int) -> tuple[float, float]:
    """Return GiB of a process now and its seconds of processor time; zeros where the system does not say."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
        times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        memory = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")) / 2**20
        return memory, sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
    except (OSError, StopIteration, IndexError):
        return 0.0, 0.0


def _script(name: str) -> str:
    """Return what another benchmark prints, under its title."""
    print(f"[{name}]", flush=True)
    done = subprocess.run(
        [sys.executable, str(HERE / f"{name}.py")], env=settings(), capture_output=True, text=True, check=False
    )
    said = done.stdout if not done.returncode else f"{name} failed: {done.stderr.strip().splitlines()[-1]}"
    return f"### {SCRIPTS[name]}\n\n{said.strip()}\n"


if __name__ == "__main__":
    main()
