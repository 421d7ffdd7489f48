"""Two protocols that look right and are not, kept to show that the harness sees what ours prevents.

Each scenario runs twice: with the weaker protocol a row must be seen twice (it is printed), with ours none may be.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.chaos.replay_job import TO_THE_END, gold_over, write_archive, wrong

from arrowflow.engine import start
from arrowflow.errors import AlreadyExists
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.pipeline import Pipeline
from arrowflow.types import StagedFile


@dataclass(frozen=True)
class Weaker:
    """A sink spec that wraps the real one's sink in a weaker protocol."""

    spec: object
    protocol: type

    def build(self, name, schema, context):
        return self.protocol(self.spec.build(name, schema, context), Path(self.spec.root), context.control)

    @property
    def takes(self):
        return self.spec.takes

    def placed_by(self, schema):
        return self.spec.placed_by(schema)

    def fingerprint(self):
        return self.spec.fingerprint()


class Around:
    """A real sink with some of its calls replaced."""

    def __init__(self, sink, root, control):
        self.sink, self.root, self.control = sink, root, control
        self.memory: dict[str, bytes] = {}

    def __getattr__(self, name):
        return getattr(self.sink, name)

    def staged_bytes(self, file: StagedFile) -> bytes:
        return self.control.store.read(self.control.path(file.src))


class WriteThenCommit(Around):
    """Control B: files get final names before the record that makes them true; the names are unique."""

    def stage(self, attempt, table) -> tuple[StagedFile, ...]:
        files = self.sink.stage(attempt, table)
        for file in files:
            target = self.root / Path(file.dst).parent / f"{uuid.uuid4().hex}.parquet"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.staged_bytes(file))
        return files

    def publish(self, files, later=()):
        """Nothing left to do: that is what is wrong with it."""


class PublishFromMemory(Around):
    """Control A: publishing writes the final name from memory if it is free, and uses nothing up."""

    def stage(self, attempt, table) -> tuple[StagedFile, ...]:
        files = self.sink.stage(attempt, table)
        self.memory |= {file.dst: self.staged_bytes(file) for file in files}
        return files

    def publish(self, files, later=()):
        for file in files:
            data = self.memory.get(file.dst) or self.staged_bytes(file)
            with contextlib.suppress(AlreadyExists):
                self.control.store.create(str(self.root / file.dst), data)


def weakened(pipeline: Pipeline, protocol: type | None) -> Pipeline:
    if protocol is None:
        return pipeline
    sinks = tuple(
        replace(node, spec=Weaker(node.spec, protocol)) if node.stream == "rows" else node for node in pipeline.sinks
    )
    return replace(pipeline, sinks=sinks)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "production.ndjson"
    return path, write_archive(path, rows=2500)


def die_at(pipeline: Pipeline, plan: str) -> None:
    with pytest.raises(SimulatedCrash):
        start(pipeline, TO_THE_END, failpoints=Failpoints.parse(plan)).result()


def rows_seen_twice(sheet, lake) -> list[str]:
    return [line for line in wrong(sheet, lake) if line.startswith("seen")]


@pytest.mark.parametrize("protocol", [WriteThenCommit, None], ids=["write-then-commit", "ours"])
def test_a_crash_between_staging_and_commit(protocol, archive, tmp_path):
    path, sheet = archive
    lake = tmp_path / "lake"
    pipeline = weakened(gold_over(path, lake), protocol)

    for hit in (1, 2, 2, 2):
        die_at(pipeline, f"commit.before:{hit}:crash")
    start(pipeline, TO_THE_END).result()

    twice = rows_seen_twice(sheet, lake)
    print(f"{len(twice)} rows seen twice", *twice[:3], sep="\n")
    assert bool(twice) == (protocol is not None)
    assert protocol is not None or wrong(sheet, lake) == []


@pytest.mark.parametrize("protocol", [PublishFromMemory, None], ids=["publish-from-memory", "ours"])
def test_a_writer_frozen_before_publishing_wakes_after_the_owner_tidied_up(protocol, archive, tmp_path):
    """A writer freezes between check and publish. Another takes over, finishes, and merges small files into one,
    as housekeeping does. Then the first wakes up and publishes.
    """
    path, sheet = archive
    lake = tmp_path / "lake"
    pipeline = weakened(gold_over(path, lake), protocol)
    frozen = Frozen(pipeline)

    frozen.until_it_would_publish_rows()
    start(pipeline, TO_THE_END).result()
    tidy_up(lake / "gold" / "production")
    frozen.wake()

    twice = rows_seen_twice(sheet, lake)
    print(f"{len(twice)} rows seen twice", *twice[:3], sep="\n")
    assert bool(twice) == (protocol is not None)
    assert protocol is not None or wrong(sheet, lake) == []


class Frozen:
    """A run stopped in the call that publishes its first result rows, and the call, to be made later."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.calls: list = []
        node = next(node for node in pipeline.sinks if node.stream == "rows")
        stalling = replace(node, spec=Stalling(node.spec, self.calls))
        others = tuple(node for node in pipeline.sinks if node.stream != "rows")
        self.pipeline = replace(pipeline, sinks=(stalling, *others))

    def until_it_would_publish_rows(self) -> None:
        with pytest.raises(SimulatedCrash):
            start(self.pipeline, TO_THE_END).result()

    def wake(self) -> None:
        for sink, files in self.calls:
            try:
                sink.publish(files)
            except Exception as error:  # noqa: BLE001 - how it fails is not the point
                print(f"the frozen writer got: {type(error).__name__}: {error}")


@dataclass(frozen=True)
class Stalling:
    """Builds the sink, and makes its first publish stall for ever."""

    spec: object
    calls: list

    def build(self, name, schema, context):
        sink, calls = self.spec.build(name, schema, context), self.calls

        class Stalled(Around):
            def publish(self, files, later=()):
                calls.append((sink, files))
                raise SimulatedCrash("frozen before publish")

        return Stalled(sink, None, context.control)

    @property
    def takes(self):
        return self.spec.takes

    def placed_by(self, schema):
        return self.spec.placed_by(schema)

    def fingerprint(self):
        return self.spec.fingerprint()


def tidy_up(root: Path) -> None:
    """Replace the files of each folder by one that holds the same rows."""
    for folder in {file.parent for file in root.rglob("*.parquet")}:
        files = sorted(folder.glob("*.parquet"))
        whole = pa.concat_tables([pq.ParquetFile(file).read() for file in files])
        pq.write_table(whole, folder / f"sealed-{hashlib.sha256(str(files).encode()).hexdigest()[:8]}.parquet")
        for file in files:
            file.unlink()
