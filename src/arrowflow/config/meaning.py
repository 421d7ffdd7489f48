"""What each kind of window means, costs and closes when, in sentences; from the section alone, it computes no result."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator

from arrowflow.config import settings
from arrowflow.config.durations import duration_text

_DAY_US = 86_400_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EXAMPLE_US = 1_761_905_220_000_000
"""The row of the examples: 2025-10-31 10:07 UTC."""


def meaning(window: settings.WindowSection, wait_us: int) -> Iterator[str]:
    """Say what the windows of a kind without a calendar are, with the windows of one row as an example.

    Parameters
    ----------
    window : WindowSection
        Checked, of any kind but `calendar`.
    wait_us : int
        Tolerance for disorder and allowed lateness together.
    """
    per = "per " + (", ".join(window.group_by) if window.group_by else "all rows together")
    match window.type:
        case "tumbling":
            yield f"back to back, {_size(window)} long, {_origin(window)}, {per}"
            yield f"for example, {_row()} is in {_span(*_whole(window))}"
        case "hopping":
            yield from _hopping(window, per, wait_us)
        case "cumulative":
            yield from _cumulative(window, per)
        case "sliding":
            yield from _sliding(window, per, wait_us)
        case "session":
            yield from _session(window, per, wait_us)
        case "calendar":
            raise AssertionError("what calendar windows mean is for their calendar to say")


def closing(window: settings.WindowSection, wait_us: int) -> str:
    """Say when the result of a window appears, but for the cadence."""
    wait = duration_text(wait_us)
    if window.type == "sliding":
        return f"a result appears once event time is more than {wait} past its row"
    if window.type == "session":
        over = f"a session is over, and its result appears, once event time is more than {duration_text((window.gap or 0) + wait_us)} past its last row"
        return over if window.max_length is None else f"{over}, or {wait} past its longest end"
    return f"a result appears once event time is {wait} past the window's end"


def lateness(window: settings.WindowSection, wait_us: int) -> str | None:
    """Say what is late where it is not the window's end that decides; None for the usual rule."""
    if window.type in ("sliding", "session"):
        return (
            f"a row is late by its own time, before it meets any other: when event time in its partition is already more than "
            f"{duration_text(wait_us)} past it"
        )
    if misses(window):
        return "a row that is too late for some of its windows is folded into the others; those it missed are counted apart"
    return None


def misses(window: settings.WindowSection) -> bool:
    """Whether a row can be in several windows, and so too late for some of them only."""
    return window.type == "cumulative" or (window.type == "hopping" and (window.hop or 0) < (window.size or 0))


def held(window: settings.WindowSection, wait_us: int) -> Iterator[str]:
    """Say what is kept in the state per group."""
    size = window.size or 0
    match window.type:
        case "hopping" | "cumulative":
            pane = pane_us(window)
            panes = 1 + math.ceil((size + wait_us) / pane)
            yield f"one row per group and pane of {duration_text(pane)} that has rows: at most about {panes} per group"
        case "sliding":
            yield f"one row per group and different event time of the last {duration_text(size + wait_us)}"
        case "session" if window.max_length is not None:
            yield (
                "one row per group and different event time of the sessions that are not over: where a session is cut by its "
                "`max_length` hangs on its first row, and an earlier one may still come; without `max_length` it is one row "
                "per session"
            )
        case "session":
            yield "one row per group and session that is not over"
        case _:
            yield f"one row per group and open window: about {1 + math.ceil(wait_us / max(1, size))} windows open per group"


def stride_us(window: settings.WindowSection) -> int:
    """How far apart windows of one group end, as far as that is known; a millisecond where every row may end one."""
    match window.type:
        case "hopping":
            return window.hop or _DAY_US
        case "cumulative":
            return window.step or _DAY_US
        case "sliding" | "session":
            return 1_000
        case _:
            return window.size or _DAY_US


def pane_us(window: settings.WindowSection) -> int:
    """What hopping and cumulative windows are put together from."""
    return window.step or math.gcd(window.size or 0, window.hop or 0)


# ---- kinds ------------------------------------------------------------------------------------------------


