"""What is asked of every engine, and the forms in which answers are compared. Knows no engine's windows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from tests.peers.readings import KEYS

from arrowflow.windows.spec import Aggregate

_ANY = ("count", "min", "max", "first", "last")
AGGREGATES = (
    Aggregate("n", "count"),
    *(Aggregate(f"{f}_{c}", f, c) for c in "xyisdb" for f in _ANY),
    *(Aggregate(f"{f}_big", f, "big") for f in _ANY),
    *(Aggregate(f"{f}_{c}", f, c) for c in "xyid" for f in ("sum", "mean")),
    *(Aggregate(f"{f}_{c}", f, c) for c in "xi" for f in ("var", "stddev")),
    Aggregate("sum_big", "sum", "big", ("decimal",)),
    Aggregate("mean_big", "mean", "big"),
    *(Aggregate(f"{f}_z", f, "z") for f in (*_ANY, "sum", "mean", "var")),
    *(Aggregate(f"distinct_{c}", "count_distinct", c) for c in "xisdbz"),
)
"""What every engine can be asked, in batch and streaming."""
WHOLE = (
    *AGGREGATES,
    *(Aggregate(f"p{round(q * 100)}_x", "quantile", "x", (q,)) for q in (0.05, 0.5, 0.95)),
)
"""And what Spark answers in batch only."""
NAMES = tuple(aggregate.name for aggregate in AGGREGATES)
ROUNDED = {
    **dict.fromkeys(("sum_y", "mean_y", "var_x", "stddev_x", "var_i", "stddev_i", "var_z"), (1e-12, 0.0)),
    "mean_big": (0.0, 2.0**63 * 1e-12),
    **dict.fromkeys(("p5_x", "p50_x", "p95_x"), (1 / 256, 0.0)),
}
"""Results that agree to a (relative, absolute) tolerance only.

Others round after each addition: sums of `y` and variances then agree to 1e-12, means of `big` to 1e-12 of its largest
value. Quantiles are ours that are off, by 1/256 at most.
"""
UNSIGNED = ("min_z", "max_z")
"""Here -0.0 is below 0.0; to others they are equal, and which of them an extreme is goes by arrival."""
SPEAKS = {
    "count": "count({0})",
    "sum": "sum({0})",
    "max": "max({0})",
    "mean": "avg({0})",
    "var": "var_samp({0})",
    "stddev": "stddev_samp({0})",
}
SPARK = SPEAKS | {
    "min": "min({0})",
    "min_z": "if(bool_or(isnan(z)), double('NaN'), min(z))",
    "sum_big": "sum(cast(big AS DECIMAL(38, 0)))",
    "first": "min_by({0}, if({0} is null, null, struct(t, part, place)))",
    "last": "max_by({0}, if({0} is null, null, struct(t, part, place)))",
    # No count(DISTINCT): several of them over session_window count a value twice (docs/peers.md); streams refuse it.
    "count_distinct": "size(collect_set({0}))",
    "distinct_z": "size(collect_set(z + 0D))",
    "quantile": "percentile_disc({1}) WITHIN GROUP (ORDER BY {0})",
}
DUCKDB = SPEAKS | {
    "min": "min({0})",
    "min_z": "CASE WHEN bool_or(isnan(z)) THEN 'NaN'::DOUBLE ELSE min(z) END",
    "sum_big": "sum(big)::DECIMAL(38, 0)",
    "first": "first({0} ORDER BY t, part, place) FILTER ({0} IS NOT NULL)",
    "last": "last({0} ORDER BY t, part, place) FILTER ({0} IS NOT NULL)",
    "count_distinct": "count(DISTINCT {0})",
    "quantile": "quantile_disc({0}, {1})",
}
"""How to write here what our function of that name does, or that one result."""


def select(dialect: dict[str, str], aggregates: Sequence[Aggregate] = AGGREGATES) -> str:
    """The aggregates in SQL."""
    return ", ".join(
        f"{dialect.get(a.name, dialect[a.function]).format(a.column or '*', *a.arguments)} AS {a.name}"
        for a in aggregates
    )


def answer(rows: Iterable[Sequence[object]], names: Sequence[str] = NAMES) -> Counter:
    """Rows (site, line, start, end, values...) as a multiset in which equal means bit-equal; rounded results apart."""
    exact = [(at, name in UNSIGNED) for at, name in enumerate(names, 4) if name not in ROUNDED]
    return Counter((*row[:4], *(normal(row[at], unsigned) for at, unsigned in exact)) for row in map(tuple, rows))


def rounded(rows: Iterable[Sequence[object]], names: Sequence[str] = NAMES) -> dict:
    """The rounded results by (site, line, start, end)."""
    inexact = [(at, name) for at, name in enumerate(names, 4) if name in ROUNDED]
    return {tuple(row[:4]): {name: row[at] for at, name in inexact} for row in rows}


def normal(value: object, unsigned: bool = False) -> object:
    """A form of a value in which 0.0 differs from -0.0, 1.0 from 1, and NaN equals NaN."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else (value + 0.0 if unsigned else value).hex()
    return (type(value), value)


def assert_same(
    ours: Sequence[Sequence[object]], theirs: Sequence[Sequence[object]], names: Sequence[str] = NAMES
) -> None:
    """Every row of one is a row of the other: exactly, but for what is rounded differently."""
    assert len(ours) == len(theirs)
    mine, other = answer(ours, names), answer(theirs, names)
    assert mine == other, apart(mine - other, other - mine, [name for name in names if name not in ROUNDED])
    mine, other = rounded(ours, names), rounded(theirs, names)
    assert [
        (key, name, value, other[key][name])
        for key, row in mine.items()
        for name, value in row.items()
        if not near(value, other[key][name], *ROUNDED[name])
    ] == []


def apart(mine: Counter, other: Counter, names: Sequence[str]) -> str:
    """The first rows that only one has; of a window that both have, what differs."""
    theirs = {row[:4]: row[4:] for row in other}
    told = []
    for row in list(mine)[:3]:
        pairs = zip(names, row[4:], theirs.get(row[:4], ()), strict=False)
        told.append(f"{row[:4]}: {[pair for pair in pairs if pair[1] != pair[2]] or 'only ours'}")
    return "\n".join([*told, *(f"{row[:4]}: only theirs" for row in list(other)[:3] if not told)])


def near(mine: float | None, other: float | None, relative: float, absolute: float) -> bool:
    """Whether two numbers agree to a tolerance."""
    if mine is None or other is None:
        return mine is other
    return math.isclose(mine, other, rel_tol=relative, abs_tol=absolute) or (math.isnan(mine) and math.isnan(other))


def columns(names: Sequence[str] = NAMES) -> list[str]:
    """The names of what is compared, in order."""
    return [*KEYS, "window_start", "window_end", *names]
