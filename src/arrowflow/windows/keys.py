"""Group keys as dense numbers, private to one operator in one process: never in state, output or sort order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.types import I64
from arrowflow.windows.arrays import I8, Array, Field, nulls
from arrowflow.windows.pairs import Pairs

_CROWD = 4
"""With this many rows per known value, Arrow's own look-up in all known values is the cheaper way (a third less)."""


class Values:
    """The distinct values of one key column, null among them, numbered in order of appearance."""

    def __init__(self, kind: pa.DataType) -> None:
        self._type = kind
        self._count = 0
        self._null: int | None = None
        self._number: dict[object, int] = {}
        self._chunks: list[Array] = []
        self._dictionary: Array | None = None
        self._numbers: I64 = np.empty(0, np.int64)

    def __len__(self) -> int:
        return self._count

    def number(self, column: Array) -> I64:
        """Number each value of `column`, which may be dictionary-encoded; null has a number of its own."""
        if isinstance(column, pa.DictionaryArray):
            return self._number_codes(column)
        if 0 < len(self) * _CROWD <= len(column):
            known = pc.index_in(column, value_set=self._held())
            if known.null_count == 0:
                return known.to_numpy().astype(np.int64)
        return self._number_by_distinct(column)

    def _number_by_distinct(self, column: Array) -> I64:
        """The general way: find the distinct values, look them up, learn those that are new, spread the numbers."""
        coded = column.dictionary_encode()
        numbers = self._look_up(coded.dictionary)
        fresh = np.flatnonzero(numbers < 0)
        if len(fresh):
            numbers[fresh] = self._learn(coded.dictionary.take(pa.array(fresh, pa.int64())))
        return self._spread(coded.indices, numbers)

    def _look_up(self, distinct: Array) -> I64:
        """The number of each value, -1 where it is not known: many in Arrow, few among many in Python."""
        if not self._count:
            return np.full(len(distinct), -1)
        if self._count <= len(distinct) * _CROWD:
            found = pc.index_in(distinct, value_set=self._held()).fill_null(-1)
            return np.asarray(found.to_numpy().astype(np.int64))
        if len(self._number) < self._count:  # learned since the last look-up here
            plain = _plain(self._held()[len(self._number) :]).to_pylist()
            self._number.update(zip(plain, range(len(self._number), self._count), strict=True))
        return np.array([self._number.get(value, -1) for value in _plain(distinct).to_pylist()], np.int64)

    def _number_codes(self, column: pa.DictionaryArray[Any, Any]) -> I64:
        """Look the values of the dictionary up once; the same dictionary comes again and again."""
        if self._dictionary is None or not self._dictionary.equals(column.dictionary):
            self._dictionary = column.dictionary
            self._numbers = self._number_by_distinct(column.dictionary)
        return self._spread(column.indices, self._numbers)

    def _spread(self, codes: Array, numbers: I64) -> I64:
        """The number of each code, null's for a null code."""
        if codes.null_count:
            if self._null is None:
                self._null = int(self._learn(nulls(1, self._type))[0])
            codes = codes.fill_null(len(numbers))
            numbers = np.append(numbers, self._null)
        return np.take(numbers, codes.to_numpy(zero_copy_only=False))

    def take(self, numbers: I64) -> Array:
        """The values by number."""
        return self._held().take(pa.array(numbers, pa.int64()))

    def _held(self) -> Array:
        """All values in the order of their numbers."""
        if len(self._chunks) != 1:
            self._chunks = [pa.concat_arrays([nulls(0, self._type), *self._chunks])]
        return self._chunks[0]

    def _learn(self, values: Array) -> I64:
        """Number values never seen before."""
        numbers = np.arange(self._count, self._count + len(values))
        self._count += len(values)
        self._chunks.append(values)
        return numbers


class Keys:
    """Tuples of key values, numbered."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = tuple(fields)
        self.values = tuple(Values(field.type) for field in fields)
        # The tuple (a, b, c) is the pair ((a, b), c); a tuple of one is its value.
        self._pairs = tuple(Pairs() for _ in fields[1:])
        self._rank: I64 = np.empty(0, np.int64)

    def __len__(self) -> int:
        if self._pairs:
            return self._pairs[-1].used
        return len(self.values[0]) if self.values else 1

    @property
    def weight(self) -> int:
        """The largest number of entries held anywhere: what says when to renumber."""
        return max([len(self), *(len(values) for values in self.values)])

    def parts(self, columns: Sequence[Array]) -> tuple[I64, ...]:
        """Number the values of each key column."""
        return tuple(values.number(column) for values, column in zip(self.values, columns, strict=True))

    def number(self, parts: Sequence[I64], fate: I8) -> I64:
        """Number each row's tuple; what is given for rows whose fate is not 0 means nothing."""
        if not parts:
            return np.zeros(len(fate), np.int64)
        number = parts[0]
        for pairs, part in zip(self._pairs, parts[1:], strict=True):
            number, _born = pairs.intern(number, part, fate)
        return number

    def number_all(self, columns: Sequence[Array], rows: int) -> I64:
        """Number the tuples of all `rows` rows of the key columns."""
        return self.number(self.parts(columns), np.zeros(rows, np.int8))

    def ranks(self, numbers: I64) -> I64:
        """The places of tuples by number in the order of their values, nulls last: comparable within one call."""
        if len(numbers) * _CROWD < len(self):
            distinct, which = np.unique(numbers, return_inverse=True)
            return np.asarray(self._sorted(distinct)[which])
        if len(self._rank) != len(self):
            self._rank = self._sorted(np.arange(len(self)))
        return np.asarray(self._rank[numbers])

    def _sorted(self, numbers: I64) -> I64:
        rank = np.zeros(len(numbers), np.int64)
        columns = self.take(numbers)
        if columns:
            table = pa.Table.from_arrays(columns, names=[str(place) for place in range(len(columns))])
            order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in table.column_names])
            rank[order.to_numpy()] = np.arange(len(numbers))
        return rank

    def take(self, numbers: I64) -> list[Array]:
        """The key columns of tuples by number."""
        columns: list[Array] = []
        for pairs, values in zip(reversed(self._pairs), reversed(self.values), strict=False):
            columns.append(values.take(pairs.right[numbers]))
            numbers = pairs.left[numbers]
        if self.values:
            columns.append(self.values[0].take(numbers))
        return columns[::-1]


def _plain(column: Array) -> Array:
    """Timestamps and dates as integers: Python's dates do not reach as far as Arrow's."""
    if pa.types.is_timestamp(column.type):
        return column.view(pa.int64())
    return column.view(pa.int32()) if pa.types.is_date32(column.type) else column
