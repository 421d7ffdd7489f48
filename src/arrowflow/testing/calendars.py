"""A calendar whose windows a test writes down as instants. It knows no zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from arrowflow.protocols import CalendarTable

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class FixedCalendar:
    """The `Calendar` protocol for tests.

    Parameters
    ----------
    instants : mapping of str to tuple of int
        Per key value, microseconds at which windows begin, strictly ascending, at least one; each window lasts
        until the next instant. Before the first and from the last on there are windows "off" of one day each.
    names : tuple of str
        Given to the windows in turn.

    Notes
    -----
    A window's production day is the UTC day in which it begins.
    """

    instants: Mapping[str, tuple[int, ...]]
    names: tuple[str, ...] = ("A", "B", "C")

    @property
    def labels(self) -> tuple[str, ...]:
        return (*self.names, "off")

    @property
    def has_holes(self) -> bool:
        return False

    def table(self, key: str | None, from_us: int, to_us: int) -> CalendarTable | None:
        if key is None or key not in self.instants:
            return None
        known = self.instants[key]
        before, after = [], []
        at = known[0] - max(0, known[0] - from_us + _DAY_US - 1) // _DAY_US * _DAY_US
        while at < known[0]:
            before.append(at)
            at += _DAY_US
        at = max(known[-1], known[-1] + (from_us - known[-1]) // _DAY_US * _DAY_US)
        while at <= max(to_us, from_us + 1) + _DAY_US:
            after.append(at)
            at += _DAY_US
        named = [(start, place % len(self.names)) for place, start in enumerate(known[:-1])]
        off = len(self.names)
        starts = [*((start, off) for start in before), *named, *((start, off) for start in after or [known[-1]])]
        return _cut(starts, from_us, max(to_us, from_us + 1))

    def fingerprint(self) -> Mapping[str, object]:
        return {"kind": "fixed", "instants": {key: list(at) for key, at in sorted(self.instants.items())}}


def _cut(starts: list[tuple[int, int]], from_us: int, to_us: int) -> CalendarTable:
    """The windows that touch ``[from_us, to_us)``; the last start only ends the window before it."""
    first = max(place for place, (start, _label) in enumerate(starts) if start <= from_us)
    last = min(place for place, (start, _label) in enumerate(starts) if start >= to_us)
    held = starts[first:last]
    begin = np.array([start for start, _label in held], np.int64)
    return CalendarTable(
        np.append(begin, starts[last][0]),
        np.array([label for _start, label in held], np.int32),
        (begin // _DAY_US).astype(np.int32),
    )
