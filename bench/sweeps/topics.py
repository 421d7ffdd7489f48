"""Sweeps over topics of a real Kafka: the size of messages through the whole job, codecs through the fetch, also under TLS."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import google_crc32c
import pyarrow.compute as pc
from bench.sweeps.telegrams import PARTITIONS, fill, job, telegram, wrong
from tests.realparts.kafka_broker import KafkaBroker, Topics
from tests.realparts.secure_broker import SecureBroker

from arrowflow.bench.results import Line
from arrowflow.bench.rounds import Timed
from arrowflow.engine import start
from arrowflow.pipeline import RunOptions
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.testing.conformance.sources import source_context
from arrowflow.types import Bounds

SIZES = (50, 200, 1_000, 10_000, 100_000)
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
CODEC_BYTES = 200
_CAUGHT_UP = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
Way = tuple[str, Mapping[str, str]]
"""An address and the settings that go with it."""
_ROWS, _BYTES = 200_000, 64 * 1024 * 1024


def size(records: int, runs: int, *, quick: bool) -> Iterator[Line]:
    """JSON telegrams of 50 bytes to 100 kB from the topic to committed Parquet; about the same bytes each, at most `records`."""
    with tempfile.TemporaryDirectory(prefix="arrowflow-bench-") as scratch, KafkaBroker.launch() as broker:
        for nbytes in SIZES[::2] if quick else SIZES:
            count = max(50, min(records, records * 200 // nbytes))
            yield of_size(broker, nbytes, count, runs, Path(scratch))


def of_size(broker: Topics, nbytes: int, count: int, runs: int, scratch: Path) -> Line:
    """The whole job over so many telegrams of so many bytes; every run's table is checked."""
    topic = broker.create_topic(f"size-{nbytes}", PARTITIONS)
    total = fill(broker.bootstrap, topic, count, nbytes)
    timed = Timed[int]()
    for turn in range(runs + 1):
        folder = scratch / f"{topic}-{turn}"
        read = (timed if turn else Timed[int]()).run(partial(_whole_job, broker.bootstrap, topic, folder))
        if read != count or (different := wrong(folder, count)):
            raise SystemExit(f"{topic}: {read} of {count} records were read; {different}")
    told = f"windows of {count:,} telegrams equal to plain arithmetic"
    figures = {"mb_per_s": round(total / sorted(timed.wall_s)[runs // 2] / 1e6, 1)}
    seconds = tuple(timed.wall_s), tuple(timed.cpu_s)
    return Line("size", "whole job", count, *seconds, told, float(nbytes), figures=figures)


def _whole_job(bootstrap: str, topic: str, folder: Path) -> int:
    return start(job(bootstrap, topic, folder), _CAUGHT_UP).result().balance.read


def codec(records: int, runs: int, *, quick: bool) -> Iterator[Line]:
    """Columnar fetch of telegrams of 200 bytes in every codec, in the clear and under TLS, from one broker in turn."""
    broker = SecureBroker()
    try:
        broker.start()
        ways: dict[str, Way] = {
            "plain": (broker.bootstrap, {}),
            "TLS": (broker.at["SSL"], {"security.protocol": "SSL", "ssl.ca.location": broker.authority}),
        }
        for name in CODECS[::2] if quick else CODECS:
            yield from of_codec(broker, name, ways, records, runs)
    finally:
        broker.stop()
        broker.delete()


def of_codec(broker: Topics, codec: str, ways: Mapping[str, Way], records: int, runs: int) -> Iterator[Line]:
    """Telegrams in one codec, fetched each way in turn; values are checked once for each way, counts and bytes always."""
    topic = broker.create_topic(f"codec-{codec}", PARTITIONS)
    nbytes = fill(broker.bootstrap, topic, records, CODEC_BYTES, codec)
    crc = sum(google_crc32c.value(telegram(number, CODEC_BYTES)) for number in range(records))
    found = {way: Timed[tuple[int, int, int]]() for way in ways}
    for turn in range(runs + 1):
        for way, (bootstrap, properties) in ways.items():
            check = turn == 0
            read = (Timed[tuple[int, int, int]]() if check else found[way]).run(
                partial(fetch, bootstrap, topic, records, properties, check=check)
            )
            if read != (records, nbytes, crc if check else 0):
                raise SystemExit(f"{topic} {way}: {read} is not {(records, nbytes, crc)}")
    told = f"{records:,} values, their bytes and checksums"
    for way, timed in found.items():
        yield Line("codec", f"{codec}, {way}", records, tuple(timed.wall_s), tuple(timed.cpu_s), told)


def fetch(
    bootstrap: str, topic: str, records: int, properties: Mapping[str, str], *, check: bool
) -> tuple[int, int, int]:
    """Read a topic with columnar fetch as a job does; return how many values, their bytes, and the sum of their checksums."""
    spec = KafkaSpec(bootstrap, (topic,), fetch="columnar", properties=properties)
    source = spec.build("kafka", source_context("bench"))
    try:
        at = dict(source.start_offsets(list(source.discover().partitions)))
        count = nbytes = crc = 0
        while count < records:
            fetched = source.read(at, Bounds(min(_ROWS, records - count), _BYTES, 5.0))
            count += fetched.rows
            at = {part: each.stop for part, each in fetched.ranges.items()}
            for batch in fetched.batches:
                nbytes += pc.sum(pc.binary_length(batch.value)).as_py()
                if check:
                    crc += sum(map(google_crc32c.value, batch.value.to_pylist()))
        return count, nbytes, crc
    finally:
        source.close()
