"""What a run tells its observers: frozen facts, never commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from arrowflow.types import Balance, Manifest, SourcePartition


@dataclass(frozen=True, slots=True)
class Started:
    """The run owns the log; `head` is its open record, `redone` the epochs published again."""

    head: Manifest
    redone: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A slice was folded: what the live view shows between commits. Times are microseconds, None before any row."""

    epoch: int
    rows: int
    positions: Mapping[SourcePartition, int]
    ends: Mapping[SourcePartition, int]
    clocks_us: Mapping[SourcePartition, int | None]
    open_windows: int


@dataclass(frozen=True, slots=True)
class Committed:
    """An epoch is true. `seconds` maps each phase to the time it took."""

    manifest: Manifest
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should read once; `level` is "info" or "warning"."""

    level: str
    message: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The run ended in order: totals of all its epochs."""

    epochs: int
    balance: Balance
    rows_out: int
    files: int
    head: int
    generation: int = 0
