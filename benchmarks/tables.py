"""The page of results: times, ratios to the fastest peer, memory, and how far estimates agree. No number by hand."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from environments import HERE, LABELS, REQUIREMENTS
from jobs import Task
from panels import SIZES

OURS = LABELS["ours"]
LARGEST_MIB = 2048
"""What a method of ours may take at the large size."""
AGREE, AGREE_ERRORS = 1e-6, 1e-4
"""Relative differences of estimates, and of standard errors, from which on a row says what differs."""


@dataclass(frozen=True)
class Run:
    """One task at one size: result by package."""

    task: Task
    size: str
    found: dict[str, dict]

    def seconds(self, label: str) -> float | None:
        result = self.found[label]
        return statistics.median(result["warm"]) if "warm" in result else None

    def processor(self, label: str) -> float | None:
        result = self.found[label]
        return statistics.median(result["processor"]) if "processor" in result else None

    def fastest(self) -> tuple[str, float] | None:
        """Return the fastest peer and its seconds."""
        times = [(t, label) for label in self.found if label != OURS and (t := self.seconds(label)) is not None]
        return (min(times)[1], min(times)[0]) if times else None


def tables(runs: list[Run], peers: list[str]) -> str:
    """Return the tables of a run: ratios, every package, methods of ours without a peer, cost against units."""
    beside = [run for run in runs if run.task.peers]
    parts = []
    if beside:
        parts += [_ratios(beside), _everybody(beside)]
    alone = [run for run in runs if not run.task.peers]
    if alone:
        parts.append(_alone(alone))
    if both := [pair for run in runs if (pair := _two_sizes(run, runs))]:
        parts.append(_cost_against_units(both))
    if peers:
        pinned = ", ".join(" ".join((REQUIREMENTS / f"{p}.txt").read_text().split()).replace("==", " ") for p in peers)
        parts.append(f"Peers: {pinned}.\n")
    return "\n".join(parts)


def _ratios(runs: list[Run]) -> str:
    lines = [
        "### Ratios to the fastest peer\n",
        "| task | size | ours, s | fastest peer, s | ratio | in processor time | to reach | ours, MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        own, peer, target = run.seconds(OURS), run.fastest(), run.task.targets.get(run.size)
        ratio, worked = None, None
        if own and peer:
            ratio = peer[1] / own
            worked = (run.processor(peer[0]) or 0.0) / (run.processor(OURS) or 1.0)
        reached = "" if target is None else f"{target:g} ×"
        if target is not None and ratio is not None and ratio < target:
            reached += ", missed"
        lines.append(
            f"| {run.task.title} | {SIZES[run.size].title} | {_time(own)} | "
            + (f"{_time(peer[1])} ({peer[0]})" if peer else "none finished")
            + f" | {_times(ratio)} | {_times(worked)} | {reached} | {run.found[OURS].get('peak', 0):.0f} |"
        )
    return "\n".join(lines) + "\n"


def _everybody(runs: list[Run]) -> str:
    lines = [
        "### Every package\n",
        "Difference: largest over event times, estimates relative to the largest of ours, standard errors each "
        "relative to ours.\n",
        "| task | size | package | warm, s | first, s | peak, MiB | estimates differ | errors differ | why |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        for label, result in run.found.items():
            head = f"| {run.task.title} | {SIZES[run.size].title} | {label} |"
            if "error" in result:
                lines.append(f"{head} {result['error'].replace('|', '/')} ||||||")
                continue
            estimates, errors = agreement(run.found[OURS], result) if label != OURS else (None, None)
            lines.append(
                f"{head} {_time(run.seconds(label))} | {_time(result['first'])} | {result['peak']:.0f} | "
                f"{_small(estimates)} | {_small(errors)} | {_why(run.task, label, estimates, errors)} |"
            )
    return "\n".join(lines) + "\n"


def agreement(ours: dict, theirs: dict) -> tuple[float | None, float | None]:
    """Return the largest differences of estimates and of standard errors over the event times both have."""
    own = {event: (b, s) for event, b, s in ours.get("rows", [])}
    shared = [(own[e], (b, s)) for e, b, s in theirs.get("rows", []) if e in own and b is not None]
    if not shared:
        return None, None
    scale = max(abs(b) for (b, _), _ in shared) or 1.0
    errors = [abs(s / t - 1) for (_, t), (_, s) in shared if s and t]
    return max(abs(b - c) for (b, _), (c, _) in shared) / scale, max(errors, default=None)


def _why(task: Task, label: str, estimates: float | None, errors: float | None) -> str:
    if label == OURS:
        return ""
    peer = next(name for name, shown in LABELS.items() if label.startswith(shown))
    apart = [
        word
        for word, value, limit in (("estimates", estimates, AGREE), ("errors", errors, AGREE_ERRORS))
        if value is not None and value > limit
    ]
    if estimates is None or apart:
        return task.conventions.get(peer, f"{' and '.join(apart)} differ, cause not known" if apart else "")
    return ""


def _alone(runs: list[Run]) -> str:
    lines = [
        "### Methods without a peer here\n",
        "| method | size | warm, s | peak, MiB | |",
        "|---|---|---|---|---|",
    ]
    for run in runs:
        result = run.found[OURS]
        said = f"refused: {result['error'].split(': ', 1)[-1]}" if "error" in result else ""
        head = f"| {run.task.title} | {SIZES[run.size].title} | {_time(run.seconds(OURS))}"
        lines.append(f"{head} | {result['peak']:.0f} | {said} |")
    return "\n".join(lines) + "\n"


def _two_sizes(run: Run, runs: list[Run]) -> tuple[Run, Run] | None:
    """Return a run at the middle size with the one of the same task at the large size, where both were made."""
    larger = [each for each in runs if each.task.call == run.task.call and each.size == "large"]
    return (run, larger[0]) if run.size == "medium" and larger and run.processor(OURS) else None


def _cost_against_units(both: list[tuple[Run, Run]]) -> str:
    middle, large = SIZES["medium"], SIZES["large"]
    more = large.units // middle.units
    lines = [
        "### Cost against units\n",
        f"Our processor time at both sizes: {more} times the units, so no more than {more} times the time is no worse "
        f"than linear; and the memory at {large.title}, of {LARGEST_MIB:,} MiB allowed.\n",
        f"| method | {middle.title}, s | {large.title}, s | times | peak, MiB | |",
        "|---|---|---|---|---|---|",
    ]
    for small, big in both:
        before, after, result = small.processor(OURS), big.processor(OURS), big.found[OURS]
        times = None if after is None or before is None else after / before
        said = [f"failed: {result['error']}"] if "error" in result else []
        said += ["worse than linear"] if times is not None and times > more else []
        said += ["too much memory"] if result.get("peak", 0) > LARGEST_MIB else []
        lines.append(
            f"| {small.task.title} | {_time(before)} | {_time(after)} | {_times(times)} | {result.get('peak', 0):.0f} "
            f"| {'; '.join(said)} |"
        )
    return "\n".join(lines) + "\n"


def page(text: str, others: list[str], seconds: float, cap: float, limits: dict[str, int]) -> str:
    """Return the whole page: machine, versions, date, command, tables."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "scipy", "pandas"))
    today = datetime.date.today()
    head = [
        "# Benchmarks\n",
        "`make bench` makes this page again (`python benchmarks/run.py --quick`: the two smaller sizes, nothing "
        "written). Every number below was written by that command; tests never assert a time.\n",
        f"{_machine()}, Python {platform.python_version()}, {versions}; commit {_commit()}, {today.day} {today:%B %Y}, "
        f"{seconds / 60:.0f} minutes{_load()}. Command: `{' '.join(['python benchmarks/run.py', *sys.argv[1:]])}`.\n",
        f"Each job runs in a process of its own, on one core, with one thread. It is stopped at {cap:g} GiB, or after "
        + ", ".join(f"{limits[size]} s at {SIZES[size].title}" for size in limits)
        + " of processor time, and its row then says so. Seconds run from a DataFrame to the table of effects; warm is "
        "the median of repeated calls, ours from a process before and one "
        "after the peers. The first call pays for lazy imports and compilation. Peak memory holds interpreter and "
        "data. Processor time is what other work on the machine changes least.\n",
        "Below the peers stand our own parts alone, one script each; `bench_open_data` (raw public files to the "
        "finished report in both languages) runs where raw/vektis is filled.\n",
    ]
    return "\n".join([*head, text, *others])


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0
    return f"{os.cpu_count()} × {models[0] if models else platform.processor()}, {memory:.0f} GiB, {platform.system()}"


def _load() -> str:
    return f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""


def _commit() -> str:
    command = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3g}"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3g} ×"


def _small(value: float | None) -> str:
    return "" if value is None else f"{value:.0e}"
