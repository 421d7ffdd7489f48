"""Arrow from anyone, by the PyCapsule interface: Polars, pandas, DuckDB and pyarrow speak it. Holds no rows.

Columns come in the types their producer prefers (views, dictionaries, large strings, other zones); `plain_type` says
which one each of them is here, so that the same rows give the same results whoever made the frame.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError
from arrowflow.types import I64, Bool
from arrowflow.windows.arrays import nulls

UTC = pa.timestamp("us", tz="UTC")
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_WITH_A_ZONE = (
    'say where it was meant: in Polars .dt.replace_time_zone("UTC"), in pandas .dt.tz_localize("UTC"), in DuckDB '
    "AT TIME ZONE 'UTC', in pyarrow pc.assume_timezone(column, \"UTC\")"
)
_MAX_US = 2**63 - 1

Column: TypeAlias = "pa.ChunkedArray[Any]"


class ArrowStream(Protocol):
    """A frame or a stream of batches, such as a Polars, pandas or DuckDB table."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Hand over a stream of record batches."""


class ArrowArray(Protocol):
    """One record batch, or an array of structs."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> object:
        """Hand over one array with its type."""


Frame: TypeAlias = ArrowStream | ArrowArray
"""Whatever gives Arrow by the PyCapsule interface."""


class Times(NamedTuple):
    """Event times in microseconds, and which of them are none: null, or beyond int64 microseconds."""

    us: I64
    null: Bool
    beyond: Bool


def table_of(frame: Frame) -> pa.Table:
    """Return the whole of `frame` as a table without copying; raises `ConfigError` for what gives no Arrow."""
    if isinstance(frame, pa.Table):
        return frame
    try:
        if hasattr(frame, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(cast(Any, frame)).read_all()
        if hasattr(frame, "__arrow_c_array__"):
            return pa.Table.from_batches([pa.record_batch(frame)])
    except (pa.ArrowInvalid, TypeError) as error:
        raise ConfigError(f"{_name(frame)} gives Arrow that is no table: {error}") from error
    hint = {
        "LazyFrame": "; .collect() it first",
        "list": "; pa.Table.from_pylist(rows) makes a table of a list of dictionaries",
        "dict": "; pa.table(columns) makes a table of a dictionary of columns",
    }.get(type(frame).__name__, "")
    raise ConfigError(
        f"{_name(frame)} is no Arrow table: give anything with __arrow_c_stream__ or __arrow_c_array__, such as a "
        f"Polars or pandas frame, a DuckDB relation, a pyarrow table or record batch{hint}"
    )


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the one type for everything that means the same as `kind`; naive timestamps stay what they are."""
    if isinstance(kind, pa.DictionaryType):
        return plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if isinstance(kind, pa.TimestampType):
        return UTC if kind.tz is not None else kind
    if pa.types.is_date64(kind):
        return pa.date32()
    return pa.float32() if pa.types.is_float16(kind) else kind


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return `schema` in plain types, without metadata."""
    return pa.schema([pa.field(field.name, plain_type(field.type)) for field in schema])


def find(place: str, name: str, table: pa.Table) -> Column:
    """Return the one column of that name; raises `ConfigError`."""
    if table.column_names.count(name) == 1:
        return table.column(name)
    if name in table.column_names:
        raise ConfigError(f"{place}: the rows have {table.column_names.count(name)} columns named {name!r}; rename one")
    raise ConfigError(f"{place}: there is no column {name!r}{near(name, table.column_names)}; {_has(table)}")


def refuse_naive(place: str, name: str, kind: pa.DataType) -> None:
    """Raise `ConfigError` for a timestamp without a zone: it is a different instant wherever it is read."""
    if isinstance(kind, pa.TimestampType) and kind.tz is None:
        raise ConfigError(f"{place} {name!r} is {kind}, which has no zone: {_WITH_A_ZONE}")


def near(name: str, known: Iterable[str]) -> str:
    """Return a hint at the name that was probably meant, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def in_types(table: pa.Table, wanted: Mapping[str, pa.DataType], keys: Sequence[str] = ()) -> pa.Table:
    """Return the columns `wanted`, each in its type; raises `ConfigError` where values would change or not fit.

    Those of `keys` that come dictionary-encoded stay so.
    """
    columns = [
        (encoded if name in keys else in_type)(name, find("rows", name, table), kind) for name, kind in wanted.items()
    ]
    return pa.Table.from_arrays(columns, names=list(wanted))


def in_type(name: str, column: Column, wanted: pa.DataType) -> Column:
    """Return `column` as `wanted`: numbers if each is the same number there, never text as numbers or the reverse."""
    if column.type == wanted:
        return column
    refuse_naive("column", name, column.type)
    here = plain_type(column.type)
    if isinstance(column.type, pa.TimestampType) and wanted == UTC:
        return _instants(name, column)
    if here != wanted and not _is_wider(here, wanted):
        raise ConfigError(f"column {name!r} is {column.type}, and {wanted} is needed; cast it before")
    try:
        return _chunked([_cast(chunk, wanted) for chunk in column.chunks], wanted)
    except pa.ArrowInvalid as error:
        raise ConfigError(f"column {name!r} is {column.type} and does not fit into {wanted}: {error}") from None


