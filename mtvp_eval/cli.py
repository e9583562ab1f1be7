"""The command line: verbs and argument parsing only."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import mtvp_eval
from mtvp_eval.errors import MtvpError

INTERRUPTED = 130
DEFECTS = ("missing_quarter", "duplicate_row", "wrong_code", "lost_zero")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 done, 1 the data or the comparison failed, 2 the command was wrong."""
    # Before numpy loads, here and in kernels: sums in the same order on every machine, and no fight for cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.verb is None:
        parser.print_help()
        return 2
    try:
        return int(arguments.run(arguments) or 0)
    except MtvpError as error:
        print(f"mtvp {arguments.verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"\nmtvp {arguments.verb}: stopped; nothing half-written is left.", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mtvp", description=mtvp_eval.__doc__)
    parser.add_argument("--version", action="version", version=f"mtvp_eval {mtvp_eval.__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, metavar="DIR", help="folder of the extracts (default raw/REGION)")

    def verb(
        name: str, run: Callable[[argparse.Namespace], int], text: str, *, reads: bool = False
    ) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text, parents=[data] if reads else [])
        added.set_defaults(run=run)
        return added

    added = verb("init", _init, "write a commented evaluation.yaml and empty extracts for a region")
    added.add_argument("region")
    added = verb("check", _check, "validate a region's extracts; list every violation", reads=True)
    added.add_argument("region")
    added = verb("simulate", _simulate, "write raw extracts of an embedded region whose truth is known")
    added.add_argument("region")
    added.add_argument("--seed", type=int, help="start of the random numbers (default: the region's own)")
    added.add_argument("--defect", choices=DEFECTS, help="make one mistake, to see what `mtvp check` says of it")
    added = verb("evaluate", _evaluate, "run the pipeline, print the headline table, write results.json", reads=True)
    added.add_argument("region")
    added = verb("report", _report, "run the notebooks and write reports/REGION/", reads=True)
    added.add_argument("regions", nargs="*", metavar="REGION")
    added.add_argument("--all", action="store_true", help="every region with an evaluation.yaml")
    added.add_argument("--jobs", type=int, default=2, metavar="N", help="notebooks at the same time (default 2)")
    added = verb("verify", _verify, "run again and compare with the published report, number by number", reads=True)
    added.add_argument("region")
    added = verb("open-data", _open_data, "the seven predecessor projects on public claims data: reports/open_data/")
    added.add_argument("--data", type=Path, metavar="DIR", help="folder of the Vektis files (default raw/vektis)")
    added = verb("dictionary", _dictionary, "write data_dictionary/README.md anew")
    added.add_argument("--check", action="store_true", help="fail if the page is stale, and write nothing")
    added = verb("estimate", _estimate, "any panel, any estimator: a table and estimates.json")
    added.add_argument("spec", type=Path, metavar="SPEC.yaml")
    added.add_argument("--out", type=Path, metavar="FILE", help="default estimates.json beside the spec")
    added = verb("power", _power, "what a region can and cannot show, from its draw and pre-period", reads=True)
    added.add_argument("region")
    added = verb("diagnose", _diagnose, "bias, coverage and power of the planned analysis on simulated extracts")
    added.add_argument("region")
    added.add_argument("--runs", type=int, default=100, metavar="N", help="simulated regions (default 100)")
    added = verb("pool", _pool, "what regions say together, from their published results: reports/pooled/")
    added.add_argument("regions", nargs="*", metavar="REGION")
    added.add_argument("--all", action="store_true", help="every region with a results.json")
    added = verb("money", _money, "net benefit with the prices known on a day beside those known now", reads=True)
    added.add_argument("region")
    added.add_argument("--known-on", type=date.fromisoformat, required=True, metavar="DATE", help="such as 2024-01-01")
    added = verb("decide", _decide, "cost-effectiveness of any effect and cost draws: table and decision.json")
    added.add_argument("spec", type=Path, metavar="SPEC.yaml")
    added.add_argument(
        "--out", type=Path, metavar="FILE", help="where to write (default decision.json beside the spec)"
    )
    added = verb("lottery", _lottery, "hold a real draw with a protocol, or check one that was held")
    acts = added.add_subparsers(dest="act", metavar="ACT", required=True)
    act = acts.add_parser("draw", help="draw places from an application list and write the protocol")
    act.add_argument("settings", type=Path, metavar="SETTINGS.yaml")
    act.add_argument("protocol", type=Path, metavar="PROTOCOL.json")
    act = acts.add_parser("replay", help="check a protocol, or a record given by its settings")
    act.add_argument("record", type=Path, metavar="FILE")
    act.add_argument("--list", type=Path, metavar="CSV", help="the application list, compared with the protocol's hash")
    return parser


def _init(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.regions import init

    for path in init(arguments.region):
        print(path)
    print(f"Fill these in, then: mtvp check {arguments.region}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.regions import check

    for line in check(arguments.region, arguments.data):
        print(line)
    return 0


def _simulate(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.regions import simulate

    print(f"Simulated extracts of {arguments.region}: {simulate(arguments.region, arguments.seed, arguments.defect)}")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.publish import evaluate

    print(evaluate(arguments.region, arguments.data))
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.publish import report

    for line in report(tuple(arguments.regions), everything=arguments.all, data=arguments.data, jobs=arguments.jobs):
        print(line)
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.pool import verify_pooled
    from mtvp_eval.pipeline.pool_reading import POOLED
    from mtvp_eval.pipeline.publish import verify
    from mtvp_eval.pipeline.publish_open_data import verify_open_data

    if arguments.region == "open_data":
        print(verify_open_data(arguments.data))
    elif arguments.region == POOLED:
        print(verify_pooled())
    else:
        print(verify(arguments.region, arguments.data))
    return 0


def _open_data(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.publish_open_data import open_data

    for line in open_data(arguments.data):
        print(line)
    return 0


def _dictionary(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.regions import dictionary_page

    print(dictionary_page(only_check=arguments.check))
    return 0


def _pool(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.pool import pool

    for line in pool(arguments.regions, everything=arguments.all):
        print(line)
    return 0


def _money(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.publish import revised

    print(revised(arguments.region, arguments.known_on, arguments.data))
    return 0


def _decide(arguments: argparse.Namespace) -> int:
    from mtvp_eval.costbenefit.decide import decide

    print(decide(arguments.spec, arguments.out).to_text())
    return 0


def _lottery(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.lottery_draw import hold, replay

    if arguments.act == "draw":
        lines, good = hold(arguments.settings, arguments.protocol), True
    else:
        lines, good = replay(arguments.record, arguments.list)
    print("\n".join(lines))
    return 0 if good else 1


def _estimate(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.estimate import estimate

    print(estimate(arguments.spec, arguments.out))
    return 0


def _power(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.power import power

    for line in power(arguments.region, arguments.data):
        print(line)
    return 0


def _diagnose(arguments: argparse.Namespace) -> int:
    from mtvp_eval.pipeline.diagnosis import diagnose

    for line in diagnose(arguments.region, arguments.runs):
        print(line)
    return 0
