"""Proof by trial that a step is row-wise: whole, split and row by row must agree. Reads no data but its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from arrowflow.errors import ConfigError
from arrowflow.transforms.syntax import Instant, Value

Apply = Callable[[pa.Table], tuple[pa.Table, np.ndarray]]

ROWS = 32

# Ordinary values and extreme ones are tried apart: one infinity makes every average alike, and hides it.
_FLOATS = (
    (0.0, 1.0, None, -1.5, 10.0, 3.25, 2.0),
    (float("nan"), float("inf"), -0.0, 1e308, float("-inf"), 5e-324, 0.5),
)
_TEXTS = (("a", "b", None, "a", "12", "ab", "x"), ("", "ñ €", "A%_", "  x ", None, "-9e99", "nan"))
_TIMES = (
    (0, None, 1_762_074_000_000_000, 1_772_960_400_000_000, 86_400_000_000, 1, 0),
    (-1, 2**62, -(2**62), None, 2**63 - 1, -(2**63), 1),
)
_BOOLEANS = ((True, False, None, False, True), (None, True, None))
_INTEGERS = (1, 2, None, 3, 10, 2, 7)


def check_rowwise(apply: Apply, schema: pa.Schema, what: str, hints: Sequence[Value] = ()) -> None:
    """Refuse a step whose outcome for a row depends on other rows, or that fails on a value.

    Parameters
    ----------
    apply : callable
        Table of n rows to (rows kept, keep mask bool[n]).
    schema : pa.Schema
        Of the tables it takes; generated rows have nulls and extremes in every column.
    what : str
        How to name it in a message.
    hints : sequence of values
        Values its expressions mention; they are generated too, so that branches on them are reached.

    Raises
    ------
    ConfigError
        If whole, halves, reversed and row by row do not agree, or if it raises.

    Notes
    -----
    A trial can refuse, it cannot prove: for expressions the proof is the grammar's allow-list, and this is the
    second lock. For functions from elsewhere it is the only one.
    """
    for extreme in (False, True):
        _try(apply, _generated(schema, hints, extreme=extreme), what, singly=not extreme)


def _try(apply: Apply, table: pa.Table, what: str, *, singly: bool) -> None:
    try:
        whole = _outcomes(apply, [table])
        singles = _outcomes(apply, [table.slice(row, 1) for row in range(ROWS)]) if singly else whole
        trebled = _outcomes(apply, [table.take(pa.array([row] * 3, pa.int64())) for row in range(ROWS)])
        halves = _outcomes(apply, [table.slice(0, ROWS // 3), table.slice(ROWS // 3)])
        backwards = _outcomes(apply, [table.take(pa.array(range(ROWS - 1, -1, -1), pa.int64()))])[::-1]
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ConfigError(f"{what} fails on generated rows, so it could fail on yours: {error}") from error
    repeated = (trebled[copy::3] for copy in range(3))
    for other, cut in (
        (singles, "row by row"),
        *((copy, "three times over") for copy in repeated),
        (halves, "cut in two"),
        (backwards, "in reverse order"),
    ):
        for row, (mine, theirs) in enumerate(zip(whole, other, strict=True)):
            if mine != theirs:
                values = {name: _plain(table.column(name))[row].as_py() for name in table.column_names}
                raise ConfigError(
                    f"{what} looks at other rows: {values} gives {mine} among {ROWS} rows and {theirs} {cut}. "
                    "A filter or derived column must look only at its own row"
                )


def _outcomes(apply: Apply, tables: list[pa.Table]) -> list[str]:
    """What became of each row, as text: NaN equals itself there, and -0.0 is not 0.0."""
    outcomes: list[str] = []
    for table in tables:
        kept, mask = apply(table)
        if len(mask) != table.num_rows or kept.num_rows != int(np.count_nonzero(mask)):
            raise ConfigError(
                f"a step returned {kept.num_rows} rows and a mask of {len(mask)} for {table.num_rows} rows"
            )
        columns = [_plain(column).to_pylist() for column in kept.columns]
        rows = iter(zip(*columns, strict=True)) if columns else iter([()] * kept.num_rows)
        outcomes += [repr(next(rows)) if keep else "filtered" for keep in mask]
    return outcomes


def _plain(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column  # years beyond Python's


def _generated(schema: pa.Schema, hints: Sequence[Value], *, extreme: bool) -> pa.Table:
    columns = [_column(field.type, index, hints, extreme=extreme) for index, field in enumerate(schema)]
    return pa.table(columns, schema=schema)


def _column(dtype: pa.DataType, index: int, hints: Sequence[Value], *, extreme: bool) -> pa.Array[Any]:
    pool = _pool(dtype, hints, extreme=extreme)
    step = index + 1 if (index + 1) % len(pool) else 1  # neighbouring columns go through their values differently
    values = [pool[(row * step + row // len(pool)) % len(pool)] for row in range(ROWS)]
    try:
        return pa.array(values, dtype)
    except (pa.ArrowException, TypeError, OverflowError):
        values = [None] * ROWS  # a type no expression can look into
        return pa.array(values, dtype)


def _pool(dtype: pa.DataType, hints: Sequence[Value], *, extreme: bool) -> Sequence[object]:
    numbers = [value for value in hints if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if pa.types.is_integer(dtype):
        return _integers(dtype, [value for value in numbers if isinstance(value, int)], extreme=extreme)
    if pa.types.is_floating(dtype):
        return [*_FLOATS[extreme], *map(float, numbers)]
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return [*_TEXTS[extreme], *(value for value in hints if isinstance(value, str))]
    if pa.types.is_timestamp(dtype):
        return [*_TIMES[extreme], *(value.us for value in hints if isinstance(value, Instant))]
    return _BOOLEANS[extreme] if pa.types.is_boolean(dtype) else [None]


def _integers(dtype: pa.DataType, hints: list[int], *, extreme: bool) -> Sequence[object]:
    bits, signed = dtype.bit_width, pa.types.is_signed_integer(dtype)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    wanted = [low, high, 0, None, -1, low + 1, -7, *hints] if extreme else [*_INTEGERS, *hints]
    return [value for value in wanted if value is None or low <= value <= high]