def _hopping(window: settings.WindowSection, per: str, wait_us: int) -> Iterator[str]:
    size, hop, pane = window.size or 0, window.hop or 1, pane_us(window)
    yield f"{_size(window)} long, one every {duration_text(hop)}, {_origin(window)}, {per}"
    if hop > size:
        yield f"between two windows are {duration_text(hop - size)}: rows there are counted as filtered: no_window"
    else:
        least, most = size // hop, math.ceil(size / hop)
        count = f"{most} windows" if least == most else f"{least} or {most} windows"
        yield (
            f"each row is in {count} and folded once: {size // pane} panes of {duration_text(pane)} are added up for each "
            f"window, so there are {most} times as many results as with windows back to back"
        )
    first, last = _hops(window)
    if first > last:
        yield f"for example, {_row()} is in no window; the next begins at {_time(first)}"
    else:
        yield f"for example, {_row()} is in {_spans(first, first + size, last, last + size)}"
        then = "" if first == last else f", the last one {_time(last + size + wait_us)}"
        yield f"  the {'result' if first == last else 'first one'} appears once event time has reached {_time(first + size + wait_us)}{then}"


def _hops(window: settings.WindowSection) -> tuple[int, int]:
    """Starts of the first and last window over the example; a first one after the last where it is in none."""
    size, hop, origin = window.size or 0, window.hop or 1, window.origin or 0
    last = origin + (_EXAMPLE_US - origin) // hop * hop
    first = origin + ((_EXAMPLE_US - size - origin) // hop + 1) * hop
    return first, last


def _cumulative(window: settings.WindowSection, per: str) -> Iterator[str]:
    size, step = window.size or 0, window.step or 1
    yield f"growing by {duration_text(step)} up to {_size(window)}, then starting again, {_origin(window)}, {per}"
    yield f"each row is in up to {size // step} windows and folded once: a result every {duration_text(step)} of what was so far"
    start, end = _whole(window)
    first = start + ((_EXAMPLE_US - start) // step + 1) * step
    yield f"for example, {_row()} is in {_spans(start, first, start, end)}"


def _sliding(window: settings.WindowSection, per: str, wait_us: int) -> Iterator[str]:
    both = window.closed == "both"
    yield f"for each row the rows of its group in the {_size(window)} up to it, {per}: one result row for each row that is read"
    edge = "is in it too" if both else "is not in it"
    start = _EXAMPLE_US - (window.size or 0)
    span = f"{'[' if both else '('}{_time(start)}, {_time(_EXAMPLE_US)}]"
    yield f"for example, {_row()} sees {span}: a row exactly {_size(window)} older {edge}, rows of equal time see each other"
    yield f"  its result appears once event time is later than {_time(_EXAMPLE_US + wait_us)}"


def _session(window: settings.WindowSection, per: str, wait_us: int) -> Iterator[str]:
    gap, longest = window.gap or 0, window.max_length
    yield f"rows at most {duration_text(gap)} apart are one session, from its first row to {duration_text(gap)} after its last, {per}"
    end = _EXAMPLE_US + gap
    yield (
        f"for example, {_row()} alone is [{_time(_EXAMPLE_US)}, {_time(end)}); a row at exactly {_time(end)} still joins, "
        f"a later one begins the next; it is over once event time is later than {_time(end + wait_us)}"
    )
    yield "a row that comes out of order may join two sessions into one, as long as it is not late"
    if longest is not None:
        yield f"at most {duration_text(longest)} long: a row at or after {_time(_EXAMPLE_US + longest)} would begin the next session of the example"


# ---- words ------------------------------------------------------------------------------------------------


def _size(window: settings.WindowSection) -> str:
    return duration_text(window.size or 0)


def _origin(window: settings.WindowSection) -> str:
    return f"from Unix time zero (UTC) plus {duration_text(window.origin or 0)}"


def _row() -> str:
    return f"a row at {_day(_EXAMPLE_US)} {_time(_EXAMPLE_US)} UTC"


def _whole(window: settings.WindowSection) -> tuple[int, int]:
    size, origin = window.size or _DAY_US, window.origin or 0
    start = origin + (_EXAMPLE_US - origin) // size * size
    return start, start + size


def _spans(first_start: int, first_end: int, last_start: int, last_end: int) -> str:
    first, last = _span(first_start, first_end), _span(last_start, last_end)
    return first if first == last else f"the windows from {first} to {last}"


def _span(start: int, end: int) -> str:
    return f"[{_time(start)}, {_time(end)})"


def _time(us: int) -> str:
    """A time of day where it is the example's day, else with its date."""
    time = (_EPOCH + dt.timedelta(microseconds=us)).time()
    short = time.isoformat("auto" if time.second or time.microsecond else "minutes")
    return short if _day(us) == _day(_EXAMPLE_US) else f"{_day(us)} {short}"


def _day(us: int) -> dt.date:
    return (_EPOCH + dt.timedelta(microseconds=us)).date()
