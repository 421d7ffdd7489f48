"""Generated rows for windows, and an operator fed with them as the engine feeds it. Holds nothing against anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.protocols import OperatorSpec
from arrowflow.types import I64, PartitionClock, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.clocks import tick, watermark_us

HERE = SourcePartition("bench", "events", 0)
MINUTE_US = 60_000_000
SLICE = 100_000
PLANTS = ("monterrey", "guadalajara", "tijuana")
_KINDS: dict[str, pa.DataType] = {"plant": pa.string(), "key": pa.string(), "value": pa.float64()}
SCHEMA = pa.schema(_KINDS)


def generated(
    rows: int,
    keys: int,
    *,
    disorder: float = 0.1,
    hours: float = 8.0,
    zipf: float = 0.0,
    burst: int = 1,
    seed: int = 1,
) -> pa.Table:
    """Rows of one partition in the order in which they arrive.

    Parameters
    ----------
    rows, keys : int
        How many rows, and how many different keys they may have.
    disorder : float
        Share of the rows that come up to a minute late.
    hours : float
        Event time they spread over, from Unix time zero on.
    zipf : float
        Exponent of the keys' frequencies: 0 for all alike, 1 for the second half as often as the first.
    burst : int
        So many rows of a key come within eight seconds of each other.
    seed : int
        Another seed is another stream of the same kind.

    Returns
    -------
    Table
        ``plant`` and ``key`` (dictionaries), ``value`` (float64), ``event_us`` (int64).
    """
    dice = np.random.default_rng(seed)
    event_us = np.sort(dice.integers(0, int(hours * 3600e6), rows))
    code = _codes(dice, rows, keys, zipf)
    if burst > 1:
        code = np.repeat(code[::burst], burst)[:rows]
        event_us = np.repeat(event_us[::burst], burst)[:rows] + dice.integers(0, 8_000_000, rows)
        order = np.argsort(event_us, kind="stable")
        event_us, code = event_us[order], code[order]
    held = dice.random(rows) < disorder
    arrival = event_us + np.where(held, dice.integers(0, MINUTE_US, rows), 0)
    order = np.argsort(arrival, kind="stable")
    code = code[order]
    numbers = pc.cast(pa.array(np.arange(keys)), pa.string())
    names = pc.binary_join_element_wise("sensor", numbers, "-")  # type: ignore[call-overload]
    columns = {
        "plant": pa.DictionaryArray.from_arrays((code % len(PLANTS)).astype(np.int32), pa.array(PLANTS)),
        "key": pa.DictionaryArray.from_arrays(code, names),
        "value": dice.random(rows),
        "event_us": event_us[order],
    }
    return pa.table(columns)


def _codes(dice: np.random.Generator, rows: int, keys: int, zipf: float) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    if zipf == 0.0:
        return dice.integers(0, keys, rows).astype(np.int32)
    weight = np.cumsum(np.arange(1, keys + 1, dtype=np.float64) ** -zipf)
    rank = np.searchsorted(weight, dice.random(rows) * weight[-1])
    seat = dice.permutation(keys).astype(np.int32)  # frequent keys stand anywhere in the dictionary
    found: np.ndarray[tuple[int], np.dtype[np.int32]] = seat[np.minimum(rank, keys - 1)]
    return found


def batches_of(table: pa.Table, slice_rows: int = SLICE) -> list[RowBatch]:
    """The rows in slices as a decoder hands them over, clocks left out."""
    found = []
    for low in range(0, table.num_rows, slice_rows):
        rows = table.slice(low, slice_rows)
        n, nothing = rows.num_rows, pa.nulls(rows.num_rows, pa.binary())
        event_us = rows.column("event_us").to_numpy()
        raw = RawBatch(HERE, np.arange(low, low + n), event_us, np.zeros(n, np.bool_), nothing, nothing)
        found.append(RowBatch(raw, np.arange(n), rows, event_us, event_us))
    return found


def fed(
    spec: OperatorSpec, batches: Sequence[RowBatch], *, schema: pa.Schema = SCHEMA, tolerance_us: int = MINUTE_US
) -> pa.Table:
    """Fold all slices, each with its clock ticked and its windows closed behind it, and return every result row.

    Raises
    ------
    AssertionError
        If a row was late: these rows are never further out of order than they are allowed to be.
    """
    operator = spec.build(schema)
    clock, closed, folded = PartitionClock(), [], 0
    for batch in batches:
        ticked = tick(clock, batch.event_us, _all(len(batch)), None, tolerance_us)
        clock = ticked.clock
        said = operator.fold(RowBatch(batch.raw, batch.row, batch.table, batch.event_us, ticked.clock_us))
        folded += said.folded
        mark = watermark_us({HERE: clock}, tolerance_us)
        closed.append(operator.close({HERE: clock.clock_us(tolerance_us)}, 0 if mark is None else mark).table)
    closed.append(operator.close_fed_by(None, "end").table)
    assert folded == sum(len(batch) for batch in batches), f"{folded} rows were folded"
    return pa.concat_tables(closed)


def _all(n: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(n, np.bool_)


def times_of(table: pa.Table) -> I64:
    """Event times in the order of arrival."""
    return np.asarray(table.column("event_us").to_numpy(), np.int64)
