"""A calendar that gives other bounds than the state was recorded with is refused only where a window is open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from arrowflow.errors import StateRefused
from arrowflow.protocols import CalendarTable
from arrowflow.types import MIN_US, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.spec import Aggregate, CalendarWindow, WindowSpec

DAY_US = 86_400_000_000
HERE = SourcePartition("s", "t", 0)
SCHEMA = pa.schema([("k", pa.string())])


@dataclass(frozen=True)
class Days:
    """Days of 24 hours that begin at `hour`, and from `changed` on at `later`."""

    hour: int
    later: int
    changed: int = 2**62
    labels: tuple[str, ...] = ("day",)
    has_holes: bool = False

    def table(self, key, from_us, to_us):
        days = np.arange(from_us // DAY_US - 2, to_us // DAY_US + 3)
        start = days * DAY_US + np.where(days * DAY_US < self.changed, self.hour, self.later) * 3_600_000_000
        return CalendarTable(start, np.zeros(len(days) - 1, np.int32), days[:-1].astype(np.int32))

    def fingerprint(self):
        return {}


def operator(calendar):
    window = CalendarWindow(calendar, "k", "day")
    return WindowSpec(window, ("k",), (Aggregate("n", "count", None),)).build(SCHEMA)


def batch(*event_us):
    n = len(event_us)
    raw = RawBatch(
        HERE,
        np.arange(n),
        np.full(n, MIN_US),
        np.zeros(n, np.bool_),
        pa.nulls(n, pa.binary()),
        pa.nulls(n, pa.binary()),
    )
    table = pa.table({"k": ["a"] * n}, schema=SCHEMA)
    return RowBatch(raw, np.arange(n), table, np.array(event_us, np.int64), np.full(n, MIN_US))


def test_open_windows_with_other_bounds_are_refused_and_named():
    before = operator(Days(0, 0))
    before.fold(batch(10 * DAY_US + 1))

    with pytest.raises(StateRefused, match=r"1 open windows .* key \('a',\)"):
        operator(Days(1, 1)).restore(before.snapshot(), [])


def test_bounds_of_windows_not_yet_begun_may_move():
    before = operator(Days(0, 0))
    before.fold(batch(10 * DAY_US + 1))
    after = operator(Days(0, 1, changed=20 * DAY_US))

    after.restore(before.snapshot(), [])

    assert after.digest() == before.digest()
    after.fold(batch(25 * DAY_US))
    assert after.open_windows == 2
