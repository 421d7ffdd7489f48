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

ROWS = 48

_POOLS: tuple[tuple[Callable[[pa.DataType], bool], tuple[object, ...]], ...] = (
    (pa.types.is_boolean, (True, False, None)),
    (
        pa.types.is_floating,
        (0.0, 1.0, None, -1.5, 10.0, float("nan"), 3.25, float("inf"), -0.0, 2.0, 1e308, float("-inf")),
    ),
    (
        lambda dtype: pa.types.is_string(dtype) or pa.types.is_large_string(dtype),
        ("", "a", None, "b", "ñ €", "12", "A%_", "  x "),
    ),
    (pa.types.is_timestamp, (0, None, -1, 1_762_074_000_000_000, 2**62, -(2**62), 1_772_960_400_000_000)),
)
_INTEGERS = (1, 2, None, 3, 10, 0, -1, -7, 100)


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
    table = pa.table([_column(field.type, index, hints) for index, field in enumerate(schema)], schema=schema)
    try:
        whole = _outcomes(apply, [table])
        singles = _outcomes(apply, [table.slice(row, 1) for row in range(ROWS)])
        halves = _outcomes(apply, [table.slice(0, ROWS // 3), table.slice(ROWS // 3)])
        backwards = _outcomes(apply, [table.take(pa.array(range(ROWS - 1, -1, -1), pa.int64()))])[::-1]
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ConfigError(f"{what} fails on generated rows, so it could fail on yours: {error}") from error
    for other, cut in ((singles, "row by row"), (halves, "cut in two"), (backwards, "in reverse order")):
        for row, (mine, theirs) in enumerate(zip(whole, other, strict=True)):
            if mine != theirs:
                raise ConfigError(
                    f"{what} looks at other rows: {table.slice(row, 1).to_pylist()[0]} gives {mine} among {ROWS} rows "
                    f"and {theirs} {cut}. A filter or derived column must look only at its own row"
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


def _column(dtype: pa.DataType, index: int, hints: Sequence[Value]) -> pa.Array[Any]:
    pool = _pool(dtype, hints)
    step = index + 1 if (index + 1) % len(pool) else 1  # neighbouring columns go through their values differently
    values = [pool[(row * step + row // len(pool)) % len(pool)] for row in range(ROWS)]
    try:
        return pa.array(values, dtype)
    except (pa.ArrowException, TypeError, OverflowError):
        values = [None] * ROWS  # a type no expression can look into
        return pa.array(values, dtype)


def _pool(dtype: pa.DataType, hints: Sequence[Value]) -> list[object]:
    if pa.types.is_integer(dtype):
        bits, signed = dtype.bit_width, pa.types.is_signed_integer(dtype)
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        wanted = [*_INTEGERS, low, high, *(value for value in hints if type(value) is int)]
        return [value for value in wanted if value is None or low <= value <= high]
    for matches, pool in _POOLS:
        if matches(dtype):
            return [*pool, *_fitting(dtype, hints)]
    return [None]


def _fitting(dtype: pa.DataType, hints: Sequence[Value]) -> list[object]:
    if pa.types.is_timestamp(dtype):
        return [value.us for value in hints if isinstance(value, Instant)] if dtype.unit == "us" else []
    if pa.types.is_floating(dtype):
        return [float(value) for value in hints if type(value) in (int, float) and isinstance(value, (int, float))]
    return [value for value in hints if isinstance(value, str)] if not pa.types.is_boolean(dtype) else []
