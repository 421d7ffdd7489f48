"""Records: what is written reads back, and any damage is found."""

import hashlib
import json
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrowflow.commitlog import record
from arrowflow.errors import DataLossError, StateRefused
from arrowflow.testing.conformance.commitlogs import a_record
from arrowflow.types import (
    Balance,
    Input,
    OffsetRange,
    OperatorState,
    PartitionClock,
    SourceIdentity,
    StagedFile,
    StateFile,
    Wakeup,
)

PLACE = "/lake/_arrowflow/job/manifests/4711.json"
INT64 = st.integers(-(2**63), 2**63 - 1)
COUNTS = st.dictionaries(st.text(max_size=8), st.integers(0, 2**40), max_size=3)


def full_record():
    return msgspec.structs.replace(
        a_record(4711, prev="0" * 64),
        sources={"kafka": SourceIdentity(cluster_id="c", topic_ids={"t": None})},
        inputs=[
            Input(
                source="kafka",
                topic="t",
                partition=0,
                start=120,
                stop=220,
                balance=Balance(read=97, folded=97, filtered={"filter": 1}),
                clock=PartitionClock(max_event_us=-5, idle=True),
                gap=OffsetRange(1, 2),
            )
        ],
        wakeups=[Wakeup(source="kafka", topic="t", partition=0, offset=3, floor_us=4)],
        state={"w": OperatorState(full=StateFile(epoch=1, path="p", sha256="s", bytes=2), digest="d")},
        outputs=[
            StagedFile(
                sink="gold",
                src="staging/x",
                dst="planta=a/x.parquet",
                rows=9,
                bytes=5362,
                crc32c="0badcafe",
                sha256="f" * 64,
                partition={"planta": "Querétaro \U0001f600", "hour": None},
            )
        ],
        acked={"gold": 4710},
    )


def test_a_full_record_reads_back_as_it_was():
    data = record.encode(full_record())
    back = record.decode(data, PLACE)

    assert msgspec.structs.replace(back, sha256="") == full_record()
    assert record.encode(back) == data


def test_the_digest_is_of_the_bytes_before_the_last_field():
    data = record.encode(full_record())
    body, _, tail = data.rpartition(b',"sha256":"')

    assert tail == hashlib.sha256(body).hexdigest().encode() + b'"}'
    assert json.loads(data)["sha256"] == hashlib.sha256(body).hexdigest()


def test_row_81_every_single_flipped_bit_of_a_record_is_found():
    data = record.encode(full_record())
    survived = []
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            record.decode(bytes(flipped), PLACE)
            survived.append(bit)
        except DataLossError:
            pass

    assert survived == []


def test_row_81_every_truncation_and_many_scrambles_are_found():
    data, rng = record.encode(full_record()), random.Random(81)
    damaged = [data[:stop] for stop in range(len(data))] + [data + b"\n", data + data, b"", b"{}"]
    for _ in range(2000):
        start, stop = sorted(rng.sample(range(len(data)), 2))
        damaged.append(data[:start] + rng.randbytes(stop - start) + data[stop:])
    for candidate in damaged:
        with pytest.raises(DataLossError, match=r"4711\.json"):
            record.decode(candidate, PLACE)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=20), COUNTS, max_size=3), INT64, INT64, st.text(max_size=50))
def test_any_text_and_any_int64_survive_the_round_trip(late, lo, hi, topic):
    part = Input(
        source="s",
        topic=topic,
        partition=1,
        start=lo,
        stop=hi,
        balance=Balance(late=late.get("", {}), dead_lettered={k: len(v) for k, v in late.items()}),
        clock=PartitionClock(max_event_us=lo, floor_us=hi),
    )
    manifest = msgspec.structs.replace(a_record(1), inputs=[part], watermark_us=lo)

    assert record.decode(record.encode(manifest), PLACE).inputs == [part]


def resealed(**changes):
    """A record as another version would have written it, with a right digest."""
    fields = json.loads(record.encode(a_record(1)))
    del fields["sha256"]
    body = msgspec.json.encode(fields | changes).removesuffix(b"}")
    return body + b',"sha256":"' + hashlib.sha256(body).hexdigest().encode() + b'"}'


def test_row_83_a_newer_version_is_refused_and_told_from_damage():
    with pytest.raises(StateRefused, match=r"version 2.*newer engine"):
        record.decode(resealed(v=2), PLACE)


def test_row_83_fields_of_a_newer_minor_version_are_tolerated():
    assert record.decode(resealed(later={"idea": 1}), PLACE).epoch == 1


@pytest.mark.parametrize("changes", [{"kind": "unheard-of"}, {"epoch": "one"}, {"v": "x"}])
def test_row_83_a_whole_record_that_makes_no_sense_is_refused(changes):
    with pytest.raises(StateRefused, match="not understood"):
        record.decode(resealed(**changes), PLACE)


def chain():
    first = record.decode(record.encode(a_record(1)), PLACE)
    return first, record.decode(record.encode(a_record(2, prev=first.sha256)), PLACE)


def test_two_neighbours_follow_each_other():
    record.check_follows(*chain())


@pytest.mark.parametrize("changes", [{"epoch": 3}, {"incarnation": "other"}])
def test_a_gap_or_a_record_of_another_log_is_found(changes):
    first, second = chain()
    with pytest.raises(DataLossError, match="does not follow"):
        record.check_follows(first, msgspec.structs.replace(second, **changes))


def test_a_replaced_predecessor_is_found():
    first, second = chain()
    with pytest.raises(DataLossError, match="one of the two was replaced"):
        record.check_follows(msgspec.structs.replace(first, sha256="0" * 64), second)
