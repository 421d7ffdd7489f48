"""What a decoder's columns are: fields as a user writes them, and the types their texts mean. Never sees a record."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Final

import pyarrow as pa

from arrowflow.decoders.civil import FOLDS, zone_names
from arrowflow.errors import ConfigError
from arrowflow.types import RESERVED

TIMESTAMP: Final = pa.timestamp("us", "UTC")
_RESERVED_PREFIX: Final = "__af_"
_INTEGERS: Final = {
    "int8": (pa.int8(), 8, True),
    "int16": (pa.int16(), 16, True),
    "int32": (pa.int32(), 32, True),
    "int64": (pa.int64(), 64, True),
    "uint8": (pa.uint8(), 8, False),
    "uint16": (pa.uint16(), 16, False),
    "uint32": (pa.uint32(), 32, False),
    "uint64": (pa.uint64(), 64, False),
}
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SIMPLE: Final = ("string", "bool", *_INTEGERS, "float32", "float64", "date", "json")
_UNITS: Final = tuple(f"timestamp[{unit}]" for unit in _PER_SECOND)
_DECIMAL: Final = "decimal(<digits>, <places>)"
_MOST_DIGITS: Final = 38
ALLOWED_TYPES: Final = (
    *_SIMPLE, _DECIMAL, *_UNITS, "timestamp[iso]", "timestamp[iso, <zone>]", "timestamp[iso, <zone>, <fold>]",
)  # fmt: skip
"""Every text a column's type may have; `<digits>` is 1 to 38, `<places>` at most that, `<zone>` an IANA name, `<fold>`
earlier or later."""


class Kind(Enum):
    """Which rule of the dialect a column follows."""

    STRING = "string"
    BOOL = "bool"
    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    """A number of at most so many digits, so many of them after the point, never rounded."""
    DATE = "date"
    INSTANT = "instant"
    """An integer count of units since Unix time zero."""
    TEXT_INSTANT = "text_instant"
    """ISO text: with an offset when `zone` is None, else local to `zone`."""
    JSON = "json"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What one type text means.

    Parameters
    ----------
    text : str
        The canonical spelling: what the fingerprint keeps.
    kind : Kind
        The rule.
    arrow : DataType
        The column's type in `Decoded.table`.
    low, high : int
        Inclusive bounds of an integer column.
    digits, places : int
        How many digits a decimal has, and how many of them after the point.
    per_second : int
        Units per second of an `INSTANT`.
    zone, fold : str or None, int
        The zone of naive local text, and which of two equal local times is meant (0 the earlier, 1 the later).
    """

    text: str
    kind: Kind
    arrow: pa.DataType
    low: int = 0
    high: int = 0
    digits: int = 0
    places: int = 0
    per_second: int = 1
    zone: str | None = None
    fold: int = 0


def parse_type(text: str) -> ColumnType:
    """Return the type that `text` means; raises `ConfigError` with the allowed list and the nearest name."""
    if text in _INTEGERS:
        arrow, bits, signed = _INTEGERS[text]
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        return ColumnType(text, Kind.INTEGER, arrow, low, high)
    if text in _FIXED:
        return ColumnType(text, *_FIXED[text])
    if text.startswith("decimal"):
        return _decimal(text)
    inner = re.fullmatch(r"timestamp\s*\[([^\[\]]*)\]", text)
    parts = [part.strip() for part in inner[1].split(",")] if inner else []
    if len(parts) == 1 and parts[0] in _PER_SECOND:
        return ColumnType(f"timestamp[{parts[0]}]", Kind.INSTANT, TIMESTAMP, per_second=_PER_SECOND[parts[0]])
    if parts == ["iso"]:
        return ColumnType("timestamp[iso]", Kind.TEXT_INSTANT, TIMESTAMP)
    if len(parts) in (2, 3) and parts[0] == "iso":
        return _local_text(text, *parts[1:])
    raise ConfigError(
        f"type {text!r} is not known{_hint(text, (*_SIMPLE, *_UNITS, 'timestamp[iso]'))}. "
        f"Allowed: {', '.join(ALLOWED_TYPES)}"
    )


