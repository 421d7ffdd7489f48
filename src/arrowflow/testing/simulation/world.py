"""What outlives every run of one history: the topic that fills up, the store, the housekeeping, and the verifier."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from arrowflow.pipeline import Checkpoint, EventTime, OperatorNode, Pipeline, SinkNode, SourceNode, Stream
from arrowflow.protocols import OperatorSpec, OutletSpec, SinkSpec
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.testing.decoders import LineDecoderSpec
from arrowflow.testing.operators import NaiveOperatorSpec
from arrowflow.testing.simulation.director import Actor, Director, Journal
from arrowflow.testing.simulation.extras import ALERTS, Extras, Outside, draw_extras
from arrowflow.testing.simulation.parts import SimulatedLogSpec, SimulatedSourceSpec, Stage
from arrowflow.testing.simulation.streams import Deed, Setup, draw_deeds, draw_setup, expected, visible
from arrowflow.testing.simulation.verifier import Layout, Row, Verifier
from arrowflow.testing.sinks import MemorySinkSpec
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec
from arrowflow.testing.stores import MemoryStore
from arrowflow.testing.transforms import KeepIf
from arrowflow.types import SourcePartition
from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

_TOPIC = "events"
_TABLES = ("rows", "late", "dead")
PREFIX = "/lake/_arrowflow/job"
_STREAMS: Mapping[str, Stream] = {"rows": "rows", "late": "late", "dead": "dead", ALERTS: "rows"}
_ROOTS = {"rows": "/lake/rows", "late": "/lake/late", "dead": "/lake/dead"}
_S = 1_000_000


Table = list[Row]


class Judge(Protocol):
    """Knows what the tables may hold, and what they must hold in the end."""

    @property
    def rows_read(self) -> int:
        """How many records there are to read."""

    def __call__(self, sink: str, rows: Table) -> list[str]:
        """What is wrong with a table at some instant."""

    def differences(self, tables: Mapping[str, Table]) -> list[str]:
        """What is wrong with the tables at the end."""


class World:
    """One history's world; everything in it comes from `dice`.

    Parameters
    ----------
    dice : Random
        The only source of chance.
    roots : mapping
        The root of each table by the name of its sink.
    judge : Judge
        Says what is right.
    topics : mapping
        Topic of the source to its number of partitions.
    extras : Extras
        Topics to write to, and collection; by default none.
    """

    def __init__(
        self,
        dice: Random,
        roots: Mapping[str, str],
        judge: Judge,
        topics: Mapping[str, int],
        extras: Extras | None = None,
    ) -> None:
        self.dice, self.roots, self.judge = dice, dict(roots), judge
        self.journal = Journal()
        self.director = Director(dice, self.journal)
        self.broker = MemoryBroker("simulated")
        for topic, partitions in topics.items():
            self.broker.create(topic, partitions, topic_id=topic)
        self.store = MemoryStore()
        self.verifier = Verifier(Layout(PREFIX, self.roots), judge)
        self.outside = Outside(extras or Extras(), self.director, PREFIX, self.roots)
        self.verifier.witnesses += [*self.outside.readers.values(), self.outside.leftovers]
        self.merged: dict[str, set[str]] = {}
        self.chores: dict[str, Callable[[], None]] = {}

    # ---- what a world of its own kind says ---------------------------------------------------------------------

    @property
    def producing(self) -> bool:
        """Whether producers have anything left to do."""
        raise NotImplementedError

    def produce(self) -> None:
        """Let a producer do its next deed."""
        raise NotImplementedError

    def pipeline(self, stage: Stage) -> Pipeline:
        """The job as one process runs it: the same query, batches and limits of its own."""
        raise NotImplementedError

    def strew(self) -> bool:
        """When all is over: whether there is something left that only one more writer can see to; perhaps give it epochs to do so."""
        return False

    # ---- housekeeping --------------------------------------------------------------------------------------------

    def expire(self) -> None:
        """Retention of the topic: what the newest record has read is gone."""
        head = self.verifier.head
        for each in [] if head is None else head["inputs"]:
            self.broker.delete_before(each["topic"], each["partition"], each["stop"])

    def collect(self) -> None:
        """Delete old records, ascending, and what was staged for them."""
        horizon = self.verifier.acked() - self.dice.randint(0, 2)
        for path in sorted(self.store.objects):
            kind, _, rest = path.removeprefix(PREFIX + "/").partition("/")
            epoch = (
                int(rest.split("/")[1][:20])
                if kind == "manifests"
                else int(rest.split("/")[0])
                if kind == "staging"
                else horizon
            )
            if epoch < horizon:
                self.store.delete(path)

    def merge(self) -> None:
        """Put one file in the place of each folder's files whose epochs are published, as compaction does."""
        root, acked = self.roots["rows"], self.verifier.acked()
        folders: dict[str, list[str]] = {}
        for path in sorted(self.store.objects):
            if path.startswith(root + "/") and _epoch_of(self.verifier, path.removeprefix(root + "/")) <= acked:
                folders.setdefault(path.rpartition("/")[0], []).append(path)
        for folder, paths in folders.items():
            whole = _encoded([(path, self.store.objects[path]) for path in paths])
            suffix = paths[0].rpartition(".")[2]
            for path in paths:
                self.store.delete(path)
            self.store.put(f"{folder}/merged-{self.dice.getrandbits(32):08x}.{suffix}", whole)
            self.merged.setdefault("rows", set()).update(paths)
        left = {path: data for path, data in self.store.objects.items() if path.startswith(root + "/")}
        self.verifier.replaced_all("rows", left)

    def damage(self) -> None:
        """Turn a bit in a state file of the newest record."""
        head = self.verifier.head
        files = [] if head is None else [f for s in head["state"].values() for f in (s["full"], *s["deltas"]) if f]
        if files:
            path = f"{PREFIX}/{self.dice.choice(files)['path']}"
            data = bytearray(self.store.objects[path])
            data[self.dice.randrange(len(data))] ^= 1 << self.dice.randrange(8)
            self.store.put(path, bytes(data))
            self.verifier.damaged.add(path)
            self.journal.note("damage", path)

    # ---- the watcher of the store ------------------------------------------------------------------------------

    def saw(self, actor: Actor | None, verb: str, path: str, target: str) -> None:
        """Tell the verifier of an effect."""
        objects = self.store.objects
        where = target or path
        if verb == "delete":
            self.verifier.wrong += self.outside.leftovers.deleted(path, objects)
        if verb == "delete" or where not in objects:
            return
        if verb == "create":
            self.outside.leftovers.created(path)
            self.verifier.created(path, objects[path], objects)
        else:
            self.verifier.published(target, objects[target])

    def heard(self, actor: Actor, positions: Mapping[SourcePartition, int]) -> None:
        """Tell the verifier of committed group offsets."""
        self.verifier.acknowledged({(part.topic, part.partition): offset for part, offset in positions.items()})


