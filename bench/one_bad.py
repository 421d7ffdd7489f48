"""One bad record among 100,000 beside none, whole engine to Parquet: paired runs in turn. ``python -m bench.one_bad``.

With ``--kafka`` the records come from a real Kafka that is started for it, by columnar fetch; without, from memory. The floor the project states is 0.9 of the rate. The tests count calls instead, because a clock on a shared machine
fails a sound build now and then; this is the measurement, and it exits with 1 below the floor.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.realparts.kafka_broker import KafkaBroker, Row
from tests.support.dealt import DealtSource, DealtSpec
from tests.support.small import pipeline

from arrowflow.engine import start
from arrowflow.pipeline import RunOptions
from arrowflow.protocols import RunContext, SampleRecord, SourceSpec
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.types import Bounds, Fetched, OffsetRange, SourcePartition

ROWS, FLOOR, SLICE = 100_000, 0.9, 25_000
OPTIONS = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)


class EvenSpec(DealtSpec):
    """One partition in slices of one size, the same in every run."""

    def build(self, name: str, context: RunContext) -> DealtSource:
        return Even(name, self, context)


class Even(DealtSource):
    """See `EvenSpec`."""

    def read(self, after: dict[SourcePartition, int], bounds: Bounds) -> Fetched:
        ((part, at),) = after.items()
        stop = min(len(self.logs[part]), at + SLICE)
        return Fetched({part: OffsetRange(at, stop)}, (self.batch(part, at, stop),) if stop > at else ())


def topics(records: int) -> dict[str, EvenSpec]:
    """The same rows twice, in the second with one record of each 100,000 cut short."""
    values = [json.dumps({"k": f"k{i % 50}", "t": 1 + i // 1000, "v": i / 8}).encode() for i in range(records)]
    clean = [SampleRecord("events", 0, 1000, b"k", value) for value in values]
    one_bad = list(clean)
    for at in range(ROWS // 2 + 500, records, ROWS):
        one_bad[at] = SampleRecord("events", 0, 1000, b"k", values[at][:15])
    return {"clean": EvenSpec(tuple(clean)), "one bad": EvenSpec(tuple(one_bad))}


def on_kafka(broker: KafkaBroker, records: int) -> dict[str, KafkaSpec]:
    """The same rows as topics of a real Kafka."""
    found = {}
    for name, spec in topics(records).items():
        topic = broker.create_topic(name.replace(" ", "-"))
        broker.produce(topic, [Row(0, each.key, each.value, each.timestamp_ms) for each in spec.records])
        found[name] = KafkaSpec(broker.bootstrap, (topic,), fetch="columnar")
    return found


def seconds(folder: Path, source: SourceSpec, records: int, bad: int) -> float:
    """CPU seconds of one run, its counts checked."""
    gc.collect()
    began = time.process_time()
    balance = start(pipeline(folder, source, cadence_s=3600.0), OPTIONS).result().balance
    spent = time.process_time() - began
    assert (balance.folded, sum(balance.dead_lettered.values())) == (records - bad, bad)
    return spent


def main() -> None:
    """Print the median of the pairs' ratios and the ratio of the minima."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--pairs", type=int, default=25)
    wanted.add_argument("--records", type=int, default=ROWS)
    wanted.add_argument("--kafka", action="store_true")
    given = wanted.parse_args()
    with ExitStack() as stack:
        sources = topics(given.records)
        if given.kafka:
            sources = on_kafka(stack.enter_context(KafkaBroker.launch()), given.records)
        compare(sources, given.records, given.pairs)


def compare(sources: Mapping[str, SourceSpec], records: int, pairs: int) -> None:
    """Run the pairs and print; exit with 1 below the floor."""
    taken: dict[str, list[float]] = {name: [] for name in sources}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(-1, pairs):
            names = list(sources) if turn % 2 else list(reversed(sources))
            for name in names:
                spent = seconds(
                    Path(folder, f"{name} {turn}"), sources[name], records, records // ROWS * (name != "clean")
                )
                if turn >= 0:  # the first pair loads kernels and libraries
                    taken[name].append(spent)
    ratio = statistics.median(clean / bad for clean, bad in zip(taken["clean"], taken["one bad"], strict=True))
    least = min(taken["clean"]) / min(taken["one bad"])
    for name, spent in taken.items():
        print(
            f"{name:8}  median {statistics.median(spent):.4f} s, least {min(spent):.4f} s of CPU for {records:,} records"
        )
    print(
        f"rate with one bad record in {ROWS:,} / without: median of {pairs} pairs {ratio:.3f}, of the least times {least:.3f}"
    )
    sys.exit(0 if ratio >= FLOOR else f"below the floor of {FLOOR}")


if __name__ == "__main__":
    main()