_FIXED: Final[dict[str, tuple[Kind, pa.DataType]]] = {
    "string": (Kind.STRING, pa.string()),
    "bool": (Kind.BOOL, pa.bool_()),
    "float32": (Kind.FLOAT, pa.float32()),
    "float64": (Kind.FLOAT, pa.float64()),
    "date": (Kind.DATE, pa.date32()),
    "json": (Kind.JSON, pa.string()),
}


def _decimal(text: str) -> ColumnType:
    inner = re.fullmatch(r"decimal\s*\(\s*(\d{1,9})\s*,\s*(\d{1,9})\s*\)", text, re.ASCII)
    digits, places = (int(inner[1]), int(inner[2])) if inner else (0, 0)
    if not 1 <= digits <= _MOST_DIGITS or places > digits:
        raise ConfigError(
            f"type {text!r} is not known. A decimal says how many digits it has and how many of them after the point: "
            f"'decimal(12, 2)' for amounts up to 9999999999.99. Allowed: 1 to {_MOST_DIGITS} digits, at most all of them "
            "after the point"
        )
    return ColumnType(
        f"decimal({digits}, {places})", Kind.DECIMAL, pa.decimal128(digits, places), digits=digits, places=places
    )


def _local_text(text: str, zone: str, fold: str = "earlier") -> ColumnType:
    known = zone_names()
    if zone not in known:
        raise ConfigError(
            f"type {text!r}: no zone {zone!r} in the tzdata package{_hint(zone, known)}. "
            "Allowed: IANA names such as 'America/Tijuana'; for text with an offset use 'timestamp[iso]'"
        )
    if fold not in FOLDS:
        raise ConfigError(f"type {text!r}: fold {fold!r} is not known{_hint(fold, FOLDS)}. Allowed: {', '.join(FOLDS)}")
    canonical = f"timestamp[iso, {zone}, {fold}]"
    return ColumnType(canonical, Kind.TEXT_INSTANT, TIMESTAMP, zone=zone, fold=FOLDS.index(fold))


def _hint(word: str, allowed: tuple[str, ...] | frozenset[str]) -> str:
    near = difflib.get_close_matches(word, sorted(allowed), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


@dataclass(frozen=True)
class Field:
    """One column: where it is in the record and what type it has.

    Parameters
    ----------
    name : str
        The column's name, and the member's name in the record unless `path` is given.
    type : str
        One of `ALLOWED_TYPES`.
    required : bool
        A missing or null value makes the record a dead letter instead of a null.
    path : str or None
        Where the value is: member names joined by dots (``"meta.sensor.id"``), or a JSON pointer
        (``"/meta/sensor.id"``, RFC 6901) where a member's name holds a dot.

    Raises
    ------
    ConfigError
        For an unknown type, a reserved or unsafe name, or an empty path step.
    """

    name: str
    type: str
    required: bool = False
    path: str | None = None
    column: ColumnType = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.name in RESERVED or self.name.startswith(_RESERVED_PREFIX):
            raise ConfigError(
                f"column {self.name!r}: the name is reserved. Choose another and say where the value is "
                f"with path = {self.name!r}. Reserved: {', '.join(RESERVED)} and names that start with "
                f"{_RESERVED_PREFIX!r}"
            )
        for word in (self.name, *self.keys):
            _check_word(self.name, word)
        try:
            object.__setattr__(self, "column", parse_type(self.type))
        except ConfigError as refusal:
            raise ConfigError(f"column {self.name!r}: {refusal}") from None

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Member names from the top level down to the value."""
        if self.path is None:
            return (self.name,)
        if not self.path.startswith("/"):
            return tuple(self.path.split("."))
        return tuple(step.replace("~1", "/").replace("~0", "~") for step in self.path[1:].split("/"))

    @property
    def place(self) -> str:
        """How messages name the field."""
        return f"field {self.name!r}" if self.path is None else f"field {self.path!r} (column {self.name!r})"

    def describe(self) -> dict[str, Any]:
        """What results depend on, in its canonical spelling."""
        return {"name": self.name, "type": self.column.text, "required": self.required, "path": list(self.keys)}


def _check_word(column: str, word: str) -> None:
    if not word or not word.isprintable() or '"' in word or "\\" in word:
        raise ConfigError(
            f"column {column!r}: {word!r} cannot be a name. Allowed: printable text, at least one "
            "character, without quotes and backslashes"
        )
