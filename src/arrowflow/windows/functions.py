"""What each aggregate is called, which types it takes and gives, and which family it belongs to. Computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import pyarrow as pa

Family = Literal["commutative", "ordered"]
"""Commutative: fold in any order. Ordered: rows wait for their neighbours in event time (none yet)."""


@dataclass(frozen=True, slots=True)
class Function:
    """One aggregate function.

    Parameters
    ----------
    family : "commutative" or "ordered"
        Decides how rows reach it and is written into the schema of the state.
    accumulator : str
        What it keeps while a window is open; functions with the same accumulator over the same column share it.
    output : callable
        From the column's type to the result's, None where the function does not take the type.
    takes : str
        The types it takes, in words, for error messages.
    """

    family: Family
    accumulator: str
    output: Callable[[pa.DataType], pa.DataType | None]
    takes: str


def is_text(kind: pa.DataType) -> bool:
    """Whether `kind` is a string type Arrow computes with; a string_view column is cast to the schema's type."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_float(kind: pa.DataType) -> bool:
    """Whether `kind` is float32 or float64."""
    return pa.types.is_float32(kind) or pa.types.is_float64(kind)


def is_instant(kind: pa.DataType) -> bool:
    """Whether `kind` is timestamp[us, UTC], the only timestamp inside."""
    return bool(kind == pa.timestamp("us", "UTC"))


def is_known(kind: pa.DataType) -> bool:
    """Whether the window core can hold values of `kind`."""
    whole = pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_date32(kind)
    return whole or is_float(kind) or is_text(kind) or is_instant(kind)


def _counted(_kind: pa.DataType) -> pa.DataType | None:
    return pa.int64()


def _summed(kind: pa.DataType) -> pa.DataType | None:
    if pa.types.is_integer(kind):
        return pa.int64()
    return pa.float64() if is_float(kind) else None


def _averaged(kind: pa.DataType) -> pa.DataType | None:
    return pa.float64() if pa.types.is_integer(kind) or is_float(kind) else None


def _same(kind: pa.DataType) -> pa.DataType | None:
    return kind if is_known(kind) else None


_ANY = "integers, floats, bool, timestamps, dates and strings"

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "count": Function("commutative", "count", _counted, "any column, or none for count(*)"),
        "sum": Function("commutative", "sum", _summed, "integers and floats"),
        "mean": Function("commutative", "sum", _averaged, "integers and floats"),
        "min": Function("commutative", "min", _same, _ANY),
        "max": Function("commutative", "max", _same, _ANY),
        "first": Function("commutative", "first", _same, _ANY),
        "last": Function("commutative", "last", _same, _ANY),
    }
)
