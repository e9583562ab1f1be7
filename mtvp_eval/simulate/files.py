"""Files: the tables of a simulated region as texts, and in place in raw/REGION whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import ObjectArray
from mtvp_eval.clock import quarter_label
from mtvp_eval.dictionary.schema import Table
from mtvp_eval.errors import CommandError

if TYPE_CHECKING:
    import pandas as pd

TRUTH_FILE = ".truth.json"
"""Where the truth lies beside the extracts: hidden, so that no reader of extracts takes it for one."""


def as_written(extracts: Mapping[str, pd.DataFrame], tables: Mapping[str, Table]) -> dict[str, pd.DataFrame]:
    """Return the extracts as texts, as they stand in the files: `2023Q2`, `yes`, ISO dates, decimal point.

    Raises
    ------
    CommandError
        If the dictionary does not know a table or column of the simulator.
    """
    import pandas as pd

    unknown = [
        f"{name}.{column}" if name in tables else name
        for name, frame in extracts.items()
        for column in frame
        if name not in tables or column not in tables[name].columns
    ]
    if unknown:
        raise CommandError(f"The data dictionary does not know {', '.join(dict.fromkeys(unknown))}.")
    return {
        name: pd.DataFrame({c: _as_text(frame[c], tables[name].columns[c].type) for c in frame}, dtype=object)
        for name, frame in extracts.items()
    }


def _as_text(column: pd.Series[Any], kind: str) -> ObjectArray:
    """Write the different values of a column once each, then spread them over its rows."""
    codes, levels = column.factorize(use_na_sentinel=True)
    write = {
        "quarter": lambda value: quarter_label(int(value)),
        "date": lambda value: str(np.datetime64(value, "D")),
        "integer": lambda value: str(round(value)),
        "decimal": lambda value: repr(round(float(value), 4)),
        "yes_no": lambda value: "yes" if value else "no",
    }.get(kind, str)
    written = np.array([*(write(level) for level in levels), ""], dtype=object)
    return written[codes]


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """Return a table of texts as UTF-8, separated by semicolons, lines ended as on Unix everywhere."""
    out = io.StringIO()
    frame.to_csv(out, sep=";", index=False, lineterminator="\n")
    return out.getvalue().encode("utf-8")


def write_files(contents: Mapping[str, bytes], folder: Path) -> None:
    """Put the files of a region in place of the folder, whole or not at all.

    A folder that holds anything besides an earlier simulation is left alone.

    Raises
    ------
    CommandError
        If the folder holds other data, or cannot be written.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / TRUTH_FILE).is_file():
        raise CommandError(
            f"{folder.name}/ holds data that were not simulated here; nothing is written over them. "
            "Choose another folder with --data, or move the data away."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, content in contents.items():
                (temporary / name).write_bytes(content)
            temporary.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise CommandError(f"The simulated extracts could not be written: {error.strerror or error}.") from error
