"""What windows must give, from each partition's stream alone, in plain Python: dicts, ints, Fractions. Slow on purpose.

Nothing here knows of batches, watermarks or arrival across partitions: the result is a function of what the
partitions hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

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
    missed: dict = field(default_factory=dict)
    between: set = field(default_factory=set)
    members: dict = field(default_factory=dict)


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
    if start <= MIN_US or start + size > MAX_US:  # the least number is minus infinity
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


def holed(event: int, pieces: Sequence[tuple[int, int, Window]] | None, off: str) -> Window | str:
    """The window of an instant among a key's consecutive pieces ``[start, end)``; one called off is its own window."""
    if pieces is None:
        return "no_calendar"
    for start, end, window in pieces:
        if start <= event < end:
            return "off" if off == "dead_letter" and window.label == "off" else window
    raise AssertionError(f"the test's calendar does not reach {event}")


def hopping(event: int, size: int, hop: int, origin: int = 0) -> list[Window] | str:
    """Every window that holds an instant, by start; or the reason why there is none."""
    if event < MIN_US + size + hop or event > MAX_US - size - hop:
        return "out_of_range"
    start = origin + (event - origin) // hop * hop
    windows = []
    while start + size > event:
        windows.append(Window(start, start + size))
        start -= hop
    return windows[::-1]


def cumulative(event: int, size: int, step: int, origin: int = 0) -> list[Window] | str:
    """Every window that holds an instant, by end; or the reason why there is none."""
    whole = tumbling(event, size, origin)
    if isinstance(whole, str):
        return whole
    ends = range(whole.start + step, whole.end + 1, step)
    return [Window(whole.start, end) for end in ends if end > event]


def is_behind(event: int, lateness: int, clock: int) -> bool:
    """A row of a session or a sliding window is late by its own time, strictly."""
    return event + lateness < clock


def sessions(times: Sequence[int], gap: int, max_length: int | None = None) -> list[tuple[Window, list[int]]]:
    """The sessions of one key from the times of its rows, each with the places of its rows in `times`."""
    found: list[tuple[Window, list[int]]] = []
    first = last = None
    for place in sorted(range(len(times)), key=lambda i: times[i]):
        time = times[place]
        full = max_length is not None and first is not None and time >= first + max_length
        if last is None or time > last + gap or full:
            first = time
            found.append((Window(time, time), []))
        last = time
        end = last + gap if max_length is None else min(last + gap, first + max_length)
        found[-1] = (Window(first, end), [*found[-1][1], place])
    return found


def is_late(end: int, lateness: int, clock: int) -> bool:
    """A row is late when its window's patience has run out by its own partition's clock."""
    return end + lateness <= clock


def judged(
    rows: Iterable[Row], tolerance: int, floors: Mapping[tuple, int] | None = None
) -> tuple[list[tuple[Row, int]], set]:
    """Each row with the clock of its partition just before it, and the places of rows ahead of their limit.

    `floors` has the floor of a partition from the row at a place on.
    """
    floors = floors or {}
    streams: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        streams.setdefault((row.topic, row.partition), []).append(row)
    found, beyond = [], set()
    for stream in streams.values():
        stream.sort(key=lambda row: row.offset)
        edges = [0, *(i for i, row in enumerate(stream) if i and place(row) in floors), len(stream)]
        seen = floor = None
        for part in (stream[first:stop] for first, stop in pairwise(edges)):
            limits = None if any(row.limit_us is None for row in part) else [row.limit_us for row in part]
            floor = floors.get(place(part[0]), floor)
            before, ahead, seen = clocks([row.event_us for row in part], tolerance, limits, seen, floor)
            for row, clock, too_far in zip(part, before, ahead, strict=True):
                if too_far:
                    beyond.add(place(row))
                else:
                    found.append((row, clock))
    return found, beyond


def place(row: Row) -> tuple[str, int, int]:
    """Where a row was."""
    return (row.topic, row.partition, row.offset)


def solve(
    rows: Iterable[Row],
    assign: Callable[[Row], Window | Sequence[Window] | str],
    aggregates: Sequence[tuple[str, str, str | None]],
    tolerance: int = 0,
    lateness: int = 0,
    floors: Mapping[tuple, int] | None = None,
) -> Answer:
    """All windows as if every one were closed at the end; aggregates are (name, function, column)."""
    members: dict[tuple, list[Row]] = {}
    late, rejects, missed, between = {}, {}, {}, set()
    found, beyond = judged(rows, tolerance, floors)
    for row, clock in found:
        windows = assign(row)
        if isinstance(windows, str):
            rejects[place(row)] = windows
            continue
        windows = [windows] if isinstance(windows, Window) else windows
        if not windows:
            between.add(place(row))
            continue
        gone = [window for window in windows if is_late(window.end, lateness, clock)]
        if gone:
            (late if len(gone) == len(windows) else missed)[place(row)] = (gone[0].start, gone[-1].end)
        for window in windows[len(gone) :]:
            members.setdefault((row.key, window), []).append(row)
    results = {
        pane: {name: finish(function, column, held) for name, function, column in aggregates}
        for pane, held in members.items()
    }
    rows_of = {pane: len(held) for pane, held in members.items()}
    return Answer(results, rows_of, late, rejects, beyond, missed, between, members)


def solve_by_rows(
    rows: Iterable[Row],
    group: Callable[[Sequence[int]], list[tuple[Window, list[int]]]],
    alone: Callable[[int], Window | str],
    aggregates: Sequence[tuple[str, str, str | None]],
    tolerance: int = 0,
    lateness: int = 0,
    floors: Mapping[tuple, int] | None = None,
) -> Answer:
    """Windows whose bounds depend on the rows: `group` makes them of one key's times, `alone` is a row's own.

    Results are by (key, window, n), n counting windows of equal bounds.
    """
    late, rejects, on_time = {}, {}, {}
    found, beyond = judged(rows, tolerance, floors)
    for row, clock in found:
        own = alone(row.event_us)
        if isinstance(own, str):
            rejects[place(row)] = own
        elif is_behind(row.event_us, lateness, clock):
            late[place(row)] = (own.start, own.end)
        else:
            on_time.setdefault(row.key, []).append(row)
    results, counts, members, equal = {}, {}, {}, {}
    for key, held in on_time.items():
        for window, places in group([row.event_us for row in held]):
            n = equal[key, window] = equal.get((key, window), -1) + 1
            inside = [held[at] for at in places]
            results[key, window, n] = {name: finish(function, column, inside) for name, function, column in aggregates}
            counts[key, window, n], members[key, window, n] = len(inside), inside
    return Answer(results, counts, late, rejects, beyond, members=members)


def sliding(times: Sequence[int], size: int, closed: str) -> list[tuple[Window, list[int]]]:
    """For each row the places of the rows that trail it, itself and rows of equal time among them."""
    found = []
    for time in times:
        edge = time - size
        held = [i for i, other in enumerate(times) if edge < other <= time or (other == edge and closed == "both")]
        found.append((Window(edge, time), held))
    return found


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
