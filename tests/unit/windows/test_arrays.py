"""What kernels are lent they only read."""

from __future__ import annotations

import gc

import numpy as np
import pyarrow as pa
import pytest

from arrowflow.types import RawBatch, RowBatch, SourcePartition
from arrowflow.windows.arrays import ready
from arrowflow.windows.spec import Aggregate, Hopping, Session, Sliding, Tumbling, WindowSpec

NUMBERS = (
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "var",
    "first",
    "last",
    "count_distinct",
    "time_weighted_mean",
    "coverage",
)
ASKED = (
    *(Aggregate(f"{f}_{c}", f, c) for c in "xi" for f in NUMBERS),
    *(Aggregate(f"half_{c}", "quantile", c, (0.5,)) for c in "xi"),
    *(Aggregate(f"{f}_s", f, "s") for f in ("count", "min", "max", "first", "last", "count_distinct")),
    *(Aggregate(f"{f}_d", f, "d") for f in ("sum", "min", "max", "mean")),
    Aggregate("weighted", "weighted_mean", "x", ("i",)),
    Aggregate("delta", "counter_delta", "x"),
)


def locked(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("window", [Tumbling(50), Hopping(50, 20), Session(3), Sliding(10)], ids=str)
def test_a_fold_leaves_its_rows_as_they_were(window):
    n, dice = 200, np.random.default_rng(4)

    def rows():
        columns = {
            "key": pa.array([f"k{i % 5}" for i in range(n)]).dictionary_encode(),
            "x": pa.array(dice.normal(size=n)),
            "i": pa.array(dice.integers(1, 100, n)),
            "s": pa.array([f"s{i % 7}" for i in range(n)]),
            "d": pa.array(dice.integers(-(10**6), 10**6, n)).cast(pa.decimal128(19, 0)),
        }
        return pa.table(columns), locked(dice.permutation(n)), locked(np.arange(n))

    table, event_us, offset = rows()
    dice = np.random.default_rng(4)
    same_table, same_event_us, same_offset = rows()
    nothing = pa.nulls(n, pa.binary())
    raw = RawBatch(SourcePartition("in", "t", 0), offset, event_us, np.zeros(n, np.bool_), nothing, nothing)
    schema = pa.schema(
        [(name, pa.string() if name == "key" else table.schema.field(name).type) for name in table.column_names]
    )
    operator = WindowSpec(window, ("key",), ASKED).build(schema)

    operator.fold(RowBatch(raw, locked(np.arange(n)), table, event_us, locked(np.full(n, -1))))
    operator.close_fed_by(None, "end")

    assert table.equals(same_table)
    assert event_us.tolist() == same_event_us.tolist()
    assert offset.tolist() == same_offset.tolist()


def test_memory_that_is_lent_is_not_copied_and_outlives_its_array():
    array = pa.array(range(1_000)).to_numpy()
    lent = ready(array, np.int64)
    address = array.__array_interface__["data"][0]
    del array
    gc.collect()

    assert lent.flags.writeable
    assert lent.__array_interface__["data"][0] == address
    assert lent.sum() == 499_500


def test_what_is_not_of_the_type_or_not_in_one_piece_is_copied():
    wide = np.arange(10)

    assert ready(wide[::2], np.int64).tolist() == [0, 2, 4, 6, 8]
    assert ready(wide.astype(np.int32), np.int64).dtype == np.int64
    assert ready(wide, np.int64) is wide
