"""What one run owns: the working parts built from a pipeline, and where the log stands. Decides nothing."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from arrowflow.errors import ConfigError
from arrowflow.failpoints import Failpoints
from arrowflow.phases.ahead import Ahead
from arrowflow.phases.defaults import ThisMachine
from arrowflow.phases.fit import refuse_misfits
from arrowflow.phases.helpers import InTurn
from arrowflow.phases.published import Published
from arrowflow.phases.retention import Retention, Unsealed
from arrowflow.phases.tables import dead_schema, late_schema, rows_schema
from arrowflow.phases.totals import Totals
from arrowflow.pipeline import Pipeline, RunOptions
from arrowflow.protocols import (
    Clock,
    CommitLog,
    Control,
    Decoder,
    Generational,
    Helper,
    Machine,
    Observer,
    Operator,
    Outlet,
    RunContext,
    Sink,
    Source,
    Task,
)
from arrowflow.types import (
    MIN_US,
    Delivered,
    Discovery,
    EpochRange,
    Fingerprint,
    Manifest,
    OffsetRange,
    PartitionClock,
    SourceIdentity,
    SourcePartition,
    Writer,
)


class Stand(NamedTuple):
    """Where an epoch ends and the next begins."""

    epoch: int
    positions: Mapping[SourcePartition, int]
    clocks: Mapping[SourcePartition, PartitionClock]
    leader_epoch: Mapping[SourcePartition, int]
    watermark_us: int


@dataclass(frozen=True, slots=True)
class Flight:
    """An epoch that was cut, on its way to its record and its final names; the next one is read and folded meanwhile."""

    task: Task[Manifest]
    stand: Stand
    nbytes: int


@dataclass(slots=True)
class Job:
    """The parts and the position of one run. Only the engine's thread touches it, `stopping` apart.

    `head`, `positions`, `clocks` and `watermark_us` always agree with the newest record this run knows, but for `gaps`:
    offsets that are gone and that the next record tells of; positions stand behind them already. While an epoch is in
    `flight` they are its helper's, together with the log, the store, the sinks and the outlets: the engine's own thread
    reads and folds, and looks at none of them before the flight is over (`phases/flight.py`).
    """

    pipeline: Pipeline
    options: RunOptions
    context: RunContext
    log: CommitLog
    source: Source
    decoder: Decoder
    operator: Operator
    sinks: Mapping[str, Sink]
    fingerprint: Fingerprint
    writer: Writer
    stopping: threading.Event
    published: Published
    machine: Machine
    outlets: Mapping[str, Outlet] = field(default_factory=dict)
    head: Manifest | None = None
    incarnation: str = ""
    positions: dict[SourcePartition, int] = field(default_factory=dict)
    clocks: dict[SourcePartition, PartitionClock] = field(default_factory=dict)
    leader_epoch: dict[SourcePartition, int] = field(default_factory=dict)
    watermark_us: int = MIN_US
    identity: SourceIdentity = field(default_factory=SourceIdentity)
    seen: Discovery | None = None
    seen_at: float = 0.0
    targets: dict[SourcePartition, int] | None = None
    last_row_at: dict[SourcePartition, float] = field(default_factory=dict)
    recent_errors: deque[tuple[int, int]] = field(default_factory=deque)
    acked: dict[str, int] = field(default_factory=dict)
    delivered: dict[str, Delivered] = field(default_factory=dict)
    chain_broken: bool = False
    gaps: dict[SourcePartition, OffsetRange] = field(default_factory=dict)
    hanging: dict[SourcePartition, int] = field(default_factory=dict)
    schemas: Mapping[str, pa.Schema] = field(default_factory=dict)
    generation: int = 0
    interim_at: float | None = None
    retention: Retention = field(default_factory=Retention)
    sealed: dict[str, list[EpochRange]] = field(default_factory=dict)
    unsealed: dict[str, Unsealed] = field(default_factory=dict)
    seal_tried_at: float = -math.inf
    totals: Totals = field(default_factory=Totals)
    told: int = -1
    ahead: Ahead = field(init=False)
    committer: Helper = field(init=False)
    flight: Flight | None = None

    def __post_init__(self) -> None:
        helper = self.machine.helper
        self.committer = helper("commit")
        self.ahead = Ahead(self.source, self.decoder, helper("read"), helper("decode"), self.is_enough)

    @property
    def clock(self) -> Clock:
        return self.context.clock

    @property
    def failpoints(self) -> Failpoints:
        return self.context.failpoints

    @property
    def control(self) -> Control:
        return self.context.control

    @property
    def observer(self) -> Observer:
        return self.context.observer

    @property
    def max_out_of_orderness_us(self) -> int:
        event = self.pipeline.event_time
        return 0 if event is None else event.max_out_of_orderness_us

    @property
    def sink_names(self) -> tuple[str, ...]:
        """Sinks and outlets: whatever acknowledges epochs."""
        return (*self.sinks, *self.outlets)

    def enter(self, generation: int) -> None:
        """Write to the tables of `generation` from now on."""
        if generation != self.generation:
            self.sinks = build_tables(self.pipeline, self.schemas, self.context, generation)
            self.generation = generation

    def reaches_targets(self, positions: Mapping[SourcePartition, int]) -> bool:
        """Whether a run with an end ends at these positions."""
        return self.targets is not None and all(positions[part] >= end for part, end in self.targets.items())

    def is_enough(self, positions: Mapping[SourcePartition, int]) -> bool:
        """Whether nothing behind these positions is to be read ahead."""
        return self.stopping.is_set() or self.options.once or self.reaches_targets(positions)

    def close(self) -> None:
        """Let go of helpers and connections; the source's last, which may have started the broker."""
        with ExitStack() as last:
            last.callback(self.source.close)
            for outlet in self.outlets.values():
                last.callback(outlet.close)
            last.callback(self.committer.close)
            last.callback(self.ahead.close)


