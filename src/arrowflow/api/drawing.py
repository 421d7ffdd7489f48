"""What falls where, as a picture: rows go one by one through the real operator, and what it says is drawn."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from arrowflow.api.operator import WindowOperator
from arrowflow.api.picture import Bar, Picture, picture_svg
from arrowflow.api.spans import Span, instant_us
from arrowflow.calendars.zones import load
from arrowflow.errors import ConfigError
from arrowflow.windows.arrays import Array
from arrowflow.windows.plan import WindowKind
from arrowflow.windows.spec import CalendarWindow, Cumulative, Hopping, Sliding

_MOST_ROWS = 62
"""Which rows a window holds is the sum of a power of two for each, which is exact and fits into int64."""
_MOST_BARS = 200


def draw(
    window: WindowKind,
    rows: Sequence[dt.datetime | int],
    *,
    max_out_of_orderness: Span = 0,
    allowed_lateness: Span = 0,
    key: str = "a",
    zone: str = "UTC",
    title: str = "",
) -> str:
    """Return a picture of the windows that rows fall into.

    The rows are pushed one by one through a `WindowOperator`; nothing about windows is worked out here.

    Parameters
    ----------
    window : Tumbling, Hopping, Cumulative, Sliding, Session or Shifts
        Which windows there are.
    rows : sequence of datetime or int
        The event times of at most 62 rows of one key and one partition, in the order they arrive; an int is microseconds
        since 1970 UTC.
    max_out_of_orderness, allowed_lateness : str, timedelta or int
        As for `WindowOperator`.
    key : str
        The rows' key; for `Shifts` it picks the zone.
    zone : str
        IANA name of the zone in which times are written.
    title : str
        What stands above; by default the kind of window.

    Returns
    -------
    str
        A whole SVG document with a title and a description in words. Equal arguments give equal text.

    Raises
    ------
    ConfigError
        For no rows, too many rows or windows, an unknown zone, or windows that cannot be.
    """
    if not 1 <= len(rows) <= _MOST_ROWS:
        raise ConfigError(f"draw: there are {len(rows)} rows; a picture shows 1 to {_MOST_ROWS}")
    times_us = tuple(instant_us(f"rows[{i}]", row) for i, row in enumerate(rows))
    by = window.key if isinstance(window, CalendarWindow) else "key"
    operator = WindowOperator(
        window,
        by=by,
        aggregate={"held_rows": "sum(row_bit)"},
        time="event_us",
        time_unit="us",
        max_out_of_orderness=max_out_of_orderness,
        allowed_lateness=allowed_lateness,
    )
    brackets = {"right": "(]", "both": "[]"}[window.closed] if isinstance(window, Sliding) else "[)"
    seen = _watch(operator, times_us, {by: pa.array([key])}, brackets)
    bars = _drawable(window, seen.bars)
    title = title or f"{window.fingerprint()['kind']} windows"
    return picture_svg(Picture(title, times_us, bars, seen.late, seen.nowhere, brackets, load(zone)))


def _drawable(window: WindowKind, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
    """Leave out what is told of a late row where windows overlap: it spans several and is none itself."""
    if isinstance(window, Hopping | Cumulative):
        bars = tuple(bar for bar in bars if bar.came_out)
    if len(bars) > _MOST_BARS:
        raise ConfigError(f"draw: {len(bars)} windows; a picture shows at most {_MOST_BARS}: make them longer")
    return bars


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the operator said: windows, the rows that were late for some window, and those that have none."""

    bars: tuple[Bar, ...]
    late: frozenset[int]
    nowhere: frozenset[int]


def _watch(operator: WindowOperator, times_us: Sequence[int], key: dict[str, Array], brackets: str) -> _Seen:
    """Push each row by itself, so that what is said at once is said of that row."""
    came_out: list[Bar] = []
    missed: dict[tuple[int, int], Bar] = {}
    late, nowhere = set(), set()
    for number, at_us in enumerate(times_us):
        between = sum(operator.balance.filtered.values())
        row = {**key, "event_us": pa.array([at_us]), "row_bit": pa.array([1 << number])}
        came_out += _bars(operator.push(pa.table(row)))
        for start_us, end_us in _bounds(operator.late, "_window_start", "_window_end"):
            late.add(number)
            missed.setdefault((start_us, end_us), Bar(start_us, end_us, (), came_out=False))
        if operator.rejected.num_rows or sum(operator.balance.filtered.values()) > between:
            nowhere.add(number)
    came_out += _bars(operator.finish())
    there = {(bar.start_us, bar.end_us) for bar in came_out}
    bars = [*came_out, *(bar for bounds, bar in missed.items() if bounds not in there)]
    ordered = sorted(bars, key=lambda bar: (bar.start_us, bar.end_us, bar.rows))
    lost = [(number, times_us[number]) for number in sorted(late)]
    told = (
        replace(bar, late=tuple(n for n, us in lost if n not in bar.rows and bar.spans(us, brackets)))
        for bar in ordered
    )
    return _Seen(tuple(told), frozenset(late), frozenset(nowhere))


def _bars(closed: pa.Table) -> list[Bar]:
    """Windows as they came out."""
    bounds = _bounds(closed, "window_start", "window_end")
    names = closed["shift"].to_pylist() if "shift" in closed.column_names else [""] * len(bounds)
    held = closed["held_rows"].to_pylist() if bounds else []
    rows = (tuple(n for n in range(_MOST_ROWS) if int(bits or 0) >> n & 1) for bits in held)
    return [Bar(*span, numbers, str(name)) for span, numbers, name in zip(bounds, rows, names, strict=True)]


def _bounds(table: pa.Table, start: str, end: str) -> list[tuple[int, int]]:
    """Two columns of instants in microseconds."""
    if not table.num_rows:
        return []
    columns = (table[name].cast(pa.int64()).to_pylist() for name in (start, end))
    return list(zip(*columns, strict=True))
