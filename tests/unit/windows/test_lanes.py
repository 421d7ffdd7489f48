from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from arrowflow.windows.lanes import Lane, Rare


@settings(deadline=None)
@given(st.data())
def test_a_lane_and_a_rare_one_hold_what_a_list_holds(data):
    """Of panes that are opened, changed and moved together at random; slots never used are blank."""
    lane, wide, rare, held = Lane(np.int64, -1), Lane(np.int64, 0, 2), Rare(), []
    for _ in range(data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(["open", "write", "keep"])):
            case "open":
                held += [None] * data.draw(st.integers(1, 90))
                for each in (lane, wide, rare):
                    each.fit(len(held))
            case "write" if held:
                slot, value = data.draw(st.integers(0, len(held) - 1)), data.draw(st.integers(-2, 2))
                lane.values[slot], wide.values[slot], rare.values[slot], held[slot] = value, value, value, value
            case "keep":
                slots = np.array([slot for slot in range(len(held)) if data.draw(st.integers(0, 9)) > 3], np.int64)
                held = [held[slot] for slot in slots]
                for each in (lane, wide, rare):
                    each.keep(slots)

        n = len(held)
        assert lane.values.tolist() == [-1 if value is None else value for value in held] + [-1] * (
            len(lane.values) - n
        )
        assert wide.values.tolist() == [[value or 0] * 2 for value in held] + [[0, 0]] * (len(wide.values) - n)
        assert [rare.values.get(slot, 0) for slot in range(n)] == [value or 0 for value in held]
        assert all(slot < n for slot, value in rare.values.items() if value)


def test_room_that_is_not_needed_is_given_back():
    lane = Lane(np.int64)
    lane.fit(1000)
    lane.keep(np.arange(400))
    assert len(lane.values) == 1000
    lane.keep(np.arange(100))
    assert len(lane.values) == 200


def test_copies_of_rare_integers_know_their_places():
    rare = Rare()
    rare.values[3], rare.values[5], rare.values[6] = 30, 0, 60

    assert rare.among(np.array([6, 5, 4, 3, 3])).tolist() == [0, 3, 4]
    assert dict(rare.copied(np.array([6, 5, 4, 3, 3]), 9)) == {0: 60, 3: 30, 4: 30}
    assert rare.values[3] == 30
