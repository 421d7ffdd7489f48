"""An archive holds every record's place, times and bytes."""

import base64
import io
import json

from arrowflow.protocols import SampleRecord
from arrowflow.samples import stream, write_ndjson
from arrowflow.samples.streams.sample import Sample


def written(sample):
    file = io.StringIO()
    count = write_ndjson(sample, file)
    lines = file.getvalue().splitlines()
    assert count == len(lines)
    return [json.loads(line) for line in lines]


def field(envelope, name):
    if f"{name}_b64" in envelope:
        return base64.b64decode(envelope[f"{name}_b64"])
    return None if envelope[name] is None else envelope[name].encode()


def test_an_archive_gives_back_every_record():
    sample = stream("production", 2_000, 8)
    back = [
        SampleRecord(e["topic"], e["partition"], e["timestamp"], field(e, "key"), field(e, "value"))
        for e in written(sample)
    ]

    assert back == list(sample.records())


def test_offsets_count_from_zero_in_each_partition():
    offsets = {0: [], 1: [], 2: []}
    for envelope in written(stream("scada", 600, 8)):
        offsets[envelope["partition"]].append(envelope["offset"])

    assert all(found == list(range(len(found))) for found in offsets.values())


def test_bytes_that_are_not_utf8_are_base64_and_a_tombstone_is_null():
    records = [SampleRecord("t", 0, 1, b"\xe9", b"\xff\x00"), SampleRecord("t", 0, 2, None, None)]

    assert written(Sample({"t": 1}, lambda: records)) == [
        {"topic": "t", "partition": 0, "offset": 0, "timestamp": 1, "key_b64": "6Q==", "value_b64": "/wA="},
        {"topic": "t", "partition": 0, "offset": 1, "timestamp": 2, "key": None, "value": None},
    ]


def test_a_digest_tells_an_empty_value_from_a_tombstone_and_a_key_from_a_value():
    def digest(key, value):
        return Sample({"t": 1}, lambda: [SampleRecord("t", 0, 1, key, value)]).digest

    assert len({digest(b"", None), digest(None, b""), digest(None, None), digest(b"ab", b""), digest(b"a", b"b")}) == 5