def build_job(
    pipeline: Pipeline,
    options: RunOptions,
    *,
    observer: Observer,
    clock: Clock,
    failpoints: Failpoints,
    stopping: threading.Event,
    fingerprint: Fingerprint,
    machine: Machine | None = None,
) -> Job:
    """Make the working parts of one run; nothing is written and no record is read yet.

    Raises
    ------
    ConfigError
        If the parts do not fit each other.
    Unreachable
        If the source or store cannot be reached.
    """
    machine = machine or ThisMachine()
    log, control = pipeline.checkpoint.log.build(failpoints)
    context = RunContext(pipeline.name, clock, InTurn(observer), failpoints, control)
    decoder = pipeline.source.decoder.build()
    schema = _schema_after_transforms(pipeline, decoder.schema)
    operator = pipeline.operator.spec.build(schema)
    refuse_misfits(pipeline, operator.output_schema())
    results = rows_schema(operator.output_schema())
    schemas = {"rows": results, "open": results, "late": late_schema(schema), "dead": dead_schema()}
    built = build_sinks(pipeline, schemas, context)
    return Job(
        pipeline=pipeline,
        options=options,
        context=context,
        log=log,
        source=pipeline.source.spec.build(pipeline.source.name, context),
        decoder=decoder,
        operator=operator,
        sinks={name: part for name, part in built.items() if not isinstance(part, Outlet)},
        outlets={name: part for name, part in built.items() if isinstance(part, Outlet)},
        fingerprint=fingerprint,
        writer=Writer(id=machine.new_name(), host=machine.host, pid=machine.pid, fence=-1),
        stopping=stopping,
        published=Published(log),
        machine=machine,
        schemas=schemas,
    )


def build_sinks(
    pipeline: Pipeline, schemas: Mapping[str, pa.Schema], context: RunContext, generation: int = 0
) -> dict[str, Sink | Outlet]:
    """Make the sinks and outlets of one generation of tables; `schemas` are by stream. A sink without generations is always the same."""
    specs = {
        node.name: node.spec.in_generation(generation) if isinstance(node.spec, Generational) else node.spec
        for node in pipeline.sinks
    }
    return {node.name: specs[node.name].build(node.name, schemas[node.stream], context) for node in pipeline.sinks}


def build_tables(
    pipeline: Pipeline, schemas: Mapping[str, pa.Schema], context: RunContext, generation: int
) -> dict[str, Sink]:
    """Make the sinks of one generation without the outlets: a topic has no tables of its own for a generation."""
    built = build_sinks(pipeline, schemas, context, generation)
    return {name: part for name, part in built.items() if not isinstance(part, Outlet)}


def _schema_after_transforms(pipeline: Pipeline, schema: pa.Schema) -> pa.Schema:
    event = pipeline.event_time
    if event is not None and event.column not in schema.names:
        raise ConfigError(f"event_time.column: {event.column!r} is not a column of the source; it has {schema.names}")
    for transform in pipeline.transforms:
        schema = transform.output_schema(schema)
    return schema
