"""Group keys as dense numbers, private to one operator in one process: never in state, output or sort order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.types import I64
from arrowflow.windows.arrays import I8, I32, Array, Field, nulls, ready
from arrowflow.windows.columns import array_of, bits_of, valid_of
from arrowflow.windows.functions import is_text
from arrowflow.windows.pairs import Pairs
from arrowflow.windows.room import Admit
from arrowflow.windows.texts import Texts

_CROWD = 4
"""With this many rows per known value, Arrow finds the distinct ones faster than we number every row."""


class Coded(NamedTuple):
    """The key of each row: ``number[code[i]]``, or ``number[i]`` where there are no codes."""

    code: I32
    number: I64


class Whole:
    """Values of up to 64 bits -> 0, 1, 2 …, in order of appearance: the pair of being null and of the bits."""

    def __init__(self, kind: pa.DataType) -> None:
        self._type = kind
        self._pairs = Pairs()

    def __len__(self) -> int:
        return self._pairs.used

    @property
    def nbytes(self) -> int:
        """Bytes of memory taken."""
        return self._pairs.nbytes

    def watch(self, admit: Admit) -> None:
        """Ask before growing."""
        self._pairs.admit = admit

    def intern(self, column: Array) -> I64:
        """Number each value of `column`."""
        null = (~valid_of(column)).astype(np.int64)
        number, _born = self._pairs.intern(null, bits_of(column), np.zeros(len(column), np.int8))
        return number

    def take(self, numbers: I64) -> Array:
        """The values by number."""
        return array_of(self._pairs.right[numbers], self._pairs.left[numbers] == 0, self._type)


class Values:
    """The distinct values of one key column, null among them, numbered as they are learnt."""

    def __init__(self, kind: pa.DataType) -> None:
        self._type = kind
        in_bytes = is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        self._known = Texts(kind) if in_bytes else Whole(kind)
        self._dictionary: Array | None = None
        self._numbers: I64 = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._known)

    @property
    def nbytes(self) -> int:
        """Bytes of memory taken, without the last dictionary, which came with the rows."""
        return self._known.nbytes + self._numbers.nbytes

    def watch(self, admit: Admit) -> None:
        """Ask before growing."""
        self._known.watch(admit)

    def number(self, column: Array) -> I64:
        """Number each value of `column`, which may be dictionary-encoded; null has a number of its own."""
        if isinstance(column, pa.DictionaryArray):
            return self._number_codes(column)
        if 0 < len(self) * _CROWD <= len(column):
            coded = column.dictionary_encode()
            return self._spread(coded.indices, self._known.intern(coded.dictionary))
        return self._known.intern(column)

    def code(self, column: Array) -> Coded:
        """Number each value of `column`, by its codes where it is dictionary-encoded as most are."""
        if isinstance(column, pa.DictionaryArray) and column.indices.type == pa.int32() and not column.null_count:
            code = ready(column.indices.to_numpy())
            self._learn(column.dictionary)
            # Nobody has checked the codes that come from outside, and a kernel would read whatever lies there.
            if len(code) and code.view(np.uint32).max() < len(self._numbers):
                return Coded(code, self._numbers)
        return Coded(np.empty(0, np.int32), self.number(column))

    def take(self, numbers: I64) -> Array:
        """The values by number."""
        return self._known.take(numbers)

    def _number_codes(self, column: pa.DictionaryArray[Any, Any]) -> I64:
        self._learn(column.dictionary)
        return self._spread(column.indices, self._numbers)

    def _learn(self, dictionary: Array) -> None:
        """Look the values of the dictionary up once; the same dictionary comes again and again."""
        if self._dictionary is None or not self._dictionary.equals(dictionary):
            self._dictionary = dictionary
            self._numbers = self._known.intern(dictionary)

    def _spread(self, codes: Array, numbers: I64) -> I64:
        """The number of each code, null's for a null code."""
        if codes.null_count:
            null = self._known.intern(nulls(1, self._type))
            codes = codes.fill_null(len(numbers))
            numbers = np.append(numbers, null)
        return np.take(numbers, codes.to_numpy(zero_copy_only=False))


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
    def nbytes(self) -> int:
        """Bytes of memory taken."""
        parts = sum(values.nbytes for values in self.values) + sum(pairs.nbytes for pairs in self._pairs)
        return parts + self._rank.nbytes

    def watch(self, admit: Admit) -> None:
        """Ask before growing."""
        for values in self.values:
            values.watch(admit)
        for pairs in self._pairs:
            pairs.admit = admit

    @property
    def weight(self) -> int:
        """The largest number of entries held anywhere: what says when to renumber."""
        return max([len(self), *(len(values) for values in self.values)])

    def parts(self, columns: Sequence[Array]) -> tuple[I64, ...]:
        """Number the values of each key column."""
        return tuple(values.number(column) for values, column in zip(self.values, columns, strict=True))

    def code(self, columns: Sequence[Array], rows: int) -> Coded:
        """Number the key of each of `rows` rows, where a key has one column or none."""
        if not self.values:
            return Coded(np.empty(0, np.int32), np.zeros(rows, np.int64))
        return self.values[0].code(columns[0])

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
