"""Visible text by key and language, and numbers as that language writes them."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files

from mtvp_eval.errors import CommandError

LANGUAGES = ("nl", "en")
MINUS = "\N{MINUS SIGN}"
WITHHELD = "\N{BULLET}"
ABSENT = "\N{EN DASH}"


@cache
def texts(language: str) -> dict[str, str]:
    """Return all texts of a language by dotted key, of every report (`en.yaml`) and of each topic (`money.en.yaml`).

    Raises
    ------
    CommandError
        If the language is none of `LANGUAGES`.

    >>> texts("nl")["term.weighting.practice"]
    'per praktijk'
    """
    import yaml

    if language not in LANGUAGES:
        raise CommandError(f"Unknown language {language!r}; a report is written in {' or '.join(LANGUAGES)}.")
    flat: dict[str, str] = {}
    for topic in files("mtvp_eval.report").joinpath("texts").iterdir():
        if topic.name.split(".")[-2:] == [language, "yaml"]:
            content = topic.read_text(encoding="utf-8")
            _flatten("", yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), flat)
    return flat


def _flatten(prefix: str, node: object, flat: dict[str, str]) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            _flatten(f"{prefix}.{key}" if prefix else str(key), value, flat)
    elif prefix in flat:
        raise KeyError(f"The text {prefix} stands in two files.")
    else:
        flat[prefix] = str(node).strip()


def text(key: str, language: str, **values: object) -> str:
    """Return one text with its values filled in.

    >>> text("interval", "en", level="95", low="1.0", high="2.0")
    '95% interval 1.0 to 2.0'
    """
    return texts(language)[key].format(**values)


def term(group: str, id_: str, language: str) -> str:
    """Return the word for an identifier of a group, or the identifier itself where there is none.

    >>> term("weighting", "patient", "en"), term("party", "Zorggroep Noord", "nl")
    ('per patient', 'Zorggroep Noord')
    """
    return texts(language).get(f"term.{group}.{id_}", id_)


def number(value: float, language: str, decimals: int = 0, signed: bool = False) -> str:
    """Write a number with thousands and decimal marks of the language and a true minus sign.

    >>> number(-1234.5, "nl", 1), number(-1234.5, "en", 1), number(0.25, "nl", 2, signed=True)
    ('−1.234,5', '−1,234.5', '+0,25')
    """
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if math.isnan(value):
        return ABSENT
    digits = f"{abs(value):,.{decimals}f}"
    zero = not digits.strip("0.,")
    if language == "nl":
        digits = digits.translate(str.maketrans(",.", ".,"))
    sign = "" if zero else MINUS if value < 0 else "+" if signed else ""
    return sign + digits


def interval(low: float, high: float, language: str, decimals: int = 0) -> str:
    """Write an interval as "low to high".

    >>> interval(-2.0, 0.5, "nl", 1)
    '−2,0 tot 0,5'
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return ABSENT
    return text("range", language, low=number(low, language, decimals), high=number(high, language, decimals))


def euro(value: float, language: str, decimals: int = 0, signed: bool = False) -> str:
    """Write an amount in euros.

    >>> euro(-12.5, "en", 2), euro(1234.0, "nl").split()
    ('−€12.50', ['€', '1.234'])
    """
    if not math.isfinite(value):
        return ABSENT
    written = number(value, language, decimals, signed)
    mark = "€\N{NO-BREAK SPACE}" if language == "nl" else "€"
    return written[0] + mark + written[1:] if written[0] in MINUS + "+" else mark + written


def joined(words: list[str], language: str) -> str:
    """Join words as a list in a sentence.

    >>> joined(["a", "b", "c"], "nl")
    'a, b en c'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {texts(language)['and']} {words[-1]}"
