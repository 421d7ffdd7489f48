"""A pipeline as one immutable value: named nodes and the settings that belong to the whole.

It holds descriptions only; `engine.run` builds the working parts. The TOML form and the Python form make
the same value. Today a pipeline has one source, one operator and any number of sinks; records, state and
acknowledgements are keyed by node name, so more of each need no new record format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from arrowflow.protocols import DecoderSpec, LogSpec, OperatorSpec, OutletSpec, SinkSpec, SourceSpec, Transform

Stream = Literal["rows", "late", "dead", "open"]
Undecided = Literal["stop", "assume_delivered", "redeliver"]


@dataclass(frozen=True, slots=True)
class EventTime:
    """How event time is read and how far it may be out of order. `column` is timestamp[us, UTC] once decoded."""

    column: str
    max_out_of_orderness_us: int
    max_future_skew_us: int | None = None
    future_clock_reference: Literal["broker", "create"] = "broker"
    scope: Literal["pipeline", "partition"] = "pipeline"
    idle_timeout_us: int | None = None
    when_all_idle: Literal["hold", "advance"] = "hold"
    close_silent_after_us: int | None = None


@dataclass(frozen=True, slots=True)
class SourceNode:
    """A source and how its bytes become rows."""

    name: str
    spec: SourceSpec
    decoder: DecoderSpec
    max_error_rate: float = 0.01
    error_sample: int = 1000
    """The breaker looks at no fewer rows than this (unless the epoch is whole)."""
    on_data_loss: Literal["fail", "skip"] = "fail"
    """What becomes of a run whose next offsets are gone: it stops, or goes on behind them and records the gap."""


@dataclass(frozen=True, slots=True)
class OperatorNode:
    """A window, or rows passed through."""

    name: str
    spec: OperatorSpec
    late: Literal["drop", "side", "correct"] = "drop"


@dataclass(frozen=True, slots=True)
class SinkNode:
    """A sink and the stream it takes: result rows, late rows, dead letters, or what open windows would give now."""

    name: str
    spec: SinkSpec | OutletSpec
    stream: Stream = "rows"
    payload: Literal["raw", "none"] = "raw"


@dataclass(frozen=True, slots=True)
class Emit:
    """When the stream "open" is given out: never, with every record, or at most every `early_us` of processing time.

    Results come when their window closes, whatever is said here.
    """

    mode: Literal["on_close", "on_update"] = "on_close"
    early_us: int | None = None

    @property
    def gives_interim(self) -> bool:
        """Whether there are interim results at all."""
        return self.mode == "on_update" or self.early_us is not None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where the records live and how often an epoch is cut."""

    log: LogSpec
    cadence_s: float = 60.0
    max_epoch_rows: int = 10_000_000
    max_epoch_bytes: int = 128 * 1024 * 1024
    max_slice_rows: int = 100_000
    max_slice_bytes: int = 64 * 1024 * 1024
    full_every: int = 20
    discover_every_s: float = 30.0
    keep_records: int = 1000
    """So many of the newest records are never collected, however old they are."""
    keep_for_s: float = 7 * 86_400.0
    """No record is collected before it is so old."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The whole job as a value. Compare it, print it, run it twice in one process."""

    name: str
    source: SourceNode
    operator: OperatorNode
    sinks: tuple[SinkNode, ...]
    checkpoint: Checkpoint
    transforms: tuple[Transform, ...] = ()
    event_time: EventTime | None = None
    emit: Emit = field(default_factory=Emit)
    labels: Mapping[str, str] = field(default_factory=dict)

    def tolerances(self) -> dict[str, int]:
        """Settings that may change at a restart and that floors move with."""
        event = self.event_time
        return {
            "max_out_of_orderness_us": 0 if event is None else event.max_out_of_orderness_us,
            "allowed_lateness_us": self.operator.spec.allowed_lateness_us,
        }

    def query(self) -> dict[str, object]:
        """What the results depend on, as plain data: the semantic fingerprint is its digest."""
        event = self.event_time
        return {
            "source": dict(self.source.spec.fingerprint()),
            "decoder": dict(self.source.decoder.fingerprint()),
            "transforms": [repr(transform) for transform in self.transforms],
            "event_time": None if event is None else {"column": event.column, "scope": event.scope},
            "operator": dict(self.operator.spec.fingerprint()),
            "late": self.operator.late,
            "sinks": {node.name: {"stream": node.stream, **node.spec.fingerprint()} for node in self.sinks},
        }


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How one run of a pipeline behaves; nothing here changes what a record means.

    Parameters
    ----------
    until_caught_up : bool
        Stop at the ends seen at the start instead of following the topic.
    close_open_windows : bool
        Then close what is open, labelled ``end_of_input``.
    once : bool
        Stop after one committed epoch.
    dry_run : bool
        Read and fold, commit and publish nothing.
    take_over : bool
        Do not wait for a young record of another writer to age.
    undecided : {"stop", "assume_delivered", "redeliver"}
        What becomes of committed rows of which neither a topic nor its marker can say whether they were delivered.
    adopt : bool
        Begin a log although tables or the group's offsets tell of one that is gone; what they hold stays, and reading begins
        at those offsets.
    """

    until_caught_up: bool = False
    close_open_windows: bool = False
    once: bool = False
    dry_run: bool = False
    take_over: bool = False
    undecided: Undecided = "stop"
    adopt: bool = False
