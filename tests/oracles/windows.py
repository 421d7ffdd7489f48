"""What windows must give, from each partition's stream alone, in plain Python: dicts, ints, Fractions. Slow on purpose.

Nothing here knows of batches, watermarks or arrival across partitions: the result is a function of what the
partitions hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

MIN_US = -(2**63)
MAX_US = 2**63 - 1


@dataclass(frozen=True)
class Row:
    """One decoded record; `event_us` is None where it has no event time."""

    topic: str
    partition: int
    offset: int
    event_us: int
    key: tuple
    values: Mapping[str, object] = field(default_factory=dict)
    limit_us: int | None = None


@dataclass(frozen=True)
class Window:
    """``[start, end)``, with the name and production day a calendar gives it."""

    start: int
    end: int
    label: str | None = None
    day: int | None = None


@dataclass(frozen=True)
class Answer:
    """Results by (key, window), late rows and rejects by (topic, partition, offset), and the rows ahead of their limit."""

    results: dict
    rows: dict
    late: dict
    rejects: dict
    ahead: set


def clocks(
    events: Sequence[int | None],
    tolerance: int,
    limits: Sequence[int] | None = None,
    seen: int | None = None,
    floor: int | None = None,
) -> tuple[list[int], list[bool], int | None]:
    """The clock before each row, which rows are ahead of their limit, and the largest event time after all."""
    before, ahead = [], []
    for i, event in enumerate(events):
        candidates = [MIN_US]
        if floor is not None:
            candidates.append(floor)
        if seen is not None:
            candidates.append(seen - tolerance)
        before.append(max(candidates))
        too_far = event is not None and limits is not None and event > limits[i]
        ahead.append(too_far)
        if event is not None and not too_far:
            seen = event if seen is None else max(seen, event)
    return before, ahead, seen


def tumbling(event: int, size: int, origin: int = 0) -> Window | str:
    """The window of an instant, or the reason why there is none."""
    start = origin + (event - origin) // size * size
    if start < MIN_US or start + size > MAX_US:
        return "out_of_range"
    return Window(start, start + size)


def calendar(event: int, windows: Sequence[Window] | None, unit: str, off: str) -> Window | str:
    """The window of an instant among a key's consecutive named windows; None is a key without a calendar."""
    if windows is None:
        return "no_calendar"
    for at, window in enumerate(windows):
        if window.start <= event < window.end:
            if off == "dead_letter" and window.label == "off":
                return "off"
            if unit == "shift":
                return window
            first = last = at
            while windows[first - 1].day == window.day and first > 0:
                first -= 1
            while last + 1 < len(windows) and windows[last + 1].day == window.day:
                last += 1
            return Window(windows[first].start, windows[last].end, None, window.day)
    raise AssertionError(f"the test's calendar does not reach {event}")


def is_late(end: int, lateness: int, clock: int) -> bool:
    """A row is late when its window's patience has run out by its own partition's clock."""
    return end + lateness <= clock


def solve(
    rows: Iterable[Row],
    assign: Callable[[Row], Window | str],
    aggregates: Sequence[tuple[str, str, str | None]],
    tolerance: int = 0,
    lateness: int = 0,
) -> Answer:
    """All windows as if every one were closed at the end; aggregates are (name, function, column)."""
    streams: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        streams.setdefault((row.topic, row.partition), []).append(row)
    members: dict[tuple, list[Row]] = {}
    late, rejects, beyond = {}, {}, set()
    for stream in streams.values():
        stream.sort(key=lambda row: row.offset)
        limits = None if any(row.limit_us is None for row in stream) else [row.limit_us for row in stream]
        before, ahead, _seen = clocks([row.event_us for row in stream], tolerance, limits)
        for row, clock, too_far in zip(stream, before, ahead, strict=True):
            place = (row.topic, row.partition, row.offset)
            if too_far:
                beyond.add(place)
                continue
            window = assign(row)
            if isinstance(window, str):
                rejects[place] = window
            elif is_late(window.end, lateness, clock):
                late[place] = (window.start, window.end)
            else:
                members.setdefault((row.key, window), []).append(row)
    results = {
        pane: {name: finish(function, column, held) for name, function, column in aggregates}
        for pane, held in members.items()
    }
    return Answer(results, {pane: len(held) for pane, held in members.items()}, late, rejects, beyond)


def finish(function: str, column: str | None, rows: Sequence[Row]) -> object:
    """One aggregate over the rows of one window."""
    if column is None:
        return len(rows)
    held = [row for row in rows if row.values[column] is not None]
    values = [row.values[column] for row in held]
    if function == "count":
        return len(values)
    if not values:
        return None
    if function in ("first", "last"):
        pick = min if function == "first" else max
        best = pick(held, key=lambda row: (row.event_us, row.topic, row.partition, row.offset))
        return best.values[column]
    if function in ("min", "max"):
        return extreme(function, values)
    return total(values) if function == "sum" else mean(values)


def extreme(function: str, values: Sequence) -> object:
    """NaN wins over everything; -0.0 is below 0.0."""
    if any(isinstance(value, float) and math.isnan(value) for value in values):
        return math.nan
    pick = min if function == "min" else max
    if isinstance(values[0], float):
        return pick(values, key=lambda value: (value, math.copysign(1.0, value)))
    return pick(values)


def special(values: Sequence) -> float | None:
    """The result forced by NaN or infinities, if any."""
    plus = any(value == math.inf for value in values)
    minus = any(value == -math.inf for value in values)
    if any(math.isnan(value) for value in values) or (plus and minus):
        return math.nan
    if plus or minus:
        return math.inf if plus else -math.inf
    return None


def total(values: Sequence) -> object:
    """Integers exactly; floats exactly, rounded once, infinite beyond the doubles."""
    if not isinstance(values[0], float):
        return sum(values)
    forced = special(values)
    return forced if forced is not None else rounded(sum(map(Fraction, values)))


def mean(values: Sequence) -> float:
    """The exact quotient, rounded once."""
    forced = special(values) if isinstance(values[0], float) else None
    return forced if forced is not None else rounded(sum(map(Fraction, values)) / len(values))


def rounded(exact: Fraction) -> float:
    """The nearest double, ties to even."""
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf
