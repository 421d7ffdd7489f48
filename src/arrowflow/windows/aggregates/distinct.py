"""How many distinct values there are: exactly up to a limit, from there on by HyperLogLog. A function of the set alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from arrowflow.types import I64, Bool
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.aggregates.loglog import add_hashes, blank_registers, estimate
from arrowflow.windows.aggregates.runs import Runs, changes, join, list_array, list_edges
from arrowflow.windows.arrays import U64, Array
from arrowflow.windows.columns import array_of, bits_of
from arrowflow.windows.digest import item_hashes, mix
from arrowflow.windows.functions import is_float
from arrowflow.windows.kernels.sorted import first_rows
from arrowflow.windows.lanes import Lane
from arrowflow.windows.plan import PlannedAccumulator, PlannedAggregate

_ALL_BUT_SIGN = 2**63 - 1
_NAN_BITS = 0x7FF8 << 48
_EMPTY = np.empty(0, np.int64)
_SALT = np.uint64(0x9E3779B97F4A7C15)


class Distinct(ABC):
    """``count_distinct``: 0 over no values. All NaN are one value, as are both zeros.

    A slot holds None, a set of values (what that is, subclasses say), or registers, which are uint8[16384]. It changes
    from a set to registers when the set outgrows the limit, whatever came first: the registers are those of all values.
    """

    def __init__(self, planned: PlannedAccumulator) -> None:
        self._column, self._type = planned.column, planned.type
        self._limit = int(str(planned.arguments[0]))
        self._held = Lane(object, None)
        self.lanes = (self._held,)
        self.fields = (
            pa.field(f"{planned.name}.values", pa.list_(planned.type)),
            pa.field(f"{planned.name}.registers", pa.binary()),
        )

    @abstractmethod
    def fold(self, rows: Slice) -> None:
        """Take rows in."""

    @abstractmethod
    def _union(self, left: Any, right: Any) -> Any:  # noqa: ANN401 (a set of values is what the subclass says)
        """A new set with the values of both."""

    @abstractmethod
    def _array(self, sets: Sequence[Any]) -> Array:
        """The values of all sets one after another, each in the order of the state."""

    def merge(self, into: I64, source: I64) -> None:
        held = self._held.values
        for a, b in zip(into.tolist(), source.tolist(), strict=True):
            held[a] = self._joined(held[a], held[b])

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        return pa.array([self._count(self._held.values[slot]) for slot in windows.slot.tolist()], pa.int64())

    def dump(self, slots: I64) -> list[Array]:
        held = [self._held.values[slot] for slot in slots.tolist()]
        rough = np.array([_is_rough(each) for each in held], np.bool_)
        sets = [each for each in held if each is not None and not _is_rough(each)]
        sizes = [0 if each is None or _is_rough(each) else len(each) for each in held]
        edge = np.append(0, np.cumsum(sizes, dtype=np.int64))
        registers = [each.tobytes() if _is_rough(each) else None for each in held]
        return [list_array(edge, self._array(sets), rough), pa.array(registers, pa.binary())]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        edge, items = list_edges(columns[0])
        for cell, (slot, registers) in enumerate(zip(slots.tolist(), columns[1].to_pylist(), strict=True)):
            if registers is not None:
                self._held.values[slot] = np.frombuffer(registers, np.uint8).copy()
            elif edge[cell] == edge[cell + 1]:
                self._held.values[slot] = None
            else:
                self._held.values[slot] = self._read(items.slice(edge[cell], edge[cell + 1] - edge[cell]))

    @abstractmethod
    def _read(self, values: Array) -> Any:  # noqa: ANN401
        """The set of the values of one state, at least one."""

    def _joined(self, left: Any, right: Any) -> Any:  # noqa: ANN401
        """What holds the values of both, registers if those are too many."""
        if left is None or right is None:
            return right if left is None else left
        if _is_rough(left) and _is_rough(right):
            return np.maximum(left, right)
        if _is_rough(left) or _is_rough(right):
            rough, exact = (left, right) if _is_rough(left) else (right, left)
            return add_hashes(rough, self._hashes(exact))
        return self._limited(self._union(left, right))

    def _limited(self, values: Any) -> Any:  # noqa: ANN401
        if len(values) <= self._limit:
            return values
        return add_hashes(blank_registers(), self._hashes(values))

    def _hashes(self, values: Any) -> U64:  # noqa: ANN401
        return item_hashes(self._array([values]))

    def _count(self, held: Any) -> int:  # noqa: ANN401
        if held is None:
            return 0
        # More than the limit is known for certain.
        return max(self._limit + 1, estimate(held)) if _is_rough(held) else len(held)


class DistinctBits(Distinct):
    """Values of 64 bits; a set is their bit patterns as int64, ascending."""

    def fold(self, rows: Slice) -> None:
        key = self._one_form(rows.columns.bits(self._column))
        slot, valid = rows.slot, rows.columns.valid(self._column)
        index = np.full(1 << max(1, (2 * len(slot)).bit_length()), -1, np.int32)
        kept = np.empty(len(slot), np.int64)
        hashed = mix(key.view(np.uint64) ^ mix(slot.view(np.uint64) + _SALT))
        rows_in = kept[: first_rows(slot, valid, key, hashed, index, kept)]
        if not len(rows_in):
            return
        rows_in = rows_in[np.lexsort((key[rows_in], slot[rows_in]))]
        slots, fresh = Runs.of_rows(slot[rows_in], key[rows_in])
        lane = self._held.values
        held = lane[slots].tolist()
        rough = np.array([_is_rough(each) for each in held], np.bool_)
        known = [_EMPTY if each is None else each for each in held]
        for cell in np.flatnonzero(rough).tolist():
            known[cell] = _EMPTY
        before = _runs(known)
        both = before.united(fresh)
        rough |= both.sizes > self._limit
        grown = np.flatnonzero(~rough & (both.sizes > before.sizes))
        bounds = zip(slots[grown].tolist(), both.edge[grown].tolist(), both.edge[grown + 1].tolist(), strict=True)
        for slot, first, stop in bounds:
            lane[slot] = both.key[first:stop].copy()
        self._roughen(slots, rough, both)

    def _roughen(self, slots: I64, rough: Bool, values: Runs) -> None:
        """Put the values of cells into registers, those of all of them hashed at once."""
        if not rough.any():
            return
        hashes = item_hashes(self._array([values.key]))
        for cell in np.flatnonzero(rough).tolist():
            slot = slots[cell]
            held = self._held.values[slot]
            registers = held if _is_rough(held) else blank_registers()
            self._held.values[slot] = add_hashes(registers, hashes[values.edge[cell] : values.edge[cell + 1]])

    def _one_form(self, bits: I64) -> I64:
        if not is_float(self._type):
            return bits
        magnitude = bits & _ALL_BUT_SIGN
        return np.where(magnitude > 0x7FF << 52, _NAN_BITS, np.where(magnitude == 0, 0, bits))

    def _union(self, left: I64, right: I64) -> I64:
        both = np.concatenate([left, right])
        both.sort()
        return both[changes(both)]

    def _array(self, sets: Sequence[I64]) -> Array:
        bits = np.concatenate([_EMPTY, *sets])
        return array_of(bits, np.ones(len(bits), np.bool_), self._type)

    def _read(self, values: Array) -> I64:
        return bits_of(values).copy()


class DistinctObjects(Distinct):
    """Strings and decimals; a set is a frozenset of Python values."""

    def fold(self, rows: Slice) -> None:
        coded = rows.columns.array(self._column).dictionary_encode()
        rows_in = np.flatnonzero(rows.columns.valid(self._column) & (rows.slot >= 0))
        code = coded.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)[rows_in]
        width = max(1, len(coded.dictionary))
        packed = np.unique(rows.slot[rows_in] * width + code)
        slots, fresh = Runs.of_rows(packed // width, packed % width)
        names, codes, edge = coded.dictionary.to_pylist(), fresh.key.tolist(), fresh.edge.tolist()
        for cell, slot in enumerate(slots.tolist()):
            held = self._held.values[slot]
            found = frozenset([names[code] for code in codes[edge[cell] : edge[cell + 1]]])
            if held is None:
                self._held.values[slot] = self._limited(found)
            elif _is_rough(held) or not found <= held:
                self._held.values[slot] = self._joined(held, found)

    def _union(self, left: frozenset[Any], right: frozenset[Any]) -> frozenset[Any]:
        return left | right

    def _array(self, sets: Sequence[frozenset[Any]]) -> Array:
        return pa.array([value for each in sets for value in sorted(each)], self._type)

    def _read(self, values: Array) -> frozenset[Any]:
        return frozenset(values.to_pylist())


def _runs(keys: Sequence[I64]) -> Runs:
    edge, key = join(keys)
    return Runs(edge, key, np.zeros(len(key), np.int64))


def _is_rough(held: object) -> bool:
    return isinstance(held, np.ndarray) and held.dtype == np.uint8
