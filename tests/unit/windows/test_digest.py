from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles import digest as oracle

from arrowflow.windows.digest import digest_of, item_hashes

CENTS = pa.decimal128(38, 2)
SAMPLE = pa.struct([("at", pa.int64()), ("text", pa.string())])
ITEMS = [
    pytest.param(pa.int32(), "int", st.integers(-9, 9), id="int32"),
    pytest.param(pa.float64(), "float", st.floats(allow_nan=False), id="float64"),
    pytest.param(pa.string(), "bytes", st.text(max_size=3), id="string"),
    pytest.param(
        SAMPLE,
        "struct:at=int,text=bytes",
        st.fixed_dictionaries({"at": st.integers(-9, 9), "text": st.none() | st.text(max_size=2)}),
        id="struct",
    ),
]


@pytest.mark.parametrize(("kind", "word", "values"), ITEMS)
@settings(deadline=None)
@given(data=st.data())
def test_the_digest_of_lists_equals_the_oracle(kind, word, values, data):
    lists = data.draw(st.lists(st.none() | st.lists(st.none() | values, max_size=4), min_size=1, max_size=5))
    table = pa.table({"x": pa.array(lists, pa.list_(kind))})

    assert digest_of(table) == oracle.digest([f"lists:{word}"], [[each] for each in lists])
    assert digest_of(table.slice(1)) == oracle.digest([f"lists:{word}"], [[each] for each in lists[1:]])


@pytest.mark.parametrize(("kind", "word", "values"), ITEMS)
@settings(deadline=None)
@given(data=st.data())
def test_the_hash_of_a_value_equals_the_oracle(kind, word, values, data):
    items = data.draw(st.lists(st.none() | values, max_size=5))

    assert item_hashes(pa.array(items, kind)).tolist() == [oracle.item_hash(word, item) for item in items]


@pytest.mark.parametrize(
    ("left", "right"),
    [([[1, 2]], [[2, 1]]), ([[1], [2]], [[1, 2], []]), ([[]], [None]), ([[None]], [[]]), ([[0]], [[None]])],
)
def test_lists_that_differ_in_order_length_or_nulls_have_other_digests(left, right):
    kind = pa.list_(pa.int64())

    assert digest_of(pa.table({"x": pa.array(left, kind)})) != digest_of(pa.table({"x": pa.array(right, kind)}))


def test_decimals_are_hashed_by_their_unscaled_value():
    found = item_hashes(pa.array([Decimal("-0.05"), Decimal("1.00")], CENTS)).tolist()

    assert found == [oracle.item_hash("decimal", -5), oracle.item_hash("decimal", 100)]
