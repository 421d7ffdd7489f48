"""One thing wrong with a configuration and where; never the value of a secret."""

from __future__ import annotations

import difflib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from arrowflow.errors import ConfigError

Path = tuple[str | int, ...]
"""Where a value stands in a document: ``("transform", 0, "filter")``."""

_LONGEST = 80


class Place(NamedTuple):
    """Line and column, both from 1, columns in characters."""

    line: int
    column: int


class Problem(NamedTuple):
    """A sentence about one key of one file."""

    file: str
    place: Place
    key: str
    sentence: str

    def __str__(self) -> str:
        key = f" {self.key}:" if self.key else ""
        return f"{self.file}:{self.place.line}:{self.place.column}{key} {self.sentence}"


class InvalidConfig(ConfigError):
    """A configuration that cannot run, with everything that is wrong with it.

    Parameters
    ----------
    problems : sequence of Problem
        At least one, in the order of the file.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


def dotted(path: Path) -> str:
    """Write a path as a person would: ``transform[0].filter``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return printable(text)


def printable(text: str) -> str:
    """Escape what could move a terminal's cursor or hide text: controls, formats, separators, surrogates."""
    return "".join(_escaped(char) if unicodedata.category(char) in _UNSAFE else char for char in text)


_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shown(value: object) -> str:
    """Quote a value for a message, escaped and cut to a readable length."""
    if isinstance(value, str):
        text = f'"{printable(value)}"'
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, (dict, list)):
        text = printable(json.dumps(value, default=str, ensure_ascii=False))
    else:
        text = printable(str(value))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def listed(names: Iterable[str]) -> str:
    """Join allowed names for a sentence."""
    return ", ".join(printable(name) for name in names) or "none"


def meant(name: object, allowed: Iterable[str]) -> str:
    """Return `` – did you mean "x"?`` for the nearest allowed name, or nothing."""
    if not isinstance(name, str):
        return ""
    by_fold = {candidate.casefold(): candidate for candidate in allowed}
    near = difflib.get_close_matches(name.casefold(), by_fold, 1, 0.6)
    return f' – did you mean "{printable(by_fold[near[0]])}"?' if near else ""
