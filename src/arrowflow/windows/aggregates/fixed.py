"""Exact numbers per slot in fixed point, with a spill for what its chunks do not hold. Never rounds but in a quotient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt

import numpy as np
import pyarrow as pa

from arrowflow.types import I64
from arrowflow.windows.arrays import Array, Field, Numbers
from arrowflow.windows.lanes import Lane, Rare

Carry = Callable[[I64, Numbers], None]

_LOW32 = 0xFFFFFFFF


class FixedPoint:
    """``sum(chunks[c] * 2**(32 * c - places)) + spill * 2**-tiny`` per slot.

    Parameters
    ----------
    name : str
        Begins the names of its columns in the state.
    width : int
        How many chunks there are.
    places, tiny : int
        Binary places of the lowest chunk, and of the spill: a Python integer, which hardly any slot has.
    carry : callable
        The kernel that brings the chunks of slots into their one form.
    """

    def __init__(self, name: str, width: int, places: int, tiny: int, carry: Carry) -> None:
        self._carry, self.places, self.tiny = carry, places, tiny
        self.chunks, self.spill = Lane(np.int64, width=width), Rare()
        self.lanes = (self.chunks, self.spill)
        self._width, self._step = width, tiny - places
        # What the chunks hold with either sign; kernels stop at half of it.
        self._room = (2**63 - 1) << (32 * (width - 1))
        self._chunk_type = pa.list_(pa.int64(), width)
        self.fields: tuple[Field, ...] = (
            pa.field(f"{name}.chunks", self._chunk_type),
            pa.field(f"{name}.spill", pa.binary()),
        )

    def add(self, slot: int, units: int) -> None:
        """Add a multiple of ``2**-tiny``."""
        self.spill.values[slot] += units

    def merge_spills(self, into: I64, source: I64) -> None:
        """Add the spills of slots to those of others, pair by pair."""
        spill = self.spill.values
        if spill:
            for a, b in zip(into.tolist(), source.tolist(), strict=True):
                if b in spill:
                    spill[a] += spill[b]

    def settle(self, slots: I64) -> None:
        """Bring slots into the one form their number has: all in the chunks if it fits there, else all spilled above."""
        self._carry(slots, self.chunks.values)
        chunks, spill = self.chunks.values, self.spill.values
        top = self._width - 1
        for slot in slots[self.spill.among(slots)].tolist():
            units, rest = divmod(self.total(slot), 1 << self._step)
            fits = abs(units) < self._room
            spill[slot] = rest if fits else (units << self._step) + rest
            for c in range(top):
                chunks[slot, c] = (units >> (32 * c)) & _LOW32 if fits else 0
            chunks[slot, top] = units >> (32 * top) if fits else 0

    def total(self, slot: int) -> int:
        """The number in multiples of ``2**-tiny``."""
        return (self._in_chunks(slot) << self._step) + self.spill.values.get(slot, 0)

    def ratio(self, slot: int) -> tuple[int, int]:
        """The number as (integer, binary places): of `places` where nothing is spilled, else of `tiny`."""
        if self.spill.values.get(slot):
            return self.total(slot), self.tiny
        return self._in_chunks(slot), self.places

    def dump(self, slots: I64) -> list[Array]:
        """The columns `fields` names."""
        self.settle(slots)
        chunks = pa.array(self.chunks.values[slots].ravel(), pa.int64())
        spill = self.spill.values
        rest: Array = pa.nulls(len(slots), pa.binary())
        if spill:
            held = [spill.get(slot, 0) for slot in slots.tolist()]
            rest = pa.array([_to_bytes(value) if value else None for value in held], pa.binary())
        return [pa.FixedSizeListArray.from_arrays(chunks, self._width), rest]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        """The inverse of `dump`."""
        chunks, spill = columns
        assert isinstance(chunks, pa.FixedSizeListArray)
        self.chunks.values[slots] = chunks.flatten().to_numpy().reshape(-1, self._width)
        for slot in slots[self.spill.among(slots)].tolist():
            del self.spill.values[slot]
        for i in np.flatnonzero(spill.is_valid().to_numpy(zero_copy_only=False)).tolist():
            self.spill.values[int(slots[i])] = int.from_bytes(spill[i].as_py(), "little", signed=True)

    def _in_chunks(self, slot: int) -> int:
        return sum(chunk << (32 * c) for c, chunk in enumerate(self.chunks.values[slot].tolist()))


def divide(numerator: int, denominator: int) -> float:
    """Correctly rounded quotient; infinite where it is beyond the doubles."""
    try:
        return numerator / denominator
    except OverflowError:
        return float("inf") if (numerator > 0) == (denominator > 0) else float("-inf")


def divide_root(numerator: int, denominator: int) -> float:
    """Correctly rounded square root of a quotient that is not negative."""
    shift = max(0, 112 - numerator.bit_length() + denominator.bit_length())
    shift += shift & 1
    quotient, rest = divmod(numerator << shift, denominator)
    root = isqrt(quotient)
    # At least 56 bits, and one below them that says whether anything follows: enough to round once.
    inexact = rest != 0 or root * root != quotient
    return divide(2 * root + inexact, 2 << (shift // 2))


def units_of(value: float, places: int) -> int:
    """A finite double in multiples of ``2**-places``, which must divide it."""
    numerator, denominator = value.as_integer_ratio()
    return (numerator << places) // denominator


def _to_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
