"""The command line: verbs and argument parsing only."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import mtvp_eval


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 the data failed, 2 the command was wrong."""
    parser = argparse.ArgumentParser(prog="mtvp", description=mtvp_eval.__doc__)
    parser.add_argument("--version", action="version", version=f"mtvp_eval {mtvp_eval.__version__}")
    parser.parse_args(argv)
    parser.print_help()
    return 0
