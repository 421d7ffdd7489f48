"""Who takes part: how each is started, and what is said beside its figures. Starts nothing."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.peers.kits import Kit

HERE = Path(__file__).parent
ALL_JOBS = ("tumbling", "hopping", "session", "raw")


@dataclass(frozen=True, slots=True)
class Way:
    """An engine, or a loop, and how it does the jobs.

    `does` is what it does in these jobs and arrowflow does not, `lacks` what arrowflow does and it does not; `told` has lines
    about one job. One
    that is not `warm` is started anew for each job; one that is `slow` reads less.
    """

    name: str
    title: str
    script: str
    kit: str | None = None
    jobs: tuple[str, ...] = ALL_JOBS
    warm: bool = True
    slow: bool = False
    to_topic: bool = False
    settings: str = ""
    does: str = ""
    lacks: str = ""
    told: dict[str, str] = field(default_factory=dict)

    @property
    def sizes(self) -> tuple[str, str]:
        """The topics whose difference is its steady rate."""
        return ("part", "bit") if self.slow else ("whole", "part")

    def command(self, kit: Kit | None, brokers: str, home: Path) -> list[str]:
        """The worker's command line."""
        if self.script.endswith(".java"):
            assert kit is not None
            parts = f"{kit.classes}:{kit.jars}/*"
            return ["java", "-Xmx4g", "-cp", parts, Path(self.script).stem, brokers, str(home)]
        python = sys.executable if kit is None else str(kit.python)
        return [python, str(HERE / "workers" / self.script), brokers, str(home), str(kit.jars if kit else home)]


ARROWFLOW = Way(
    "arrowflow",
    "arrowflow",
    "arrowflow_job.py",
    settings=(
        "the files in bench/peers/arrowflow, one process, a record committed every second, everything else as by default; "
        "Parquet in snappy"
    ),
)
POLARS = Way(
    "polars",
    "a loop: consume, polars, Parquet",
    "polars_loop.py",
    settings=(
        "confluent-kafka's `consume(10_000)`, `read_ndjson` on joined payloads, slices of 250,000 records; the session job sorts "
        "the whole topic, so it needs memory for all of it"
    ),
    lacks=(
        "commits, goes on after a crash, closes windows while the topic goes on, tells which rows came too late, reads payloads that "
        "hold a line end"
    ),
)
SPARK = Way(
    "spark",
    "Spark Structured Streaming",
    "spark_job.py",
    "spark",
    settings=(
        "`local[2]` in one JVM of 4 GB, `availableNow`, 500,000 offsets a batch, 2 shuffle partitions, state in memory with "
        "files as its checkpoint (the default provider), Parquet in snappy"
    ),
    does="spreads a query over the executors of a cluster, so that neither its rate nor its state is bounded by one machine",
    lacks="shows committed rows only to any glob over its files (Spark's own readers have `_spark_metadata` for that)",
)
FLINK = Way(
    "flink",
    "Flink SQL",
    "flink_job.py",
    "flink",
    settings=(
        "parallelism 2 in one JVM of 4 GB, streaming mode with `scan.bounded.mode = latest-offset`, object reuse, state on the heap, "
        "exactly-once checkpoints every 10 s, Parquet in snappy"
    ),
    does=(
        "spreads operators over a cluster, passes records on one by one, so that a result need not wait for a batch, and takes "
        "checkpoints without stopping the flow"
    ),
    lacks="commits rows every second (here at checkpoints, every ten seconds and at the end)",
)
STREAMS = Way(
    "streams",
    "Kafka Streams",
    "Windows.java",
    "streams",
    to_topic=True,
    settings=(
        "one JVM of 4 GB, 2 threads, in-memory stores with change logs, `suppress(untilWindowCloses)`, `exactly_once_v2`, "
        "commits every second, 10,000 records a poll"
    ),
    does="keeps every change of its state in topics, from which another machine goes on; results are visible with the transaction",
    lacks="writes Parquet: its results go to a topic as JSON",
    told={"raw": "decoded, encoded again and written to a topic"},
)
QUIX = Way(
    "quix",
    "Quix Streams",
    "quix_job.py",
    "quix",
    slow=True,
    settings="one process and one thread, RocksDB state, change-log topics off, `closing_strategy='partition'`, commits every five seconds",
    lacks="commits files and offsets as one (a file may come twice), can rebuild its state elsewhere (its change logs are off here)",
)
BYTEWAX = Way(
    "bytewax",
    "Bytewax",
    "bytewax_job.py",
    "bytewax",
    slow=True,
    settings=(
        "one process, one worker, batches of 10,000, decoding by orjson, a Parquet sink of ours; its clocks are one per key, moved by "
        "records alone, and what is open at the end is closed by the end"
    ),
    lacks="goes on after a crash (its recovery is off here), closes the windows of a key that has gone silent",
)
PATHWAY = Way(
    "pathway",
    "Pathway",
    "pathway_job.py",
    "pathway",
    slow=True,
    settings="one process, static mode, no behaviours, no persistence",
    does="keeps results up to date when what they came from changes, of which static mode uses nothing",
    lacks="writes Parquet without a licence key (its results are lines of JSON), goes on after a crash (persistence is off here)",
)
PEERS = {way.name: way for way in (SPARK, FLINK, STREAMS, QUIX, BYTEWAX, PATHWAY)}
OURS = {way.name: way for way in (ARROWFLOW, POLARS)}
