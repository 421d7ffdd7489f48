"""The fast way through a chunk of records: what it is sure of as columns, the rest marked for the dialect.

A strategy never refuses a record and never guesses: every row it does not mark equals what the dialect says.
Compiled scanners have their place here, as further classes with the same `read`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import UnionType
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from arrowflow.decoders.columns import Builder, Column, builder
from arrowflow.decoders.dialect import BOM
from arrowflow.decoders.grammar import Limits, Wanted
from arrowflow.decoders.layout import U8, layout
from arrowflow.decoders.schema import Field, Kind
from arrowflow.types import I64, Bool

_REFUSED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_SHORTEST_MEMBER: Final = len('"":0,')


@dataclass(frozen=True, slots=True)
class Guess:
    """A chunk read fast.

    Parameters
    ----------
    columns : tuple of Array[n]
        One per field; null where `doubt` is true.
    doubt : bool[n]
        Rows the dialect must judge.
    """

    columns: tuple[Column, ...]
    doubt: Bool


class Strategy(Protocol):
    """One way of reading chunks for a fixed list of fields."""

    def read(self, values: pa.Array[Any]) -> Guess:
        """Read binary[n] without nulls, none longer than `Limits.max_bytes`."""


class MsgspecStrategy:
    """One msgspec call per record, behind a scan of the whole chunk for what msgspec does not check.

    msgspec is stricter than the dialect in some places (1.0 for an integer), which costs only time, and blind
    in others: UTF-8 of members nobody wants, depth, counts and sizes. The scan marks those.
    """

    def __init__(self, fields: Sequence[Field], limits: Limits, *, coerce: bool) -> None:
        self._limits = limits
        row = _row_type(Wanted.of([field.keys for field in fields]), fields, coerce=coerce)
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(row).decode
        self._blank = _blank(row)
        self._columns = tuple(_Extractor(field, fields, coerce=coerce) for field in fields)

    def read(self, values: pa.Array[Any]) -> Guess:
        doubt = suspects(values, self._limits)
        texts: list[bytes] = _texts(values)
        for row in np.flatnonzero(doubt).tolist():
            texts[row] = b""
        _strip_marks(texts, values)
        rows = self._decode_all(texts, doubt)
        built = [column.build(rows) for column in self._columns]
        for _, unsure in built:
            if unsure is not None:
                doubt |= unsure
        return Guess(tuple(array for array, _ in built), doubt)

    def _decode_all(self, texts: list[bytes], doubt: Bool) -> list[Any]:
        """Decode each text; a refused one becomes a blank row in doubt.

        `extend` keeps what it took before an exception, and the iterator has moved past the text that raised it:
        so the loop over good records runs in C and a bad one costs one exception.
        """
        rows: list[Any] = []
        rest = iter(texts)
        while True:
            try:
                rows.extend(map(self._decode, rest))
            except _REFUSED:
                doubt[len(rows)] = True
                rows.append(self._blank)
            else:
                return rows


class _Extractor:
    """Takes one field out of decoded rows and builds its column."""

    def __init__(self, field: Field, fields: Sequence[Field], *, coerce: bool) -> None:
        *way, leaf = _attributes(field, fields)
        self._way = [attrgetter(step) for step in way]
        self._leaf = attrgetter(leaf)
        self._raw = field.column.kind is Kind.JSON
        self._required = field.required
        self._builder: Builder = builder(field.column, coerce=coerce)

    def build(self, rows: list[Any]) -> tuple[Column, Bool | None]:
        for step in self._way:
            rows = [None if row is None else step(row) for row in rows]
        leaf = self._leaf
        values = [None if row is None else leaf(row) for row in rows] if self._way else list(map(leaf, rows))
        if not self._raw:
            return self._builder(values)
        texts = [_raw_text(value) for value in values]
        array, _ = self._builder(texts)
        return array, np.array([text is None for text in texts], np.bool_) if self._required else None


def suspects(values: pa.Array[Any], limits: Limits) -> Bool:
    """Return which of binary[n] may break a rule that msgspec does not check. Reads each byte about twice."""
    start, data = layout(values)
    length = np.diff(start)
    doubt: Bool = length == 0
    doubt |= _invalid_utf8(values)
    _mark_deep(doubt, start, data, limits.max_depth)
    doubt |= length - 2 > limits.max_string_bytes
    for row in np.flatnonzero(length > _SHORTEST_MEMBER * limits.max_fields).tolist():
        doubt[row] |= np.count_nonzero(data[start[row] : start[row + 1]] == ord(":")) > limits.max_fields
    return doubt


def _texts(values: pa.Array[Any]) -> list[bytes]:
    texts: list[Any] = values.to_pylist()
    return texts


def _invalid_utf8(values: pa.Array[Any]) -> Bool:
    """Arrow checks each value for itself and tells only that one is wrong; then they are tried one by one."""
    try:
        values.cast(pa.string())
    except pa.ArrowInvalid:
        return np.array([not _is_utf8(value) for value in _texts(values)], np.bool_)
    return np.zeros(len(values), np.bool_)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _mark_deep(doubt: Bool, start: I64, data: U8, max_depth: int) -> None:
    """Mark values with more than `max_depth` opening brackets: a shallower one cannot be too deep."""
    opens = (data | np.uint8(0x20)) == ord("{")  # '[' and '{' differ in this bit alone
    if np.count_nonzero(opens) <= max_depth:
        return
    before = np.searchsorted(np.flatnonzero(opens), start)
    doubt |= np.diff(before) > max_depth


def _strip_marks(texts: list[bytes], values: pa.Array[Any]) -> None:
    """Take the byte order mark off the texts that have one."""
    start, data = layout(values)
    if not data.size:
        return
    first = data[np.minimum(start[:-1], data.size - 1)]
    for row in np.flatnonzero(first == BOM[0]).tolist():
        texts[row] = texts[row].removeprefix(BOM)


def _raw_text(value: msgspec.Raw | None) -> bytes | None:
    text = b"" if value is None else bytes(value)
    return None if text in (b"", b"null") else text


# ---- the row type: one struct per object on the way to a wanted field ----------------------------------------


def _row_type(node: Wanted, fields: Sequence[Field], *, coerce: bool) -> type[msgspec.Struct]:
    """Return a struct whose members are the wanted names, called m0, m1 … because names may be any text."""
    members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for number, child in enumerate(node.children.values()):
        name = f"m{number}"
        needed = any(fields[leaf].required for leaf in child.leaves)
        inner: Any = _row_type(child, fields, coerce=coerce)
        if child.field is not None:
            inner = _leaf_type(fields[child.field], coerce=coerce)
        if inner is msgspec.Raw:
            members.append((name, inner) if needed else (name, inner, msgspec.Raw(b"")))
        else:
            members.append((name, inner) if needed else (name, inner | None, None))
    names = {f"m{number}": name for number, name in enumerate(node.children)}
    members.sort(key=len)  # those without a default come first
    return msgspec.defstruct("Row", members, rename=names, gc=False)


def _leaf_type(field: Field, *, coerce: bool) -> type | UnionType:
    match field.column.kind:
        case Kind.JSON:
            return msgspec.Raw
        case Kind.BOOL:
            return bool | str if coerce else bool
        case Kind.INTEGER | Kind.INSTANT:
            return int | str if coerce else int
        case Kind.FLOAT:
            return float | str if coerce else float
        case Kind.STRING | Kind.DATE | Kind.TEXT_INSTANT:
            return str


def _attributes(field: Field, fields: Sequence[Field]) -> list[str]:
    """Return the struct members that lead to a field."""
    node, way = Wanted.of([other.keys for other in fields]), []
    for step in field.keys:
        way.append(f"m{list(node.children).index(step)}")
        node = node.children[step]
    return way


def _blank(row: type[msgspec.Struct]) -> msgspec.Struct:
    """Return a row with nothing in it; its required members, which no record may lack, are None too."""
    return row(*[None] * len(row.__struct_fields__))
