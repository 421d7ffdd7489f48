"""JSON records to typed columns: the spec a pipeline holds and the decoder it builds. Never reads a clock or a schema
registry; the rules are `dialect.py`, the speed is `strategy.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.decoders.columns import Column, number_type
from arrowflow.decoders.dialect import Dialect, Value, too_large
from arrowflow.decoders.grammar import Limits
from arrowflow.decoders.layout import layout
from arrowflow.decoders.schema import Field
from arrowflow.decoders.strategy import Strategy
from arrowflow.decoders.verdict import Refused
from arrowflow.errors import ConfigError
from arrowflow.types import Decoded, RawBatch, Reject

__all__ = ["Field", "JsonDecoder", "JsonSpec"]

DIALECT: Final = 1
"""Raised when the same bytes would decode to something else."""

_DEFAULT: Final = Limits()
_MAX_DEPTH: Final = 512
_CHUNK_ROWS: Final = 8_192
"""As many rows as are worked on in memory that the process has already; fresh pages cost as much as decoding."""


@dataclass(frozen=True, slots=True)
class JsonSpec:
    """One JSON object per record.

    Parameters
    ----------
    fields : tuple of Field
        The columns, in order. Members that no field names are ignored.
    coerce : bool
        Whether a string may spell a number or a boolean where one is expected.
    max_bytes, max_depth, max_fields, max_string_bytes : int
        Bounds of one record, see `Limits`; a record beyond one is a dead letter.

    Raises
    ------
    ConfigError
        For no fields, equal names, a path that leads through another field, or a bound out of range.
    """

    fields: tuple[Field, ...]
    coerce: bool = False
    max_bytes: int = _DEFAULT.max_bytes
    max_depth: int = _DEFAULT.max_depth
    max_fields: int = _DEFAULT.max_fields
    max_string_bytes: int = _DEFAULT.max_string_bytes

    def __post_init__(self) -> None:
        if not self.fields:
            raise ConfigError("the schema has no columns; name at least one, or read the topic with format 'raw'")
        check_names(self.fields)
        check_paths(self.fields)
        _check_limits(self.limits)

    @property
    def limits(self) -> Limits:
        return Limits(self.max_bytes, self.max_depth, self.max_fields, self.max_string_bytes)

    def build(self) -> JsonDecoder:
        return JsonDecoder(self)

    def fingerprint(self) -> Mapping[str, object]:
        return {
            "format": "json",
            "dialect": DIALECT,
            "fields": [field.describe() for field in self.fields],
            "coerce": self.coerce,
            "max_bytes": self.max_bytes,
            "max_depth": self.max_depth,
            "max_fields": self.max_fields,
            "max_string_bytes": self.max_string_bytes,
        }


class JsonDecoder:
    """Decodes in chunks: a strategy reads what it is sure of, the dialect judges the rest one by one.

    Parameters
    ----------
    spec : JsonSpec
        What to decode.
    strategy : Strategy or None
        The fast way; None picks the best there is.
    """

    def __init__(self, spec: JsonSpec, strategy: Strategy | None = None) -> None:
        self._limits = spec.limits
        self._dialect = Dialect(spec.fields, spec.limits, coerce=spec.coerce)
        self._strategy = strategy or _best(spec)
        self._schema = pa.schema([pa.field(field.name, field.column.arrow) for field in spec.fields])

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def decode(self, batch: RawBatch) -> Decoded:
        tables: list[pa.Table] = []
        ok = np.ones(len(batch), np.bool_)
        rejects: list[Reject] = []
        for start, values in _chunks(batch.value):
            table, rejected = self._decode_chunk(values)
            tables.append(table)
            ok[start : start + len(values)] = values.is_valid().to_numpy(zero_copy_only=False)
            rejects.extend(Reject(start + reject.row, reject.reason, reject.detail) for reject in rejected)
        ok[[reject.row for reject in rejects]] = False
        table = pa.concat_tables(tables) if tables else self._schema.empty_table()
        return Decoded(table, ok, tuple(rejects))

    def _decode_chunk(self, values: pa.Array[Any]) -> tuple[pa.Table, list[Reject]]:
        present = values.is_valid().to_numpy(zero_copy_only=False)
        filled, sizes = _bounded(values, self._limits)
        guess = self._strategy.read(filled)
        asked = np.flatnonzero(guess.doubt & present)
        texts: list[Any] = filled.take(pa.array(asked, pa.int64())).to_pylist() if asked.size else []
        right: dict[int, tuple[Value, ...]] = {}
        wrong: list[Reject] = []
        for row, size, text in zip(asked.tolist(), sizes[asked].tolist(), texts, strict=True):
            try:
                right[row] = self._judge(text, size)
            except Refused as refusal:
                wrong.append(Reject(row, refusal.reason, refusal.detail))
        return self._patched(guess.columns, right, np.flatnonzero(guess.doubt)), wrong

    def _judge(self, text: bytes | None, size: int) -> tuple[Value, ...]:
        """Judge one record; `text` is None where it was too large to be looked at."""
        if text is None or size > self._limits.max_bytes:
            raise too_large(size, self._limits)
        return self._dialect.judge(text)

    def _patched(
        self, columns: tuple[Column, ...], right: Mapping[int, tuple[Value, ...]], doubt: np.ndarray
    ) -> pa.Table:
        """Return the columns with what the dialect found in the rows in doubt, null where it found nothing."""
        if doubt.size:
            nothing: tuple[Value, ...] = (None,) * len(columns)
            found = zip(*(right.get(row, nothing) for row in doubt.tolist()), strict=True)
            columns = tuple(_replace(column, doubt, values) for column, values in zip(columns, found, strict=True))
        return pa.Table.from_arrays(list(columns), schema=self._schema)


def _best(spec: JsonSpec) -> Strategy:
    from arrowflow.decoders.compiled import CompiledStrategy  # loads numba, which describing a job does not need

    return CompiledStrategy(spec.fields, spec.limits, coerce=spec.coerce)


def _chunks(values: pa.Array[Any]) -> Iterator[tuple[int, pa.Array[Any]]]:
    binary = values if values.type == pa.binary() else values.cast(pa.binary())
    for start in range(0, len(binary), _CHUNK_ROWS):
        yield start, binary.slice(start, _CHUNK_ROWS)


def _bounded(values: pa.Array[Any], limits: Limits) -> tuple[pa.Array[Any], np.ndarray]:
    """Return (values with nothing at nulls and at those too large, their sizes): no big one is ever copied."""
    start, _ = layout(values)
    sizes = np.diff(start)
    if (large := sizes > limits.max_bytes).any():
        values = pc.if_else(pa.array(large, pa.bool_()), pa.scalar(None, pa.binary()), values)
    return (values.fill_null(b"") if values.null_count else values), sizes


def _replace(column: Column, rows: np.ndarray, values: tuple[Value, ...]) -> Column:
    """Return the column with other values at some rows, ascending."""
    mask = np.zeros(len(column), np.bool_)
    mask[rows] = True
    numbers = pa.types.is_temporal(column.type)
    found = pa.array(values, number_type(column.type)).view(column.type) if numbers else pa.array(values, column.type)
    replaced: Column = pc.replace_with_mask(column, pa.array(mask, pa.bool_()), found)
    return replaced


def check_names(fields: tuple[Field, ...]) -> None:
    """Raise `ConfigError` for two columns of one name."""
    names = [field.name for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"column {name!r} is declared {names.count(name)} times; every column needs its own name")


def check_paths(fields: tuple[Field, ...]) -> None:
    """Raise `ConfigError` for a column whose value lies in another's."""
    paths = {field.keys: field for field in reversed(fields)}
    for field in fields:
        for depth in range(1, len(field.keys) + 1):
            other = paths.get(field.keys[:depth])
            if other is not None and other is not field:
                raise ConfigError(
                    f"column {field.name!r} reads {'.'.join(field.keys)!r}, which lies in or is what column "
                    f"{other.name!r} reads; take the outer value as 'json' alone, or only the inner ones"
                )


def _check_limits(limits: Limits) -> None:
    for name, value, top in (
        ("max_bytes", limits.max_bytes, 2**31 - 1),
        ("max_depth", limits.max_depth, _MAX_DEPTH),
        ("max_fields", limits.max_fields, 2**31 - 1),
        ("max_string_bytes", limits.max_string_bytes, 2**31 - 1),
    ):
        if not 1 <= value <= top:
            raise ConfigError(f"{name} = {value}: allowed are 1 to {top}")