class DrawnWorld(World):
    """A world whose query and streams are drawn too, and whose answer a loop over the records gives."""

    def __init__(self, dice: Random) -> None:
        self.setup, self.deeds = draw_setup(dice), draw_deeds(dice)
        self.done = [0] * len(self.deeds)
        self.extras = draw_extras(dice, self.setup)
        roots = {name: _ROOTS[name] for name in _TABLES if name not in self.extras.topics}
        super().__init__(dice, roots, DrawnJudge(self.setup, self.deeds), {_TOPIC: len(self.deeds)}, self.extras)
        self.journal.note(self.setup, self.extras, self.deeds)
        self.chores = self._draw_chores()

    @property
    def producing(self) -> bool:
        return any(done < len(deeds) for done, deeds in zip(self.done, self.deeds, strict=True))

    def produce(self) -> None:
        part = self.dice.choice([p for p, deeds in enumerate(self.deeds) if self.done[p] < len(deeds)])
        kind, number, value = self.deeds[part][self.done[part]]
        self.done[part] += 1
        self.journal.note("producer", part, kind, number, value)
        if kind == "row":
            self.broker.append(_TOPIC, part, value)
        elif kind == "skip":
            self.broker.skip(_TOPIC, part, number)
        elif kind == "begin":
            self.broker.begin(_TOPIC, part)
        elif kind == "end":
            self.broker.end(_TOPIC, part, commit=bool(number))
        else:
            self.broker.elect(_TOPIC, part)

    def _draw_chores(self) -> dict[str, Callable[[], None]]:
        """Which kinds of housekeeping this history knows; what would rob another of what it needs is left out."""
        if self.setup.late == "correct" or self.dice.random() < 0.3:
            damages = self.dice.random() < 0.3 and self.extras.keep_records is None  # a rebuild needs older snapshots
            return {"damage": self.damage} if damages else {"retention": self.expire}
        chores = {"retention": self.expire, "collect": self.collect, "merge": self.merge}
        if self.extras.keep_records is not None:
            del chores["collect"]  # the job does it itself
        return {name: chore for name, chore in chores.items() if self.dice.random() < 0.7}

    def strew(self) -> bool:
        """Records that say nothing, one to an epoch, so that what is to be collected is; and a last look at the topics."""
        self.outside.cluster.restarts = 0.0
        if self.extras.keep_records is None:
            return bool(self.extras.topics)
        self.outside.tidied = True
        for _ in range(5 + sum(path.startswith(f"{PREFIX}/") for path in self.store.objects) // 10):
            self.broker.append(_TOPIC, 0, None)
        return True

    def pipeline(self, stage: Stage) -> Pipeline:
        setup, dice, extras = self.setup, self.dice, self.extras
        kept = {} if extras.keep_records is None else {"keep_records": extras.keep_records}
        cadence_s = dice.choice((0.5, 2.0))
        slice_rows, rows = (1, 1) if self.outside.tidied else (dice.randint(1, 8), dice.randint(1, 16))
        names = (*_TABLES, ALERTS) if ALERTS in extras.topics else _TABLES
        spec = SimulatedSourceSpec(stage, MemorySourceSpec(self.broker, (_TOPIC,)))
        return Pipeline(
            name="job",
            source=SourceNode("in", spec, LineDecoderSpec(), max_error_rate=1.0),
            transforms=(KeepIf("v", setup.least),),
            event_time=EventTime("t", setup.tolerance_s * _S, scope=setup.scope),
            operator=OperatorNode("window", _operator(setup), late=setup.late),
            sinks=tuple(SinkNode(name, self._sink(name, stage), _STREAMS[name]) for name in names),
            checkpoint=Checkpoint(
                SimulatedLogSpec(stage, self.store, PREFIX),
                cadence_s=cadence_s,
                max_slice_rows=slice_rows,
                max_epoch_rows=rows,
                full_every=dice.randint(1, 4),
                discover_every_s=dice.choice((1.0, 30.0)),
                keep_for_s=7 * 86_400.0 if extras.keep_records is None else extras.keep_for_s,
                **kept,
            ),
        )

    def _sink(self, name: str, stage: Stage) -> SinkSpec | OutletSpec:
        return self.outside.spec(name, stage) if name in self.extras.topics else _table(self.setup, name)


def _operator(setup: Setup) -> OperatorSpec:
    correct_for = setup.correct_s * _S if setup.late == "correct" else None
    if not setup.real:
        return NaiveOperatorSpec(setup.size_s * _S, "k", "v", setup.lateness_s * _S, setup.scope, correct_for)
    aggregates = (Aggregate("n", "count"), Aggregate("total", "sum", "v"))
    return WindowSpec(
        Tumbling(setup.size_s * _S), ("k",), aggregates, setup.lateness_s * _S, setup.scope, correct_for_us=correct_for
    )


def _table(setup: Setup, name: str) -> SinkSpec:
    if setup.parquet:
        return ParquetSpec(_ROOTS[name], ("k",) if name == "rows" else (), "none")
    return MemorySinkSpec(_ROOTS[name])


class DrawnJudge:
    """What a table may hold at any instant: rows of the answer, each once; of a corrected window, one revision."""

    def __init__(self, setup: Setup, deeds: list[list[Deed]]) -> None:
        self.setup = setup
        self.answer = expected(setup, deeds)
        self.rows_read = sum(len(visible(each)) for each in deeds)
        self._last: dict[tuple[str, int], int] = {}

    def __call__(self, sink: str, rows: list[Row]) -> list[str]:
        if sink != "rows":
            wanted = Counter(self.answer.late if sink == "late" else self.answer.dead)
            return [f"{sink}: {place} {n} times too often" for place, n in (_places(rows) - wanted).items()]
        wrong = []
        for name, found in _windows(rows).items():
            n, total = self.answer.windows.get(name, (0, 0))
            if len(found) > 1:
                wrong.append(f"rows: window {name} is there {len(found)} times")
            elif self.setup.late != "correct" and found[0] != (n, total):
                wrong.append(f"rows: window {name} is {found[0]}, wanted {(n, total)}")
            elif not self._last.get(name, 0) <= found[0][0] <= n:
                wrong.append(f"rows: window {name} went from {self._last.get(name, 0)} rows to {found[0][0]} of {n}")
            self._last[name] = max(self._last.get(name, 0), found[0][0])
        return wrong

    def differences(self, tables: Mapping[str, list[Row]]) -> list[str]:
        """Every way in which the tables at the end are not the answer."""
        found = {name: each[0] for name, each in _windows(tables["rows"]).items()}
        wrong = [
            f"rows: window {name} is {found.get(name)}, wanted {self.answer.windows.get(name)}"
            for name in sorted({*found, *self.answer.windows})
            if found.get(name) != self.answer.windows.get(name)
        ]
        for sink, places in (("late", self.answer.late), ("dead", self.answer.dead)):
            missing = Counter(places) - _places(tables[sink])
            wrong += [f"{sink}: {place} is missing" for place in sorted(missing)]
        return [*wrong, *(line for sink, rows in tables.items() for line in self(sink, rows))]


def _places(rows: list[Row]) -> Counter[tuple[int, int]]:
    return Counter((row["_partition"], row["_offset"]) for row in rows)


def _windows(rows: list[Row]) -> dict[tuple[str, int], list[tuple[int, int]]]:
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for row in rows:
        found.setdefault((row["k"], int(row["window_start"].timestamp())), []).append((row["n"], row["total"]))
    return found


def _epoch_of(verifier: Verifier, name: str) -> int:
    """The epoch of the record that tells of a file of the table of rows; a merged file belongs to the oldest."""
    files = ((epoch, file) for epoch, record in verifier.records.items() for file in record["outputs"])
    return max((epoch for epoch, file in files if file["sink"] == "rows" and file["dst"] == name), default=-1)


def _encoded(files: list[tuple[str, bytes]]) -> bytes:
    """One file with the rows of all."""
    buffer = io.BytesIO()
    if files[0][0].endswith(".parquet"):
        pq.write_table(pa.concat_tables([pq.ParquetFile(io.BytesIO(data)).read() for _, data in files]), buffer)
        return buffer.getvalue()
    whole = pa.concat_tables([pa.ipc.open_stream(data).read_all() for _, data in files])
    with pa.ipc.new_stream(buffer, whole.schema) as writer:
        writer.write_table(whole)
    return buffer.getvalue()
