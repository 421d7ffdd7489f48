"""Key values as numbers: equal ones get one number, null is apart from empty, whatever type and form they come in."""

import datetime as dt
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrowflow.windows.kernels.texts import hash_text, index_texts, intern_texts
from arrowflow.windows.keys import Values
from arrowflow.windows.texts import Texts

UTC = pa.timestamp("us", "UTC")
FIRST, LAST = dt.date(1, 1, 1), dt.date(9999, 12, 31)

TEXT = ["", "a", "b", "ab", "é", "\0", "\0\0", "a\0", "abcdefgh", "abcdefghi", "abcdefgh\0", "x" * 300]
TYPES = {
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.binary(): [text.encode() for text in TEXT],
    pa.large_binary(): [b"\xff", b"", b"\xff\0"],
    pa.int8(): [-128, -1, 0, 127],
    pa.int64(): [-(2**63), -1, 0, 1, 2**63 - 1],
    pa.uint64(): [0, 1, 2**63, 2**64 - 1],
    pa.bool_(): [True, False],
    pa.date32(): [FIRST, dt.date(1969, 12, 31), LAST],
    UTC: [dt.datetime(1, 1, 2, tzinfo=dt.UTC), dt.datetime(1970, 1, 1, tzinfo=dt.UTC)],
}


def numbered(values, batches, kind):
    """Number batch after batch beside a dict that learns the same values, and compare."""
    known = {}
    for batch in batches:
        number = values.number(pa.array(batch, kind)).tolist()
        for value, each in zip(batch, number, strict=True):
            assert known.setdefault(value, each) == each, (value, each)
    assert sorted(known.values()) == list(range(len(values)))
    assert len(set(known.values())) == len(known)
    order = np.array(list(known.values()), np.int64)
    assert values.take(order).type == kind
    assert values.take(order).to_pylist() == list(known)


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_every_value_of_every_type_has_one_number_and_comes_back(kind):
    @settings(deadline=None)
    @given(st.lists(st.lists(st.sampled_from([None, *TYPES[kind]]), max_size=40), max_size=6))
    def check(batches):
        numbered(Values(kind), batches, kind)

    check()


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_a_dictionary_a_slice_and_the_plain_column_get_the_same_numbers(kind):
    values = Values(kind)
    batch = [None, *TYPES[kind], None, *TYPES[kind][:1]] * 9  # enough rows per value for the other way to be taken
    column = pa.array(batch, kind)
    plain = values.number(column)
    assert len(values) == 1 + len(TYPES[kind])

    assert values.number(column).tolist() == plain.tolist()
    assert values.number(column.dictionary_encode()).tolist() == plain.tolist()
    assert values.number(column.dictionary_encode("encode")).tolist() == plain.tolist()
    assert values.number(column.slice(3, 7)).tolist() == plain[3:10].tolist()
    assert values.number(column.slice(len(column))).tolist() == []
    assert len(values) == 1 + len(TYPES[kind])


def test_a_dictionary_with_nulls_and_twins_in_it_is_read_by_value():
    values = Values(pa.string())
    twins = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3, None]), pa.array(["a", None, "a", ""]))

    number = values.number(twins).tolist()

    assert number[0] == number[2]
    assert number[1] == number[4]
    assert len({number[0], number[1], number[3]}) == len(values) == 3
    assert values.take(np.array(number)).to_pylist() == ["a", None, "a", "", None]


def test_empty_and_null_stay_apart_whichever_is_first():
    for batch in (["", None], [None, ""]):
        values = Values(pa.string())
        for each in batch:
            values.number(pa.array([each], pa.string()))
        for _ in range(200):  # tables grow and are filled anew: null must not be found as the empty string
            values.number(pa.array([f"{len(values)}"], pa.string()))

        assert values.number(pa.array(batch, pa.string())).tolist() == [0, 1]
        assert values.take(np.arange(2)).to_pylist() == batch


def test_a_slice_of_a_large_column_does_not_copy_what_is_behind_it():
    column = pa.array(["x" * 100] * 50_000 + ["y"])
    values = Values(pa.string())

    values.number(column.slice(50_000))

    assert values.nbytes < 2_000


