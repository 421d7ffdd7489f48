"""What each aggregate is called, which types it takes and gives, and which family it belongs to. Computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import pyarrow as pa

from arrowflow.windows.parameters import (
    CARRY_FOR,
    DECIMAL,
    LIMIT,
    MODULUS,
    QUALITY,
    QUANTILE,
    STATE,
    WEIGHTS,
    Parameter,
)

Family = Literal["commutative", "ordered"]
"""Commutative: fold in any order. Ordered: samples are kept and put in the order of event time when a window ends."""


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
        From the column's type and the arguments to the result's type, None where the function does not take them.
    takes : str
        The types it takes, in words, for error messages.
    parameters : tuple of Parameter
        What may follow the column, in order.
    """

    family: Family
    accumulator: str
    output: Callable[[pa.DataType, tuple[object, ...]], pa.DataType | None]
    takes: str
    parameters: tuple[Parameter, ...] = ()

    def usage(self, name: str) -> str:
        """How it is written, for error messages: ``quantile(column, q)``."""
        rest = (f"[{each.name}]" if each.optional else each.name for each in self.parameters)
        return f"{name}({', '.join(['column', *rest])})"

    def read(self, given: tuple[object, ...]) -> tuple[object, ...]:
        """Return one argument per parameter, defaults where none was given; an optional one that does not fit is passed over.

        Raises
        ------
        ValueError
            With half a sentence about the argument that is wrong, missing or too many.
        """
        found: list[object] = []
        rest = list(given)
        for parameter in self.parameters:
            fits = bool(rest) and parameter.accepts(rest[0])
            if fits:
                found.append(rest.pop(0))
            elif parameter.optional:
                found.append(parameter.default)
            elif rest:
                raise ValueError(f"{parameter.name} is {rest[0]!r}; it must be {parameter.allowed}")
            else:
                raise ValueError(f"{parameter.name} is missing: {parameter.allowed}")
        if rest:
            wanted = "; ".join(f"{each.name} is {each.allowed}" for each in self.parameters if each.optional)
            raise ValueError(f"the argument {rest[0]!r} has no meaning" + (f" ({wanted})" if wanted else ""))
        return tuple(found)


def is_text(kind: pa.DataType) -> bool:
    """Whether `kind` is a string type Arrow computes with; a string_view column is cast to the schema's type."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_float(kind: pa.DataType) -> bool:
    """Whether `kind` is float32 or float64."""
    return pa.types.is_float32(kind) or pa.types.is_float64(kind)


def is_decimal(kind: pa.DataType) -> bool:
    """Whether `kind` is decimal128, the only decimal inside."""
    return pa.types.is_decimal128(kind)


def is_number(kind: pa.DataType) -> bool:
    """Whether `kind` is an integer, float or decimal type."""
    return pa.types.is_integer(kind) or is_float(kind) or is_decimal(kind)


def is_instant(kind: pa.DataType) -> bool:
    """Whether `kind` is timestamp[us, UTC], the only timestamp inside."""
    return bool(kind == pa.timestamp("us", "UTC"))


def is_known(kind: pa.DataType) -> bool:
    """Whether the window core can hold values of `kind` in 64 bits, or as text."""
    whole = pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_date32(kind)
    return whole or is_float(kind) or is_text(kind) or is_instant(kind)


def is_kept(kind: pa.DataType) -> bool:
    """Whether the table of the state may have a column of `kind`, and its digest covers it."""
    if isinstance(kind, pa.StructType):
        return all(is_kept(kind.field(i).type) for i in range(kind.num_fields))
    if isinstance(kind, pa.ListType):
        return is_kept(kind.value_type)
    if isinstance(kind, pa.FixedSizeListType):
        return pa.types.is_integer(kind.value_type)
    return is_known(kind) or is_decimal(kind) or pa.types.is_binary(kind)


def scale_of(kind: pa.DataType) -> int:
    """Places after the point of a decimal type, 0 for any other."""
    return kind.scale if isinstance(kind, pa.Decimal128Type) else 0


def _counted(_kind: pa.DataType, _arguments: tuple[object, ...]) -> pa.DataType | None:
    return pa.int64()


def _summed(kind: pa.DataType, arguments: tuple[object, ...]) -> pa.DataType | None:
    if arguments[0] is not None:
        return pa.decimal128(38, 0) if pa.types.is_integer(kind) else None
    if pa.types.is_integer(kind):
        return pa.int64()
    if is_decimal(kind):
        return pa.decimal128(38, scale_of(kind))
    return pa.float64() if is_float(kind) else None


def _averaged(kind: pa.DataType, _arguments: tuple[object, ...]) -> pa.DataType | None:
    if is_decimal(kind):
        return pa.decimal128(38, scale_of(kind) + 4) if scale_of(kind) <= 34 else None
    return pa.float64() if is_number(kind) else None


def _same(kind: pa.DataType, _arguments: tuple[object, ...]) -> pa.DataType | None:
    return kind if is_known(kind) or is_decimal(kind) else None


def _distinct(kind: pa.DataType, _arguments: tuple[object, ...]) -> pa.DataType | None:
    return pa.int64() if is_known(kind) or is_decimal(kind) else None


def _real(kind: pa.DataType, _arguments: tuple[object, ...]) -> pa.DataType | None:
    return pa.float64() if is_number(kind) else None


def _over_time(kind: pa.DataType, _arguments: tuple[object, ...]) -> pa.DataType | None:
    return pa.float64() if pa.types.is_integer(kind) or is_float(kind) else None


def _counted_up(kind: pa.DataType, _arguments: tuple[object, ...]) -> pa.DataType | None:
    if pa.types.is_integer(kind):
        return pa.int64()
    return pa.float64() if is_float(kind) else None


def _in_time(kind: pa.DataType, _arguments: tuple[object, ...]) -> pa.DataType | None:
    return pa.float64() if is_known(kind) else None


_WORDED = "integers, floats, bool, timestamps, dates and strings"
_ANY = "integers, floats, decimals, bool, timestamps, dates and strings"
_NUMBERS = "integers, floats and decimals"
_BINARY = "integers and floats"

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "count": Function("commutative", "count", _counted, "any column, or none for count(*)"),
        "sum": Function("commutative", "sum", _summed, f'{_NUMBERS}, and only integers with "decimal"', (DECIMAL,)),
        "mean": Function("commutative", "sum", _averaged, f"{_NUMBERS} of up to 34 places"),
        "min": Function("commutative", "min", _same, _ANY),
        "max": Function("commutative", "max", _same, _ANY),
        "first": Function("commutative", "first", _same, _ANY),
        "last": Function("commutative", "last", _same, _ANY),
        "var": Function("commutative", "moments", _real, _NUMBERS),
        "stddev": Function("commutative", "moments", _real, _NUMBERS),
        "count_distinct": Function("commutative", "distinct", _distinct, _ANY, (LIMIT,)),
        "quantile": Function("commutative", "buckets", _real, _NUMBERS, (QUANTILE,)),
        "weighted_mean": Function("commutative", "weighted", _real, _NUMBERS, (WEIGHTS,)),
        "quality_mean": Function("commutative", "quality", _real, _NUMBERS, (QUALITY,)),
        "time_weighted_mean": Function("ordered", "trace", _over_time, _BINARY, (CARRY_FOR,)),
        "counter_delta": Function("ordered", "trace", _counted_up, _BINARY, (MODULUS, CARRY_FOR)),
        "time_in_state": Function("ordered", "trace", _in_time, _WORDED, (STATE, CARRY_FOR)),
        "coverage": Function("ordered", "trace", _in_time, _WORDED, (CARRY_FOR,)),
    }
)
