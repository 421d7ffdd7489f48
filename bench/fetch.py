"""Columnar fetch beside the ordinary client and a C program on librdkafka, one run, answers compared: ``python -m bench.fetch``.

A real Kafka is started for it. Each way reads the whole topic in a process of its own, the ways take turns, and what is
printed are medians. The answer is the number of records, the bytes of their values and the sum of their CRC-32Cs; it is
compared once per way before anything is timed. The C program is left out, with a line, where there is no compiler or
no header of librdkafka: give its folder with ``--include``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import confluent_kafka
import google_crc32c
import pyarrow.compute as pc
from confluent_kafka import Producer

from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.testing.conformance.sources import source_context
from arrowflow.types import Bounds

HERE = Path(__file__).parent
TOPIC = "fetch"
PARTITIONS = 4
_ROWS, _BYTES = 200_000, 64 * 1024 * 1024


def value(number: int) -> bytes:
    """A telegram of nine fields and some 148 bytes."""
    return (
        b'{"id":%09d,"plant":"P%d","line":"L%02d","sensor":"temp-%04d","value":%d.%03d,"unit":"C","quality":%d,"ok":true,"ts":%d}'
        % (
            number,
            number % 3,
            number % 40,
            number % 997,
            20 + number % 60,
            number * 7919 % 1000,
            number % 101,
            1_700_000_000_000 + number,
        )
    )


def fill(bootstrap: str, records: int, codec: str) -> tuple[int, int]:
    """Produce the records in turn to the partitions; returns the bytes of their values and the sum of their checksums."""
    settings = {
        "compression.type": codec,
        "linger.ms": 50,
        "batch.size": 1_000_000,
        "queue.buffering.max.messages": 1_000_000,
    }
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, **settings})
    nbytes = crc = 0
    for number in range(records):
        text = value(number)
        nbytes += len(text)
        crc += google_crc32c.value(text)
        while True:
            try:
                producer.produce(
                    TOPIC,
                    text,
                    b"k%d" % (number % 997),
                    number * PARTITIONS // records,
                    timestamp=1_700_000_000_000 + number,
                )
                break
            except BufferError:
                producer.poll(0.2)
        if number % 10_000 == 0:
            producer.poll(0)
    if producer.flush(120):
        raise SystemExit("the broker did not take every record")
    return nbytes, crc


def read(bootstrap: str, fetch: str, records: int, *, check: bool) -> dict[str, object]:
    """Read the topic with a source of ours, as the engine does: slice after slice of Arrow columns."""
    source = KafkaSpec(bootstrap, (TOPIC,), fetch=fetch).build("kafka", source_context("bench"))
    at = dict(source.start_offsets(list(source.discover().partitions)))
    source.read(dict(list(at.items())[:1]), Bounds(rows=1, seconds=5.0))  # kernels are loaded
    source.close()
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    source = KafkaSpec(bootstrap, (TOPIC,), fetch=fetch).build("kafka", source_context("bench"))
    count = nbytes = crc = 0
    while count < records:
        fetched = source.read(at, Bounds(min(_ROWS, records - count), _BYTES, 5.0))
        count += fetched.rows
        at = {part: each.stop for part, each in fetched.ranges.items()}
        for batch in fetched.batches:
            nbytes += pc.sum(pc.binary_length(batch.value)).as_py()
            if check:
                crc += sum(map(google_crc32c.value, batch.value.to_pylist()))
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    source.close()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "count": count,
        "bytes": nbytes,
        "crc": crc,
        "wall_s": wall,
        "cpu_s": cpu,
        "rss_mb": after.ru_maxrss // 1024,
    }


def build_c(folder: str, include: str | None) -> list[str] | None:
    """Compile the C program against the library inside confluent-kafka's wheel; None where that cannot be."""
    wheel = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
    libraries = sorted(wheel.glob("librdkafka-*.so*"))
    if not libraries:
        return None
    program = Path(folder) / "consume"
    options = ["-O2", *(["-I", include] if include else []), str(HERE / "c/consume.c"), "-o", str(program)]
    link = [str(libraries[0]), f"-Wl,-rpath,{wheel}", "-Wl,--allow-shlib-undefined"]
    try:
        done = subprocess.run(["gcc", *options, *link], capture_output=True, text=True, timeout=120, check=False)
    except OSError as error:
        print(f"no C program: {error}", file=sys.stderr)
        return None
    if done.returncode:
        print(f"no C program: {done.stderr[:300]}", file=sys.stderr)
        return None
    return [str(program)]


