"""What an example runs: a window of some kind, aggregates, keys, patience and scope, drawn from dice. Judges nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random

import pyarrow as pa
from tests.laws.columns import COLUMNS, UTC, Dice, columns_of, draw_aggregates
from tests.oracles.windows import Window
from tests.unit.windows.drive import HoledCalendar, PlainCalendar

from arrowflow.windows.plan import WindowKind
from arrowflow.windows.spec import (
    Aggregate,
    CalendarWindow,
    Cumulative,
    Hopping,
    Session,
    Sliding,
    Tumbling,
    WindowSpec,
)

KINDS = ("tumbling", "hopping", "cumulative", "sliding", "session", "pieces", "calendar")
"""`pieces` are sessions with a maximal length."""
STRICT = ("sliding", "session", "pieces")
KEYS = {"site": pa.string(), "line": pa.int64(), "flag": pa.bool_(), "day": pa.date32(), "since": UTC}
UNITS = (1, 1, 1000, 60_000_000)
"""Times are drawn as small numbers and multiplied by one of these: µs, ms and minutes."""


@dataclass(frozen=True)
class Setup:
    """One configuration with all that its rows need: times are small numbers of `unit` µs."""

    kind: str
    spec: WindowSpec
    schema: pa.Schema
    tolerance_us: int
    unit: int
    coded: bool = False

    @property
    def strict(self) -> bool:
        return self.kind in STRICT


def draw_setup(
    dice: Dice, kind: str, *, scope: str | None = None, ordered: bool = True, corrects: bool = False
) -> Setup:
    """A configuration of one kind; `scope` None draws it."""
    unit = 1 if kind == "calendar" else dice.choice(UNITS)
    scope = scope or dice.choice(("pipeline", "pipeline", "partition"))
    keys = _draw_keys(dice, needs_site=scope == "partition" or kind == "calendar")
    window = draw_window(dice, kind, unit)
    holed = isinstance(window, CalendarWindow) and window.calendar.has_holes  # no ordered aggregate looks over a hole
    aggregates = draw_aggregates(dice, dice.choice((1, 2, 4)), ordered=ordered and not corrects and not holed)
    if corrects and aggregates[0].column is not None:
        aggregates = (Aggregate("n", "count"), *aggregates)  # it says whether a revision has any news
    lateness = unit * dice.choice((0, 0, 1, 5, 30))
    correct = unit * dice.choice((5, 20, 60)) if corrects else None
    spec = WindowSpec(window, keys, aggregates, lateness, scope, correct)
    columns = [(name, KEYS[name]) for name in keys]
    columns += [(name, COLUMNS[name].type) for name in columns_of(aggregates)]
    return Setup(kind, spec, pa.schema(columns), unit * dice.choice((0, 0, 3, 25)), unit, dice.random() < 0.2)


def _draw_keys(dice: Dice, *, needs_site: bool) -> tuple[str, ...]:
    if needs_site:
        return dice.choice((("site",), ("site", "line"), ("line", "site"), ("site", "flag", "day")))
    return dice.choice(((), ("site",), ("site", "line"), ("site", "line"), ("since",), ("line", "day")))


def draw_window(dice: Dice, kind: str, unit: int) -> WindowKind:
    """A window of one kind, in units."""
    size, origin = dice.choice((1, 6, 7, 10, 60)), dice.choice((0, 0, dice.randint(-100, 100)))
    match kind:
        case "tumbling":
            return Tumbling(size * unit, origin * unit)
        case "hopping":
            hops = [hop for hop in (1, 2, 3, 5, 6, 7, 10, 13, 90) if hop * 12 >= size]
            return Hopping(size * unit, dice.choice(hops) * unit, origin * unit)
        case "cumulative":
            steps = [step for step in (1, 2, 3, 5, 7, 10, 30) if size % step == 0 and step * 12 >= size]
            return Cumulative(size * unit, dice.choice(steps or [size]) * unit, origin * unit)
        case "sliding":
            return Sliding(dice.choice((1, 5, 10, 50)) * unit, dice.choice(("right", "both")))
        case "session":
            return Session(dice.choice((1, 4, 5, 10, 40)) * unit)
        case "pieces":
            return Session(dice.choice((1, 4, 10, 40)) * unit, dice.choice((1, 3, 10, 25)) * unit)
        case "calendar":
            off = dice.choice(("window", "dead_letter"))
            if dice.random() < 0.5:
                return CalendarWindow(dice.choice(HOLED), "site", dice.choice(("shift", "week", "month")), off)
            return CalendarWindow(dice.choice(CALENDARS), "site", dice.choice(("shift", "day")), off)
    raise AssertionError(f"there is no kind {kind!r}")


SITES = (None, "", "mty", "gdl", "nowhere")
"""Values of the key `site`; the calendars know all but the last."""


def _timetable(dice: Random) -> list[Window]:
    """Consecutive named windows of uneven length, several to a day, with room on both sides of the streams."""
    windows = [Window(-(2**44), -(2**43), "off", -2), Window(-(2**43), dice.randint(-160, -150), "off", -1)]
    day = 0
    while windows[-1].end < 350:
        for label in dice.choice((("T1", "T2", "off"), ("T1", "T3"), ("off",), ("T2", "off", "T3"))):
            at = windows[-1].end
            windows.append(Window(at, at + dice.randint(1, 9), label, day))
        day += 1
    end = windows[-1].end
    return [*windows, Window(end, 2**43, "off", day), Window(2**43, 2**44, "off", day + 1)]


def _with_holes(dice: Random, windows: list[Window]) -> list[tuple[int, int, Window]]:
    """Pieces of windows, some of them intervals called off: at the start of a window, at its end, anywhere in it."""
    pieces = []
    for window in windows:
        cuts = [] if window.label == "off" else [window.start + dice.randint(1, 8) for _ in range(dice.randint(0, 3))]
        edges = sorted({window.start, window.end, *(cut for cut in cuts if cut < window.end)})
        first = dice.randint(0, 1) if len(edges) > 2 else 0
        for place, (start, end) in enumerate(pairwise(edges)):
            hole = place % 2 != first
            pieces.append((start, end, Window(start, end, "off", window.day) if hole else window))
    return pieces


def _each_site(tables: dict) -> dict:
    """The same tables for the sites of every partition under scope "partition"."""
    return tables | {f"{p}{site or ''}": table for p in range(3) for site, table in tables.items()}


def _calendars() -> tuple[PlainCalendar, ...]:
    dice = Random("calendars")
    return tuple(
        PlainCalendar(_each_site({site: _timetable(dice) for site in SITES[:-1]}), clip)
        for clip in (False, True, False, True)
    )


def _holed() -> tuple[HoledCalendar, ...]:
    dice = Random("holes")
    return tuple(
        HoledCalendar(_each_site({site: _with_holes(dice, _timetable(dice)) for site in SITES[:-1]})) for _ in range(4)
    )


CALENDARS, HOLED = _calendars(), _holed()
