"""The fast way through a chunk of records: what it is sure of as columns, the rest marked for the dialect.

A strategy never refuses a record and never guesses: every row it does not mark equals what the dialect says.
Compiled scanners have their place here, as further classes with the same `read`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from arrowflow.decoders.chunks import Guess
from arrowflow.decoders.columns import Built, builder, with_doubt
from arrowflow.decoders.dialect import BOM
from arrowflow.decoders.grammar import Limits, Wanted
from arrowflow.decoders.layout import layout
from arrowflow.decoders.schema import Field, Kind
from arrowflow.decoders.shape import Shape
from arrowflow.decoders.suspicion import mark_deep, suspects
from arrowflow.types import Bool

_REFUSED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Strategy(Protocol):
    """One way of reading chunks for a fixed list of fields."""

    def read(self, values: pa.Array[Any]) -> Guess:
        """Read binary[n] without nulls, none longer than `Limits.max_bytes`."""


class MsgspecStrategy:
    """One msgspec call per record, between two scans of the whole chunk for what msgspec does not check.

    msgspec is stricter than the dialect in some places (1.0 for an integer), which costs only time, and blind
    in others: UTF-8 of members nobody wants, depth, counts and sizes. The scans mark those.
    """

    def __init__(self, fields: Sequence[Field], limits: Limits, *, coerce: bool) -> None:
        self._limits = limits
        self._fields = tuple(fields)
        self._shape = Shape(Wanted.of([field.keys for field in fields]), fields, coerce=coerce)
        self._decode = msgspec.json.Decoder(self._shape.type).decode
        self._builders = tuple(builder(field.column, coerce=coerce) for field in fields)

    def read(self, values: pa.Array[Any]) -> Guess:
        doubt = suspects(values, self._limits)
        cells = self._decode_all(_texts(values, doubt), doubt)
        mark_deep(doubt, *layout(values), self._limits.max_depth)
        columns = self._shape.columns(cells)
        built = [self._build(index, columns[index]) for index in range(len(self._fields))]
        for _, unsure in built:
            if unsure is not None:
                doubt |= unsure
        return Guess(tuple(array for array, _ in built), doubt)

    def _decode_all(self, texts: list[bytes], doubt: Bool) -> list[object]:
        """Decode each text and lay the rows' cells end to end; a refused text leaves blank cells and is in doubt.

        Rows die as soon as their cells are taken: that keeps them in the processor's cache.
        """
        cells: list[object] = []
        take, decode, apart = cells.extend, self._decode, msgspec.structs.astuple
        rest = iter(texts)
        while True:
            try:
                for text in rest:
                    take(apart(decode(text)))
            except _REFUSED:
                doubt[len(cells) // self._shape.width] = True
                take(self._shape.blank)
            else:
                return cells

    def _build(self, index: int, cells: list[Any]) -> Built:
        field = self._fields[index]
        if field.column.kind not in (Kind.JSON, Kind.DECIMAL):
            return self._builders[index](cells)
        texts = [_raw_text(cell) for cell in cells]
        built = self._builders[index](texts)
        return with_doubt(built, np.array([text is None for text in texts], np.bool_) if field.required else None)


def _texts(values: pa.Array[Any], doubt: Bool) -> list[bytes]:
    """Return the values without byte order mark; nothing for those in doubt, which need not be decoded."""
    texts: list[Any] = values.to_pylist()
    start, data = layout(values)
    if data.size:
        first = data[np.minimum(start[:-1], data.size - 1)]
        for row in np.flatnonzero(first == BOM[0]).tolist():
            texts[row] = texts[row].removeprefix(BOM)
    for row in np.flatnonzero(doubt).tolist():
        texts[row] = b""
    return texts


def _raw_text(cell: msgspec.Raw | None) -> bytes | None:
    """Return the text of any JSON value; msgspec gives none of it for an absent member and ``null`` for a null."""
    text = b"" if cell is None else bytes(cell)
    return None if text in (b"", b"null") else text
