"""Simulated histories of a user's own pipeline, judged against a run of it to which nothing happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from arrowflow.pipeline import Pipeline
from arrowflow.protocols import SampleRecord
from arrowflow.testing.chaos.rehearsal import Rehearsal
from arrowflow.testing.simulation.history import History, Verdict, simulate
from arrowflow.testing.simulation.parts import SimulatedLogSpec, SimulatedSourceSpec, Stage
from arrowflow.testing.simulation.verifier import Row
from arrowflow.testing.simulation.world import PREFIX, Table, World
from arrowflow.testing.sources import MemorySourceSpec

Names = tuple[tuple[str, str], ...]
_OWN = ("__af_epoch", "__af_kind", "__af_revision")


class Reference:
    """What the tables hold when nothing happens; as a `Judge`, what they must hold whatever happens.

    Parameters
    ----------
    tables : mapping or None
        By the name of the sink; None judges nothing, for the run that gives the answer.
    grows : bool
        Whether a row, once there, stays as it is: then tables are judged at every instant too.
    """

    def __init__(self, tables: Mapping[str, Table] | None, rows_read: int, *, grows: bool) -> None:
        self._wanted = None if tables is None else {sink: counted(rows) for sink, rows in tables.items()}
        self._rows_read, self._grows = rows_read, grows

    @property
    def rows_read(self) -> int:
        return self._rows_read

    def __call__(self, sink: str, rows: Table) -> list[str]:
        if self._wanted is None or not self._grows or sink not in self._wanted:
            return []
        return [f"{sink}: {n} times too often: {dict(row)}" for row, n in (counted(rows) - self._wanted[sink]).items()]

    def differences(self, tables: Mapping[str, Table]) -> list[str]:
        wrong = []
        for sink, wanted in (self._wanted or {}).items():
            found = counted(tables.get(sink, []))
            wrong += [f"{sink}: missing {n} times: {dict(row)}" for row, n in (wanted - found).items()]
            wrong += [f"{sink}: {n} times too often: {dict(row)}" for row, n in (found - wanted).items()]
        return wrong


def counted(rows: Table) -> Counter[Names]:
    """Rows without the columns that say how they were committed, and how often each is there."""
    return Counter(
        tuple(sorted((name, repr(value)) for name, value in row.items() if name not in _OWN)) for row in rows
    )


class RehearsedWorld(World):
    """A world for the histories of one rehearsal; its topic fills up while writers come and go."""

    def __init__(self, dice: Random, rehearsal: Rehearsal, judge: Reference) -> None:
        roots = {node.name: f"/lake/{node.name}" for node in rehearsal.pipeline.sinks}
        super().__init__(dice, roots, judge, rehearsal.topics)
        self.rehearsal = rehearsal
        self._moved = rehearsal.moved(roots)
        self._left: list[SampleRecord] = list(reversed(rehearsal.records))
        corrects = rehearsal.pipeline.operator.late == "correct"
        self.chores = {"retention": self.expire} if corrects else {"retention": self.expire, "collect": self.collect}
        if dice.random() < 0.3:
            self.chores = {"damage": self.damage}

    @property
    def producing(self) -> bool:
        return bool(self._left)

    def produce(self) -> None:
        for _ in range(min(len(self._left), self.dice.randint(1, 1 + len(self.rehearsal.records) // 5))):
            record = self._left.pop()
            self.broker.append(
                record.topic, record.partition, record.value, key=record.key, timestamp_us=1000 * record.timestamp_ms
            )
        self.journal.note("produced; left:", len(self._left))

    def pipeline(self, stage: Stage) -> Pipeline:
        rows = len(self.rehearsal.records)
        checkpoint = replace(
            self._moved.checkpoint,
            log=SimulatedLogSpec(stage, self.store, PREFIX),
            cadence_s=self.dice.choice((0.5, 2.0)),
            max_epoch_rows=self.dice.randint(1 + rows // 20, 1 + rows // 4),
            max_slice_rows=self.dice.randint(1 + rows // 40, 1 + rows // 8),
            full_every=self.dice.randint(1, 4),
        )
        spec = SimulatedSourceSpec(stage, MemorySourceSpec(self.broker, tuple(self.rehearsal.topics)))
        return replace(self._moved, source=replace(self._moved.source, spec=spec), checkpoint=checkpoint)


def reference(rehearsal: Rehearsal) -> Reference:
    """Run the pipeline once, with nothing happening to it, and keep what its tables hold.

    Raises
    ------
    AssertionError
        If even that run breaks an invariant.
    """
    grows = rehearsal.pipeline.operator.late != "correct"
    nothing = Reference(None, len(rehearsal.records), grows=grows)
    world = RehearsedWorld(Random("calm"), rehearsal, nothing)  # noqa: S311 - dice, not a secret
    world.chores = {}
    calm = Calm(world)
    calm.play()
    verdict = calm.verdict(0)
    if verdict.wrong:
        raise AssertionError(f"a run to which nothing happened is wrong: {verdict.wrong[0]}")
    tables: dict[str, list[Row]] = {
        node.name: [row for rows in world.verifier.tables.get(node.name, {}).values() for row in rows]
        for node in rehearsal.judged
    }
    return Reference(tables, len(rehearsal.records), grows=grows)


class Calm(History):
    """Everything is produced, and one writer reads it to its end."""

    def play(self) -> None:
        while self.world.producing:
            self.world.produce()
        self.finish()


def attack(rehearsal: Rehearsal, judge: Reference, seed: int) -> Verdict:
    """Play and judge one history of the pipeline."""
    return simulate(seed, world=lambda dice: RehearsedWorld(dice, rehearsal, judge))
