"""Which keys are expected in every window: the description, and what it means for keys of one schema. Counts nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.errors import ConfigError
from arrowflow.windows.arrays import Array, Field
from arrowflow.windows.columns import whole
from arrowflow.windows.functions import is_text

MOST_KEYS = 1_000_000
MOST_NAMES = 20
"""So many missing keys are named in a row; `expected - reported` says how many there are."""
REPORTED, NO_DATA, UNEXPECTED = "reported", "no_data", "unexpected"
COMPLETENESS: tuple[Field, ...] = (
    pa.field("status", pa.string()),
    pa.field("reported", pa.int64()),
    pa.field("expected", pa.int64()),
    pa.field("missing", pa.list_(pa.string())),
)
"""The columns a roster adds to every result row, before ``__af_closed_by``."""

_WINDOWS_OF_SILENCE, _DAYS_OF_SILENCE, _WINDOWS_A_DAY = 1000, 366, 4
_ROWS_OF_SILENCE = 250_000
"""Unless told otherwise, so many rows at once: what one wild time stamp may cost."""
_MOST_ROWS = 20_000_000
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Roster:
    """Keys that are expected in every window.

    Parameters
    ----------
    keys : Table
        One row per expected key, one column per group key, in any order.
    per : tuple of str or None
        Group keys within whose values keys are counted: ``("plant",)`` gives "29 of 30" for each plant. None counts all
        keys of a window together; with a calendar, those of each value of its key, whose windows are the same.
    max_silence_us : int or None
        Windows in which no key at all was heard are given out until their end is this far behind that of the last one
        in which some key was. None: a thousand windows, with a calendar 366 days; less where that would be more than
        250,000 rows (four windows a day with a calendar).

    Raises
    ------
    ConfigError
        For a roster that is empty, or what cannot be one whatever the rows are; see `plan_roster` for the rest.
    """

    keys: pa.Table = field(hash=False)
    per: tuple[str, ...] | None = None
    max_silence_us: int | None = None

    def __post_init__(self) -> None:
        if not self.keys.num_rows:
            raise ConfigError("roster: it has no keys: list those that are expected, or leave the roster out")
        if self.keys.num_rows > MOST_KEYS:
            raise ConfigError(f"roster: it has {self.keys.num_rows} keys; at most {MOST_KEYS} are allowed")
        for name in self.keys.column_names:
            if self.keys.column_names.count(name) > 1:
                raise ConfigError(f"roster: two of its columns are called {name!r}; rename one")
        if self.max_silence_us is not None and self.max_silence_us < 0:
            raise ConfigError(f"roster: max_silence is {self.max_silence_us} µs; it must not be negative")

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on; which keys they are may change at a restart, so they are a count and a digest."""
        names = sorted(self.keys.column_names)
        rows = zip(*(_plain(self.keys.column(name)).to_pylist() for name in names), strict=True)
        lines = sorted(map(json.dumps, rows))
        digest = hashlib.sha256("\n".join([json.dumps(names), *lines]).encode()).hexdigest()
        per = None if self.per is None else list(self.per)
        return {"per": per, "max_silence_us": self.max_silence_us, "keys": {"count": len(lines), "sha256": digest}}


@dataclass(frozen=True, slots=True, eq=False)
class PlannedRoster:
    """A roster whose keys have the types of the rows' keys.

    Parameters
    ----------
    columns : tuple of Array[k]
        The expected keys, one array per group key, in the order of `group_by`; all distinct.
    per : tuple of int
        Which of them keys are counted within; with a calendar its key comes first.
    silence_us : int
        See `Roster.max_silence_us`.
    """

    columns: tuple[Array, ...]
    per: tuple[int, ...]
    silence_us: int


