"""The compiled way: records of patterns seen before are read by a kernel, all others by the strategy beneath.

It knows a pattern from one record that the dialect accepted. Which patterns it knows changes how long a chunk takes
and never what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.decoders.chunks import Guess
from arrowflow.decoders.columns import Built, Column, array_of, floats_of, instants_of, times_of
from arrowflow.decoders.dialect import Dialect, local_time
from arrowflow.decoders.grammar import Limits, Wanted
from arrowflow.decoders.iso import read_dates, read_instants
from arrowflow.decoders.kernels import patterns as kernel
from arrowflow.decoders.layout import U8, layout
from arrowflow.decoders.pattern import Gap, learn
from arrowflow.decoders.schema import TIMESTAMP, Field, Kind
from arrowflow.decoders.strategy import MsgspecStrategy
from arrowflow.decoders.suspicion import invalid_utf8
from arrowflow.decoders.verdict import Refused
from arrowflow.types import I64, Bool
from arrowflow.windows.arrays import ready

_MAX_PATTERNS: Final = 16
_LESSONS: Final = 4
"""How many records of a chunk are looked at for a new pattern: each costs as much as a hundred read slowly."""
_PADDING: Final = bytes(8)


class CompiledStrategy:
    """Reads by patterns, learns new ones from what it could not read, and hands the rest on.

    Parameters
    ----------
    fields, limits, coerce
        As for `MsgspecStrategy`.
    """

    def __init__(self, fields: Sequence[Field], limits: Limits, *, coerce: bool) -> None:
        self._fields = tuple(fields)
        self._limits = limits
        self._wanted = Wanted.of([field.keys for field in fields])
        self._dialect = Dialect(fields, limits, coerce=coerce)
        self._slow = MsgspecStrategy(fields, limits, coerce=coerce)
        self._locals = [local_time(field.column) for field in fields]
        self._patterns = Patterns()

    def read(self, values: pa.Array[Any]) -> Guess:
        start, data = layout(values)
        cells = _Cells(len(self._fields), len(values))
        missed = np.arange(len(values))
        for _ in range(_LESSONS):
            self._patterns.read(data, start, missed, self._limits.max_string_bytes, cells)
            missed = missed[cells.verdict[missed] == kernel.DOUBT]
            if not missed.size or not self._study(values, missed):
                break
        doubt = _doubtful(values, cells)
        built = [self._column(index, data, cells, doubt) for index in range(len(self._fields))]
        return self._with_slow(values, built, doubt)

    def _study(self, values: pa.Array[Any], missed: I64) -> bool:
        """Learn the pattern of the first of a few missed records that has one; whether there was any."""
        for row in dict.fromkeys([missed[0], missed[len(missed) // 2], missed[-1]]):
            text: bytes = values[int(row)].as_py()
            try:
                self._dialect.judge(text)
            except Refused:
                continue
            pattern = learn(text, self._wanted, self._fields)
            if pattern is not None and self._patterns.add(pattern):
                return True
        return False

    def _column(self, index: int, data: U8, cells: _Cells, doubt: Bool) -> Column:
        """Build one column of what the kernel found; rows whose text turns out to be in doubt are marked."""
        column = self._fields[index].column
        null = cells.size[index] < 0
        match column.kind:
            case Kind.FLOAT:
                return _without_doubt(floats_of(column.arrow, cells.real[index], null), doubt)
            case Kind.INTEGER:
                return array_of(
                    cells.number[index].astype(column.arrow.to_pandas_dtype(), copy=False), null, column.arrow
                )
            case Kind.BOOL:
                return array_of(cells.number[index] == 1, null, column.arrow)
            case Kind.INSTANT:
                count = np.where(null, 0, cells.number[index])  # the kernel kept to those in range
                return array_of(instants_of(count, column.per_second), null, pa.int64()).view(TIMESTAMP)
            case Kind.DECIMAL:
                return _decimals(cells.number[index], null, column.arrow)
            case Kind.TEXT_INSTANT if column.zone is None:
                return array_of(cells.number[index], null, pa.int64()).view(TIMESTAMP)
        texts = _texts(data, cells.number[index], cells.size[index])
        if column.kind not in (Kind.DATE, Kind.TEXT_INSTANT):
            return texts
        read = read_dates if column.kind is Kind.DATE else partial(read_instants, local=self._locals[index])
        return _without_doubt(times_of(column.arrow, read, texts), doubt)

    def _with_slow(self, values: pa.Array[Any], built: list[Column], doubt: Bool) -> Guess:
        """Read the rows in doubt by the strategy beneath; in doubt stays what that does not know either."""
        rows = np.flatnonzero(doubt)
        if not rows.size:
            return Guess(tuple(built), doubt)
        found = self._slow.read(values if len(rows) == len(values) else values.take(pa.array(rows, pa.int64())))
        if len(rows) == len(values):
            return found
        if found.doubt.all():  # whoever judges them next writes their values anyway
            return Guess(tuple(built), doubt)
        still = np.zeros(len(doubt), np.bool_)
        still[rows] = found.doubt
        mask = pa.array(doubt, pa.bool_())
        pairs = zip(built, found.columns, strict=True)
        return Guess(tuple(pc.replace_with_mask(fast, mask, slow) for fast, slow in pairs), still)


class _Cells:
    """What the kernel writes: per column and row a value and its size in the record, -1 for none."""

    def __init__(self, columns: int, rows: int) -> None:
        self.number = np.empty((columns, rows), np.int64)
        self.real = self.number.view(np.float64)
        self.size = np.full((columns, rows), -1, np.int32)
        self.verdict = np.zeros(rows, np.uint8)


class Patterns:
    """The patterns known, as the kernel takes them. When there are enough, a new one takes the place of the least used."""

    def __init__(self) -> None:
        self._known: list[tuple[Gap, ...]] = []
        self._hits = np.zeros(0, np.int64)
        self._compile()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, pattern: tuple[Gap, ...]) -> bool:
        """Add a pattern; False if it is known."""
        if pattern in self._known:
            return False
        if len(self._known) == _MAX_PATTERNS:
            least = int(np.argmin(self._hits))
            del self._known[least]
            self._hits = np.delete(self._hits, least) // 2
        self._known.append(pattern)
        self._hits = np.append(self._hits, 0)
        self._compile()
        return True

    def read(self, data: U8, start: I64, rows: I64, longest: int, cells: _Cells) -> None:
        """Read some rows of ``data``, record i at ``start[i]``, into the cells."""
        if not self._known or not data.size:
            return
        kernel.read_records(
            ready(data), start, rows, self._text, self._gaps, self._first, longest,
            cells.number, cells.real, cells.size, cells.verdict, self._hits,
        )  # fmt: skip

    def _compile(self) -> None:
        lines: list[tuple[int, ...]] = []
        text, first = bytearray(), [0]
        for pattern in self._known:
            for gap in pattern:
                lines.append((len(text), len(gap.text), gap.kind, gap.column, gap.low, gap.high, int(gap.needed)))
                text += gap.text
            first.append(len(lines))
        self._text = np.frombuffer(bytes(text + _PADDING), np.uint8).copy()
        self._gaps = np.array(lines, np.int64).reshape(-1, 7)
        self._first = np.array(first, np.int64)


def _doubtful(values: pa.Array[Any], cells: _Cells) -> Bool:
    """Return which rows were not read, or hold bytes beyond ASCII that are no UTF-8; their cells are emptied."""
    doubt: Bool = cells.verdict == kernel.DOUBT
    foreign = np.flatnonzero(cells.verdict == kernel.SURE_IF_UTF8)
    if foreign.size:
        invalid = invalid_utf8(values.take(pa.array(foreign, pa.int64())))
        doubt[foreign] |= invalid
        cells.size[:, foreign[invalid]] = -1
    return doubt


def _without_doubt(built: Built, doubt: Bool) -> Column:
    """The array that was built, its rows in doubt marked among the others."""
    array, more = built
    if more is not None:
        doubt |= more
    return array


def _decimals(number: I64, null: Bool, arrow: pa.DataType) -> Column:
    """Build decimals of at most eighteen digits: 128 bits are the 64 bits and their sign."""
    words = np.empty((len(number), 2), np.int64)
    words[:, 0] = np.where(null, 0, number)
    words[:, 1] = words[:, 0] >> 63
    valid = pa.array(~null).buffers()[1] if null.any() else None
    return pa.Array.from_buffers(arrow, len(number), [valid, _lent(words)])


def _texts(data: U8, begin: I64, size: np.ndarray) -> Column:
    """Build a string column of texts that lie in `data`."""
    null = size < 0
    edge = np.empty(len(size) + 1, np.int32)
    out = np.empty(int(np.where(null, 0, size).sum(dtype=np.int64)), np.uint8)
    kernel.gather_texts(ready(data), begin, size, edge, out)
    valid = pa.array(~null).buffers()[1] if null.any() else None
    return pa.Array.from_buffers(pa.string(), len(size), [valid, _lent(edge), _lent(out[: edge[-1]])])


def _lent(array: np.ndarray) -> pa.Buffer:
    """The memory of an array as an Arrow buffer."""
    return pa.py_buffer(array.data)
