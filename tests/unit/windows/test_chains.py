"""Snapshots in parts and deltas after them: the last word on a pane counts, wherever tables are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.windows import Row
from tests.unit.windows.drive import Drive, batch_of
from tests.unit.windows.test_room import SCHEMA

from arrowflow.phases.snapshots import Parts, encode
from arrowflow.types import SourcePartition
from arrowflow.windows import chains
from arrowflow.windows.chains import LastWords, blocks, pieces
from arrowflow.windows.digest import digest_of
from arrowflow.windows.spec import Aggregate, Hopping, Session, Tumbling, WindowSpec

HERE = SourcePartition("in", "t", 0)
PANES = st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2), st.integers(0, 2)), max_size=12)


@settings(deadline=None)
@given(st.lists(PANES, min_size=1, max_size=4), st.integers(0, 4))
def test_the_first_word_met_is_the_last_one_of_its_table(tables, known):
    """Tables come newest first; in the oldest, keys from `known` on were never met and cannot have been spoken of."""
    words, spoken = LastWords(2), set()
    for place, panes in enumerate(tables):
        oldest = place == len(tables) - 1
        keys = known if oldest else 99
        if oldest:
            panes = list(dict.fromkeys(panes))
            spoken = {pane for pane in spoken if pane[0] < keys}
        columns = [np.array([pane[i] for pane in panes], np.int64) for i in range(3)]

        rows = words.among(columns[0], columns[1:], keys).tolist()

        last = {pane: row for row, pane in enumerate(panes) if pane not in spoken}
        assert rows == sorted(last.values())
        spoken |= set(panes)


def test_blocks_and_pieces_leave_nothing_out(monkeypatch):
    monkeypatch.setattr(chains, "BLOCK", 3)
    table = Drive(WindowSpec(Tumbling(1), ("k",), (Aggregate("n", "count"),)), SCHEMA).operator.snapshot()

    assert [block.tolist() for block in blocks(np.arange(7))] == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(blocks(np.arange(0))) == []
    assert [piece.num_rows for piece in pieces(table)] == [0], "its schema is still to be looked at"


def rows(n, first=0):
    values = {"x": 1.5, "s": "on", "i": 1, "d": None}
    return [Row("t", 0, first + i, first + i, (f"k{i % 3}",), values) for i in range(n)]


@pytest.mark.parametrize("window", [Tumbling(2), Hopping(4, 2), Session(1), Session(1, 3)], ids=repr)
@pytest.mark.parametrize("aggregate", [("sum", "x"), ("coverage", "x")], ids=str)
def test_a_state_written_in_parts_comes_back_with_its_deltas_and_goes_on(monkeypatch, window, aggregate):
    monkeypatch.setattr(chains, "BLOCK", 4)
    spec = WindowSpec(window, ("k",), (Aggregate("n", "count"), Aggregate("a", *aggregate)), 20, "partition")
    drive = Drive(spec, SCHEMA)
    drive.fold(rows(40))
    drive.operator.close({HERE: 30}, 30)  # tombstones and touched panes are there when the parts are written

    data = encode(drive.operator.parts())
    assert len(Parts(data)) > 2
    assert drive.operator.delta().num_rows == 0, "what was written counts as told"
    drive.fold(rows(30, 40))
    first = drive.operator.delta()
    closed = drive.operator.close_fed_by(None, "end").table
    drive.fold(rows(10, 200))
    deltas = [first, drive.operator.delta()]

    other, third = spec.build(SCHEMA), spec.build(SCHEMA)
    other.restore(Parts(data), [first])
    assert other.close_fed_by(None, "end").table.equals(closed)
    third.restore(Parts(data), deltas)
    assert third.digest() == drive.operator.digest() == digest_of(third.snapshot())
    assert third.delta().num_rows == 0
    in_parts = spec.build(SCHEMA)
    in_parts.restore(Parts(data), Parts(*(encode(pieces(delta)) for delta in deltas)))
    assert in_parts.digest() == drive.operator.digest(), "a delta may come in parts"
    last = rows(10, 208)
    drive.fold(last)
    third.fold(batch_of(last, SCHEMA, ("k",), np.zeros(10, np.int64)))
    assert third.digest() == drive.operator.digest(), "panes are found again"


def test_an_empty_state_is_one_part_with_a_schema_and_comes_back():
    operator = WindowSpec(Tumbling(2), ("k",), (Aggregate("n", "count"),)).build(SCHEMA)
    parts = Parts(encode(operator.parts()))

    assert [part.num_rows for part in parts] == [0]
    assert parts[0].schema == operator.snapshot().schema
    assert [part.num_rows for part in parts[:5]] == [0]
    operator.restore(parts, [])
    assert operator.digest() == "0" * 32
