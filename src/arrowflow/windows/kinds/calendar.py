"""Calendar windows: shifts, production days, weeks and months, with bounds that a `Calendar` gives per key value.

Adds no hours itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError, StateRefused
from arrowflow.protocols import Calendar, CalendarTable
from arrowflow.types import I64, Bool
from arrowflow.windows.arrays import I32, Array, Numbers
from arrowflow.windows.grids import Grid, Stretch
from arrowflow.windows.kernels.panes import FOLD, NO_CALENDAR, OFF, OUT_OF_RANGE, UNKNOWN, assign_calendar
from arrowflow.windows.keys import Keys, Values
from arrowflow.windows.kinds.panes import Panes
from arrowflow.windows.kinds.whole import Whole
from arrowflow.windows.plan import DAY, CalendarWindow

CIVIL_US = (-62_104_060_800_000_000, 253_370_764_800_000_000)
"""Years 2 to 9998: civil time ends at years 1 and 9999, and a window needs room on both sides."""

_BLOCK_US = 2**42
"""Boundaries are asked for in aligned blocks of about 51 days: one wild event time must not cost a century."""
_MARGIN_US = 3 * 86_400_000_000
_WIDEST_US = 366 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Pieces:
    """Known pieces ``[start, end)`` of time of one key value, ascending and disjoint, each part of one window."""

    start_us: I64
    end_us: I64
    window_start_us: I64
    window_end_us: I64
    label: I32
    day: I32

    @classmethod
    def none(cls) -> Pieces:
        wide, narrow = np.empty(0, np.int64), np.empty(0, np.int32)
        return cls(wide, wide, wide, wide, narrow, narrow)

    def __len__(self) -> int:
        return len(self.start_us)

    def lanes(self) -> tuple[Numbers, ...]:
        return self.start_us, self.end_us, self.window_start_us, self.window_end_us, self.label, self.day

    def where(self, mask: Bool) -> Pieces:
        return Pieces(*(lane[mask] for lane in self.lanes()))

    @staticmethod
    def join(parts: Sequence[Pieces]) -> Pieces:
        columns = zip(*(part.lanes() for part in (Pieces.none(), *parts)), strict=True)
        return Pieces(*(np.concatenate(lanes) for lanes in columns))

    def merged(self, other: Pieces) -> Pieces:
        """Both, ascending; a piece known to both counts once."""
        both = Pieces.join((self, other))
        _starts, first = np.unique(both.start_us, return_index=True)
        return Pieces(*(lane[first] for lane in both.lanes()))


class CalendarKind(Whole):
    """Looks rows up in the boundaries of their key value, and asks the calendar for those it does not know yet."""

    def __init__(self, window: CalendarWindow, key_index: int) -> None:
        self._window = window
        self._calendar: Calendar = window.calendar
        self._key_index = key_index
        self._known: dict[str | None, Pieces | None] = {}
        self._blocks: set[tuple[str | None, int]] = set()
        self._values: Values | None = None
        self._first: I64 = np.empty(0, np.int64)
        self._stop: I64 = np.empty(0, np.int64)
        self._pieces = Pieces.none()
        labels = self._calendar.labels
        self._off = labels.index("off") if "off" in labels else -1
        self._has_holes = self._calendar.has_holes
        # An interval off may begin together with the window around it: then its end tells the two apart.
        self.columns = (("window_start_us", "start"), ("window_end_us", "bound" if self._has_holes else "end"))

    def assign(self, event_us: I64, parts: Sequence[I64], keys: Keys) -> Panes:
        n = len(event_us)
        part, values = parts[self._key_index], keys.values[self._key_index]
        if self._values is not values or len(self._first) != len(values):
            self._lay_out(values)
        civil = (event_us >= CIVIL_US[0]) & (event_us < CIVIL_US[1])
        fate = np.where(civil, FOLD, OUT_OF_RANGE).astype(np.int8)
        piece = np.empty(n, np.int64)
        if self._look_up(event_us, part, piece, fate):
            unknown = fate == UNKNOWN
            self._learn(event_us[unknown], part[unknown], values)
            fate = np.where(civil, FOLD, OUT_OF_RANGE).astype(np.int8)
            left = self._look_up(event_us, part, piece, fate)
            assert left == 0, f"the calendar does not cover {left} instants it was asked for"
        return self._panes(piece, fate)

    def explain(self, fate: int, event_us: int) -> tuple[str, str]:
        key = self._window.key
        if fate == NO_CALENDAR:
            return "no_calendar", f"the value of {key!r} has no calendar"
        if fate == OFF:
            what = "in no shift" if self._window.unit == "shift" else "on a day off"
            return "off", f"event time {event_us} µs is {what} of its {key!r}"
        return "out_of_range", f"event time {event_us} µs is outside the years 2 to 9998"

    def describe(self, label: I32, day: I32) -> list[Array]:
        days = pa.array(day, pa.int32()).view(DAY)
        if self._window.unit == "day":
            return [days]
        if self._window.unit != "shift":
            return [days, pa.array(label == self._off, pa.bool_())]
        names = pa.array(self._calendar.labels, pa.string())
        return [names.take(pa.array(label, pa.int32())), days]

    def recall(self, columns: Sequence[Array]) -> tuple[I32, I32]:
        day = columns[self._window.unit == "shift"].view(pa.int32()).to_numpy()
        if self._window.unit == "day":
            return np.zeros(len(day), np.int32), day
        if self._window.unit != "shift":
            off = columns[1].to_numpy(zero_copy_only=False).astype(np.bool_)
            return np.where(off, self._off, 0).astype(np.int32), day
        coded = columns[0].dictionary_encode()
        labels, names = self._calendar.labels, coded.dictionary.to_pylist()
        strange = sorted({str(name) for name in names} - set(labels))
        if strange:
            raise StateRefused(
                f"the state holds windows named {', '.join(map(repr, strange))}, the calendar knows {', '.join(labels)}; "
                "run it with the calendar that wrote it"
            )
        numbers = np.array([labels.index(str(name)) for name in names], np.int32)
        return numbers[coded.indices.to_numpy(zero_copy_only=False)], day

    def twins(self, label: I32) -> I64:
        if not self._has_holes:
            return super().twins(label)
        return np.asarray(label == self._off, np.int64)

    def bounds_today(self, start_us: I64, end_us: I64, label: I32, parts: Sequence[I64], keys: Keys) -> tuple[I64, I64]:
        """Bounds that the calendar gives now to windows once known by `start_us`, `end_us` and `label`, int64[n] each."""
        panes = self.assign(start_us, parts, keys)
        now_start, now_end = panes.start_us.copy(), panes.end_us.copy()
        if not self._has_holes:
            return now_start, now_end
        # A window may begin with a hole, which is what lies at its start: then look for the window around it.
        part, values = parts[self._key_index], keys.values[self._key_index]
        hidden = np.flatnonzero((label != self._off) & ((now_start != start_us) | (now_end != end_us)))
        for number, start, end in {(int(part[i]), int(start_us[i]), int(end_us[i])) for i in hidden}:
            held = self._around(values.take(np.array([number], np.int64))[0].as_py(), start, end)
            found = np.flatnonzero((held.window_start_us == start) & (held.label != self._off))
            if len(found):
                these = hidden[(part[hidden] == number) & (start_us[hidden] == start) & (end_us[hidden] == end)]
                now_start[these], now_end[these] = start, held.window_end_us[found[0]]
        return now_start, now_end

    def _around(self, value: str | None, start_us: int, end_us: int) -> Pieces:
        """What is known of a key value once the calendar was asked about all of ``[start_us, end_us)``."""
        for block in range(start_us // _BLOCK_US, (end_us - 1) // _BLOCK_US + 1):
            self._learn_block(value, block)
        return self._known.get(value) or Pieces.none()

    def grid(self, value: str | None) -> Grid:
        """The windows of one key value that has a calendar."""
        return _OwnGrid(self, value)

    def ending(self, value: str | None, first_us: int, last_us: int) -> Stretch:
        """The windows of one key value whose ends are in ``[first_us, last_us]``."""
        first_us, last_us = max(first_us, CIVIL_US[0]), min(last_us, CIVIL_US[1] - 1)
        known = self._around(value, first_us - 1, last_us)
        pieces = known.where((known.window_end_us >= first_us) & (known.window_end_us <= last_us))
        # A window with a hole has pieces on both sides of it, and what fills the hole is a window of its own.
        windows = np.column_stack([pieces.window_end_us, pieces.window_start_us, self.twins(pieces.label)])
        _windows, first, which = np.unique(windows, axis=0, return_index=True, return_inverse=True)
        expecting = np.bincount(which.ravel(), pieces.label != self._off, minlength=len(first)) > 0
        return Stretch(
            pieces.window_start_us[first],
            pieces.window_end_us[first],
            pieces.label[first],
            pieces.day[first],
            np.asarray(expecting),
        )

    def _look_up(self, event_us: I64, part: I64, piece: I64, fate: Numbers) -> int:
        pieces = self._pieces
        return int(
            assign_calendar(event_us, part, self._first, self._stop, pieces.start_us, pieces.end_us, piece, fate)
        )

    def _panes(self, piece: I64, fate: Numbers) -> Panes:
        pieces = self._pieces
        if not len(pieces):
            nothing = np.zeros(len(fate), np.int32)
            return Panes.whole(piece, piece, fate, nothing, nothing)
        label = pieces.label[piece]
        if self._window.off == "dead_letter":
            fate[(fate == FOLD) & (label == self._off)] = OFF
        twin = self.twins(label) if self._has_holes else None
        bounds = (pieces.window_start_us[piece], pieces.window_end_us[piece])
        return Panes.whole(*bounds, fate, label, pieces.day[piece], twin)

    def _learn(self, event_us: I64, part: I64, values: Values) -> None:
        """Ask the calendar for every (key value, block) among the rows given that it was not asked for yet."""
        blocks = event_us // _BLOCK_US
        for number in np.unique(part):
            value = values.take(np.array([number], np.int64))[0].as_py()
            for block in np.unique(blocks[part == number]).tolist():
                self._learn_block(value, block)
        self._lay_out(values)

    def _learn_block(self, value: str | None, block: int) -> None:
        """Ask the calendar for a block of one key value, unless it was asked for already."""
        if (value, block) in self._blocks:
            return
        self._blocks.add((value, block))
        known = self._known.get(value, Pieces.none())
        if known is None:
            return
        fresh = self._ask(value, block * _BLOCK_US, (block + 1) * _BLOCK_US)
        self._known[value] = None if fresh is None else known.merged(fresh)

    def _ask(self, value: str | None, from_us: int, to_us: int) -> Pieces | None:
        """Whole windows over ``[from_us, to_us)``: asks for more on both sides until no edge can be cut."""
        from_us, to_us = max(from_us, CIVIL_US[0]), min(to_us, CIVIL_US[1])
        margin = _MARGIN_US
        while margin <= _WIDEST_US:
            table = self._calendar.table(value, from_us - margin, to_us + margin)
            if table is None:
                return None
            pieces, whole = _pieces(table, self._window.unit)
            touched = (pieces.end_us > from_us) & (pieces.start_us < to_us)
            covered = table.start_us[0] <= from_us and table.start_us[-1] >= to_us
            if covered and whole[touched].all():
                return pieces.where(whole & (pieces.window_end_us > from_us) & (pieces.window_start_us < to_us))
            margin *= 2
        raise ConfigError(
            f"calendar of {self._window.key} = {value!r}: no whole windows cover [{from_us}, {to_us}) µs; "
            f"a {self._window.unit} longer than a year is not supported"
        )

    def _lay_out(self, values: Values) -> None:
        """Put the pieces of all key values one after another, in the order of the values' numbers."""
        self._values = values
        everyone = values.take(np.arange(len(values))).to_pylist()
        known = [self._known.get(value, Pieces.none()) for value in everyone]
        sizes = np.array([0 if pieces is None else len(pieces) for pieces in known], np.int64)
        self._stop = np.cumsum(sizes, dtype=np.int64)
        absent = np.array([pieces is None for pieces in known], np.bool_)
        self._first = np.where(absent, -1, self._stop - sizes)
        self._pieces = Pieces.join([pieces for pieces in known if pieces is not None])


@dataclass(frozen=True, slots=True)
class _OwnGrid:
    """What `CalendarKind.grid` gives."""

    kind: CalendarKind
    value: str | None

    def ending(self, first_us: int, last_us: int) -> Stretch:
        return self.kind.ending(self.value, first_us, last_us)


def _pieces(table: CalendarTable, unit: str) -> tuple[Pieces, Bool]:
    """The pieces of a calendar's answer, and which are parts of windows that the answer cannot have cut."""
    start, end = table.start_us[:-1], table.start_us[1:]
    label, day = table.label.astype(np.int32), table.production_day.astype(np.int32)
    opens, closes = table.windows()
    if table.window_start_us is None and unit == "day" and len(start):
        edge = np.append(True, day[1:] != day[:-1])
        first = np.flatnonzero(edge)
        window = np.cumsum(edge) - 1
        opens, closes = start[first][window], np.append(start[first[1:]], end[-1])[window]
    if table.window_start_us is None:  # the answer may have cut the intervals at its edges
        whole = (opens > start[:1]) & (closes < end[-1:])
    else:
        whole = (opens >= start[:1]) & (closes <= end[-1:])
    return Pieces(start, end, opens, closes, label, day), whole
