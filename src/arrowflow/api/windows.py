"""One constructor for each kind of window, and for a roster, taking time as people write it. Returns the core's own descriptions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

from arrowflow.api.frames import Frame, in_types, plain_schema, table_of
from arrowflow.api.spans import Span, instant_us, span_us
from arrowflow.calendars import PlantCalendar
from arrowflow.windows import spec


def Tumbling(size: Span, *, origin: Span | dt.datetime = 0) -> spec.Tumbling:  # noqa: N802 (reads as the kind it makes)
    """Windows ``[start, start + size)``, back to back.

    Parameters
    ----------
    size : str, timedelta or int
        Such as ``"8h"``; an int is microseconds.
    origin : str, timedelta, datetime or int, optional
        Starts are this, counted from 1970-01-01 UTC, plus multiples of `size`.
    """
    return spec.Tumbling(span_us("size", size), _origin(origin))


def Hopping(size: Span, hop: Span, *, origin: Span | dt.datetime = 0) -> spec.Hopping:  # noqa: N802
    """Windows ``[start, start + size)``, one every `hop`: they overlap where `hop` is shorter.

    Parameters
    ----------
    size, hop : str, timedelta or int
        Such as ``"30m"`` and ``"5m"``; an int is microseconds.
    origin : str, timedelta, datetime or int, optional
        Starts are this, counted from 1970-01-01 UTC, plus multiples of `hop`.
    """
    return spec.Hopping(span_us("size", size), span_us("hop", hop), _origin(origin))


def Cumulative(size: Span, step: Span, *, origin: Span | dt.datetime = 0) -> spec.Cumulative:  # noqa: N802
    """Windows that grow by `step` up to `size`, then start again.

    Parameters
    ----------
    size, step : str, timedelta or int
        Such as ``"1d"`` and ``"1h"``; `size` is a whole number of steps.
    origin : str, timedelta, datetime or int, optional
        Starts are this, counted from 1970-01-01 UTC, plus multiples of `size`.
    """
    return spec.Cumulative(span_us("size", size), span_us("step", step), _origin(origin))


def Sliding(size: Span, *, closed: Literal["right", "both"] = "right") -> spec.Sliding:  # noqa: N802
    """For each row the rows of its key in the last `size`: one result per row.

    Parameters
    ----------
    size : str, timedelta or int
        Such as ``"10m"``.
    closed : "right" or "both"
        ``(t - size, t]`` as in Polars and pandas, or ``[t - size, t]`` as in SQL.
    """
    return spec.Sliding(span_us("size", size), closed)


def Session(gap: Span, *, max_length: Span | None = None) -> spec.Session:  # noqa: N802
    """Rows of a key at most `gap` apart.

    Parameters
    ----------
    gap : str, timedelta or int
        Such as ``"10m"``; rows exactly this far apart belong together.
    max_length : str, timedelta or int, optional
        A row this long after the first one begins the next session.
    """
    return spec.Session(span_us("gap", gap), None if max_length is None else span_us("max_length", max_length))


def Shifts(  # noqa: N802
    calendar: PlantCalendar,
    unit: Literal["shift", "day", "week", "month"] = "shift",
    *,
    off: Literal["window", "dead_letter"] = "window",
    week_starts: str | None = None,
) -> spec.CalendarWindow:
    """Windows as the wall clock of each plant shows them; `by` must contain the key of the calendar.

    Parameters
    ----------
    calendar : PlantCalendar
        Zones per key value, shifts, breaks, holidays.
    unit : "shift", "day", "week" or "month"
        One window per named shift, or one per production day, week or month.
    off : "window" or "dead_letter"
        Whether rows between shifts, in breaks and on holidays have windows of their own or are refused.
    week_starts : str, optional
        The weekday of a week's first production day; "monday" unless given. Only for weeks.
    """
    return spec.CalendarWindow(calendar.for_unit(unit, week_starts=week_starts), calendar.key, unit, off)


def Roster(  # noqa: N802
    keys: Frame, *, per: str | Sequence[str] | None = None, max_silence: Span | None = None
) -> spec.Roster:
    """Keys that are expected in every window: silent ones have rows too, with the status ``no_data``.

    Parameters
    ----------
    keys : frame
        One row per expected key, one column per column of `by`; anything with ``__arrow_c_stream__`` or
        ``__arrow_c_array__``.
    per : str or sequence of str, optional
        Columns of `by` within whose values keys are counted; by default all keys of a window together.
    max_silence : str, timedelta or int, optional
        How long windows in which nobody at all is heard go on to have rows; by default a thousand windows, or 366 days
        of a calendar, but no more than 250,000 rows.
    """
    table = table_of(keys)
    plain = in_types(table, {field.name: field.type for field in plain_schema(table.schema)})
    own = (per,) if isinstance(per, str) else None if per is None else tuple(per)
    return spec.Roster(plain, own, None if max_silence is None else span_us("max_silence", max_silence))


def _origin(origin: Span | dt.datetime) -> int:
    return instant_us("origin", origin) if isinstance(origin, dt.datetime) else span_us("origin", origin)
