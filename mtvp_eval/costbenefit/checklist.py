"""The reporting checklist for economic evaluations, filled with links into a report; what is absent says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtvp_eval.errors import LedgerError
from mtvp_eval.settings import load_yaml

NOT_REPORTED = "not reported"


def fill_checklist(path: Path, links: Mapping[str, str]) -> Any:
    """Return a DataFrame with a row for each item of a checklist.

    Parameters: `path` of the checklist (YAML with items: number, topic, topic_nl, ask, ask_nl, where), `links` from the
    key of a part of the report to its place. Columns number, topic, topic_nl, ask, ask_nl, place: a part that is not in
    `links` is "not reported", never left out. Raises ``LedgerError`` when the items are not numbered 1, 2, 3, ….
    """
    import pandas as pd

    items = load_yaml(path)["items"]
    if [item["number"] for item in items] != list(range(1, len(items) + 1)):
        raise LedgerError(f"{path.name}: items must be numbered 1, 2, 3, … without gaps.")
    rows = [
        (
            item["number"],
            item["topic"],
            item["topic_nl"],
            item["ask"],
            item["ask_nl"],
            links.get(item["where"], NOT_REPORTED) if item["where"] else NOT_REPORTED,
        )
        for item in items
    ]
    return pd.DataFrame(rows, columns=["number", "topic", "topic_nl", "ask", "ask_nl", "place"])
