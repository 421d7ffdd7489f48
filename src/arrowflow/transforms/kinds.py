"""The five kinds of value an expression knows, and how each stands in Polars and in Arrow."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl
import pyarrow as pa

Kind = Literal["boolean", "integer", "float", "string", "timestamp", "null", "opaque"]
"""`null` is the type of a bare NULL; `opaque` is a column that can only be copied or asked whether it is null."""

TIMESTAMP = pa.timestamp("us", "UTC")

PHYSICAL: dict[Kind, pl.DataType] = {
    "boolean": pl.Boolean(),
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "string": pl.String(),
    "timestamp": pl.Int64(),  # microseconds: no zone, so Polars' own zone functions are never reached
    "opaque": pl.Boolean(),  # true where there is a value, null where there is none
}

ARROW: dict[Kind, pa.DataType] = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "string": pa.string(),
    "timestamp": TIMESTAMP,
}


def kind_of(dtype: pa.DataType) -> Kind:
    """Return the kind of an Arrow type; ``uint64`` is opaque, because not all of it fits in 64 signed bits."""
    if pa.types.is_boolean(dtype):
        return "boolean"
    if pa.types.is_integer(dtype) and dtype != pa.uint64():
        return "integer"
    if dtype in (pa.float32(), pa.float64()):
        return "float"
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return "string"
    return "timestamp" if dtype == TIMESTAMP else "opaque"


def to_series(column: pa.ChunkedArray[Any]) -> pl.Series:
    """Return the column in the physical type of its kind; no copy where the types agree."""
    kind = kind_of(column.type)
    if kind == "opaque":
        column = pa.chunked_array([_presence(chunk) for chunk in column.chunks], pa.bool_())
    elif kind == "timestamp":
        column = column.cast(pa.int64())
    series = pl.from_arrow(column)
    assert isinstance(series, pl.Series)
    return series.cast(PHYSICAL[kind])


def to_arrow(series: pl.Series, kind: Kind) -> pa.ChunkedArray[Any]:
    """Return a result in the Arrow type of its kind; strings stay ``string``, in as many chunks as they need."""
    array = series.to_arrow(compat_level=pl.CompatLevel.oldest())
    if kind == "string" and series.estimated_size() > 2**30 and len(series) > 1:  # 32-bit offsets end at 2 GiB
        half = len(series) // 2
        return pa.chunked_array([*to_arrow(series[:half], kind).chunks, *to_arrow(series[half:], kind).chunks])
    return pa.chunked_array([array.cast(ARROW[kind])])


def _presence(chunk: pa.Array[Any]) -> pa.Array[Any]:
    return pa.array([True if there else None for there in chunk.is_valid().to_pylist()], pa.bool_())
