"""The written rules for one record: bytes in, one value per column out, or the reason why not.

This is the truth (docs/avro.md); the kernel may only skip work whose result is known here. fastavro reads the values,
after a strict walk has passed every byte of the record.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from arrowflow.decoders.avro.tree import Node, plain, read_tree
from arrowflow.decoders.avro.values import value_of
from arrowflow.decoders.avro.walk import Bounds, walk
from arrowflow.decoders.dialect import local_time
from arrowflow.decoders.grammar import Wanted
from arrowflow.decoders.schema import Field
from arrowflow.decoders.verdict import Refused, Value, snippet, too_large
from arrowflow.errors import ConfigError

REASONS: Final = (
    "too_large",
    "empty",
    "framing",
    "unknown_schema",
    "syntax",
    "utf8",
    "too_deep",
    "trailing_data",
    "required",
    "type",
    "overflow",
    "scale",
    "date",
    "timestamp",
    "timestamp_range",
    "timestamp_nonexistent",
)
"""Every code this decoder gives to a dead letter; docs/avro.md says what each means."""

FRAMING: Final = 5
BARE: Final = -1
"""The id of the one schema of records without framing."""


class Writer:
    """One writer's schema, ready to read.

    Parameters
    ----------
    text : str
        Its JSON text.

    Raises
    ------
    ConfigError
        For text that is no schema, or where fastavro is not installed.
    """

    def __init__(self, text: str) -> None:
        self.root: Node = read_tree(text)
        self._schema, self._read = _reader(plain(text))

    def read(self, data: bytes, begin: int) -> Any:  # noqa: ANN401 - whatever Avro has
        """Return the record as fastavro reads it, logical types left out; it was walked before."""
        stream = io.BytesIO(data)
        stream.seek(begin)
        record = self._read(stream, self._schema)
        assert stream.tell() == len(data)
        return record


def _reader(schema: object) -> tuple[Any, Callable[..., Any]]:
    try:
        import fastavro
    except ImportError:
        raise ConfigError("reading Avro needs fastavro: pip install 'arrowflow[avro]'") from None
    try:
        parsed = fastavro.parse_schema(schema, named_schemas={})  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 - whatever it does not like about a schema
        raise ConfigError(f"fastavro does not take the schema: {error}") from None
    return parsed, fastavro.schemaless_reader


class Rules:
    """The rules compiled for one list of columns and the schemas there are.

    Parameters
    ----------
    fields : sequence of Field
        The columns.
    writers : mapping of int to Writer
        By id; `BARE` alone means records without framing.
    bounds : Bounds
        How large a record may be.
    """

    def __init__(self, fields: Sequence[Field], writers: Mapping[int, Writer], bounds: Bounds) -> None:
        self._fields = tuple(fields)
        self._writers = dict(writers)
        self._bounds = bounds
        self._wanted = Wanted.of([field.keys for field in fields])
        self._locals = [local_time(field.column) for field in fields]

    def judge(self, value: bytes) -> tuple[Value, ...]:
        """Return one value per column, in order; raises `Refused` with the first thing wrong."""
        if len(value) > self._bounds.max_bytes:
            raise too_large(len(value), self._bounds.max_bytes)
        writer, begin = self._writer(value)
        found = walk(value, begin, writer.root, self._wanted, self._bounds)
        record = writer.read(value, begin)
        return tuple(self._value(index, found.get(index), record) for index in range(len(self._fields)))

    def _writer(self, value: bytes) -> tuple[Writer, int]:
        if not value:
            raise Refused("empty", "the value has no bytes")
        if BARE in self._writers:
            return self._writers[BARE], 0
        number = schema_id(value)
        if number not in self._writers:
            known = ", ".join(map(str, sorted(self._writers)))
            raise Refused(
                "unknown_schema", f"the record was written by schema {number}, and there are only {known[:200]}"
            )
        return self._writers[number], FRAMING

    def _value(self, index: int, node: Node | None, record: object) -> Value:
        field = self._fields[index]
        if node is None:
            if field.required:
                raise Refused("required", f"{field.place} is missing or null and required")
            return None
        for key in field.keys:
            record = record[key]  # type: ignore[index]
        try:
            return value_of(field.column, node, record, self._locals[index])
        except Refused as refusal:
            raise Refused(refusal.reason, f"{field.place}: {refusal.detail}") from None


def schema_id(value: bytes) -> int:
    """Return the id in front of a framed record; raises `Refused` with ``framing`` where there is none."""
    if len(value) < FRAMING or value[0] != 0:
        raise Refused(
            "framing",
            f"the value begins with {snippet(value[:FRAMING])}, not with 0x00 and a schema id of four bytes; for records "
            'without them write framing = "none"',
        )
    return int.from_bytes(value[1:FRAMING], "big")
