"""A job in memory that commits once per simulated cadence, for thousands of epochs, and what its store looks like then."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

import pyarrow as pa

from arrowflow.audit import Report, audit
from arrowflow.engine import start
from arrowflow.events import Finished
from arrowflow.failpoints import Failpoints
from arrowflow.phases.fingerprint import fingerprint_of
from arrowflow.phases.job import Job, build_job
from arrowflow.phases.recover import recover
from arrowflow.pipeline import Checkpoint, EventTime, OperatorNode, Pipeline, RunOptions, SinkNode, SourceNode
from arrowflow.protocols import OperatorSpec
from arrowflow.sinks.snapshot import Wanted, snapshot
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.commitlogs import MemoryLogSpec
from arrowflow.testing.decoders import LineDecoderSpec
from arrowflow.testing.observer import RecordingObserver
from arrowflow.testing.operators import NaiveOperatorSpec
from arrowflow.testing.sinks import MemorySinkSpec
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec

SECOND_US = 1_000_000
CADENCE_S = 10
PREFIX = "/memory/_arrowflow/job"
OUT = MemorySinkSpec("/memory/out")
TO_THE_END = RunOptions(until_caught_up=True, take_over=True)


@dataclass
class StoreFiles:
    """A memory store's objects for the auditor."""

    objects: dict[str, bytes]

    def list(self, folder: str) -> dict[str, int]:
        return {path: len(data) for path, data in self.objects.items() if path.startswith(folder + "/")}

    def read(self, path: str) -> bytes:
        if path not in self.objects:
            raise FileNotFoundError(path)
        return self.objects[path]


@dataclass
class Beat:
    """One job: a record in the topic every cadence, one epoch for each, windows of half a minute."""

    keep_records: int = 20
    keep_for_s: float = 0.0
    full_every: int = 4
    epoch_rows: int = 1
    operator: OperatorSpec = field(default_factory=lambda: NaiveOperatorSpec(30 * SECOND_US))
    late: str = "drop"
    seal_s: float | None = None
    broker: MemoryBroker = field(default_factory=lambda: MemoryBroker("memory"))
    log: MemoryLogSpec = field(default_factory=MemoryLogSpec)
    clock: ManualClock = field(default_factory=ManualClock)
    observer: RecordingObserver = field(default_factory=RecordingObserver)
    produced: int = 0

    def __post_init__(self) -> None:
        self.broker.create("events")

    def pipeline(self) -> Pipeline:
        return Pipeline(
            name="job",
            source=SourceNode("in", MemorySourceSpec(self.broker, ("events",)), LineDecoderSpec()),
            event_time=EventTime("t", max_out_of_orderness_us=0),
            operator=OperatorNode("window", self.operator, late=self.late),
            sinks=(SinkNode("out", self.sink),),
            checkpoint=Checkpoint(
                self.log,
                cadence_s=CADENCE_S,
                max_slice_rows=self.epoch_rows,
                max_epoch_rows=self.epoch_rows,
                full_every=self.full_every,
                keep_records=self.keep_records,
                keep_for_s=self.keep_for_s,
            ),
        )

    @property
    def sink(self) -> MemorySinkSpec:
        """The table, sealed every so many seconds if asked for."""
        return OUT if self.seal_s is None else replace(OUT, seal_us=round(self.seal_s * SECOND_US))

    def produce(self, epochs: int) -> None:
        """Records that the next runs will read, one epoch each."""
        for _ in range(epochs):
            self.broker.append("events", 0, b"pump %d 1" % (self.produced * CADENCE_S))
            self.produced += 1

    def run(self, epochs: int = 0, plan: str = "", failpoints: Failpoints | None = None) -> Finished:
        """Produce and commit so many epochs, the clock moving on by a cadence with each."""
        self.produce(epochs)
        started = start(
            self.pipeline(),
            TO_THE_END,
            observer=self,
            clock=self.clock,
            failpoints=failpoints or Failpoints.parse(plan),
        )
        return started.result()

    @contextmanager
    def opened(self) -> Iterator[Job]:
        """The working parts of a run that owns the log."""
        pipeline = self.pipeline()
        job = build_job(
            pipeline, TO_THE_END, observer=self, clock=self.clock, failpoints=Failpoints(),
            stopping=threading.Event(), fingerprint=fingerprint_of(pipeline),
        )  # fmt: skip
        with closing(job):
            recover(job)
            yield job

    def notice(self, event: object) -> None:
        """One committed epoch is one cadence of the clock."""
        self.observer.notice(event)
        if type(event).__name__ == "Committed":
            self.clock.advance(CADENCE_S)

    # ---- what is there ---------------------------------------------------------------------------------------

    @property
    def objects(self) -> dict[str, bytes]:
        return self.log.store.snapshot()

    def names(self, kind: str) -> list[str]:
        return [path.removeprefix(f"{PREFIX}/") for path in self.objects if path.startswith(f"{PREFIX}/{kind}/")]

    @property
    def epochs(self) -> list[int]:
        return self.log.build(Failpoints())[0].epochs_after(-1)

    def windows(self) -> list[tuple[int, int]]:
        """(start in cadences, rows) of every window that came out; all of them ever, each once, or the test is wrong."""
        return sorted((int(row["window_start"].timestamp()) // CADENCE_S, row["n"]) for row in OUT.rows(self.log.store))

    def wanted_windows(self) -> list[tuple[int, int]]:
        """Windows that the last record's time has closed."""
        return [(start, 3) for start in range(0, self.produced - 3, 3)]

    def counted(self) -> list[tuple[int, int]]:
        """As `windows`, of what `af.scan` would read: sealed files, and the others of epochs that are not sealed."""
        chosen = snapshot(*self.log.build(Failpoints()), Wanted())
        objects = self.log.store.objects
        return sorted(window for file in chosen.files for window in _windows(objects[file.path]))

    def audit(self, *, deep: bool = False) -> Report:
        return audit(StoreFiles(self.objects), PREFIX, deep=deep)


@cache
def _windows(data: bytes) -> list[tuple[int, int]]:
    rows = read_stream(data).to_pylist()
    return [(int(row["window_start"].timestamp()) // CADENCE_S, row["n"]) for row in rows]


def read_stream(data: bytes) -> pa.Table:
    """What a file of the table in memory holds."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()
