from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from arrowflow.errors import ConfigError, StateRefused
from arrowflow.types import MIN_US, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.spec import PassThroughSpec

SCHEMA = pa.schema([pa.field("v", pa.int64())])


def batch(rows, raw_rows=3):
    empty = pa.nulls(raw_rows, pa.binary())
    raw = RawBatch(
        SourcePartition("in", "t", 5),
        np.arange(10, 10 + raw_rows),
        np.array([1_000, MIN_US, 3_000]),
        np.zeros(raw_rows, np.bool_),
        empty,
        empty,
    )
    index = np.array(rows, np.int64)
    zero = np.zeros(len(rows), np.int64)
    return RowBatch(raw, index, pa.table({"v": pa.array(index, pa.int64())}, schema=SCHEMA), zero, zero)


def test_rows_go_through_with_where_they_came_from():
    operator = PassThroughSpec().build(SCHEMA)

    folded = operator.fold(batch([0, 1]))

    assert folded.folded == 2
    assert folded.passed.schema == operator.output_schema()
    stamps = folded.passed.column("_timestamp").cast(pa.int64())
    assert folded.passed.drop_columns(["_timestamp"]).append_column("_timestamp", stamps).to_pylist() == [
        {"v": 0, "_topic": "t", "_partition": 5, "_offset": 10, "_timestamp": 1_000},
        {"v": 1, "_topic": "t", "_partition": 5, "_offset": 11, "_timestamp": None},
    ]


def test_no_rows_pass_as_no_rows():
    folded = PassThroughSpec().build(SCHEMA).fold(batch([]))

    assert (folded.folded, folded.passed.num_rows, folded.late, folded.rejects) == (0, 0, None, ())


def test_it_keeps_and_closes_nothing():
    operator = PassThroughSpec().build(SCHEMA)
    operator.fold(batch([0, 1, 2]))

    assert (operator.open_windows, operator.folded_rows, operator.digest()) == (0, 0, "0" * 32)
    for closed in (operator.close({}, 10**9), operator.close_fed_by(None, "end_of_input")):
        assert (closed.table.num_rows, closed.folded_rows, closed.windows, dict(closed.floors)) == (0, 0, 0, {})
    operator.restore(operator.snapshot(), [operator.delta()])


def test_the_state_of_a_window_is_refused():
    with pytest.raises(StateRefused, match="has columns rows but this pipeline has no window"):
        PassThroughSpec().build(SCHEMA).restore(pa.table({"rows": [1]}), [])


@pytest.mark.parametrize("name", ["_topic", "_offset", "__af_epoch"])
def test_a_column_with_a_reserved_name_is_refused(name):
    with pytest.raises(ConfigError, match="reserved"):
        PassThroughSpec().build(pa.schema([pa.field(name, pa.int64())]))
