"""Windows whose bounds come from arithmetic alone, as frozen descriptions. Computes no bounds and folds nothing.

Durations are positive whole microseconds; all windows are half-open, except that a sliding window holds its own end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from arrowflow.errors import ConfigError
from arrowflow.windows.arrays import Field

MAX_US = 2**63 - 1

_MOST_WINDOWS = 10_000
"""A row may lie in this many windows: each may have to be given out for it."""
_MOST_PANES = 100_000
"""A window may be put together from this many panes."""


class _Plain:
    """A window that is its bounds and nothing else."""

    __slots__ = ()

    @property
    def longest_us(self) -> int:
        """How long before the clock a window to come may start."""
        return 0

    def fields(self) -> tuple[Field, ...]:
        """Result columns this kind adds after ``window_end``."""
        return ()


class _Sized(_Plain):
    """One whose length is known before any row."""

    __slots__ = ()
    size_us: int

    @property
    def longest_us(self) -> int:
        """How long before the clock a window to come may start."""
        return self.size_us


@dataclass(frozen=True, slots=True)
class Tumbling(_Sized):
    """Windows ``[start, start + size_us)``, back to back; starts are `origin_us` plus multiples of the size."""

    size_us: int
    origin_us: int = 0

    def __post_init__(self) -> None:
        _check_length("tumbling window: size", self.size_us)
        _check_origin("tumbling window", self.origin_us)

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on."""
        return {"kind": "tumbling", "size_us": self.size_us, "origin_us": self.origin_us}


@dataclass(frozen=True, slots=True)
class Hopping(_Sized):
    """Windows ``[start, start + size_us)``, one every `hop_us`; starts are `origin_us` plus multiples of the hop.

    They overlap where the hop is shorter than the size. Where it is longer, a row between two windows is in none.
    """

    size_us: int
    hop_us: int
    origin_us: int = 0

    def __post_init__(self) -> None:
        _check_length("hopping window: size", self.size_us)
        _check_length("hopping window: hop", self.hop_us)
        _check_origin("hopping window", self.origin_us)
        windows, panes = -(-self.size_us // self.hop_us), self.size_us // self.pane_us
        if windows > _MOST_WINDOWS:
            raise ConfigError(
                f"hopping window: with a size of {self.size_us} µs and a hop of {self.hop_us} µs each row lies in "
                f"{windows} windows; at most {_MOST_WINDOWS} are allowed: make the hop longer"
            )
        if panes > _MOST_PANES:
            raise ConfigError(
                f"hopping window: the greatest common divisor of size {self.size_us} µs and hop {self.hop_us} µs is "
                f"{self.pane_us} µs, so each window is put together from {panes} panes; at most {_MOST_PANES} are "
                "allowed: choose a size and a hop with a larger common divisor"
            )

    @property
    def stride_us(self) -> int:
        """How far apart windows end."""
        return self.hop_us

    @property
    def pane_us(self) -> int:
        """Length of a pane: every window is a whole number of them."""
        return math.gcd(self.size_us, self.hop_us)

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on."""
        return {"kind": "hopping", "size_us": self.size_us, "hop_us": self.hop_us, "origin_us": self.origin_us}


@dataclass(frozen=True, slots=True)
class Cumulative(_Sized):
    """Windows that grow by `step_us` up to `size_us`, then start again: ``[start, start + step)``, ``[start, start + 2 * step)`` …"""

    size_us: int
    step_us: int
    origin_us: int = 0

    def __post_init__(self) -> None:
        _check_length("cumulative window: size", self.size_us)
        _check_length("cumulative window: step", self.step_us)
        _check_origin("cumulative window", self.origin_us)
        if self.size_us % self.step_us:
            raise ConfigError(
                f"cumulative window: a size of {self.size_us} µs is not a whole number of steps of {self.step_us} µs"
            )
        if self.size_us // self.step_us > _MOST_WINDOWS:
            raise ConfigError(
                f"cumulative window: size / step is {self.size_us // self.step_us}; at most {_MOST_WINDOWS} are allowed"
            )

    @property
    def stride_us(self) -> int:
        """How far apart windows end."""
        return self.step_us

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on."""
        return {"kind": "cumulative", "size_us": self.size_us, "step_us": self.step_us, "origin_us": self.origin_us}


@dataclass(frozen=True, slots=True)
class Sliding(_Sized):
    """For each row at t the rows of its key in ``(t - size_us, t]``, or in ``[t - size_us, t]`` for `closed` "both".

    Rows of equal time see each other. The windows come out as ``window_start = t - size``, ``window_end = t``.
    """

    size_us: int
    closed: Literal["right", "both"] = "right"

    def __post_init__(self) -> None:
        _check_length("sliding window: size", self.size_us)
        if self.closed not in ("right", "both"):
            raise ConfigError(f"sliding window: closed is {self.closed!r}; it is 'right' or 'both'")

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on."""
        return {"kind": "sliding", "size_us": self.size_us, "closed": self.closed}


@dataclass(frozen=True, slots=True)
class Session(_Plain):
    """Rows of a key at most `gap_us` apart: ``[first, last + gap)``.

    With `max_length_us` a row at or after ``first + max_length`` starts the next session, and a session ends there at
    the latest.
    """

    gap_us: int
    max_length_us: int | None = None

    def __post_init__(self) -> None:
        _check_length("session window: gap", self.gap_us)
        if self.max_length_us is not None:
            _check_length("session window: max_length", self.max_length_us)

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on."""
        return {"kind": "session", "gap_us": self.gap_us, "max_length_us": self.max_length_us}


def _check_length(place: str, length_us: int) -> None:
    if not 0 < length_us <= MAX_US:
        raise ConfigError(f"{place} is {length_us} µs; it must be positive and fit into int64")


def _check_origin(place: str, origin_us: int) -> None:
    if not -MAX_US <= origin_us <= MAX_US:
        raise ConfigError(f"{place}: origin is {origin_us} µs; it must fit into int64")
