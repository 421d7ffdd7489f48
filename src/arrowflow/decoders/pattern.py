"""The pattern of a record: the text between its values, and what each gap is read as. Learnt from one valid record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from arrowflow.decoders.columns import counts_in_range
from arrowflow.decoders.dialect import BOM
from arrowflow.decoders.grammar import Wanted
from arrowflow.decoders.kernels import patterns as kernel
from arrowflow.decoders.schema import ColumnType, Field, Kind

_TOKEN: Final = re.compile(rb'"[^"\\]*"|"(?:[^"\\]|\\.)*"|[-+.0-9A-Za-z]+|[][{}:,]|[ \t\n\r]+', re.DOTALL)
_CONTAINERS: Final = {b"{": b"}", b"[": b"]"}
_NO_COLUMN: Final = -1
_MAX_GAPS: Final = 256
"""Records with more values have lists of all lengths in them: each would be a pattern of its own."""
_KINDS: Final = {
    Kind.STRING: kernel.STRING,
    Kind.DATE: kernel.STRING,
    Kind.BOOL: kernel.BOOL,
    Kind.FLOAT: kernel.FLOAT,
    Kind.JSON: kernel.JSON,
}


class Unlearnable(Exception):
    """A valid record of which no pattern is made. Raised and caught inside this room only."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The constant text before a value, and how the value is read.

    Parameters
    ----------
    text : bytes
        From the end of the value before, or from the record's beginning.
    kind, column, low, high : int
        As in the kernel's table of gaps.
    needed : bool
        Whether null is refused.
    """

    text: bytes
    kind: int
    column: int = _NO_COLUMN
    low: int = 0
    high: int = 0
    needed: bool = False


@dataclass(slots=True)
class _Frame:
    """A container that is open, what is wanted of its members, and those seen so far."""

    closer: bytes
    wanted: Wanted | None
    seen: set[str]


def learn(text: bytes, wanted: Wanted, fields: Sequence[Field]) -> tuple[Gap, ...] | None:
    """Return the pattern of a record that the dialect accepts, None where it is of a kind that patterns cannot say.

    Parameters
    ----------
    text : bytes
        One record; must be valid by the dialect.
    wanted : Wanted
        The tree of the fields' paths.
    fields : sequence of Field
        The columns.
    """
    try:
        return _Learner(wanted, fields).learn(text)
    except Unlearnable:
        return None


class _Learner:
    """One walk over one record."""

    def __init__(self, wanted: Wanted, fields: Sequence[Field]) -> None:
        self._fields = fields
        self._root = wanted
        self._gaps: list[Gap] = []
        self._text = bytearray()
        self._open: list[_Frame] = []
        self._next: Wanted | None = wanted
        self._names = False

    def learn(self, text: bytes) -> tuple[Gap, ...]:
        if text.startswith(BOM):
            raise Unlearnable
        for token in _TOKEN.findall(text):
            self._take(token)
            if len(self._gaps) == _MAX_GAPS:
                raise Unlearnable
        self._gaps.append(Gap(bytes(self._text), kernel.END))
        present = {gap.column for gap in self._gaps}
        lacking = [Gap(b"", kernel.ABSENT, column) for column in range(len(self._fields)) if column not in present]
        return (*lacking, *self._gaps)

    def _take(self, token: bytes) -> None:
        if token in _CONTAINERS:
            self._push(token)
        elif token in (b"}", b"]"):
            self._open.pop()
            self._text += token
            self._names = False
        elif token == b",":
            self._names = self._open[-1].closer == b"}"
            self._text += token
        elif token == b":" or token.isspace():
            self._text += token
        elif self._names:
            self._name(token)
        else:
            self._scalar()

    def _push(self, token: bytes) -> None:
        """Open a container: an array, or one that a column wants whole, holds nothing that columns want of its members."""
        inside = None if self._in_array() else self._next
        if inside is not None and (inside.field is not None or token == b"["):
            raise Unlearnable
        self._open.append(_Frame(_CONTAINERS[token], inside, set()))
        self._text += token
        self._names = token == b"{"

    def _in_array(self) -> bool:
        return bool(self._open) and self._open[-1].closer == b"]"

    def _name(self, token: bytes) -> None:
        if b"\\" in token:
            raise Unlearnable
        frame, name = self._open[-1], token[1:-1].decode()
        self._next = None if frame.wanted is None else frame.wanted.children.get(name)
        if self._next is not None and name in frame.seen:
            raise Unlearnable  # the last of equal names wins
        frame.seen.add(name)
        self._text += token
        self._names = False

    def _scalar(self) -> None:
        wanted = None if self._in_array() else self._next
        if wanted is not None and wanted.field is None:
            raise Unlearnable  # something else than an object on the way to a column
        self._gaps.append(_gap(bytes(self._text), wanted, self._fields))
        self._text.clear()


def _gap(text: bytes, wanted: Wanted | None, fields: Sequence[Field]) -> Gap:
    if wanted is None or wanted.field is None:
        return Gap(text, kernel.SCALAR)
    field = fields[wanted.field]
    kind, low, high = _reading(field.column)
    return Gap(text, kind, wanted.field, low, high, field.required)


def _reading(column: ColumnType) -> tuple[int, int, int]:
    """Return how a column's values are read, and the two bounds that go with it."""
    match column.kind:
        case Kind.INTEGER:
            return kernel.INTEGER, column.low, min(column.high, 2**63 - 1)
        case Kind.INSTANT:
            return kernel.INTEGER, *counts_in_range(column.per_second)
        case Kind.DECIMAL:
            return kernel.DECIMAL, column.digits - column.places, column.places
        case Kind.TEXT_INSTANT:
            return (kernel.STRING if column.zone else kernel.INSTANT), 0, 0
        case _:
            return _KINDS[column.kind], 0, 0
