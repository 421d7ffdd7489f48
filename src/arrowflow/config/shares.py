"""One amount of memory, shared out among all that a job holds. Measures no use."""

from __future__ import annotations

from typing import NamedTuple

_MIB = 1024**2
_MOST_SLICE, _MOST_EPOCHS = 64 * _MIB, 128 * _MIB
"""More gains nothing: work on larger pieces is not faster, and larger epochs make no fewer files worth the name."""


class Shares(NamedTuple):
    """Bytes for each part of a job.

    Parameters
    ----------
    state : int
        Open windows.
    epochs : int
        Rows that wait to be written: those of the epoch that is filled and of the one in flight together.
    slice : int
        Keys and values of one read. Three reads are there at most, one fetched, one decoded and one folded, and answers
        of brokers are no larger.
    """

    state: int
    epochs: int
    slice: int


def shares(memory: int) -> Shares:
    """Share out `memory` bytes.

    Half is for the state. A thirty-second is for rows that wait: while they are put together and encoded they were measured
    to be there six times (`tests/support/hostile.py`). The three slices are a fortieth, and some times as much again once
    decoded. What is left is the process itself.
    """
    return Shares(memory // 2, min(_MOST_EPOCHS, memory // 32), min(_MOST_SLICE, memory // 128))
