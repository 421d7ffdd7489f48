"""One partition on its way from a leader to the reader: what was fetched, what was given out. It connects to nothing."""

from __future__ import annotations

from collections import deque

import numpy as np

from arrowflow.sources.kafka.wire.batches import Batch
from arrowflow.sources.kafka.wire.kernels.records import OFFSET
from arrowflow.sources.kafka.wire.sheet import Piece, Sheet
from arrowflow.types import Hidden, SourcePartition

_NEVER_MS = -(2**63)


class Lane:
    """The state of one partition.

    Parameters
    ----------
    part : SourcePartition
        Which.
    at : int
        The next offset to give out.
    epoch : int
        Leader epoch of the record before it, -1 if unknown.

    Attributes
    ----------
    fetch_at : int
        The next offset to ask for.
    fetched_epoch : int
        Leader epoch of the last batch fetched; `epoch` is that of the last one given out.
    limit : int
        Bytes asked for; grows where they did not hold one batch.
    asked : int
        Bytes asked for last.
    starved : int
        How many answers in a row held nothing of it although there was something.
    refused : int
        How many times in a row its offset was said to be out of range.
    pause_s, paused_until : float
        How long it was last left alone after an error, and the moment until which it is.
    last_ms : int
        Largest timestamp fetched so far.
    """

    def __init__(self, part: SourcePartition, at: int, epoch: int) -> None:
        self.part = part
        self.at = self.fetch_at = at
        self.epoch = self.fetched_epoch = epoch
        self.limit = self.asked = self.starved = self.refused = 0
        self.pause_s = self.paused_until = 0.0
        self.last_ms = _NEVER_MS
        self._queue: deque[Batch] = deque()
        self._rest: Piece | None = None
        self.begin()

    def begin(self) -> None:
        """Start a read: nothing was given out yet."""
        self.pieces: list[Piece] = []
        self._control = self._aborted = self._compacted = 0

    @property
    def full(self) -> bool:
        """Whether something fetched was not given out."""
        return bool(self._queue)

    @property
    def held(self) -> bool:
        """Whether unpacked records wait for the next read."""
        return self._rest is not None

    @property
    def hidden(self) -> Hidden:
        """Offsets passed in this read that hold no record for the reader."""
        return Hidden(self._control, self._aborted, self._compacted)

    def take(self, batches: list[Batch]) -> None:
        """Take what was fetched from `fetch_at` on."""
        self._queue.extend(batches)
        self.fetch_at = batches[-1].last + 1
        self.fetched_epoch = batches[-1].leader_epoch
        self.last_ms = max(self.last_ms, *(batch.max_ms for batch in batches))

    def give(self, sheet: Sheet, rows: int, size: int) -> tuple[int, int]:
        """Give out the next batch, or as much of it as fits, one record at least.

        Parameters
        ----------
        sheet : Sheet
            Unpacks.
        rows, size : int
            Records and bytes of keys and values that are wanted at most.

        Returns
        -------
        rows, size : int
            What was given.

        Raises
        ------
        Malformed
            If the batch does not hold what its header says.
        """
        batch = self._queue[0]
        if batch.kind != "data":
            self._pass(batch)
            return 0, 0
        piece = self._rest or self._wanted(sheet.add(batch))
        n, weight = _fitting(piece, rows, size)
        now, self._rest = piece.part(piece.start, piece.start + n), None
        if n:
            self.pieces.append(now)
            self.epoch = batch.leader_epoch
        if n == len(piece):
            self._move(batch.last + 1, n)
            self._done(batch)
        else:
            self._rest = piece.part(now.stop, piece.stop)
            self._move(int(now.column(OFFSET)[-1]) + 1, n)
        return n, weight

    def _wanted(self, piece: Piece) -> Piece:
        """Without the records before `at`: a batch may begin earlier than what was asked for."""
        early = int(np.searchsorted(piece.column(OFFSET), self.at))
        return piece.part(piece.start + early, piece.stop)

    def _pass(self, batch: Batch) -> None:
        """Step over a batch of which no reader sees anything; what it does not hold any more was compacted."""
        there = min(batch.rows, batch.last + 1 - max(batch.base, self.at))
        self._compacted += batch.last + 1 - self.at - there
        if batch.kind == "control":
            self._control += there
        else:
            self._aborted += there
        self.at = batch.last + 1
        self._done(batch)

    def _move(self, to: int, rows: int) -> None:
        self._compacted += to - self.at - rows
        self.at = to

    def _done(self, batch: Batch) -> None:
        self.epoch = batch.leader_epoch
        self._queue.popleft()


def _fitting(piece: Piece, rows: int, size: int) -> tuple[int, int]:
    """How many records of a piece fit, one at least, and what they weigh."""
    weights = piece.sizes()
    n, total = min(len(piece), max(rows, 1)), int(weights.sum())
    if n < len(piece) or total > size:
        sums = np.cumsum(weights[:n])
        n = min(n, int(np.searchsorted(sums, size)) + 1)
        total = int(sums[n - 1]) if n else 0
    return n, total
