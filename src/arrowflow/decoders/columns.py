"""Whole columns at once: lists of what a fast parser read to Arrow arrays, doubtful rows marked, never judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.decoders.civil import MAX_INSTANT_US, MIN_INSTANT_US
from arrowflow.decoders.dialect import COERCIBLE, local_time, read_spelled
from arrowflow.decoders.iso import Read, read_dates, read_instants
from arrowflow.decoders.schema import TIMESTAMP, ColumnType, Kind
from arrowflow.decoders.verdict import Refused
from arrowflow.types import I64, Bool

Column: TypeAlias = "pa.Array[Any]"
Built: TypeAlias = "tuple[Column, Bool | None]"
"""An array, and which of its rows the dialect must judge (None: none of them); those are null."""
Builder: TypeAlias = "Callable[[list[Any]], Built]"

_I64_MIN, _I64_MAX = -(2**63), 2**63 - 1


def builder(column: ColumnType, *, coerce: bool) -> Builder:
    """Return the function that builds a column of this type from a list with None for nulls.

    The list holds str, bool, int (of any size), finite float, or the value's own text as bytes (`Kind.JSON`,
    `Kind.DECIMAL`); with `coerce` also str where a number or boolean is expected.
    """
    if column.kind is Kind.DECIMAL:
        return partial(_decimals, column, _plain(column), coerce)
    build = _builder(column)
    return partial(_spelled, column, build) if coerce and column.kind in COERCIBLE else build


def _builder(column: ColumnType) -> Builder:
    match column.kind:
        case Kind.STRING | Kind.BOOL:
            return lambda values: (pa.array(values, column.arrow), None)
        case Kind.JSON:
            return lambda values: (pa.array(values, pa.binary()).cast(pa.string()), None)
        case Kind.INTEGER:
            return partial(_integers, column.arrow, column.low, column.high)
        case Kind.FLOAT:
            return partial(_floats, column.arrow)
        case Kind.DECIMAL:
            raise AssertionError("decimals are built from texts")
        case Kind.INSTANT:
            return partial(_instants, column.per_second)
        case Kind.DATE:
            return partial(_texts, column.arrow, read_dates)
        case Kind.TEXT_INSTANT:
            return partial(_texts, TIMESTAMP, partial(read_instants, local=local_time(column)))


def _spelled(column: ColumnType, build: Builder, values: list[Any]) -> Built:
    """Build a column in which strings may stand for numbers; one that spells none is in doubt."""
    count = replace(column, kind=Kind.INTEGER, low=_I64_MIN, high=_I64_MAX) if column.kind is Kind.INSTANT else column
    doubt = np.zeros(len(values), np.bool_)
    for row, value in enumerate(values):
        if isinstance(value, str):
            try:
                values[row] = read_spelled(value, count)
            except Refused:
                values[row], doubt[row] = None, True
    return with_doubt(build(values), doubt)


def _integers(arrow: pa.DataType, low: int, high: int, values: list[int | None]) -> Built:
    try:
        return pa.array(values, arrow), None
    except (OverflowError, pa.ArrowInvalid):
        doubt = np.array([value is not None and not low <= value <= high for value in values], np.bool_)
        kept = [None if out else value for value, out in zip(values, doubt.tolist(), strict=True)]
        return pa.array(kept, arrow), doubt


def _floats(arrow: pa.DataType, values: list[float | None]) -> Built:
    """Build a float column without negative zeros; for float32, what does not fit is in doubt."""
    doubles, null = _dense(pa.array(values, pa.float64()), 0.0)
    return floats_of(arrow, doubles + 0.0, null)


def floats_of(arrow: pa.DataType, doubles: np.ndarray, null: Bool) -> Built:
    """Build a float column of doubles without negative zeros; what stands at nulls means nothing."""
    if arrow == pa.float64():
        return array_of(doubles, null, arrow), None
    with np.errstate(over="ignore", invalid="ignore"):
        floats = doubles.astype(np.float32) + np.float32(0.0)
    doubt = np.isinf(floats) & ~null
    return array_of(floats, null | doubt, arrow), doubt


def _plain(column: ColumnType) -> str:
    """Return the pattern of numbers that fit the column as they are written: digits, and at most its places."""
    before = column.digits - column.places
    whole = f"(0|[1-9][0-9]{{0,{before - 1}}})" if before else "0"
    return f"^-?{whole}(\\.[0-9]{{1,{column.places}}})?$" if column.places else f"^-?{whole}$"


def _decimals(column: ColumnType, plain: str, coerce: bool, values: list[bytes | None]) -> Built:
    """Build decimals from the texts of values (with `coerce`, in quotes too): plain ones all at once, others one by one."""
    texts = pa.array(values, pa.binary()).cast(pa.string())
    null = _null(texts)
    if coerce:
        texts = pc.utf8_trim(texts, '"')
    sure = pc.match_substring_regex(texts, plain)
    doubt = ~(sure.fill_null(False).to_numpy(zero_copy_only=False) | null)
    kept = pc.if_else(sure, texts, pa.scalar(None, pa.string())) if doubt.any() else texts
    return (
        _one_by_one(column, texts, (kept.cast(column.arrow), doubt)) if doubt.any() else (kept.cast(column.arrow), None)
    )


def _one_by_one(column: ColumnType, texts: Column, built: tuple[Column, Bool]) -> Built:
    """Read the numbers in doubt, such as 12.5000 and 1.25E7; what is none, or does not fit, stays in doubt."""
    array, doubt = built
    asked = np.flatnonzero(doubt)
    spelled: list[Any] = texts.take(pa.array(asked, pa.int64())).to_pylist()
    found = []
    for row, text in zip(asked.tolist(), spelled, strict=True):
        try:
            found.append(read_spelled(text, column))
        except Refused:
            continue
        doubt[row] = False
    mask = np.zeros(len(doubt), np.bool_)
    mask[asked] = ~doubt[asked]
    read: Column = pc.replace_with_mask(array, pa.array(mask, pa.bool_()), pa.array(found, column.arrow))
    return read, doubt


def _instants(per_second: int, values: list[int | None]) -> Built:
    """Build instants from counts of units since Unix time zero; below a microsecond rounds down."""
    units, too_large = _integers(pa.int64(), _I64_MIN, _I64_MAX, values)
    count, null = _dense(units, 0)
    first, last = counts_in_range(per_second)
    doubt = (count < first) | (count > last)
    if doubt.any():
        count = np.where(doubt, 0, count)
    instant_us = instants_of(count, per_second)
    return with_doubt((array_of(instant_us, null | doubt, pa.int64()).view(TIMESTAMP), doubt), too_large)


def instants_of(count: I64, per_second: int) -> I64:
    """Return microseconds since Unix time zero of counts in range; below a microsecond rounds down."""
    return count * (1_000_000 // per_second) if per_second <= 1_000_000 else count // (per_second // 1_000_000)


def counts_in_range(per_second: int) -> tuple[int, int]:
    """Return the first and last count of units whose instant is in range and that fit an int64."""
    first = MIN_INSTANT_US * per_second // 1_000_000
    last = (MAX_INSTANT_US + 1) * per_second // 1_000_000 - 1
    return max(first, _I64_MIN), min(last, _I64_MAX)


def _texts(arrow: pa.DataType, read: Read, values: list[str | None]) -> Built:
    return times_of(arrow, read, pa.array(values, pa.string()))


def times_of(arrow: pa.DataType, read: Read, texts: Column) -> Built:
    """Build dates or instants from text; text of any but the usual shapes is in doubt."""
    number, sure = read(texts)
    null = _null(texts)
    doubt = ~(sure | null)
    return array_of(number, null | doubt, number_type(arrow)).view(arrow), doubt


def number_type(arrow: pa.DataType) -> pa.DataType:
    """Return the integer type with the layout of a date or an instant."""
    return pa.int32() if arrow == pa.date32() else pa.int64()


def _dense(array: Column, filler: float) -> tuple[np.ndarray, Bool]:
    """Return the values as numpy, `filler` at nulls, and where the nulls are."""
    null = _null(array)
    return (array.fill_null(filler) if array.null_count else array).to_numpy(), null


def _null(array: Column) -> Bool:
    if not array.null_count:
        return np.zeros(len(array), np.bool_)
    return array.is_null().to_numpy(zero_copy_only=False)


def array_of(values: np.ndarray, null: Bool, arrow: pa.DataType) -> Column:
    """The values as a column, null where `null` is true."""
    return pa.array(values, arrow, mask=null if null.any() else None)


def with_doubt(built: Built, doubt: Bool | None) -> Built:
    """Add rows in doubt to what was built."""
    array, already = built
    if doubt is None or already is None:
        return array, doubt if already is None else already
    return array, already | doubt
