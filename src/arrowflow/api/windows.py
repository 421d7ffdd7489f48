"""One constructor for each kind of window, taking time as people write it. Returns the core's own descriptions."""

from __future__ import annotations

import datetime as dt
from typing import Literal

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


def Shifts(  # noqa: N802
    calendar: PlantCalendar,
    unit: Literal["shift", "day"] = "shift",
    *,
    off: Literal["window", "dead_letter"] = "window",
) -> spec.CalendarWindow:
    """Windows as the wall clock of each plant shows them; `by` must contain the key of the calendar.

    Parameters
    ----------
    calendar : PlantCalendar
        Zones per key value, shifts, holidays.
    unit : "shift" or "day"
        One window per named shift, or one per production day.
    off : "window" or "dead_letter"
        Whether rows outside every shift have a window called ``off`` or are refused.
    """
    return spec.CalendarWindow(calendar.for_unit(unit), calendar.key, unit, off)


def _origin(origin: Span | dt.datetime) -> int:
    return instant_us("origin", origin) if isinstance(origin, dt.datetime) else span_us("origin", origin)
