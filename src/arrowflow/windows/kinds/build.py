"""From the description of a window to its working part. Decides by type only."""

from __future__ import annotations

from arrowflow.windows.kinds.calendar import CalendarKind
from arrowflow.windows.kinds.overlapping import Overlapping
from arrowflow.windows.kinds.panes import Kind
from arrowflow.windows.kinds.points import PiecesKind, SlidingKind
from arrowflow.windows.kinds.session import SessionKind
from arrowflow.windows.kinds.tumbling import TumblingKind
from arrowflow.windows.plan import CalendarWindow, Plan
from arrowflow.windows.shapes import Cumulative, Hopping, Session, Sliding, Tumbling


def build_kind(plan: Plan) -> Kind:
    """Make the working part of a plan's window."""
    match plan.window:
        case Tumbling():
            return TumblingKind(plan.window)
        case Hopping() | Cumulative():
            return Overlapping(plan.window)
        case Sliding():
            return SlidingKind(plan.window)
        case Session(max_length_us=None):
            return SessionKind(plan.window)
        case Session():
            return PiecesKind(plan.window)
        case CalendarWindow():
            names = [field.name for field in plan.keys]
            return CalendarKind(plan.window, names.index(plan.window.key))