def test_strings_take_no_more_than_their_bytes_and_a_few_words():
    values = Texts(pa.string())
    names = pa.array([f"sensor-{n:07d}" for n in range(1 << 15)])

    values.intern(names)

    # Powers of two all of them: 4 of the hash, 8 of the edge, 8 of the table, and the bytes with up to as much room.
    assert len(values) == 1 << 15
    assert values.nbytes < (1 << 15) * (4 + 8 + 8 + 2 * 14) + 100


def test_hashes_say_nothing_of_where_the_bytes_lie():
    data = np.frombuffer(b"..abcdefghijk..abcdefghijk\0", np.uint8).copy()
    places = [(2, 13), (15, 26)]

    first, second = (hash_text(data, np.uint64(a), np.uint64(b)) for a, b in places)

    assert first == second
    assert hash_text(data, np.uint64(15), np.uint64(27)) != first
    assert hash_text(data, np.uint64(15), np.uint64(15)) != hash_text(data, np.uint64(26), np.uint64(27))


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.binary(max_size=20)), max_size=60), st.integers(0, 6), st.integers(0, 300))
def test_the_kernel_equals_a_dict_and_stops_where_there_is_no_room(texts, bits, room):
    capacity = 1 << bits
    index, hashes = np.full(2 * capacity, -1, np.int32), np.empty(capacity, np.uint32)
    known_edge, known = np.zeros(capacity + 1, np.int64), np.empty(room, np.uint8)
    edge = np.cumsum([0, *(len(text or b"") for text in texts)])
    data = np.frombuffer(b"".join(text or b"" for text in texts), np.uint8).copy()
    valid = np.array([text is not None for text in texts], np.bool_)
    number = np.full(len(texts), 77, np.int64)

    row, used = intern_texts(edge, data, valid, 0, 0, -5, number, index, hashes, known_edge, known)

    oracle: dict = {}
    stopped = len(texts)
    for i, text in enumerate(texts):
        fits = len(oracle) < capacity and sum(map(len, oracle)) + len(text or b"") <= room
        if text is not None and text not in oracle and not fits:
            stopped = i
            break
        if text is not None:
            oracle.setdefault(text, len(oracle))
    assert (row, used) == (stopped, len(oracle))
    assert number[:row].tolist() == [-5 if text is None else oracle[text] for text in texts[:row]]
    assert (number[row:] == 77).all()
    assert [known[a:b].tobytes() for a, b in pairwise(known_edge[: used + 1].tolist())] == [*oracle]

    again = np.full(len(index), -1, np.int32)
    index_texts(hashes, used, -1, again)
    assert sorted(again[again >= 0].tolist()) == list(range(used))
    assert intern_texts(edge[: row + 1], data, valid[:row], 0, used, -5, number[:row], again, hashes, known_edge, known) == (row, used)  # fmt: skip


@pytest.mark.parametrize("come", [b"cd", b"abc"], ids=["as long", "longer"])
def test_strings_of_one_hash_are_told_apart_by_their_length_and_bytes(come):
    # One that is known lies where the other belongs and is said to have its hash; "c" is garbage behind it.
    hashed = int(hash_text(np.frombuffer(come, np.uint8).copy(), np.uint64(0), np.uint64(len(come))))
    index, hashes = np.full(8, -1, np.int32), np.array([hashed & 0xFFFFFFFF, 0, 0, 0], np.uint32)
    index[hashed & 7] = 0
    known_edge, known = np.array([0, 2, 0, 0, 0]), np.frombuffer(b"abc.....", np.uint8).copy()
    data = np.frombuffer(come + b"ab", np.uint8).copy()
    number = np.empty(1, np.int64)

    intern_texts(
        np.array([0, len(come)]), data, np.ones(1, np.bool_), 0, 1, -1, number, index, hashes, known_edge, known
    )

    assert number.tolist() == [1]
    assert known[2:].tobytes().startswith(come)
