"""The kernels that walk records, beside plain Python, on sound bytes and on any bytes at all."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.oracles import kafka as oracle

from arrowflow.sources.kafka.wire.kernels import records as kernels
from arrowflow.testing.kafka import WireRecord, packed_records

STATUS = {
    "ok": kernels.OK, "past end": kernels.PAST_END, "bad length": kernels.BAD_LENGTH, "bad offset": kernels.BAD_OFFSET,
    "bad headers": kernels.BAD_HEADERS, "left over": kernels.LEFT_OVER,
}  # fmt: skip

texts = st.one_of(st.none(), st.binary(max_size=200))
names = st.text(max_size=5)
wire_records = st.builds(
    WireRecord,
    value=texts,
    key=texts,
    headers=st.lists(st.tuples(names, st.one_of(st.none(), st.binary(max_size=80))), max_size=3).map(tuple),
    delta=st.none(),
    after_ms=st.integers(-(2**40), 2**40),
)


def array(data):
    return np.frombuffer(bytearray(data), np.uint8)


def walked(data, at, stop, count, last):
    table = np.full((kernels.FIELDS, count + 1), -7, np.int64)
    status, place = kernels.walk(array(data), at, stop, count, last, table, 1)
    assert (table[:, 0] == -7).all()
    return status, place, [tuple(column) for column in table[:, 1:].T.tolist()]


def check(data, at, stop, count, last):
    wanted, place, rows = oracle.walk(data, at, stop, count, last)
    status, there, found = walked(data, at, stop, count, last)
    assert (status, there) == (STATUS[wanted], place)
    assert found[: len(rows)] == rows


@given(st.binary(max_size=12), st.integers(0, 3))
def test_varint_equals_its_oracle_on_any_bytes(data, at):
    assert kernels.varint(array(data), at, len(data)) == oracle.varint(data, at, len(data))


@given(st.lists(wire_records, max_size=20), st.binary(max_size=5), st.binary(max_size=5))
def test_walk_equals_its_oracle_on_sound_records_anywhere_in_a_buffer(records, before, behind):
    body = packed_records(records)
    data = before + body + behind

    check(data, len(before), len(before) + len(body), len(records), max(len(records) - 1, 0))


@given(st.lists(wire_records, min_size=1, max_size=6), st.data())
def test_walk_equals_its_oracle_on_bytes_that_were_changed(records, data):
    body = bytearray(packed_records(records))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    stop = data.draw(st.integers(0, len(body)))

    check(body, 0, stop, data.draw(st.integers(0, len(records) + 2)), data.draw(st.integers(0, 8)))


@given(st.binary(max_size=60), st.integers(0, 9), st.integers(0, 2**31 - 1))
def test_walk_equals_its_oracle_on_any_bytes(data, count, last):
    check(data, 0, len(data), count, last)


def test_sizes_near_the_ends_of_int64_are_bad_lengths_and_nothing_wraps():
    for huge in (2**63 - 1, -(2**63), 2**62, 2**61, -2):
        size = oracle_zigzag(huge)
        assert walked(size + b"\0" * 8, 0, len(size) + 8, 1, 0)[0] == kernels.BAD_LENGTH
        inner = b"\0\0\0" + size + b"\0" * 8
        data = oracle_zigzag(len(inner)) + inner
        assert walked(data, 0, len(data), 1, 0)[0] == (kernels.BAD_LENGTH)
        inner = b"\0\0\0\1\1" + size + b"\0" * 8
        data = oracle_zigzag(len(inner)) + inner
        assert walked(data, 0, len(data), 1, 0)[0] == kernels.BAD_HEADERS


def oracle_zigzag(value):
    raw, out = (value << 1 ^ value >> 63) % 2**64, bytearray()
    while raw > 0x7F:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    return bytes([*out, raw])


@given(st.lists(st.one_of(st.none(), st.binary(max_size=50)), max_size=30), st.integers(0, 9))
def test_gather_equals_its_oracle(values, at):
    data = b"".join(value or b"" for value in values) + b"x"
    start, size, place = [], [], 0
    for value in values:
        start.append(place)
        size.append(-1 if value is None else len(value))
        place += len(value or b"")
    out, ends = np.zeros(at + place + 3, np.uint8), np.zeros(len(values), np.int32)
    valid = np.zeros(len(values), np.bool_)

    stop = kernels.gather(array(data), np.array(start, np.int64), np.array(size, np.int64), out, ends, at, valid)

    edges = [at, *ends.tolist()]
    found = [bytes(out[a:b]) if good else None for a, b, good in zip(edges, edges[1:], valid, strict=False)]
    assert found == values == oracle.gather(data, list(zip(start, size, strict=True)))
    assert (stop, bytes(out[:at]), bytes(out[stop:])) == (at + place, b"\0" * at, b"\0" * 3)


@given(st.lists(wire_records, min_size=1, max_size=6), st.data())
def test_headers_equal_their_oracle_on_sound_and_on_changed_bytes(records, data):
    body = bytearray(packed_records(records))
    _, _, rows = oracle.walk(body, 0, len(body), len(records), len(records) - 1)
    places = [(row[6], row[8], row[7]) for row in rows]
    for _ in range(data.draw(st.integers(0, 2))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    wanted = oracle.headers(body, places)
    start, stop, count = (np.array(column, np.int64) for column in zip(*places, strict=True))
    table = np.zeros((4, int(count.sum())), np.int64)

    wrong = kernels.headers(array(body), start, stop, count, table.shape[1], table)

    if isinstance(wanted, int):
        assert wrong == wanted
    else:
        assert wrong == -1
        name, value = ([(s, n) for s, n in zip(*table[i : i + 2].tolist(), strict=True)] for i in (0, 2))
        pairs = list(zip(oracle.gather(body, name), oracle.gather(body, value), strict=True))
        assert pairs == [pair for each in wanted for pair in each]
