"""Split a table by its partition values, derived civil date and hour included; pure, touches no file.

The parts come in ascending order of their values (null first, then by code point) and keep the order of their
rows, so the same table always gives the same files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.errors import ConfigError
from arrowflow.protocols import CivilTime
from arrowflow.sinks import paths
from arrowflow.types import I64

DERIVED = ("date", "hour")
"""Columns that need not exist: civil date ``2025-10-31`` and hour ``08`` of the time column."""

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US

Texts: TypeAlias = "pa.Array[Any]"
"""An Array of string[n]; null where the value is."""


class Part(NamedTuple):
    """The rows of one partition; `table` no longer holds the partition columns."""

    values: dict[str, str | None]
    table: pa.Table


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How rows find their partition.

    Parameters
    ----------
    columns : tuple of str
        In path order; a column of the table, or one of `DERIVED`.
    time_column : str
        What derived columns are derived from: a timestamp, or int64 microseconds.
    civil : CivilTime or None
        Zones per value of its key column; None derives in UTC.
    """

    columns: tuple[str, ...]
    time_column: str
    civil: CivilTime | None = None

    def check(self, schema: pa.Schema) -> None:
        """Raise `ConfigError` if tables of `schema` cannot be split this way."""
        if len(set(self.columns)) != len(self.columns):
            raise ConfigError(f"partition_by {list(self.columns)} names a column twice")
        for column in self.columns:
            paths.check_column(column)
            if column in schema.names:
                _check_type(column, schema.field(column).type)
            elif column in DERIVED:
                self._check_derivable(column, schema)
            else:
                raise ConfigError(
                    f"partition_by column {column!r} is not in the table, which has {schema.names}; derived ones are "
                    f"{list(DERIVED)}, from time_column"
                )
        if set(schema.names) <= set(self.columns):
            raise ConfigError(f"partition_by {list(self.columns)} takes every column and leaves none for the files")

    def sources(self, schema: pa.Schema) -> frozenset[str]:
        """Return the columns of `schema` whose values choose a partition, derived ones traced back to theirs."""
        own = {column for column in self.columns if column in schema.names}
        if len(own) < len(self.columns):
            own |= {self.time_column} | (set() if self.civil is None else {self.civil.key})
        return frozenset(own)

    def values(self, table: pa.Table) -> dict[str, Texts]:
        """Return each partition column of `table` as text, in path order."""
        derived = self._derive(table) if self._needs_derived(table.schema) else {}
        return {c: texts(table.column(c)) if c in table.column_names else derived[c] for c in self.columns}

    def split(self, table: pa.Table) -> Iterator[Part]:
        """Yield the parts of `table`, each with at least one row."""
        if table.num_rows == 0:
            return
        if not self.columns:
            yield Part({}, table)
            return
        rest = table.drop_columns([c for c in self.columns if c in table.column_names])
        coded = {column: paths.codes_of(array) for column, array in self.values(table).items()}
        group = _group_rows([codes for codes, _ in coded.values()], table.num_rows)
        order = np.argsort(group, kind="stable")
        starts = np.flatnonzero(np.diff(group[order], prepend=-1))
        ordered = rest.take(pa.array(order, pa.int64()))
        for start, stop in pairwise([*starts.tolist(), table.num_rows]):
            first = order[start]
            values = {column: distinct[codes[first]] for column, (codes, distinct) in coded.items()}
            yield Part(values, ordered.slice(start, stop - start))

    def _needs_derived(self, schema: pa.Schema) -> bool:
        return any(column not in schema.names for column in self.columns)

    def _check_derivable(self, column: str, schema: pa.Schema) -> None:
        if self.time_column not in schema.names:
            raise ConfigError(
                f"partition_by {column!r} is derived from time_column {self.time_column!r}, which the table does not "
                f"have; set time_column to one of {schema.names}"
            )
        kind = schema.field(self.time_column).type
        if not is_time(kind):
            raise ConfigError(f"time_column {self.time_column!r} is {kind}: a timestamp of s, ms or us is needed")
        if self.civil is not None and self.civil.key not in schema.names:
            raise ConfigError(
                f"partition_by {column!r} is local time, whose zone is chosen by column {self.civil.key!r}, which the "
                f"table does not have: {schema.names}"
            )

    def _derive(self, table: pa.Table) -> dict[str, Texts]:
        time_us = microseconds(table.column(self.time_column))
        missing = np.asarray(time_us.is_null())
        us = time_us.fill_null(0).to_numpy(zero_copy_only=False)
        days, hours = self._civil_of(table, us)
        dates = np.datetime_as_string(days.astype("datetime64[D]"))
        return {
            "date": pa.array(dates.tolist(), pa.string(), mask=missing),
            "hour": pa.array([f"{hour:02d}" for hour in hours.tolist()], pa.string(), mask=missing),
        }

    def _civil_of(self, table: pa.Table, us: I64) -> tuple[I64, I64]:
        if self.civil is None:
            return us // _DAY_US, us // _HOUR_US % 24
        days, hours = np.empty(len(us), np.int64), np.empty(len(us), np.int64)
        codes, keys = paths.codes_of(texts(table.column(self.civil.key)))
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(len(keys) + 1))
        for code, key in enumerate(keys):
            rows = order[bounds[code] : bounds[code + 1]]
            days[rows], hours[rows] = self.civil.civil(key, us[rows])
        return days, hours


def texts(column: pa.ChunkedArray[Any]) -> Texts:
    """Return a column as an Array of string[n], nulls kept."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return _whole(column.cast(pa.string()), pa.string())


def microseconds(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    """Return a timestamp or int64 column as an Array of int64[n] microseconds, nulls kept."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    return _whole(column, pa.int64())


def span_us(table: pa.Table, time_column: str) -> tuple[int | None, int | None]:
    """Return (least, greatest) time in microseconds; None where the table has no such column or no value in it."""
    if time_column not in table.column_names or not is_time(table.schema.field(time_column).type):
        return None, None
    time_us = microseconds(table.column(time_column))
    return pc.min(time_us).as_py(), pc.max(time_us).as_py()


def is_time(kind: pa.DataType) -> bool:
    """True for what `microseconds` reads exactly."""
    return pa.types.is_int64(kind) or (pa.types.is_timestamp(kind) and kind.unit != "ns")


def _whole(column: pa.ChunkedArray[Any], kind: pa.DataType) -> pa.Array[Any]:
    chunks = column.chunks or [pa.array([], kind)]
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)


def _group_rows(codes: list[I64], rows: int) -> I64:
    """Return one number per row, ascending with the partition values; dense after each column, so it cannot overflow."""
    group = np.zeros(rows, np.int64)
    for column in codes:
        _, group = np.unique(group * (int(column.max()) + 1) + column, return_inverse=True)
    return group


def _check_type(column: str, kind: pa.DataType) -> None:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if not (is_text or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_date32(kind)):
        raise ConfigError(
            f"partition_by column {column!r} is {kind}: text, integer, boolean or date is needed, since a folder name must "
            "read back as the same value; for times partition by 'date' or 'hour'"
        )
