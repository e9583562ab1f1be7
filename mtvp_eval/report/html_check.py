"""Check a reader's page before it is published: can everybody read it, and does it fetch nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from mtvp_eval.errors import MtvpError

_FETCHING = {"src", "href", "data", "srcset", "poster", "action", "background"}
_STYLE_FETCH = re.compile(r"@import|url\(\s*['\"]?(?!data:)", re.IGNORECASE)


def problems(page: str) -> tuple[str, ...]:
    """Return what is wrong with a page; empty if nothing.

    Checked: language, title, one h1, no skipped heading level, alternative text of every picture, scope of every table
    heading, a caption in every table, unique ids, no script, nothing fetched from outside.

    >>> problems('<html lang="nl"><title>A</title><h1>A</h1><h3>B</h3></html>')
    ('heading level 3 follows level 1',)
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    found = list(reader.found)
    if not reader.language:
        found.append("the html element has no lang")
    if not reader.title.strip():
        found.append("the page has no title")
    if reader.levels.count(1) != 1:
        found.append(f"the page has {reader.levels.count(1)} h1 headings")
    for before, after in zip([0, *reader.levels], reader.levels, strict=False):
        if after > before + 1:
            found.append(f"heading level {after} follows level {before}")
    found += [f"id {name} stands {n} times" for name, n in reader.ids.items() if n > 1]
    if reader.tables != reader.captions:
        found.append(f"{reader.tables} tables have {reader.captions} captions")
    return tuple(dict.fromkeys(found))


def assert_readable(path: Path) -> None:
    """Refuse a page with problems.

    Raises
    ------
    MtvpError
        Listing every problem.
    """
    found = problems(path.read_text(encoding="utf-8"))
    if found:
        raise MtvpError(f"Not published: {path.name} is not readable for everybody: " + "; ".join(found) + ".")


@dataclass
class _Reader(HTMLParser):
    """Collect what the checks need while reading the page."""

    found: list[str] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    language: str = ""
    title: str = ""
    tables: int = 0
    captions: int = 0
    _inside: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._inside = tag
        if tag == "html":
            self.language = given.get("lang", "")
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "img" and not given.get("alt", "").strip():
            self.found.append("a picture has no alternative text")
        if tag == "th" and given.get("scope") not in ("col", "row", "colgroup", "rowgroup"):
            self.found.append("a table heading has no scope")
        if tag in ("script", "iframe", "object", "embed"):
            self.found.append(f"the page holds a {tag}")
        self.tables += tag == "table"
        self.captions += tag == "caption"
        if given.get("id"):
            self.ids[given["id"]] = self.ids.get(given["id"], 0) + 1
        for name in _FETCHING & set(given):
            if not given[name].startswith(("data:", "#")):
                self.found.append(f"{tag} {name} points outside the page")

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self.title += data
        if self._inside == "style" and _STYLE_FETCH.search(data):
            self.found.append("the style fetches a file")
