"""A user's pipeline moved to where it can be attacked: the same query over archived records, with tables of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.errors import ConfigError
from arrowflow.failpoints import Failpoints
from arrowflow.pipeline import EventTime, Pipeline, SinkNode
from arrowflow.protocols import RunContext, SampleRecord, SinkSpec
from arrowflow.samples.archive import line
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.sinks.preview import PreviewSpec
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.sources.replay import ReplaySpec
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.commitlogs import MemoryLogSpec
from arrowflow.testing.observer import RecordingObserver
from arrowflow.types import Bounds

_NAME = "job"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is attacked.

    Parameters
    ----------
    pipeline : Pipeline
        As its configuration says.
    records : tuple of SampleRecord
        What its topics hold, in order within each partition.
    """

    pipeline: Pipeline
    records: tuple[SampleRecord, ...]

    @property
    def judged(self) -> tuple[SinkNode, ...]:
        """The sinks whose tables are compared: a preview shows what is open, which depends on when one looks."""
        return tuple(node for node in self.pipeline.sinks if node.stream != "open")

    @property
    def topics(self) -> dict[str, int]:
        """Topic to its number of partitions."""
        found: dict[str, int] = {}
        for record in self.records:
            found[record.topic] = max(found.get(record.topic, 0), record.partition + 1)
        return found

    def write_archive(self, path: Path) -> None:
        """Write the records as an archive that `ReplaySpec` reads."""
        offsets: dict[tuple[str, int], int] = {}
        with path.open("w", encoding="utf-8") as file:
            for record in self.records:
                place = record.topic, record.partition
                offset = offsets[place] = offsets.get(place, -1) + 1
                file.write(line(*place, offset, record.timestamp_ms, record.key, record.value))

    def in_folder(self, archive: Path, folder: Path, *, epoch_rows: int) -> Pipeline:
        """The pipeline over `archive`, with log and tables in `folder` and small epochs."""
        roots = {node.name: str(folder / node.name) for node in self.pipeline.sinks}
        log = LocalLogSpec(str(folder / "_arrowflow" / _NAME))
        moved = self.moved(roots)
        small = replace(
            moved.checkpoint,
            log=log,
            cadence_s=60.0,
            max_epoch_rows=epoch_rows,
            max_slice_rows=max(1, epoch_rows // 3),
            full_every=4,
        )
        source = replace(moved.source, spec=ReplaySpec((str(archive),)))
        return replace(moved, source=source, checkpoint=small)

    def moved(self, roots: Mapping[str, str]) -> Pipeline:
        """The pipeline with tables elsewhere, and without what depends on the time of day at which it runs."""
        sinks = tuple(replace(node, spec=_moved(node, roots[node.name])) for node in self.pipeline.sinks)
        event = self.pipeline.event_time
        timeless = None if event is None else _timeless(event)
        source = replace(self.pipeline.source, max_error_rate=1.0)
        return replace(self.pipeline, sinks=sinks, event_time=timeless, source=source)


def rehearse(pipeline: Pipeline, archive: Sequence[str], rows: int) -> Rehearsal:
    """Collect what `pipeline` would read: its sample, or the archives given; at most `rows` records.

    Raises
    ------
    ConfigError
        If there is nothing to read without a broker, or a sink is of a kind that has no folder.
    """
    spec = pipeline.source.spec
    if not archive and isinstance(spec, ReplaySpec):
        archive = spec.paths
    if archive:
        records: tuple[SampleRecord, ...] = tuple(islice(_archived(pipeline, tuple(archive)), rows))
    elif isinstance(spec, KafkaSpec) and spec.embedded is not None and spec.embedded.sample is not None:
        wanted = (record for record in spec.embedded.sample.records() if record.topic in spec.topics)
        records = tuple(islice(wanted, rows))
    else:
        raise ConfigError(
            'chaos reads no broker: say --archive FILE with records of the topics ("arrowflow sample production --out '
            'FILE" writes such a file), or try the configuration with brokers = "embedded"'
        )
    if not records:
        raise ConfigError("chaos: there is no record to read; name another --archive")
    known = {node.name: _moved(node, "/scratch") for node in pipeline.sinks}
    if not any(node.stream == "rows" for node in pipeline.sinks if node.name in known):
        raise ConfigError("chaos: the pipeline has no table of results to compare")
    return Rehearsal(pipeline, records)


def _archived(pipeline: Pipeline, paths: tuple[str, ...]) -> Iterator[SampleRecord]:
    """Every record of an archive that is of the pipeline's topics, by way of the source that reads archives."""
    topics = pipeline.source.spec.topics if isinstance(pipeline.source.spec, KafkaSpec) else None
    envelope = pipeline.source.spec.envelope if isinstance(pipeline.source.spec, ReplaySpec) else True
    failpoints = Failpoints()
    _, control = MemoryLogSpec().build(failpoints)
    context = RunContext(pipeline.name, ManualClock(), RecordingObserver(), failpoints, control)
    source = ReplaySpec(paths, envelope=envelope).build("archive", context)
    seen = source.discover().partitions
    positions = dict(source.start_offsets(sorted(seen)))
    while any(positions[part] < info.high for part, info in seen.items()):
        fetched = source.read(positions, Bounds(10_000))
        for batch in fetched.batches:
            if topics is not None and batch.partition.topic not in topics:
                continue
            keys, values = batch.key.to_pylist(), batch.value.to_pylist()
            for at, key, value in zip(batch.timestamp_us.tolist(), keys, values, strict=True):
                yield SampleRecord(batch.partition.topic, batch.partition.partition, max(0, at // 1000), key, value)
        positions |= {part: stop for part, (_, stop) in fetched.ranges.items()}
    source.close()


def _moved(node: SinkNode, root: str) -> SinkSpec:
    if isinstance(node.spec, ParquetSpec | PreviewSpec):
        return replace(node.spec, root=root)
    raise ConfigError(
        f"chaos: sink {node.name!r} writes no folder, so it cannot be moved to a scratch folder; leave it out"
    )


def _timeless(event: EventTime) -> EventTime:
    """Without idleness, and without a future that depends on now: both ask the clock of the machine."""
    skew = event.max_future_skew_us if event.future_clock_reference == "create" else None
    return replace(event, max_future_skew_us=skew, idle_timeout_us=None, close_silent_after_us=None)
