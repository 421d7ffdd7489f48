"""Every source passes one suite: memory, replay from three kinds of file, the embedded broker, real Kafka."""

import base64
import gzip
import itertools
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arrowflow.sources.replay import ReplaySpec
from arrowflow.testing.conformance.sources import Given, GrowingSourceConformance, SourceConformance
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec


class TestMemorySource(GrowingSourceConformance, SourceConformance):
    def make(self, content):
        self.broker = MemoryBroker()
        self.broker.create("t", len(content))
        for number, rows in enumerate(content):
            self.append(number, rows)
        return MemorySourceSpec(self.broker, ("t",))

    def append(self, partition, rows):
        for row in rows:
            self.broker.append("t", partition, row.value, key=row.key, timestamp_us=row.timestamp_us)

    def add_partition(self):
        found = self.broker.describe("x", ("t",)).partitions
        self.broker.add_partitions("t", len(found) + 1)
        return len(found)


def interleaved(content):
    """(partition, offset, row) in the order an archiver might have written them."""
    lanes = [[(number, offset, row) for offset, row in enumerate(rows)] for number, rows in enumerate(content)]
    return [each for wave in itertools.zip_longest(*lanes) for each in wave if each is not None]


def envelope(partition, offset, row):
    found = {"topic": "t", "partition": partition, "offset": offset, "timestamp": row.timestamp_us // 1000}
    for name, data in (("key", row.key), ("value", row.value)):
        try:
            found[name] = None if data is None else data.decode()
        except UnicodeDecodeError:
            found[f"{name}_b64"] = base64.b64encode(data).decode()
    return json.dumps(found).encode() + b"\n"


class TestReplayOfNdjson(SourceConformance):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def write(self, number, lines):
        (self.folder / f"part-{number}.ndjson").write_bytes(b"".join(lines))

    def make(self, content):
        lines = [envelope(*each) for each in interleaved(content)]
        for number in range(0, len(lines), 6):
            self.write(number, lines[number : number + 6])
        return ReplaySpec((str(self.folder),))


class TestReplayOfGzip(TestReplayOfNdjson):
    def write(self, number, lines):
        (self.folder / f"part-{number}.ndjson.gz").write_bytes(gzip.compress(b"".join(lines)))


class TestReplayOfZstandard(TestReplayOfNdjson):
    def write(self, number, lines):
        with pa.output_stream(str(self.folder / f"part-{number}.jsonl.zst"), compression="zstd") as out:
            out.write(b"".join(lines))


class TestReplayOfParquet(SourceConformance):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def make(self, content):
        rows = interleaved(content)
        table = pa.table(
            {
                "topic": pa.array(["t"] * len(rows)).dictionary_encode(),
                "partition": pa.array([partition for partition, _, _ in rows], pa.int32()),
                "offset": pa.array([offset for _, offset, _ in rows], pa.int64()),
                "timestamp_us": pa.array([row.timestamp_us for _, _, row in rows], pa.int64()),
                "key": pa.array([row.key for _, _, row in rows], pa.binary()),
                "value": pa.array([row.value for _, _, row in rows], pa.binary()),
            }
        )
        pq.write_table(table.slice(0, 30), self.folder / "a-9.parquet")
        pq.write_table(table.slice(30), self.folder / "a-10.parquet", row_group_size=7)
        return ReplaySpec((str(self.folder / "*.parquet"),), topic="t")


class TestReplayOfBareLines(SourceConformance):
    keyed = False

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    @pytest.fixture
    def content(self):
        return [[Given(b'{"a":%d}' % number) for number in range(9)] + [Given(b"")], [Given(b"x")] * 4, []]

    def make(self, content):
        for number, rows in enumerate(content):
            (self.folder / f"{number}.ndjson").write_bytes(b"".join(row.value + b"\n" for row in rows))
        return ReplaySpec((str(self.folder),), topic="t", envelope=False)