def encoded(name: str, column: Column, wanted: pa.DataType) -> Column:
    """Return `column` as `wanted`, or as a dictionary of it where it comes as one: keys are looked up value by value."""
    if column.num_chunks != 1 or not isinstance(column.type, pa.DictionaryType) or plain_type(column.type) != wanted:
        return in_type(name, column, wanted)
    chunk: Any = column.chunks[0]
    values = in_type(name, pa.chunked_array([chunk.dictionary]), wanted)
    coded = pa.DictionaryArray.from_arrays(chunk.indices, whole(values))
    return _chunked([coded], coded.type)


def event_times(name: str, column: Column, unit: str | None) -> Times:
    """Return the event time of each row, nanoseconds rounded down.

    Parameters
    ----------
    name : str
        The column's name.
    column : ChunkedArray[n]
        Timestamps with a zone, or integers where `unit` says of what.
    unit : str or None
        ``s``, ``ms``, ``us`` or ``ns`` for integers.

    Raises
    ------
    ConfigError
        For a column of another type, naive timestamps above all.
    """
    kind = column.type
    refuse_naive("time column", name, kind)
    if isinstance(kind, pa.TimestampType):
        unit = kind.unit
    elif pa.types.is_integer(kind):
        if unit is None:
            raise ConfigError(f'time column {name!r} is {kind}: say what it counts with time_unit="ms", or cast it')
    elif not pa.types.is_null(kind):
        raise ConfigError(f"time column {name!r} is {kind}; it must be a timestamp with a zone")
    return _microseconds(column, unit or "us")


def groups(name: str, column: Column) -> Iterator[tuple[Any, I64]]:
    """Yield each value of an integer or text column with the places of its rows, ascending; null is a value."""
    kind = plain_type(column.type)
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind)):
        raise ConfigError(f"partition column {name!r} is {column.type}; partitions are integers or text")
    coded = whole(in_type(name, column, kind)).dictionary_encode()
    codes = coded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    values: list[Any] = coded.dictionary.to_pylist()
    for index in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(order) else []:
        code = int(codes[index[0]])
        yield None if code < 0 else values[code], index


def takeable(table: pa.Table) -> pa.Table:
    """Return `table` with views as ordinary strings and bytes: Arrow cannot pick rows out of views."""
    columns = [
        column if (kind := _without_views(column.type)) == column.type else column.cast(kind)
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def whole(column: Column) -> pa.Array[Any]:
    """Return `column` as one array."""
    if column.num_chunks == 1:
        return column.chunks[0]
    joined: pa.Array[Any] = pa.concat_arrays([nulls(0, column.type), *column.chunks])
    return joined


def _chunked(chunks: list[pa.Array[Any]], kind: pa.DataType) -> Column:
    # The stubs list one overload per type and none for any type.
    return pa.chunked_array(chunks, kind)  # type: ignore[call-overload, no-any-return]


def _microseconds(column: Column, unit: str) -> Times:
    """Integers or timestamps counting `unit` to microseconds."""
    array = whole(column)
    null = ~array.is_valid().to_numpy(zero_copy_only=False)
    unsigned = pa.types.is_uint64(array.type)
    counts = array.view(pa.int64()) if unsigned or pa.types.is_timestamp(array.type) else array.cast(pa.int64())
    count = counts.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    beyond = (count < 0) & ~null if unsigned else np.zeros(len(count), np.bool_)
    per_second = PER_SECOND[unit]
    if per_second > 10**6:
        return Times(count // (per_second // 10**6), null, beyond)
    each = 10**6 // per_second
    if each > 1:
        beyond = beyond | (count > _MAX_US // each) | (count < -(_MAX_US // each))
    return Times(np.where(beyond, 0, count) * each, null, beyond)


def _instants(name: str, column: Column) -> Column:
    """Timestamps with any zone and unit as UTC microseconds."""
    times = _microseconds(column, column.type.unit)
    if times.beyond.any():
        row = int(np.argmax(times.beyond))
        raise ConfigError(f"column {name!r}: row {row} is beyond what {UTC} can hold")
    return _chunked([pa.array(times.us, pa.int64(), mask=times.null).view(UTC)], UTC)


def _cast(chunk: pa.Array[Any], wanted: pa.DataType) -> pa.Array[Any]:
    if isinstance(chunk, pa.DictionaryArray):
        # The values first: Arrow cannot take out of a dictionary of views.
        return pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast(wanted)).cast(wanted)
    return chunk.cast(wanted)


def _is_wider(kind: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of `kind` may be tried in `wanted`: Arrow refuses a number that would change."""
    if pa.types.is_null(kind):
        return True
    if pa.types.is_integer(kind):
        return pa.types.is_integer(wanted) or pa.types.is_floating(wanted)
    if pa.types.is_decimal(kind):
        return pa.types.is_decimal(wanted)
    return pa.types.is_floating(kind) and pa.types.is_float64(wanted)


def _without_views(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if isinstance(kind, pa.StructType):
        return pa.struct([pa.field(field.name, _without_views(field.type)) for field in kind.fields])
    if isinstance(kind, pa.LargeListType):
        return pa.large_list(_without_views(kind.value_type))
    return pa.list_(_without_views(kind.value_type)) if isinstance(kind, pa.ListType) else kind


def _has(table: pa.Table) -> str:
    return f"the rows have {', '.join(table.column_names) or 'no columns'}"


def _name(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
