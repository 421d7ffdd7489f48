"""Record batches cut, judged and unpacked: what a reader may see, and what cannot be right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrowflow.sources.kafka.lanes import Lane
from arrowflow.sources.kafka.wire.batches import Aborted, cut
from arrowflow.sources.kafka.wire.faults import Malformed, NotUnderstood
from arrowflow.sources.kafka.wire.sheet import Sheet, columns, header_lists, joined
from arrowflow.testing import kafka
from arrowflow.testing.kafka import WireRecord, marker, packed_batch
from arrowflow.types import Hidden, SourcePartition

LIMIT = 1 << 20
CODECS = [kafka.NONE, kafka.GZIP, kafka.SNAPPY, kafka.LZ4, kafka.ZSTD, kafka.XERIAL]
PART = SourcePartition("kafka", "t", 0)


def array(data):
    return np.frombuffer(bytearray(data), np.uint8)


def values(*texts):
    return [WireRecord(text) for text in texts]


def read(data, wanted=0, aborted=(), rows=10_000):
    """What a lane gives of these bytes: (offset, value) pairs and the lane."""
    lane, sheet, found = Lane(PART, wanted, -1), Sheet(LIMIT), []
    lane.take(cut(array(data), aborted, wanted).batches)
    while lane.full:
        lane.give(sheet, rows, LIMIT)
    if lane.pieces:
        told = columns(joined(lane.pieces))
        found = list(zip(told.offset.tolist(), told.value.to_pylist(), strict=True))
    return found, lane


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_gives_its_records_back(codec):
    records = [
        WireRecord(b"v" * 70_000, b"k", (("h", b"1"), ("h", None))),
        WireRecord(None, None, after_ms=5),
        WireRecord(b"", b"", after_ms=-7),
    ]
    sheet = Sheet(LIMIT)
    (batch,) = cut(array(packed_batch(40, records, codec=codec, base_ms=1000)), (), 0).batches

    pieces = [sheet.add(batch)]

    told = columns(pieces)
    assert told.offset.tolist() == [40, 41, 42]
    assert told.timestamp_us.tolist() == [1_000_000, 1_005_000, 993_000]
    assert told.key.to_pylist() == [b"k", None, b""]
    assert told.value.to_pylist() == [b"v" * 70_000, None, b""]
    assert header_lists(pieces).to_pylist() == [[("h", b"1"), ("h", None)], [], []]


def test_a_batch_that_is_not_whole_is_left_for_the_next_request():
    data = packed_batch(0, values(b"a", b"b")) + packed_batch(2, values(b"c"))
    for missing in range(1, len(packed_batch(2, values(b"c")))):
        found = cut(array(data[:-missing]), (), 0)
        assert ([batch.base for batch in found.batches], found.partial) == ([0], True)
    assert not cut(array(data), (), 0).partial


def test_batches_before_the_offset_wanted_are_left_out_and_so_are_their_rows():
    data = packed_batch(0, values(b"a", b"b")) + packed_batch(2, values(b"c", b"d"))

    assert read(data, 3)[0] == [(3, b"d")]
    assert read(data, 1)[0] == [(1, b"b"), (2, b"c"), (3, b"d")]


def test_the_next_offset_is_that_of_the_header_also_where_records_were_compacted_away():
    data = packed_batch(10, [WireRecord(b"a", delta=1), WireRecord(b"b", delta=3)], last=8) + packed_batch(
        25, [], last=4
    )

    found, lane = read(data, 5)

    assert found == [(11, b"a"), (13, b"b")]
    assert (lane.at, lane.hidden) == (30, Hidden(compacted=23))


def test_row_63_aborted_transactions_are_hidden_and_counted_apart():
    """Producers 7 and 8; 7 aborts, then commits.

    0-1   7 first   aborted
    2     8         committed
    3     7 marker  abort
    4     7 second  committed
    5-6   markers
    """
    data = packed_batch(0, values(b"a", b"b"), producer=7) + packed_batch(2, values(b"c"), producer=8)
    data += marker(3, 7, commit=False) + packed_batch(4, values(b"d"), producer=7)
    data += marker(5, 7, commit=True) + marker(6, 8, commit=True)

    found, lane = read(data, 0, [Aborted(7, 0)])

    assert found == [(2, b"c"), (4, b"d")]
    assert (lane.at, lane.hidden) == (7, Hidden(control=3, aborted=2))


def test_holes_before_and_inside_an_aborted_batch_are_compacted_ones():
    """0 | 1-4 gone | 5-8 aborted, of which two are left | 9 marker"""
    data = packed_batch(0, values(b"a")) + packed_batch(5, values(b"b", b"c"), last=3, producer=7)
    data += marker(9, 7, commit=False)

    found, lane = read(data, 0, [Aborted(7, 5)])

    assert found == [(0, b"a")]
    assert (lane.at, lane.hidden) == (10, Hidden(control=1, aborted=2, compacted=6))


def test_a_transaction_that_was_aborted_later_does_not_hide_what_came_before():
    data = packed_batch(0, values(b"a"), producer=7) + marker(1, 7, commit=True)
    data += packed_batch(2, values(b"b"), producer=7) + marker(3, 7, commit=False)

    assert read(data, 0, [Aborted(7, 2)])[0] == [(0, b"a")]


def test_log_append_time_is_that_of_the_batch():
    (batch,) = cut(array(packed_batch(0, values(b"a", b"b"), base_ms=5, max_ms=9, appended=True)), (), 0).batches

    told = columns([Sheet(LIMIT).add(batch)])

    assert (told.timestamp_us.tolist(), told.appended.tolist()) == ([9000, 9000], [True, True])


@pytest.mark.parametrize("place", [20, 21, 30, 57, 61, 70])
def test_a_flipped_bit_is_a_wrong_checksum(place):
    data = bytearray(packed_batch(3, values(b"abc", b"defghij")))
    data[place] ^= 4

    with pytest.raises(Malformed, match="offset 3: the checksum"):
        cut(array(data), (), 0)


def test_good_batches_before_a_bad_one_are_given_and_the_bad_one_is_left_for_the_next_request():
    bad = bytearray(packed_batch(2, values(b"c")))
    bad[-1] ^= 1
    data = packed_batch(0, values(b"a", b"b")) + bytes(bad)

    found = cut(array(data), (), 0)

    assert [batch.base for batch in found.batches] == [0]
    with pytest.raises(Malformed, match="offset 2"):
        cut(array(bad), (), 2)


@pytest.mark.parametrize(
    ("batch", "says"),
    [
        (packed_batch(5, values(b"a"), rows=2, last=1), "2 records do not fit"),
        (packed_batch(5, values(b"a", b"b"), rows=1, last=1), "bytes follow the last record"),
        (packed_batch(5, values(b"a", b"b"), last=0), "cannot span"),
        (packed_batch(5, values(b"a"), rows=-1), "cannot span"),
        (packed_batch(-5, values(b"a")), "cannot span"),
        (packed_batch(5, values(b"a"), body=b"\x7f" * 20), "length runs beyond"),
        (packed_batch(5, values(b"a" * 90), rows=2**31 - 1, last=2**31 - 1), "do not fit"),
        (packed_batch(5, values(b"a" * 9), rows=2**31 - 1, last=2**31 - 1, codec=kafka.ZSTD), "do not fit"),
    ],
)
def test_a_batch_that_contradicts_itself_is_malformed_at_its_offset(batch, says):
    with pytest.raises(Malformed, match=f"offset -?5: .*{says}"):
        read(batch)


@pytest.mark.parametrize("codec", [kafka.GZIP, kafka.SNAPPY, kafka.LZ4, kafka.ZSTD])
def test_a_body_that_is_no_stream_of_its_codec_is_malformed(codec):
    good = packed_batch(5, values(b"abc" * 100), codec=codec)
    for body in (b"", b"\xff" * 30, good[61:-3]):
        data = packed_batch(5, values(b"a"), body=body)
        changed = bytearray(data)
        changed[22] = codec
        changed[17:21] = kafka.google_crc32c.value(bytes(changed[21:])).to_bytes(4, "big")
        with pytest.raises(Malformed, match="offset 5"):
            read(bytes(changed))


@pytest.mark.parametrize("codec", CODECS)
def test_row_24_a_batch_that_unpacks_to_more_than_the_limit_is_refused_by_name_in_little_memory(codec):
    data = packed_batch(5, values(b"\0" * (LIMIT + 1)), codec=codec)

    with pytest.raises(Malformed, match=r"receive\.message\.max\.bytes"):
        read(data)


def test_a_snappy_block_that_promises_what_it_cannot_hold_takes_no_memory():
    promise = b"\xff\xff\xff\xff\x07"
    data = bytearray(packed_batch(5, values(b"a"), body=promise + b"abc"))
    data[22] = kafka.SNAPPY
    data[17:21] = kafka.google_crc32c.value(bytes(data[21:])).to_bytes(4, "big")

    with pytest.raises(Malformed):
        read(bytes(data))


@pytest.mark.parametrize("magic", [0, 1, 3])
def test_other_message_formats_are_for_the_ordinary_client(magic):
    with pytest.raises(NotUnderstood, match=f"message format {magic}"):
        cut(array(packed_batch(0, values(b"a"), magic=magic)), (), 0)


def test_an_unknown_codec_is_for_the_ordinary_client():
    with pytest.raises(NotUnderstood, match="codec 6"):
        read(packed_batch(0, values(b"a"), codec=6))


def test_offsets_that_step_back_between_batches_are_malformed():
    data = packed_batch(4, values(b"a", b"b")) + packed_batch(5, values(b"c"))

    assert [batch.base for batch in cut(array(data), (), 0).batches] == [4]
    with pytest.raises(Malformed, match="follows one that ends at 5"):
        cut(array(data), (), 6)


def test_small_bounds_cut_a_batch_and_hold_the_rest():
    lane, sheet = Lane(PART, 0, -1), Sheet(LIMIT)
    lane.take(cut(array(packed_batch(0, values(b"aaa", b"bb", b"c"), epoch=4)), (), 0).batches)

    assert lane.give(sheet, 10, 4) == (2, 5)
    assert (lane.at, lane.held, lane.full, lane.epoch) == (2, True, True, 4)
    assert lane.give(sheet, 10, 4) == (1, 1)
    assert (lane.at, lane.held, lane.full, lane.epoch) == (3, False, False, 4)


@given(st.data())
def test_changed_bytes_with_a_true_checksum_are_read_or_refused_and_never_worse(data):
    records = [WireRecord(b"v%d" % n * n, b"k", (("h", b"1"),) * (n % 3)) for n in range(5)]
    codec = data.draw(st.sampled_from(CODECS))
    whole = bytearray(packed_batch(5, records, codec=codec))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(21, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    whole[17:21] = kafka.google_crc32c.value(bytes(whole[21:])).to_bytes(4, "big")

    aborted = [Aborted(data.draw(st.integers(-1, 3)), 0)]

    try:
        found, lane = read(bytes(whole), aborted=aborted)
    except (Malformed, NotUnderstood) as error:
        told = str(error)
    else:
        told = "offset" * (lane.at == lane.fetch_at == len(found) + sum(lane.hidden))

    assert "offset" in told or "codec" in told
