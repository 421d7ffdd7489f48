from __future__ import annotations

import pyarrow as pa
import pytest
from tests.oracles.windows import Row
from tests.unit.windows.custom import Spread
from tests.unit.windows.drive import Drive

from arrowflow.errors import PromiseBroken, StateRefused
from arrowflow.testing.aggregates import check_aggregate
from arrowflow.windows.spec import Aggregate, Hopping, Tumbling, WindowSpec

SCHEMA = pa.schema([pa.field("k", pa.string()), pa.field("v", pa.int64())])
VALUES = pa.array([3, None, -7, 2**62, 3, 0, 11], pa.int64())


class Quiet(Spread):
    """Base of the broken ones: sums of values, plainly."""

    name = "quiet"

    def output(self, kind):
        return pa.int64()

    def state(self, kind):
        return pa.int64()

    def initial(self):
        return 0

    def add(self, state, values):
        return state + sum(values.to_pylist()) % 1000

    def merge(self, left, right):
        return left + right

    def finish(self, state):
        return state


class Ordered(Quiet):
    def add(self, state, values):
        return 31 * state + values[-1].as_py()


class Greedy(Quiet):
    """Not the sum of its parts."""

    def add(self, state, values):
        return state + max(values.to_pylist()) % 1000


class Blank(Quiet):
    def initial(self):
        return 1


class Changed(Quiet):
    def state(self, kind):
        return pa.list_(pa.int64())

    def initial(self):
        return []

    def add(self, state, values):
        return sorted([*state, *values.to_pylist()])

    def merge(self, left, right):
        left.extend(right)
        left.sort()
        return left

    def finish(self, state):
        return len(state)


class Loose(Quiet):
    """Keeps a tuple, which comes back from the state as a list."""

    def state(self, kind):
        return pa.list_(pa.int64())

    def initial(self):
        return ()

    def add(self, state, values):
        return tuple(sorted((*state, *values.to_pylist())))

    def finish(self, state):
        return len(state)


def test_a_function_that_keeps_its_promises_passes():
    check_aggregate(Spread(), VALUES)
    check_aggregate(Spread(5), VALUES.slice(2, 1))
    check_aggregate(Spread(), pa.array([], pa.int64()))


@pytest.mark.parametrize(
    ("function", "law"),
    [
        (Ordered(), "permutation and split"),
        (Greedy(), "permutation and split"),
        (Blank(), "merge"),
        (Changed(), "never changed in place"),
        (Loose(), "as_py"),
    ],
    ids=lambda each: type(each).__name__ if not isinstance(each, str) else "",
)
def test_a_function_that_breaks_a_law_is_caught_by_its_name(function, law):
    with pytest.raises(AssertionError, match=law):
        check_aggregate(function, VALUES)


def test_a_type_that_is_not_taken_is_named():
    with pytest.raises(AssertionError, match="spread does not take string"):
        check_aggregate(Spread(), pa.array(["a"]))


def rows(*values, key="a"):
    return [Row("t", 0, i, at, (key,), {"v": value}) for i, (at, value) in enumerate(values)]


@pytest.mark.parametrize("window", [Tumbling(100), Hopping(100, 50)], ids=["tumbling", "hopping"])
def test_a_function_of_your_own_goes_through_windows_crashes_and_panes(window):
    spec = WindowSpec(window, ("k",), (Aggregate("spread", Spread(), "v"), Aggregate("n", "count")))
    drive = Drive(spec, SCHEMA, 1000)
    held = rows((10, 5), (60, None), (70, 12), (90, -1), (10, 4))
    for row in held:
        drive.fold([row])
        drive.close()
        drive.crash(full=False)

    found = {row["window_start"]: (row["spread"], row["n"]) for row in drive.finish().results}

    assert found[0] == (13, 5)
    if isinstance(window, Hopping):
        assert (found[-50], found[50]) == ((1, 2), (13, 3))


def test_over_no_values_the_function_itself_says_what_comes_out():
    drive = Drive(
        WindowSpec(Tumbling(100), ("k",), (Aggregate("s", Spread(), "v"), Aggregate("q", Quiet(), "v"))), SCHEMA
    )
    drive.fold(rows((1, None)))

    (row,) = drive.finish().results

    assert (row["s"], row["q"]) == (None, 0)


def test_a_state_of_another_setting_is_refused():
    one, other = (WindowSpec(Tumbling(100), ("k",), (Aggregate("s", Spread(n), "v"),)) for n in (0, 1))
    drive = Drive(one, SCHEMA)
    drive.fold(rows((1, 1)))

    with pytest.raises(StateRefused, match=r"arrowflow\.aggregates"):
        other.build(SCHEMA).restore(drive.operator.snapshot(), [])


class Liar(Spread):
    def finish(self, state):
        return "three"


class Hoarder(Spread):
    def add(self, state, values):
        return "three"


def test_a_result_or_state_of_another_type_than_promised_stops_the_job():
    liar = Drive(WindowSpec(Tumbling(100), ("k",), (Aggregate("s", Liar(), "v"),)), SCHEMA)
    liar.fold(rows((1, 1)))
    hoarder = Drive(WindowSpec(Tumbling(100), ("k",), (Aggregate("s", Hoarder(), "v"),)), SCHEMA)
    hoarder.fold(rows((1, 1)))

    with pytest.raises(PromiseBroken, match=r"spread of 'v' promised results of type decimal128\(38, 0\)"):
        liar.finish()
    with pytest.raises(PromiseBroken, match="spread of 'v' promised states of type struct"):
        hoarder.operator.snapshot()
