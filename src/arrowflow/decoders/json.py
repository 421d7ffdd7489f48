"""JSON records to typed columns: the spec a pipeline holds and the decoder it builds. Never reads a clock or a schema
registry; the rules are `dialect.py`, the speed is `strategy.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from arrowflow.decoders.chunks import Chunks
from arrowflow.decoders.dialect import Dialect
from arrowflow.decoders.grammar import Limits
from arrowflow.decoders.schema import Field
from arrowflow.decoders.strategy import Strategy
from arrowflow.errors import ConfigError
from arrowflow.types import Decoded, RawBatch

__all__ = ["Field", "JsonDecoder", "JsonSpec"]

DIALECT: Final = 1
"""Raised when the same bytes would decode to something else."""

_DEFAULT: Final = Limits()
_MAX_DEPTH: Final = 512


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
        dialect = Dialect(spec.fields, spec.limits, coerce=spec.coerce)
        schema = pa.schema([pa.field(field.name, field.column.arrow) for field in spec.fields])
        self._strategy = strategy or _best(spec)
        self._chunks = Chunks(schema, spec.max_bytes, self._strategy.read, dialect.judge)

    @property
    def schema(self) -> pa.Schema:
        return self._chunks.schema

    def decode(self, batch: RawBatch) -> Decoded:
        return self._chunks.decode(batch)


def _best(spec: JsonSpec) -> Strategy:
    from arrowflow.decoders.compiled import CompiledStrategy  # loads numba, which describing a job does not need

    return CompiledStrategy(spec.fields, spec.limits, coerce=spec.coerce)


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
