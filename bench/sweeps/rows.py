"""Sweeps over rows in memory, windows alone: keys, skew, disorder. Every point's answer is held against polars'."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from arrowflow.bench.results import Line
from arrowflow.bench.windows import measure

KEYS = (10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
EXPONENTS = (0.0, 0.5, 1.0, 1.5, 2.0)
DISORDER = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5)
HOURS = 8.0


def keys(rows: int, runs: int, *, quick: bool) -> Iterator[Line]:
    """Tumbling windows of half an hour over ten to ten million keys, beside polars told all rows at once."""
    for count in KEYS[:4] if quick else KEYS:
        yield from _at("keys", count, measure(rows, runs, ["tumbling"], keys=count, hours=HOURS))


def skew(rows: int, runs: int, *, quick: bool) -> Iterator[Line]:
    """Keys that are frequent by a power of their rank; 10,000 of them."""
    for exponent in EXPONENTS[::2] if quick else EXPONENTS:
        found = measure(rows, runs, ["tumbling", "hopping"], keys=10_000, hours=HOURS, zipf=exponent)
        yield from _at("skew", exponent, found)


def disorder(rows: int, runs: int, *, quick: bool) -> Iterator[Line]:
    """A share of the rows comes up to a minute later than newer ones."""
    for share in (0.0, 0.2, 0.5) if quick else DISORDER:
        found = measure(rows, runs, ["tumbling", "session"], keys=5_000, hours=HOURS, disorder=share)
        yield from _at("disorder", 100 * share, found)


def _at(group: str, x: float, lines: Iterable[Line]) -> Iterator[Line]:
    return (replace(line, group=group, x=float(x)) for line in lines)
