"""What is asked of every engine, and the forms in which answers are compared. Knows no engine's windows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from tests.peers.readings import KEYS

from arrowflow.windows.spec import Aggregate

AGGREGATES = (
    Aggregate("n", "count"),
    *(Aggregate(f"{f}_{c}", f, c) for c in "xyis" for f in ("count", "min", "max", "first", "last")),
    *(Aggregate(f"{f}_{c}", f, c) for c in "xyi" for f in ("sum", "mean")),
)
NAMES = tuple(aggregate.name for aggregate in AGGREGATES)
ROUNDED = ("sum_y", "mean_y")
"""Sums whose addends are no eighths: other engines round after each addition, so these agree to 1e-12 only."""
SPEAKS = {
    "count": "count({0})",
    "sum": "sum({0})",
    "min": "min({0})",
    "max": "max({0})",
    "mean": "avg({0})",
}
SPARK = SPEAKS | {
    "first": "min_by({0}, if({0} is null, null, struct(t, part, place)))",
    "last": "max_by({0}, if({0} is null, null, struct(t, part, place)))",
}
DUCKDB = SPEAKS | {
    "first": "first({0} ORDER BY t, part, place) FILTER ({0} IS NOT NULL)",
    "last": "last({0} ORDER BY t, part, place) FILTER ({0} IS NOT NULL)",
}


def select(dialect: dict[str, str], aggregates: Sequence[Aggregate] = AGGREGATES) -> str:
    """The aggregates in SQL."""
    return ", ".join(f"{dialect[a.function].format(a.column or '*')} AS {a.name}" for a in aggregates)


def answer(rows: Iterable[Sequence[object]], names: Sequence[str] = NAMES) -> Counter:
    """Rows (site, line, start, end, values...) as a multiset in which equal means bit-equal; rounded sums apart."""
    exact = [at for at, name in enumerate(names, 4) if name not in ROUNDED]
    return Counter((*row[:4], *(normal(row[at]) for at in exact)) for row in map(tuple, rows))


def rounded(rows: Iterable[Sequence[object]], names: Sequence[str] = NAMES) -> dict:
    """The rounded sums by (site, line, start, end)."""
    inexact = [at for at, name in enumerate(names, 4) if name in ROUNDED]
    return {tuple(row[:4]): tuple(row[at] for at in inexact) for row in rows}


def normal(value: object) -> object:
    """A form of a value in which 0.0 differs from -0.0, 1.0 from 1, and NaN equals NaN."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    return value


def assert_same(ours: Sequence[Sequence[object]], theirs: Sequence[Sequence[object]]) -> None:
    """Every row of one is a row of the other: exactly, but for sums that others round at each step."""
    assert len(ours) == len(theirs)
    mine, other = answer(ours), answer(theirs)
    assert mine == other, f"only ours: {list(mine - other)[:3]}\nonly theirs: {list(other - mine)[:3]}"
    mine, other = rounded(ours), rounded(theirs)
    apart = [key for key in mine if not all(map(near, mine[key], other[key]))]
    assert apart == []


def near(mine: float | None, other: float | None) -> bool:
    """Whether two sums of positive numbers agree to 1e-12."""
    return mine is other is None or math.isclose(mine, other, rel_tol=1e-12, abs_tol=0.0)


def columns(names: Sequence[str] = NAMES) -> list[str]:
    """The names of what is compared, in order."""
    return [*KEYS, "window_start", "window_end", *names]
