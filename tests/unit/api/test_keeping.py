"""An operator's state is one table that another process goes on from, or refuses with what differs."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from tests.unit.api.frames import at, table

import arrowflow as af
from arrowflow.errors import StateRefused

ROWS = [("a", 1.0, 5, 0), ("b", 2.0, 70, 0), ("a", 3.0, 8, 0)]


def minutes(window=None, by="line", aggregate=None, **settings):
    described = {"time": "ts", "max_out_of_orderness": "10s", **settings}
    return af.WindowOperator(window or af.Tumbling("1m"), by, aggregate or {"n": "count()"}, **described)


def pushed(**settings):
    op = minutes(**settings)
    op.push(table(ROWS[:2]))
    return op


def test_a_snapshot_survives_a_parquet_file(tmp_path):
    op = pushed()
    pq.write_table(op.snapshot(), tmp_path / "state.parquet")
    other = minutes()

    other.restore(pq.read_table(tmp_path / "state.parquet"))

    assert (other.watermark, other.balance, other.open_windows) == (op.watermark, op.balance, op.open_windows)
    assert other.snapshot().equals(op.snapshot(), check_metadata=True)
    other.push(table(ROWS[2:]))
    assert other.late["_offset"].to_pylist() == [2]


def test_a_snapshot_of_nothing_is_restored_too():
    op = minutes(partitions=[4])
    other = minutes()

    other.restore(op.snapshot())

    assert other.push(table(ROWS), partition=5).num_rows == 0
    assert other.watermark is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"window": af.Tumbling("2m")}, "window was"),
        ({"by": ()}, "group_by was"),
        ({"aggregate": {"n": "count(speed)"}}, "aggregates was"),
        ({"time": "when"}, "time was ts, is when"),
        ({"scope": "partition"}, "scope was pipeline, is partition"),
    ],
    ids=str,
)
def test_a_snapshot_of_another_description_is_refused_by_what_differs(settings, says):
    with pytest.raises(StateRefused, match=says):
        minutes(**settings).restore(pushed().snapshot())


def test_what_is_no_snapshot_is_refused_and_changes_nothing():
    op = pushed()
    snapshot = op.snapshot()
    note = json.loads(snapshot.schema.metadata[b"arrowflow.operator"])
    newer = snapshot.replace_schema_metadata({b"arrowflow.operator": json.dumps({**note, "version": 2})})
    broken = snapshot.replace_schema_metadata({b"arrowflow.operator": b"{"})

    for state, says in ((table(ROWS), "no snapshot"), (newer, "version 2"), (broken, "cannot be read")):
        with pytest.raises(StateRefused, match=says):
            op.restore(state)

    assert op.snapshot().equals(snapshot, check_metadata=True)


def test_the_state_can_be_read_as_a_table_of_open_windows():
    state = pushed().snapshot().select(["key.line", "window_start_us", "rows"])

    assert state.to_pylist() == [{"key.line": "b", "window_start_us": 60_000_000, "rows": 1}]


@pytest.mark.parametrize(
    ("settings", "floor"),
    [
        ({}, 60),
        ({"max_out_of_orderness": "30s"}, 60),
        ({"max_out_of_orderness": "1s"}, 69),
        ({"allowed_lateness": "20s"}, 80),
        ({"allowed_lateness": "20s", "max_out_of_orderness": "30s"}, 80),
    ],
    ids=str,
)
def test_other_tolerances_are_taken_and_no_clock_falls(settings, floor):
    """A window that came out at watermark 60 s under no patience must not open again under 20 s of it."""
    op = pushed()
    other = minutes(**settings)

    other.restore(op.snapshot())

    assert other.watermark == at(floor)
    other.push(table(ROWS[2:]))
    assert other.late["_offset"].to_pylist() == [2]
