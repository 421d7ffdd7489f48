"""Partition clocks and the watermark as pure functions of what was seen. Never asks what time it is.

A partition's clock is its largest event time at smaller offsets minus the tolerance, never below its floor.
The watermark is the least clock of all partitions that are not idle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from arrowflow.types import I64, MIN_US, Bool, PartitionClock, SourcePartition
from arrowflow.windows.arrays import ready


class Ticked(NamedTuple):
    """The clock before each row, rows ahead of their limit, and what was seen of the partition by now."""

    clock_us: I64
    ahead: Bool
    clock: PartitionClock


def tick(
    clock: PartitionClock, event_us: I64, valid: Bool, limit_us: I64 | None, max_out_of_orderness_us: int
) -> Ticked:
    """Advance a partition's clock over consecutive rows.

    Parameters
    ----------
    clock : PartitionClock
        What was seen at smaller offsets.
    event_us : int64[n]
        Event times in offset order; anything where `valid` is false.
    valid : bool[n]
        Rows that have an event time; the others are never ahead and advance nothing.
    limit_us : int64[n] or None
        Largest credible event time per row; a row above it is `ahead` and advances nothing.
    max_out_of_orderness_us : int
        The tolerance, not negative.

    Returns
    -------
    clock_us : int64[n]
        The clock from rows at smaller offsets only; the floor, or `MIN_US`, before any. Saturates at int64's ends.
    ahead : bool[n]
        Rows whose event time is not credible.
    clock : PartitionClock
        After the last row; floor and idleness as they were.
    """
    # Compiled on first use; planning and validating never get here.
    from arrowflow.windows.kernels.clocks import tick_all, tick_rows

    n = len(event_us)
    event_us, valid = ready(event_us, np.int64), ready(valid, np.bool_)
    clock_us, ahead = np.empty(n, np.int64), np.zeros(n, np.bool_)
    if limit_us is None and n and valid.all():
        tick_all(event_us, max_out_of_orderness_us, clock.clock_us(max_out_of_orderness_us), clock_us)
        most = int(event_us.max())
        most = most if clock.max_event_us is None else max(most, clock.max_event_us)
        return Ticked(clock_us, ahead, PartitionClock(max_event_us=most, floor_us=clock.floor_us, idle=clock.idle))
    limit = np.empty(0, np.int64) if limit_us is None else ready(limit_us, np.int64)
    largest, seen = tick_rows(
        event_us,
        valid,
        limit,
        max_out_of_orderness_us,
        clock.max_event_us or 0,
        clock.max_event_us is not None,
        MIN_US if clock.floor_us is None else clock.floor_us,
        clock_us,
        ahead,
    )
    after = PartitionClock(max_event_us=int(largest) if seen else None, floor_us=clock.floor_us, idle=clock.idle)
    return Ticked(clock_us, ahead, after)


def watermark_us(clocks: Mapping[SourcePartition, PartitionClock], max_out_of_orderness_us: int) -> int | None:
    """Return the least clock of the partitions that are not idle; `MIN_US` if one was never read, None if there is none."""
    active = [clock.clock_us(max_out_of_orderness_us) for clock in clocks.values() if not clock.idle]
    return min(active, default=None)


def raise_floor(clock: PartitionClock, floor_us: int) -> PartitionClock:
    """Return `clock` with a floor of at least `floor_us`; a floor is never lowered."""
    if clock.floor_us is not None and clock.floor_us >= floor_us:
        return clock
    return PartitionClock(max_event_us=clock.max_event_us, floor_us=floor_us, idle=clock.idle)