def plan_roster(
    roster: Roster, fields: Sequence[Field], *, stride_us: int | None, calendar_key: str | None
) -> PlannedRoster:
    """Check a roster against the group keys.

    Parameters
    ----------
    roster : Roster
        As given.
    fields : sequence of Field
        The group keys.
    stride_us : int or None
        How far apart windows end; None where a calendar says it.
    calendar_key : str or None
        The group key that picks a calendar.

    Raises
    ------
    ConfigError
        For columns that are missing or not asked for, values that are no keys, keys listed twice, a `per` that is none,
        or more rows of silence than could be given out at once.
    """
    names = [each.name for each in fields]
    _check_columns(roster.keys.column_names, names)
    columns = tuple(_in_type(each, roster.keys.column(each.name)) for each in fields)
    _refuse_twice(names, columns)
    per = _per(roster.per, names, calendar_key)
    silence_us = roster.max_silence_us
    if silence_us is None:
        silence_us = _silence_us(roster.keys.num_rows, stride_us)
    if stride_us is not None and roster.keys.num_rows * (silence_us // stride_us) > _MOST_ROWS:
        most = _MOST_ROWS // roster.keys.num_rows * stride_us
        raise ConfigError(
            f"roster: {roster.keys.num_rows} keys in {silence_us // stride_us} silent windows would be more than "
            f"{_MOST_ROWS} rows at once; set max_silence to at most {most} µs"
        )
    return PlannedRoster(columns, tuple(names.index(name) for name in per), silence_us)


def _silence_us(keys: int, stride_us: int | None) -> int:
    """How long silence goes on unless something else is asked for."""
    windows = max(1, _ROWS_OF_SILENCE // keys)
    if stride_us is None:
        return min(_DAYS_OF_SILENCE, max(1, windows // _WINDOWS_A_DAY)) * _DAY_US
    return min(_WINDOWS_OF_SILENCE, windows) * stride_us


def describe_key(fields: Sequence[Field], columns: Sequence[Array], row: int) -> str:
    """Name one key in a message."""
    return ", ".join(f"{each.name} = {column[row].as_py()!r}" for each, column in zip(fields, columns, strict=True))


def _plain(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """Times and dates as integers: Python's do not reach as far as Arrow's."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date64(column.type):
        return column.cast(pa.int64())
    return column.cast(pa.int32()) if pa.types.is_date32(column.type) else column


def _check_columns(own: Sequence[str], names: Sequence[str]) -> None:
    if not names:
        raise ConfigError("roster: it lists group keys, and there are none: name the columns in group_by")
    for name in own:
        if name not in names:
            raise ConfigError(f"roster: its column {name!r} is no group key; the group keys are {', '.join(names)}")
    for name in names:
        if name not in own:
            raise ConfigError(f"roster: the column {name!r} is missing; it needs one for each group key")


def _in_type(wanted: Field, column: pa.ChunkedArray[Any]) -> Array:
    """The column in the type of the key: text is read as what the key is, numbers if each stays the same number."""
    kind = column.type.value_type if isinstance(column.type, pa.DictionaryType) else column.type
    text = is_text(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if not (kind == wanted.type or text or pa.types.is_null(kind) or _is_alike(kind, wanted.type)):
        raise ConfigError(
            f"roster: column {wanted.name!r} is {kind}, and the rows' is {wanted.type}; give it in that type, or as text"
        )
    plain = column.cast(kind)
    try:
        return whole(plain, wanted.type)
    except pa.ArrowInvalid:
        row, value = _first_unfit(plain, wanted.type)
        raise ConfigError(f"roster: {wanted.name} = {value!r} in row {row + 1} is no {wanted.type}") from None


def _is_alike(kind: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_integer(kind):
        return pa.types.is_integer(wanted)
    if isinstance(kind, pa.TimestampType):
        return kind.tz is not None and pa.types.is_timestamp(wanted)
    return pa.types.is_date(kind) and pa.types.is_date(wanted)


def _first_unfit(column: pa.ChunkedArray[Any], wanted: pa.DataType) -> tuple[int, object]:
    for row in range(len(column)):
        try:
            column.slice(row, 1).cast(wanted)
        except pa.ArrowInvalid:
            return row, column[row].as_py()
    raise AssertionError("a column fits whose values do")


def _refuse_twice(names: Sequence[str], columns: Sequence[Array]) -> None:
    table = pa.Table.from_arrays(list(columns), names=list(names))
    counted = table.group_by(list(names)).aggregate([([], "count_all")])
    twice = counted.filter(pc.greater(counted.column("count_all"), pa.scalar(1))).select(list(names))
    if twice.num_rows:
        fields = [pa.field(name, column.type) for name, column in zip(names, columns, strict=True)]
        first = describe_key(fields, [whole(column, column.type) for column in twice.columns], 0)
        rest = f", and {twice.num_rows - 1} more" if twice.num_rows > 1 else ""
        raise ConfigError(f"roster: the key {first} is there twice{rest}; list each key once")


def _per(per: Sequence[str] | None, names: Sequence[str], calendar_key: str | None) -> tuple[str, ...]:
    own = () if calendar_key is None else (calendar_key,)
    if per is None:
        return own
    for name in per:
        if name not in names:
            raise ConfigError(
                f"roster: per names {name!r}, which is no group key; the group keys are {', '.join(names)}"
            )
        if list(per).count(name) > 1:
            raise ConfigError(f"roster: per names {name!r} twice")
    if calendar_key is not None and calendar_key not in per:
        raise ConfigError(
            f"roster: per must contain {calendar_key!r}, the key of the calendar: each of its values has windows of its own"
        )
    if len(per) == len(names) and names != [calendar_key]:
        raise ConfigError(
            f"roster: per names every group key, so that each count would be of one key; leave one of {', '.join(names)} out"
        )
    return (*own, *(name for name in per if name not in own))
