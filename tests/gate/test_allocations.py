"""The hot path makes no Python object per record: allocator calls and bytecodes of n and of 4n records are the same."""

from __future__ import annotations

import threading

import pytest
from bench.counting.allocations import Allocations
from bench.counting.cases import AGGREGATES, FIELDS, HOUR_US, telegram

from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.failpoints import Failpoints
from arrowflow.phases.advance import fold
from arrowflow.phases.ahead import unpacked
from arrowflow.phases.decode import decode
from arrowflow.phases.defaults import Silence, SystemClock
from arrowflow.phases.draft import begin
from arrowflow.phases.fingerprint import fingerprint_of
from arrowflow.phases.job import build_job
from arrowflow.phases.transform import transform
from arrowflow.pipeline import Checkpoint, EventTime, OperatorNode, Pipeline, RunOptions, SinkNode, SourceNode
from arrowflow.sources.kafka.columnar import ColumnarSource
from arrowflow.sources.kafka.subscription import Subscription
from arrowflow.sources.kafka.wire.settings import understood
from arrowflow.testing.commitlogs import MemoryLogSpec
from arrowflow.testing.kafka import ZSTD, WireBroker, WireLog, WireRecord, packed_batch
from arrowflow.testing.sinks import MemorySinkSpec
from arrowflow.types import Bounds, PartitionClock, SourcePartition
from arrowflow.windows.spec import Tumbling, WindowSpec

FEW, MANY = 1_500, 6_000
PER_RECORD = 0.05
"""Pieces of the network and of Arrow's chunks grow with bytes; an object per record would be 1."""
PHASES = ("read", "decode", "transform", "fold")
PART = SourcePartition("kafka", "t", 0)

pytestmark = pytest.mark.jit


class Known:
    """What the ordinary client is to columnar fetch."""

    name = "kafka"

    def __init__(self):
        self.cluster = self

    def check(self, wanted):
        pass

    def close(self):
        pass


class OverWire:
    """A source over a broker on loopback, read by columnar fetch."""

    def __init__(self, broker):
        self.wanted = Subscription(broker.bootstrap, ("t",), "earliest", "g", {})

    def build(self, name, context):
        return ColumnarSource(Known(), self.wanted, understood({}), context, insist=True)

    def fingerprint(self):
        return {}


def job_over(broker):
    """A job that fetches, decodes and folds into tumbling windows; it writes nothing here."""
    window = WindowSpec(Tumbling(HOUR_US), ("sensor",), AGGREGATES)
    pipeline = Pipeline(
        name="job",
        source=SourceNode(
            "kafka", OverWire(broker), JsonSpec(tuple(Field(name, kind) for name, kind in FIELDS.items()))
        ),
        event_time=EventTime("ts", max_out_of_orderness_us=0),
        operator=OperatorNode("window", window),
        sinks=(SinkNode("out", MemorySinkSpec()),),
        checkpoint=Checkpoint(MemoryLogSpec()),
    )
    told = {"observer": Silence(), "clock": SystemClock(), "failpoints": Failpoints(), "stopping": threading.Event()}
    job = build_job(pipeline, RunOptions(), fingerprint=fingerprint_of(pipeline), **told)
    job.positions, job.clocks = {PART: 0}, {PART: PartitionClock()}
    return job


def phases_of(job, records):
    """Each phase as a piece of work over the same records, which can be done again."""
    draft = begin(job)
    bounds = Bounds(rows=records, seconds=30.0)

    def read():
        fetched = job.source.read({PART: 0}, bounds)
        assert sum(map(len, fetched.batches)) == records
        return fetched

    fetched = read()
    decoded = decode(job, draft, unpacked(job.decoder, fetched))
    transformed = transform(job, draft, decoded)
    return {
        "read": read,
        "decode": lambda: decode(job, begin(job), unpacked(job.decoder, fetched)),
        "transform": lambda: transform(job, draft, decoded),
        "fold": lambda: fold(job, draft, transformed),
    }


def spent(job, records):
    """Allocator calls and bytecodes of each phase; it was done before, so patterns and keys are known."""
    counter = Allocations()
    for work in phases_of(job, records).values():
        work()
    return {name: counter.spent(work) for name, work in phases_of(job, records).items()}


def per_record(make_job, attempts=5):
    """The least that several attempts find by phase: when bytes arrive costs a little, and differs."""
    least = {}
    for _ in range(attempts):
        few, many = (spent(make_job(records), records) for records in (FEW, MANY))
        for name in few:
            more = [(high - low) / (MANY - FEW) for low, high in zip(few[name], many[name], strict=True)]
            least[name] = [min(pair) for pair in zip(more, least.get(name, more), strict=True)]
        if not too_much(least):
            break
    return least


def too_much(found):
    """The phases that make objects for each record, or run bytecodes for each."""
    return {name: each for name, each in found.items() if max(each) > PER_RECORD}


@pytest.fixture
def make_job():
    """Make jobs over topics of one batch each; brokers and connections end with the test."""
    opened = []

    def make(records, change=lambda job: None):
        values = [WireRecord(telegram(number), b"key") for number in range(records)]
        broker = WireBroker({("t", 0): WireLog(packed_batch(0, values, codec=ZSTD))})
        broker.__enter__()
        job = job_over(broker)
        change(job)
        opened.append((job, broker))
        return job

    yield make
    for job, broker in opened:
        job.close()
        broker.__exit__(None, None, None)


def test_no_phase_of_the_hot_path_makes_an_object_or_runs_a_bytecode_per_record(make_job):
    found = per_record(make_job)

    assert set(found) == set(PHASES)
    assert too_much(found) == {}


class Beside:
    """A part with something done beside one of its calls, the way a careless change would."""

    def __init__(self, part, name, careless):
        self._part, self._name, self._careless = part, name, careless

    def __getattr__(self, name):
        call = getattr(self._part, name)
        if name != self._name:
            return call

        def wrapped(*given):
            answer = call(*given)
            self._careless(answer if name == "read" else given[0])
            return answer

        return wrapped


def careless(job):
    """An object per record in fetch and decode, and in fold floats that come from Python's free list and leave at once."""
    job.source = Beside(job.source, "read", lambda fetched: [bytes(4) for _ in fetched.batches[0].offset])
    job.decoder = Beside(job.decoder, "decode", lambda raw: raw.value.to_pylist())
    job.operator = Beside(job.operator, "fold", lambda rows: [None for each in rows.event_us if float(each) < 0])


def test_an_object_for_each_record_is_noticed_in_its_phase_also_one_that_no_allocator_sees(make_job):
    found = per_record(lambda records: make_job(records, careless), attempts=1)

    assert set(too_much(found)) == {"read", "decode", "fold"}
    assert found["read"][0] > 0.9
    assert found["decode"][0] > 0.9
    assert found["fold"][1] > 3
