"""Who was met and how far each partition is: clocks, offsets, and where a new one joins. Folds nothing.

Everything here goes by the order of rows, never by how they were cut into pushes: a partition met for the first time
joins at the watermark as it stood just before its first row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from arrowflow.errors import ConfigError, PromiseBroken
from arrowflow.types import I64, MIN_US, Bool, PartitionClock, SourcePartition
from arrowflow.windows.clocks import Ticked, raise_floor, tick, watermark_us

SOURCE = "push"
Partition = int | str
"""A partition as a program names it: all by numbers, or all by text."""


@dataclass(frozen=True, slots=True)
class Share:
    """One partition's rows of a push, in order.

    Parameters
    ----------
    partition : SourcePartition
        Whose they are.
    index : int64[n]
        Their places in the push, ascending.
    event_us : int64[n]
        Event times; anything where `timed` is false.
    timed : bool[n]
        Rows that have an event time.
    offset : int64[n]
        Strictly ascending, above those of earlier pushes.
    """

    partition: SourcePartition
    index: I64
    event_us: I64
    timed: Bool
    offset: I64


@dataclass(slots=True)
class Standing:
    """What is known of one partition."""

    clock: PartitionClock = field(default_factory=PartitionClock)
    offset: int = 0


class Partitions:
    """The partitions met so far and the watermark over them.

    Parameters
    ----------
    named : sequence of int or str
        Partitions known from the beginning: the watermark waits for their first rows.
    max_out_of_orderness_us : int
        The tolerance of every clock.
    """

    def __init__(self, named: Sequence[Partition], max_out_of_orderness_us: int) -> None:
        self.tolerance_us = max_out_of_orderness_us
        self.known: dict[SourcePartition, Standing] = {source_partition(name): Standing() for name in named}

    @property
    def watermark_us(self) -> int:
        """The least clock of all; `MIN_US` while one of them had no row yet, or there is none."""
        least = watermark_us({part: each.clock for part, each in self.known.items()}, self.tolerance_us)
        return MIN_US if least is None else least

    @property
    def clocks_us(self) -> dict[SourcePartition, int]:
        """Each partition's clock."""
        return {part: each.clock.clock_us(self.tolerance_us) for part, each in self.known.items()}

    def next_offset(self, partition: SourcePartition) -> int:
        """One past the last offset seen of a partition."""
        return self.known[partition].offset if partition in self.known else 0

    def check_offsets(self, share: Share) -> None:
        """Raise `PromiseBroken` unless offsets ascend, beyond those of earlier pushes."""
        before = np.concatenate([[self.next_offset(share.partition) - 1], share.offset[:-1]])
        back = np.flatnonzero(share.offset <= before)
        if len(back):
            row = int(back[0])
            raise PromiseBroken(
                f"partition {name_of(share.partition)}: offset {share.offset[row]} comes after {before[row]}; offsets "
                "of a partition must ascend from push to push. Leave out rows that were pushed before"
            )

    def check_names(self, partitions: Sequence[SourcePartition]) -> None:
        """Raise `ConfigError` if some partitions are numbers and others text."""
        kinds = {part.topic == "" for part in (*self.known, *partitions)}
        if len(kinds) > 1:
            names = [name_of(part) for part in (*self.known, *partitions)]
            raise ConfigError(f"partitions are {names}; name them all by numbers or all by text")

    def advance(self, shares: Sequence[Share]) -> list[Ticked]:
        """Let clocks run over one push; return the clock before each row, share by share."""
        ticked: dict[SourcePartition, tuple[Share, Ticked]] = {}
        met = dict(self.known)
        new = [share for share in shares if share.partition not in met]
        for share in shares:
            if share.partition in met:
                ticked[share.partition] = (share, self._tick(share, met[share.partition].clock))
        for share in sorted(new, key=lambda share: int(share.index[0])):
            floor = self._watermark_before(int(share.index[0]), met, ticked)
            clock = PartitionClock(floor_us=None if floor == MIN_US else floor)
            ticked[share.partition] = (share, self._tick(share, clock))
            met[share.partition] = Standing(clock)
        for part, (share, after) in ticked.items():
            self.known[part] = Standing(after.clock, int(share.offset[-1]) + 1)
        return [ticked[share.partition][1] for share in shares]

    def raise_floors(self, floors: Mapping[SourcePartition, int]) -> None:
        """Let no clock stand below its floor; what comes behind it is late from now on."""
        for part, floor in floors.items():
            standing = self.known[part]
            self.known[part] = replace(standing, clock=raise_floor(standing.clock, floor))

    def _tick(self, share: Share, clock: PartitionClock) -> Ticked:
        return tick(clock, share.event_us, share.timed, None, self.tolerance_us)

    def _watermark_before(
        self,
        place: int,
        met: Mapping[SourcePartition, Standing],
        ticked: Mapping[SourcePartition, tuple[Share, Ticked]],
    ) -> int:
        """The least clock of the partitions met before the row at `place` of this push."""
        clocks = []
        for part, standing in met.items():
            share, after = ticked.get(part, (None, None))
            if share is None or after is None:
                clocks.append(standing.clock.clock_us(self.tolerance_us))
                continue
            rows = int(np.searchsorted(share.index, place))
            whole = rows == len(share.index)
            clocks.append(after.clock.clock_us(self.tolerance_us) if whole else int(after.clock_us[rows]))
        return min(clocks, default=MIN_US)


def source_partition(name: Partition) -> SourcePartition:
    """Return the partition as the window core knows it; raises `ConfigError`."""
    if isinstance(name, str) and name:
        return SourcePartition(SOURCE, name, 0)
    if isinstance(name, int) and not isinstance(name, bool) and -(2**31) <= name < 2**31:
        return SourcePartition(SOURCE, "", name)
    raise ConfigError(f"partition {name!r}: give a number that fits 32 bits, or text that is not empty")


def name_of(partition: SourcePartition) -> Partition:
    """Return the partition as the program named it."""
    return partition.topic or partition.partition
