"""Aggregates as the file writes them: `sum(column)`, `count(*)`. Reads text; computes nothing."""

from __future__ import annotations

import re
from typing import NamedTuple

from arrowflow.config.problem import listed, meant, printable, shown

FUNCTIONS = ("count", "sum", "min", "max", "mean", "first", "last")
LATER = (
    "var",
    "stddev",
    "count_distinct",
    "quantile",
    "time_weighted_mean",
    "counter_delta",
    "time_in_state",
    "coverage",
)
_SYNONYMS = {"avg": "mean", "average": "mean", "total": "sum", "minimum": "min", "maximum": "max"}
_CALL = re.compile(r"\s*(?P<function>\w+)\s*\(\s*(?P<column>\*|\"[^\"]*\"|[^()\",]*?)\s*\)\s*")


class Call(NamedTuple):
    """A function and the column it reads; None counts rows."""

    function: str
    column: str | None


def parse_aggregate(text: str) -> Call:
    """Return the call written in `text`; raises `ValueError` with a sentence."""
    found = _CALL.fullmatch(text)
    if found is None:
        raise ValueError(f'{shown(text)} is no aggregate: write function(column), such as "sum(amount)" or "count(*)"')
    function, column = found["function"].lower(), found["column"].strip('"')
    if function in LATER:
        raise ValueError(f'"{function}" comes in a later version; this one has {listed(FUNCTIONS)}')
    if function not in FUNCTIONS:
        near = f' – did you mean "{_SYNONYMS[function]}"?' if function in _SYNONYMS else meant(function, FUNCTIONS)
        raise ValueError(f'"{printable(function)}" is not one of {listed(FUNCTIONS)}{near}')
    if column in ("", "*"):
        if function != "count":
            raise ValueError(f'{function} needs a column: write "{function}(column)"')
        return Call(function, None)
    return Call(function, column)
