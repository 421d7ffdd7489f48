"""A closing that has nothing to give out looks at no pane, and no closing gives anything out later for it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.windows import Row
from tests.unit.windows.drive import Drive, batch_of, partition_of

from arrowflow.types import MIN_US
from arrowflow.windows.spec import Aggregate, Cumulative, Hopping, Session, Sliding, Tumbling, WindowSpec
from arrowflow.windows.state import State

SCHEMA = pa.schema([pa.field("k", pa.string()), pa.field("x", pa.float64())])
COUNT = (Aggregate("n", "count"),)
WINDOWS = {
    "tumbling": Tumbling(10),
    "hopping": Hopping(20, 5),
    "cumulative": Cumulative(20, 5),
    "session": Session(4),
    "pieces": Session(4, 9),
    "sliding": Sliding(7),
}
SCOPES = ("pipeline", "partition")
TWINS = {
    **{
        f"{name}, {scope}": WindowSpec(window, ("k",), COUNT, 3, scope)
        for name, window in WINDOWS.items()
        for scope in SCOPES
    },
    "corrected": WindowSpec(Tumbling(10), ("k",), COUNT, 0, correct_for_us=30),
    "carried": WindowSpec(Tumbling(10_000), ("k",), (Aggregate("m", "time_weighted_mean", "x", ("1ms",)),)),
}


def driven(spec):
    drive = Drive(spec, SCHEMA, tolerance=2)
    return drive.know(partition_of(row(0, partition)) for partition in range(2))


def row(event, partition=0, offset=0):
    return Row("t", partition, offset, event, (f"{partition}",), {"x": 1.0})


def closed(drive):
    before = len(drive.outcome.results)
    drive.close()
    return drive.outcome.results[before:]


@pytest.mark.parametrize("name", list(TWINS))
@settings(deadline=None)
@given(data=st.data())
def test_every_closing_gives_what_one_that_looks_at_all_panes_gives(name, data):
    ours, thorough = driven(TWINS[name]), driven(TWINS[name])
    offset, unit = 0, 1000 if name == "carried" else 1
    for _ in range(data.draw(st.integers(1, 8))):
        partition, times = data.draw(st.integers(0, 1)), data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=5))
        rows = [row(unit * time, partition, offset + place) for place, time in enumerate(times)]
        offset += len(rows)
        for drive in (ours, thorough):
            drive.fold(rows)
        if data.draw(st.booleans()):
            for drive in (ours, thorough):
                drive.deltas.append(drive.operator.delta())
                drive.crash(full=False)
        for _again in range(2):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(State, "quiet_us", MIN_US)
                expected = closed(thorough)
            assert closed(ours) == expected
            assert ours.operator.digest() == thorough.operator.digest()
    if name != "corrected":
        assert ours.finish() == thorough.finish()


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("window", [Tumbling(10), Hopping(20, 5), Cumulative(20, 5), Session(4)])
def test_a_closing_that_is_early_asks_for_no_pane(monkeypatch, window, scope):
    drive = driven(WindowSpec(window, ("k",), COUNT, 0, scope))
    asked = []
    looked = type(drive.operator._kind).due
    monkeypatch.setattr(type(drive.operator._kind), "due", lambda kind, held: asked.append(1) or looked(kind, held))
    for event in range(100, 130):
        for partition in range(2):
            drive.fold([row(event, partition, event)])
        drive.close()

    windows = len(drive.outcome.results)
    assert len(asked) < 12, "once per end that the clock reaches, not at each of thirty closings"
    assert windows > 0 or isinstance(window, Session)


@pytest.mark.parametrize(
    ("window", "least"), [(Tumbling(10), 10), (Hopping(20, 5), 10), (Cumulative(20, 5), 10), (Session(4), 12)]
)
def test_what_is_awaited_is_the_least_limit_that_gives_something(window, least):
    operator = driven(WindowSpec(window, ("k",), COUNT)).operator
    operator.fold(batch_of([row(7)], SCHEMA, ("k",), np.array([MIN_US])))

    assert operator.close({}, least - 1).windows == 0
    assert operator._state.quiet_us == least
    assert operator.close({}, least).windows == 1


def test_a_sample_carried_on_is_forgotten_when_it_expires_though_no_window_is_due():
    operator = driven(TWINS["carried"]).operator
    operator.fold(batch_of([row(9_500)], SCHEMA, ("k",), np.array([MIN_US])))
    assert operator.close({}, 10_000).windows == 1
    assert operator.digest() != "0" * 32

    operator.close({}, 20_500)
    assert operator.digest() != "0" * 32
    operator.close({}, 20_501)

    assert operator.digest() == "0" * 32
