"""Read settings files (YAML) strictly: every problem of a file is found and said at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mtvp_eval.errors import CommandError

_REQUIRED: Any = object()


def load_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping a YAML file holds.

    Raises
    ------
    CommandError
        If the file is missing, is not valid YAML (the line is named), repeats a key, or holds no mapping.
    """
    import yaml

    if not path.is_file():
        raise CommandError(f"There is no file {path.name} in {path.parent}.")

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the parser in C is eight times as fast

    class Strict(base):
        """A loader that refuses repeated keys instead of keeping the last one."""

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        keys = [loader.construct_object(key) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise CommandError(f"{path.name}, line {node.start_mark.line + 1}: the key {key} stands there twice.")
        return dict(base.construct_mapping(loader, node, deep=True))

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=Strict)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise CommandError(f"{path.name}{line} is not valid YAML: {error.problem}.") from error
    if not isinstance(content, dict):
        raise CommandError(f"{path.name} must hold `key: value` lines; it holds {type(content).__name__}.")
    return content


def nearest(word: str, valid: Iterable[str]) -> str:
    """Say which valid word comes nearest, or which there are.

    >>> nearest("estimater", ["estimator", "outcomes"])
    'did you mean estimator?'
    """
    choices = sorted(valid)
    close = get_close_matches(word, choices, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"valid: {', '.join(choices)}"


class Settings:
    """Take typed values out of one mapping; collect what is wrong; refuse keys nobody took.

    >>> settings = Settings({"level": 0.9, "levle": 1}, "evaluation.yaml")
    >>> settings.number("level", 0.95)
    0.9
    >>> settings.problems()
    ['evaluation.yaml: unknown key levle; did you mean level?']
    """

    def __init__(self, mapping: Mapping[str, Any], where: str) -> None:
        self._mapping = mapping
        self._where = where
        self._asked: set[str] = set()
        self._found: list[str] = []
        self._sections: list[Settings] = []

    def _take(self, key: str, default: Any, kinds: tuple[type, ...], expected: str) -> Any:
        self._asked.add(key)
        value = self._mapping.get(key)
        if value is None:
            if default is _REQUIRED:
                self._found.append(f"{self._where}: {key} is required ({expected})")
                return None
            return default
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            self._found.append(f"{self._where}: {key} must be {expected}, not {type(value).__name__}")
            return None if default is _REQUIRED else default
        return value

    def text(self, key: str, default: Any = _REQUIRED, choices: Iterable[str] = ()) -> Any:
        """Return a text, one of `choices` if given."""
        valid = tuple(choices)
        value = self._take(key, default, (str,), f"one of {', '.join(valid)}" if valid else "a text")
        if value is not None and valid and value not in valid:
            self._found.append(f"{self._where}: {key} is {value}; {nearest(value, valid)}")
        return value

    def integer(self, key: str, default: Any = _REQUIRED, low: int | None = None) -> Any:
        """Return an integer, at least `low` if given."""
        value = self._take(key, default, (int,), "an integer")
        if value is not None and low is not None and value < low:
            self._found.append(f"{self._where}: {key} must be at least {low}")
        return value

    def number(self, key: str, default: Any = _REQUIRED, low: float = float("-inf"), high: float = float("inf")) -> Any:
        """Return a number between `low` and `high`."""
        value = self._take(key, default, (int, float), "a number")
        if value is not None and not low <= value <= high:
            self._found.append(f"{self._where}: {key} must lie between {low} and {high}")
        return None if value is None else float(value)

    def numbers(self, key: str, default: Any = _REQUIRED, low: float = float("-inf")) -> Any:
        """Return a tuple of numbers, each at least `low`; a single number is a list of one."""
        value = self._take(key, default, (int, float, list), "a list of numbers")
        if value is None or isinstance(value, tuple):
            return value
        items = value if isinstance(value, list) else [value]
        for item in items:
            if isinstance(item, bool) or not isinstance(item, (int, float)) or item < low:
                self._found.append(f"{self._where}: {key} must hold numbers of at least {low:g} only")
        return tuple(items)

    def flag(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return true or false."""
        return self._take(key, default, (bool,), "true or false")

    def texts(self, key: str, default: Any = _REQUIRED, choices: Iterable[str] = ()) -> Any:
        """Return a tuple of texts; a single text is a list of one."""
        valid = tuple(choices)
        value = self._take(key, default, (str, list), "a list of texts")
        if value is None or isinstance(value, tuple):
            return value
        items = [value] if isinstance(value, str) else value
        for item in items:
            if not isinstance(item, str):
                self._found.append(f"{self._where}: {key} must hold texts only")
            elif valid and item not in valid:
                self._found.append(f"{self._where}: {key} names {item}; {nearest(item, valid)}")
        return tuple(items)

    def date(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return a date written as 2023-02-24."""
        import datetime

        return self._take(key, default, (datetime.date,), "a date such as 2023-02-24")

    def raw(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return the value as it stands, whatever its kind."""
        return self._take(key, default, (bool, object), "a value")

    def section(self, key: str) -> Settings:
        """Return the settings under `key`; an absent section is empty."""
        value = self._take(key, {}, (dict,), "a section of `key: value` lines")
        inner = Settings(value, f"{self._where}: {key}")
        self._sections.append(inner)
        return inner

    def has(self, key: str) -> bool:
        """Say whether the key is there with a value."""
        self._asked.add(key)
        return self._mapping.get(key) is not None

    def note(self, problem: str) -> None:
        """Add a problem the caller found."""
        self._found.append(f"{self._where}: {problem}")

    def problems(self) -> list[str]:
        """Return every problem of this mapping and its sections, unknown keys included."""
        unknown = [
            f"{self._where}: unknown key {key}; {nearest(str(key), self._asked)}"
            for key in self._mapping
            if key not in self._asked
        ]
        return self._found + unknown + [text for inner in self._sections for text in inner.problems()]

    def finish(self) -> None:
        """Raise one `CommandError` that lists every problem, if there is any."""
        problems = self.problems()
        if problems:
            raise CommandError(
                "\n".join([f"{len(problems)} problem(s) in the settings:", *(f"  {p}" for p in problems)])
            )
