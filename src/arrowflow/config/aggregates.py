"""Aggregates as the file writes them: `sum(column)`, `quantile(column, 0.95)`. Reads text; computes nothing."""

from __future__ import annotations

import re
from typing import NamedTuple

from arrowflow.config.problem import listed, meant, printable, shown

FUNCTIONS = (
    "count", "sum", "min", "max", "mean", "first", "last", "var", "stddev", "count_distinct", "quantile",
    "weighted_mean", "quality_mean", "time_weighted_mean", "counter_delta", "time_in_state", "coverage",
)  # fmt: skip
_SYNONYMS = {
    "avg": "mean",
    "average": "mean",
    "total": "sum",
    "minimum": "min",
    "maximum": "max",
    "variance": "var",
    "std": "stddev",
    "stdev": "stddev",
    "percentile": "quantile",
    "n_unique": "count_distinct",
    "nunique": "count_distinct",
    "distinct": "count_distinct",
}
_CALL = re.compile(r"\s*(?P<function>\w+)\s*\((?P<inside>.*)\)\s*", re.DOTALL)
_PART = re.compile(
    r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>\*|[^()"',]*?))\s*(?P<end>,|\Z)""", re.DOTALL
)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_REAL = re.compile(r"[+-]?(\d{1,18}\.\d{0,18}|\.\d{1,18}|\d{1,18}(?=[eE]))([eE][+-]?\d{1,3})?", re.ASCII)

Argument = str | int | float | bool


class Call(NamedTuple):
    """A function, the column it reads (None counts rows), and what follows it."""

    function: str
    column: str | None
    arguments: tuple[Argument, ...] = ()


def parse_aggregate(text: str) -> Call:
    """Return the call written in `text`; raises `ValueError` with a sentence.

    Words are names of columns or plain text, in single or double quotes if they hold anything but letters, digits and
    spaces; numbers and ``true`` and ``false`` without quotes are values. What a function makes of them it says itself.
    """
    found = _CALL.fullmatch(text)
    if found is None:
        raise ValueError(_no_call(text))
    function = found["function"].lower()
    if function not in FUNCTIONS:
        near = f' – did you mean "{_SYNONYMS[function]}"?' if function in _SYNONYMS else meant(function, FUNCTIONS)
        raise ValueError(f'"{printable(function)}" is not one of {listed(FUNCTIONS)}{near}')
    (word, quoted), *rest = _parts(found["inside"], text)
    arguments = tuple(_argument(function, each, in_quotes) for each, in_quotes in rest)
    if word == "" or (word == "*" and not quoted):
        if function != "count":
            raise ValueError(f'{function} needs a column: write "{function}(column)"')
        if arguments:
            raise ValueError("count of rows takes nothing beside")
        return Call(function, None)
    return Call(function, word, arguments)


def _no_call(text: str) -> str:
    return (
        f'{shown(text)} is no aggregate: write function(column) or function(column, argument), such as "sum(amount)", '
        '"quantile(speed, 0.95)" or "count(*)"'
    )


def _parts(inside: str, text: str) -> list[tuple[str, bool]]:
    """What stands between the commas, and whether in quotes."""
    parts = []
    at, end = 0, ","
    while end == ",":
        found = _PART.match(inside, at)
        if found is None:
            raise ValueError(_no_call(text))
        quoted = found["bare"] is None
        parts.append((found["double"] or found["single"] or found["bare"] or "", quoted))
        at, end = found.end(), found["end"]
    return parts


def _argument(function: str, word: str, quoted: bool) -> Argument:
    if quoted:
        return word
    if word in ("", "*"):
        raise ValueError(f"{function} has {shown(word)} where an argument should stand")
    if word in ("true", "false"):
        return word == "true"
    if _WHOLE.fullmatch(word):
        return int(word)
    if _REAL.fullmatch(word):
        return float(word)
    if word[0].isdigit() or word[0] in "+-.":
        raise ValueError(f"{shown(word)} is no number; a length of time or a text stands in quotes, such as '\"1h\"'")
    return word
