"""What a run knows of the old end of its log: what may go, what is going, what is still in the way. Removes nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from arrowflow.types import Manifest


class Unsealed(NamedTuple):
    """The oldest record of a sink that is not sealed, and when its epoch began."""

    epoch: int
    time_us: int


@dataclass(slots=True)
class Retention:
    """The horizon and what lies below it.

    Attributes
    ----------
    horizon : int
        What the next record announces: records below it are collected, and nobody reads them.
    oldest : Manifest or None
        The record at that horizon, once it was read.
    boundary : Manifest or None
        The record at the horizon that is announced already: of the state files of older epochs, those it names are
        still needed, and no others.
    going : deque of int
        Records below the announced horizon that are still there, ascending.
    strays : deque of str
        Files that no record names and none ever will: of attempts that died.
    looked_at : int or None
        The epoch after which the folders were last looked through; None in a new run and after a failed attempt.
    oldest_home : int or None
        The oldest epoch whose windows the newest one could still have corrected.
    complaint : str
        What was last told of something that could not be removed.
    """

    horizon: int = 0
    oldest: Manifest | None = None
    boundary: Manifest | None = None
    going: deque[int] = field(default_factory=deque)
    strays: deque[str] = field(default_factory=deque)
    looked_at: int | None = None
    oldest_home: int | None = None
    complaint: str = ""
