"""A decoder for lines of text, so that a test's records can be read by eye. No format anyone should use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from arrowflow.types import Decoded, RawBatch, Reject

_LINE: Final = re.compile(rb"([\x21-\x7e]+) (-?[0-9]{1,10}) (-|-?[0-9]{1,18})")
_TIME: Final = pa.timestamp("us", tz="UTC")
_FIELDS: Final[list[pa.Field[Any]]] = [pa.field("k", pa.string()), pa.field("t", _TIME), pa.field("v", pa.int64())]
_SCHEMA: Final = pa.schema(_FIELDS)


@dataclass(frozen=True, slots=True)
class LineDecoderSpec:
    """The `DecoderSpec` protocol for tests: ``key second value``, for example ``b"pump 61 -7"``.

    The columns are ``k: string``, ``t: timestamp[us, UTC]`` (whole seconds since 1970) and ``v: int64``. A key or a
    value written ``-`` is null.
    """

    def build(self) -> LineDecoder:
        return LineDecoder()

    def fingerprint(self) -> Mapping[str, object]:
        return {"format": "line"}


class LineDecoder:
    """The working part; keeps nothing."""

    @property
    def schema(self) -> pa.Schema:
        return _SCHEMA

    def decode(self, batch: RawBatch) -> Decoded:
        lines = batch.value.to_pylist()
        rows = [_parse(line) for line in lines]
        rejects = [
            Reject(i, "bad_line", f"not `key second value`: {line[:80]!r}")
            for i, (line, row) in enumerate(zip(lines, rows, strict=True))
            if line is not None and row is None
        ]
        ok = np.array([row is not None for row in rows], np.bool_)
        columns = list(zip(*(row or (None, None, None) for row in rows), strict=True)) or [(), (), ()]
        keys, times, values = columns
        table = pa.Table.from_arrays(
            [
                pa.array(keys, pa.string()),
                pa.array(times, pa.int64()).view(_TIME),
                pa.array(values, pa.int64()),
            ],
            schema=_SCHEMA,
        )
        return Decoded(table, ok, tuple(rejects))


def _parse(line: bytes | None) -> tuple[str | None, int, int | None] | None:
    found = None if line is None else _LINE.fullmatch(line)
    if found is None:
        return None
    key, second, value = found.groups()
    return (
        None if key == b"-" else key.decode("ascii"),
        int(second) * 1_000_000,
        None if value == b"-" else int(value),
    )
