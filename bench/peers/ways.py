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

    `does` is what it does in these jobs and arrowflow does not, `lacks` the reverse; `told` has lines about one job. One
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
    settings="confluent-kafka `consume(10_000)`, `read_ndjson` on joined payloads, slices of 250,000 records, the session job sorts the whole topic",
    lacks="any commit, restart, watermark or late rows: it knows that the topic ends; payloads with a line end in them would be read wrong",
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
    does="splits every query over executors; its state outgrows one machine",
    lacks=(
        "a bare glob of its Parquet folder may show files of a batch that was never committed (readers need `_spark_metadata`); "
        "files are not synced to the disk before they count"
    ),
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
    does="splits every operator over a cluster, with records passed on one by one: latency does not wait for a batch",
    lacks="rows appear at checkpoints only; files are not synced to the disk before they count",
)
STREAMS = Way(
    "streams",
    "Kafka Streams",
    "Windows.java",
    "streams",
    to_topic=True,
    settings=(
        "one JVM of 4 GB, 2 threads, in-memory stores with change logs, `suppress(untilWindowCloses)`, exactly_once_v2, "
        "commits every second"
    ),
    does="keeps every change of state in change-log topics, so another machine can take over",
    lacks="Parquet: it has no such sink, results go to a topic as JSON",
    told={"raw": "decoded, encoded again and written to a topic"},
)
QUIX = Way(
    "quix",
    "Quix Streams",
    "quix_job.py",
    "quix",
    slow=True,
    settings="one process (it has no threads of work), RocksDB state with change-log topics off, `closing_strategy='partition'`",
    lacks="exactly-once for files: at least once; state is not backed by change logs here",
)
BYTEWAX = Way(
    "bytewax",
    "Bytewax",
    "bytewax_job.py",
    "bytewax",
    slow=True,
    settings="one process, one worker, batches of 10,000, no recovery store",
    lacks="any recovery in this run: it is off",
)
PATHWAY = Way(
    "pathway",
    "Pathway",
    "pathway_job.py",
    "pathway",
    slow=True,
    settings="one process, static mode, no persistence",
    lacks="Parquet without a licence key (results are lines of JSON), and any recovery in this run: persistence is off",
)
PEERS = {way.name: way for way in (SPARK, FLINK, STREAMS, QUIX, BYTEWAX, PATHWAY)}
OURS = {way.name: way for way in (ARROWFLOW, POLARS)}
