"""A job in memory that commits once per simulated cadence, for thousands of epochs, and what its store looks like then."""

from __future__ import annotations

from dataclasses import dataclass, field

from arrowflow.audit import Report, audit
from arrowflow.engine import start
from arrowflow.events import Finished
from arrowflow.failpoints import Failpoints
from arrowflow.pipeline import Checkpoint, EventTime, OperatorNode, Pipeline, RunOptions, SinkNode, SourceNode
from arrowflow.protocols import OperatorSpec
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
            sinks=(SinkNode("out", OUT),),
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

    def audit(self) -> Report:
        return audit(StoreFiles(self.objects), PREFIX)
