"""Rows of a push, checked and dealt out to their partitions. Changes nothing: a refused push leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from arrowflow.api.frames import PER_SECOND, Times, event_times, find, groups, whole
from arrowflow.api.partitions import Partition, Partitions, Share, source_partition
from arrowflow.errors import ConfigError, PromiseBroken
from arrowflow.types import I64, SourcePartition

NO_TIME, NO_PARTITION, BEYOND = "no_event_time", "no_partition", "out_of_range"


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows that cannot be judged at all, by their places in the push; `share` is None where nobody's they are."""

    index: I64
    reason: str
    detail: str
    share: Share | None = None


@dataclass(frozen=True, slots=True)
class Dealt:
    """A push by partition: every row is in one share or in a refusal without a share."""

    shares: list[Share]
    refused: list[Refused]


@dataclass(frozen=True, slots=True)
class Intake:
    """Which columns say when a row happened, whose it is and where it stood.

    Parameters
    ----------
    time : str
        The column of event time.
    time_unit : str or None
        What it counts, if it holds integers.
    partition, offset : str or None
        The columns of partition and offset, if there are any.
    """

    time: str
    time_unit: str | None = None
    partition: str | None = None
    offset: str | None = None

    def __post_init__(self) -> None:
        if self.time_unit is not None and self.time_unit not in PER_SECOND:
            raise ConfigError(f"time_unit: {self.time_unit!r} is not one of {', '.join(PER_SECOND)}")

    def deal(self, table: pa.Table, partition: Partition | None, known: Partitions) -> Dealt:
        """Return the rows of `table` by partition.

        Raises
        ------
        ConfigError
            For a column that is missing or of the wrong type.
        PromiseBroken
            For offsets that do not ascend.
        """
        times = event_times(self.time, find("time", self.time, table), self.time_unit)
        offset = self._offsets(table)
        shares, refused = [], []
        for part, index in self._members(table, partition):
            if part is None:
                refused.append(Refused(index, NO_PARTITION, f"{self.partition} is null"))
            elif len(index):
                shares.append(_share(part, index, times, offset, known))
        known.check_names([share.partition for share in shares])
        for share in shares:
            if offset is not None:
                known.check_offsets(share)
            if not share.timed.all():
                refused += self._untimed(share, times)
        return Dealt(shares, refused)

    def _members(self, table: pa.Table, partition: Partition | None) -> Iterator[tuple[SourcePartition | None, I64]]:
        """Each partition with the places of its rows; None for rows without one."""
        if self.partition is None:
            yield source_partition(0 if partition is None else partition), np.arange(table.num_rows)
            return
        if partition is not None:
            raise ConfigError(f"partition={partition!r}: the partition of each row is in its column {self.partition!r}")
        for name, index in groups(self.partition, find("partition", self.partition, table)):
            yield None if name is None else source_partition(name), index

    def _offsets(self, table: pa.Table) -> I64 | None:
        if self.offset is None:
            return None
        column = find("offset", self.offset, table)
        if not pa.types.is_integer(column.type):
            raise ConfigError(f"offset column {self.offset!r} is {column.type}; offsets are integers")
        if column.null_count:
            raise PromiseBroken(
                f"offset column {self.offset!r} has {column.null_count} nulls; every row needs an offset"
            )
        try:
            offset = whole(column.cast(pa.int64())).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid as error:
            raise PromiseBroken(f"offset column {self.offset!r}: {error}") from None
        if len(offset) and offset.min() < 0:
            raise PromiseBroken(f"offset column {self.offset!r} has {offset.min()}; offsets are not negative")
        return offset

    def _untimed(self, share: Share, times: Times) -> Iterator[Refused]:
        null, beyond = times.null[share.index], times.beyond[share.index]
        if null.any():
            yield Refused(np.flatnonzero(null), NO_TIME, f"{self.time} is null", share)
        if beyond.any():
            yield Refused(np.flatnonzero(beyond), BEYOND, f"{self.time} does not fit int64 microseconds", share)


def _share(part: SourcePartition, index: I64, times: Times, offset: I64 | None, known: Partitions) -> Share:
    if len(index) < len(times.us):
        times = Times(times.us[index], times.null[index], times.beyond[index])
        offset = None if offset is None else offset[index]
    first = known.next_offset(part)
    own = np.arange(first, first + len(index)) if offset is None else offset
    return Share(part, index, times.us, ~(times.null | times.beyond), own)
