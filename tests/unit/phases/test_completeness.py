"""A roster through the engine: silent keys in the files, once, over restarts, damaged state and another roster."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pytest
from tests.support.small import SECOND_US, pipeline, rows, window
from tests.unit.phases.test_idleness import BUSY, PATIENT, QUIET, follow
from tests.unit.phases.test_recovery import CAUGHT_UP, TO_THE_END, flip_a_bit, records, state_files

from arrowflow.engine import start
from arrowflow.errors import StateRefused
from arrowflow.testing.answers import read_rows
from arrowflow.testing.observer import RecordingObserver
from arrowflow.windows.spec import Roster

STREAM = rows(
    *((key, second, second / 8) for second in range(0, 90, 3) for key in "ab" if (second // 10) % 3 or key == "b")
)
EXPECTED = {"a": {0, 30, 60}, "c": set(range(0, 90, 10))}
"""The windows in which a key of the roster is silent."""


def called(keys="abc", **settings):
    return replace(window(), roster=Roster(pa.table({"k": list(keys)}), **settings))


def told(folder):
    found = read_rows(folder / "small" / "out", ["k", "window_start", "n", "status", "reported", "expected", "missing"])
    return sorted(
        (
            row["k"],
            int(row["window_start"].timestamp()),
            row["n"],
            row["status"],
            row["reported"],
            row["expected"],
            *row["missing"],
        )
        for row in found
    )


def right():
    found = []
    for begin in range(0, 90, 10):
        missing = [key for key in "ac" if begin in EXPECTED[key]]
        for key in "abc":
            n = None if key in missing else len([second for second in range(0, 90, 3) if begin <= second < begin + 10])
            status = "no_data" if key in missing else "reported"
            found.append((key, begin, n, status, 3 - len(missing), 3, *missing))
    return sorted(found)


def grow(folder, upto, options=CAUGHT_UP, operator=None, **kwargs):
    return start(pipeline(folder, STREAM[:upto], operator=operator or called(), **kwargs), options).result()


def test_silent_keys_are_in_the_files_once_however_often_the_job_is_started(tmp_path):
    for upto in (10, 11, 25, 25, 40):
        grow(tmp_path, upto)
    grow(tmp_path, len(STREAM), TO_THE_END)
    grow(tmp_path, len(STREAM), TO_THE_END)

    assert told(tmp_path) == right()
    balance = grow(tmp_path, len(STREAM), TO_THE_END).balance
    assert balance.read == balance.folded == 0


@pytest.mark.parametrize("damaged", [slice(-1, None), slice(None)], ids=["the newest", "all"])
def test_damaged_state_is_rebuilt_and_the_roll_is_called_from_where_it_was(damaged, tmp_path):
    for upto in (15, 25, 35):
        grow(tmp_path, upto)
    for path in state_files(tmp_path)[damaged]:
        flip_a_bit(path)

    observer = RecordingObserver()
    start(pipeline(tmp_path, STREAM, operator=called()), TO_THE_END, observer=observer).result()

    assert any("rebuilding the state" in str(event) for event in observer.events)
    assert told(tmp_path) == right()


def test_when_everybody_is_idle_windows_without_data_come_until_the_silence_is_too_long(tmp_path):
    """The sample happened long ago, so by the engine's clock it is silent for years."""
    advancing = replace(PATIENT, when_all_idle="advance")
    spec = called("ab", max_silence_us=35 * SECOND_US)

    def silent():
        out = tmp_path / "small" / "out"
        return {row[1] for row in told(tmp_path) if row[4] == 0} if out.exists() else set()

    follow(tmp_path, [*BUSY, *QUIET], until=lambda: silent() == {100, 110, 120}, event_time=advancing, operator=spec)

    assert silent() == {100, 110, 120}


def test_other_keys_on_the_roster_are_let_through_and_count_from_the_next_window_on(tmp_path):
    grow(tmp_path, 25)
    before, observer = told(tmp_path), RecordingObserver()
    start(pipeline(tmp_path, STREAM, operator=called("abd")), TO_THE_END, observer=observer).result()

    assert (
        sum(
            "lists other keys" in str(event) and "record was written (as many)" in str(event)
            for event in observer.events
        )
        == 1
    )
    after = told(tmp_path)
    assert set(before) < set(after)
    boundary = max(row[1] for row in before)
    assert {row[-1] for row in after if row[1] > boundary and row[3] == "no_data"} == {"d"}
    assert len(after) == len(right())
    rosters = [record["fingerprint"]["query"]["operator"]["roster"]["keys"] for record in records(tmp_path)]
    assert len({json.dumps(roster) for roster in rosters}) == 2, "each record says which roster it counted by"


def test_state_damaged_before_another_roster_came_is_rebuilt_all_the_same(tmp_path):
    for upto in (15, 25):
        grow(tmp_path, upto)
    for path in state_files(tmp_path):
        flip_a_bit(path)
    before, observer = told(tmp_path), RecordingObserver()

    start(pipeline(tmp_path, STREAM, operator=called("abcd")), TO_THE_END, observer=observer).result()

    assert any("record was written (4, and 3 then)" in str(event) for event in observer.events)
    after = told(tmp_path)
    assert set(before) < set(after)
    assert len(after) == len(set(after))


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        (called(max_silence_us=SECOND_US), "completeness.max_silence: (none) -> 1s"),
        (window(), "completeness: (keys "),
    ],
)
def test_how_a_roster_counts_may_not_change_nor_may_it_come_or_go(operator, said, tmp_path):
    grow(tmp_path, 25)

    with pytest.raises(StateRefused) as refused:
        grow(tmp_path, 30, operator=operator)

    assert said in str(refused.value)
