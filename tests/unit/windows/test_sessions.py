from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from arrowflow.types import MIN_US
from arrowflow.windows.kernels.sessions import NEWER, OLDER
from arrowflow.windows.kinds.panes import Panes
from arrowflow.windows.seats import Chained

GAP = 4


class Lists:
    """Open sessions by slot as (key, first, last), found by looking at all of them."""

    def __init__(self):
        self.open, self.used = {}, 0

    def seat(self, key, event):
        near = [
            slot
            for slot, (own, first, last) in self.open.items()
            if own == key and first is not None and first - GAP <= event <= last + GAP
        ]
        near.sort(key=lambda slot: self.open[slot][1])
        if not near:
            near, self.used = [self.used], self.used + 1
            self.open[near[0]] = (key, event, event)
        times = [event, *(time for slot in near for time in self.open[slot][1:])]
        for slot in near[1:]:
            del self.open[slot]
        self.open[near[0]] = (key, min(times), max(times))
        return near[0], near[1:]


def seen(chained):
    columns = (chained.key.tolist(), chained.start_us.tolist(), chained.end_us.tolist())
    return {
        slot: (key, None, None) if first == MIN_US else (key, first, end - GAP)
        for slot, (key, first, end) in enumerate(zip(*columns, strict=True))
        if key >= 0
    }


def walked(chained, key):
    """The sessions of a key as its chain has them, latest first; looked at from both ends."""
    held, found = chained._sessions.values, []
    at = chained._newest.values[key] if key < len(chained._newest.values) else -1
    while at >= 0:
        assert held[at, NEWER] == (found[-1] if found else -1)
        found.append(int(at))
        at = held[at, OLDER]
    return found


@settings(deadline=None)
@given(st.data())
def test_sessions_are_found_left_and_moved_as_lists_of_them_are(data):
    chained, lists = Chained(GAP), Lists()
    for _ in range(data.draw(st.integers(1, 8))):
        match data.draw(st.sampled_from(["seat", "seat", "forget", "keep", "carry"])):
            case "seat":
                rows = data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), max_size=9))
                key, event = (np.array([row[c] for row in rows], np.int64) for c in range(2))
                panes = Panes.whole(event, event, np.zeros(len(rows), np.int8))
                seated = chained.seat(key, panes, event)
                expected = [lists.seat(*row) for row in rows]
                assert seated.source.tolist() == [gone for _slot, absorbed in expected for gone in absorbed]
                chained.forget(seated.source)
                own = [lists.open[slot] for slot in seated.slot.tolist()]
                assert all(o == k and first <= e <= last for (o, first, last), (k, e) in zip(own, rows, strict=True))
            case "forget":
                slots = [slot for slot in lists.open if data.draw(st.booleans())]
                chained.forget(np.array(slots, np.int64))
                for slot in slots:
                    del lists.open[slot]
            case "keep":
                slots, turn = sorted(lists.open), data.draw(st.integers(0, 2))
                key = np.array([(lists.open[slot][0] + turn) % 3 for slot in slots], np.int64)
                chained.keep(np.array(slots, np.int64), key)
                held = [lists.open[slot][1:] for slot in slots]
                lists.open = {at: (own, *times) for at, (own, times) in enumerate(zip(key.tolist(), held, strict=True))}
                lists.used = len(slots)
            case "carry":  # what the state keeps for a key sits among the sessions and is none
                one = np.array([data.draw(st.integers(0, 5))])
                chained.take(one, np.array([MIN_US]), np.array([MIN_US]), np.zeros(1, np.int64))
                lists.open[lists.used], lists.used = (int(one[0]), None, None), lists.used + 1

        assert chained.used == lists.used
        assert seen(chained) == lists.open
        for key in range(3):
            own = [(first, slot) for slot, (k, first, _last) in lists.open.items() if k == key and first is not None]
            assert walked(chained, key) == [slot for _first, slot in sorted(own, reverse=True)]
