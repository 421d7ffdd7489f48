"""ahead: the next slices are fetched and decoded by helpers while this one is folded. Decides nothing about an epoch.

Three slices are there at most: one is fetched, one decoded, one folded. Which thread did what never shows: fetching is
told where to begin by the slice before, and decoding looks at the bytes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from arrowflow.protocols import Decoder, Helper, Source, Task
from arrowflow.types import Bounds, Decoded, Fetched, SourcePartition

Positions = Mapping[SourcePartition, int]


@dataclass(frozen=True, slots=True)
class Slice:
    """What one read gave, and what its batches say; an empty batch says nothing."""

    fetched: Fetched
    decoded: tuple[Decoded | None, ...]


def unpacked(decoder: Decoder, fetched: Fetched) -> Slice:
    """Decode every batch of a read."""
    return Slice(fetched, tuple(decoder.decode(batch) if len(batch) else None for batch in fetched.batches))


class _Reading(NamedTuple):
    """A read under way, and from where."""

    after: Positions
    task: Task[Fetched]


class _Coming(NamedTuple):
    """A slice under way, and from where."""

    after: Positions
    task: Task[Slice]


@dataclass(slots=True)
class Ahead:
    """Reads on behind the slice that was taken last, as long as there are records and nobody says that it is enough.

    Parameters
    ----------
    source, decoder : Source, Decoder
        Of the run; nobody else reads or decodes while a slice is coming.
    reader, unpacker : Helper
        Who does it.
    is_enough : callable
        Given positions, whether what lies behind them is not wanted, or not yet.
    """

    source: Source
    decoder: Decoder
    reader: Helper
    unpacker: Helper
    is_enough: Callable[[Positions], bool]
    _reading: _Reading | None = field(init=False, default=None)
    _coming: _Coming | None = field(init=False, default=None)

    def take(self, after: Positions, bounds: Callable[[], Bounds]) -> Slice:
        """Return the slice behind `after`, and see to the next one.

        Parameters
        ----------
        after : mapping of SourcePartition to int
            Where it begins. Where that is not where the last one ended, what was read ahead is dropped.
        bounds : callable
            Asked when a read begins.

        Raises
        ------
        ArrowflowError
            What reading raised; the slices before it were taken.
        """
        coming, self._coming = self._coming, None
        if coming is not None and coming.after != after:
            self._coming = coming
            self.drop()
            coming = None
        if coming is None:
            found = self.source.read(after, bounds())
            self._read_on(after, found, bounds)
            taken = unpacked(self.decoder, found)
        else:
            taken = coming.task.result()
        if self._reading is not None:
            self._coming = _Coming(self._reading.after, self.unpacker.start(lambda: self._unpack(bounds)))
        return taken

    def drop(self) -> None:
        """Forget what was read ahead, and wait until nobody reads."""
        coming, self._coming = self._coming, None
        with suppress(Exception):  # nobody asked for it yet; whoever reads there again meets it again
            if coming is not None:
                coming.task.result()
        reading, self._reading = self._reading, None
        with suppress(Exception):
            if reading is not None:
                reading.task.result()

    def close(self) -> None:
        """Drop all and let the helpers go."""
        self.drop()
        self.reader.close()
        self.unpacker.close()

    def _unpack(self, bounds: Callable[[], Bounds]) -> Slice:
        """Wait for the read, begin the next one, decode; done by the unpacker."""
        reading, self._reading = self._reading, None
        if reading is None:
            raise AssertionError("a slice comes from a read")
        found = reading.task.result()
        self._read_on(reading.after, found, bounds)
        return unpacked(self.decoder, found)

    def _read_on(self, after: Positions, found: Fetched, bounds: Callable[[], Bounds]) -> None:
        """Begin to read behind what was found; where nothing was found there is nothing to be ahead of."""
        ends = {**after, **{part: walked.stop for part, walked in found.ranges.items()}}
        if found.rows and not self.is_enough(ends):
            self._reading = _Reading(ends, self.reader.start(lambda: self.source.read(ends, bounds())))
