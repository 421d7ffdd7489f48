from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrowflow.windows import order as module
from arrowflow.windows.order import order_of

LOW, HIGH = -(2**63), 2**63 - 1
VALUES = st.one_of(st.integers(-3, 3), st.integers(LOW, HIGH), st.sampled_from([LOW, HIGH, 0]), st.integers(0, 2**35))


@settings(deadline=None)
@given(
    st.integers(1, 3).flatmap(lambda width: st.sets(st.tuples(*[VALUES] * width), max_size=30).map(list)), st.randoms()
)
def test_rows_are_ordered_as_tuples_are(rows, dice):
    dice.shuffle(rows)
    columns = [np.array([row[c] for row in rows], np.int64) for c in range(len(rows[0]) if rows else 1)]

    assert [rows[place] for place in order_of(*columns)] == sorted(rows)


@pytest.mark.parametrize(
    ("rows", "sorts"),
    [
        ([(0, 5, 9), (0, 6, 9), (10, 1, 19)], []),  # in order already
        ([(10, 5, 19), (0, 6, 9), (0, 5, 9)], ["argsort"]),  # together they fit into one word
        ([(2**40, 5, 2**41), (0, 6, 2**40), (0, 5, 2**40)], ["argsort"]),  # the first two tell them apart
        ([(2**40, 5, 2**41), (0, 5, 2**40), (0, 5, 2**39)], ["argsort", "lexsort"]),
        ([(HIGH, 0, 0), (LOW, 0, 0)], ["argsort", "lexsort"]),
    ],
)
def test_no_more_is_sorted_than_tells_rows_apart(monkeypatch, rows, sorts):
    asked = []

    class Watched:
        def __getattr__(self, name):
            if name in ("argsort", "lexsort"):
                asked.append(name)
            return getattr(np, name)

    monkeypatch.setattr(module, "np", Watched())
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)]

    assert [rows[place] for place in order_of(*columns)] == sorted(rows)
    assert asked == sorts
