"""The msgspec struct that reads the wanted members of a record, and how its cells become columns. Judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from types import UnionType
from typing import Any

import msgspec

from arrowflow.decoders.grammar import Wanted
from arrowflow.decoders.schema import Field, Kind


class Shape:
    """One object on the way to wanted values: a struct type with a member per wanted name.

    Members are called m0, m1 … because names in records may be any text.
    """

    def __init__(self, wanted: Wanted, fields: Sequence[Field], *, coerce: bool) -> None:
        def needed(name: str) -> bool:
            return any(fields[leaf].required for leaf in wanted.children[name].leaves)

        names = sorted(wanted.children, key=lambda name: not needed(name))  # those without a default come first
        self._members = [_member(wanted.children[name], fields, coerce=coerce) for name in names]
        members = [
            _declare(f"m{number}", _type_of(member, fields, coerce=coerce), needed=needed(name))
            for number, (name, member) in enumerate(zip(names, self._members, strict=True))
        ]
        rename = {f"m{number}": name for number, name in enumerate(names)}
        self.type: type[msgspec.Struct] = msgspec.defstruct("Row", members, rename=rename, gc=False)
        self.width = len(members)
        self.blank: tuple[None, ...] = (None,) * len(members)

    def columns(self, cells: list[Any]) -> dict[int, list[Any]]:
        """Return the cells of each field by its index, from rows of `width` cells laid end to end."""
        found: dict[int, list[Any]] = {}
        for position, member in enumerate(self._members):
            column = cells[position :: self.width]
            if isinstance(member, Shape):
                found |= member.columns(member.take(column))
            else:
                found[member] = column
        return found

    def take(self, rows: list[msgspec.Struct | None]) -> list[Any]:
        """Return the cells of rows of `type` end to end, blank ones where there is no row."""
        cells: list[Any] = []
        for row in rows:
            cells.extend(self.blank if row is None else msgspec.structs.astuple(row))
        return cells


def _member(wanted: Wanted, fields: Sequence[Field], *, coerce: bool) -> Shape | int:
    return Shape(wanted, fields, coerce=coerce) if wanted.field is None else wanted.field


def _declare(name: str, type_: Any, *, needed: bool) -> tuple[str, Any] | tuple[str, Any, Any]:  # noqa: ANN401 - msgspec's own signature
    if needed:
        return name, type_
    return (name, type_, msgspec.Raw(b"")) if type_ is msgspec.Raw else (name, type_ | None, None)


def _type_of(member: Shape | int, fields: Sequence[Field], *, coerce: bool) -> type | UnionType:
    if isinstance(member, Shape):
        return member.type
    match fields[member].column.kind:
        case Kind.JSON | Kind.DECIMAL:
            return msgspec.Raw  # msgspec's own decimals would take strings for numbers, and NaN for one
        case Kind.BOOL:
            return bool | str if coerce else bool
        case Kind.INTEGER | Kind.INSTANT:
            return int | str if coerce else int
        case Kind.FLOAT:
            return float | str if coerce else float
        case Kind.STRING | Kind.DATE | Kind.TEXT_INSTANT:
            return str