def once(way: str, program: list[str] | None, bootstrap: str, records: int, *, check: bool) -> dict[str, float]:
    """One way in a process of its own."""
    mode = "check" if check else "time"
    if way == "C":
        assert program is not None
        command = [*program, bootstrap, TOPIC, str(PARTITIONS), str(records), mode]
    else:
        command = [
            sys.executable,
            "-m",
            "bench.fetch",
            "--read",
            way,
            "--brokers",
            bootstrap,
            "--records",
            str(records),
            "--mode",
            mode,
        ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise SystemExit(f"{way} failed: {done.stderr[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(bootstrap: str, given: argparse.Namespace, codec: str, program: list[str] | None) -> dict[str, object]:
    """Check every answer, then time the ways in turn."""
    nbytes, crc = fill(bootstrap, given.records, codec)
    ways = ["columnar", "client", *(["C"] if program else [])]
    for way in ways:
        told = once(way, program, bootstrap, given.records, check=True)
        if (told["count"], told["bytes"], told["crc"]) != (given.records, nbytes, crc):
            raise SystemExit(f"{way} gives a wrong answer: {told}, not {given.records}, {nbytes}, {crc}")
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(given.rounds):
        for way in ways:
            told = once(way, program, bootstrap, given.records, check=False)
            if (told["count"], told["bytes"]) != (given.records, nbytes):
                raise SystemExit(f"{way} gives a wrong answer: {told}")
            runs[way].append(told)
    found: dict[str, object] = {"codec": codec, "records": given.records, "value_bytes": nbytes}
    for way, seen in runs.items():
        found[way] = {
            "mrec_per_s": round(given.records / statistics.median(run["wall_s"] for run in seen) / 1e6, 3),
            "cpu_ns_per_record": round(statistics.median(run["cpu_s"] for run in seen) * 1e9 / given.records, 1),
            "least_cpu_ns": round(min(run["cpu_s"] for run in seen) * 1e9 / given.records, 1),
        }
    return found


def main() -> None:
    """Start a broker, compare for each codec, print one line each and the ratios."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--records", type=int, default=2_000_000)
    wanted.add_argument("--rounds", type=int, default=5)
    wanted.add_argument("--codecs", default="lz4")
    wanted.add_argument("--include", help="folder that holds librdkafka/rdkafka.h")
    wanted.add_argument("--read", help=argparse.SUPPRESS)
    wanted.add_argument("--brokers", help=argparse.SUPPRESS)
    wanted.add_argument("--mode", default="time", help=argparse.SUPPRESS)
    given = wanted.parse_args()
    if given.read:
        print(json.dumps(read(given.brokers, given.read, given.records, check=given.mode == "check")))
        return
    from tests.realparts.kafka_broker import KafkaBroker

    packages = ("confluent-kafka", "pyarrow", "numba", "numpy")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, Kafka 4.3.1, librdkafka {confluent_kafka.libversion()[0]}, "
        + ", ".join(f"{each} {metadata.version(each)}" for each in packages)
    )
    with tempfile.TemporaryDirectory(prefix="arrowflow-bench-") as folder:
        program = build_c(folder, given.include)
        for codec in given.codecs.split(","):
            with KafkaBroker.launch() as broker:
                broker.create_topic(TOPIC, PARTITIONS)
                found = compare(broker.bootstrap, given, codec, program)
            print(json.dumps(found))
            for way in ("client", "C"):
                if way in found:
                    ours, theirs = found["columnar"], found[way]
                    print(
                        f"{codec}: columnar / {way}   throughput {ours['mrec_per_s'] / theirs['mrec_per_s']:.2f}   CPU {ours['cpu_ns_per_record'] / theirs['cpu_ns_per_record']:.3f}"
                    )


if __name__ == "__main__":
    main()
