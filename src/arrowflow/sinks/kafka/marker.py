"""The marker: how far a topic was delivered, as an offset and a note in the sink's own cluster. Pure text and numbers.

The offset is ``epoch * 65536 + chunk``, so that any tool sees it grow; what counts is in the note beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from arrowflow.errors import DataLossError
from arrowflow.types import Delivered

CHUNKS = 1 << 16
_NOTE = re.compile(r"af1;e=(\d+);r=(\d+);m=([0-9a-f]*)(?:;p=(\d+))?")
_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Marker:
    """What is known to be delivered, and which record it was written for.

    Parameters
    ----------
    reached : Delivered
        The epoch and how many of its rows.
    chunk : int
        How many transactions of that epoch there were.
    digest : str
        Beginning of the record's sha256.
    partitions : int or None
        How many the topic had, so which row went where; None in notes written before 2026-11-28.
    """

    reached: Delivered
    chunk: int
    digest: str
    partitions: int | None = None

    @classmethod
    def of(cls, reached: Delivered, chunk: int, digest: str, partitions: int) -> Marker:
        """Make the marker that is written for a record with `digest`; the last chunk number serves all that follow."""
        return cls(reached, min(chunk, CHUNKS - 1), digest[:_DIGEST], partitions)

    @property
    def offset(self) -> int:
        return self.reached.epoch * CHUNKS + self.chunk

    @property
    def note(self) -> str:
        placed = "" if self.partitions is None else f";p={self.partitions}"
        return f"af1;e={self.reached.epoch};r={self.reached.rows};m={self.digest}{placed}"

    @classmethod
    def read(cls, offset: int, note: str | None, place: str) -> Marker:
        """Return the marker that a cluster holds; raises `DataLossError` if it is none of ours."""
        found = _NOTE.fullmatch(note or "")
        if found is None or int(found[1]) != offset // CHUNKS:
            raise DataLossError(
                f"{place} holds offset {offset} with the note {note!r}, which is no marker of this version: was the group "
                "changed by another hand, or by a newer arrowflow?"
            )
        return cls(
            Delivered(int(found[1]), int(found[2])), offset % CHUNKS, found[3], int(found[4]) if found[4] else None
        )
