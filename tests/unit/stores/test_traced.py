"""The store that tells of its calls is a store like the one it wraps, and is not there when nobody traces."""

from __future__ import annotations

import json

import pytest

from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.errors import AlreadyExists, ObjectMissing
from arrowflow.failpoints import Failpoints, LostResponse, SimulatedCrash
from arrowflow.stores.local import LocalStore
from arrowflow.stores.traced import TracedStore, traced
from arrowflow.testing.conformance.stores import StoreConformance
from arrowflow.testing.stores import MemoryStore
from arrowflow.tracing import EVENTS, ProtocolTrace


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trace"


@pytest.fixture
def store(path):
    return TracedStore(MemoryStore(), "/c", ProtocolTrace.to(str(path)))


def told(path):
    """Event and outcome of each call, in order."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    ended = {line["call"]: line["outcome"] for line in lines if "ended" in line}
    return [(line["event"], ended.get(line["call"])) for line in lines if "begun" in line]


def test_without_a_trace_the_store_is_the_store_itself(tmp_path):
    assert traced(found := MemoryStore(), "/c", Failpoints()) is found
    assert isinstance(LocalLogSpec(str(tmp_path)).build(Failpoints())[1].store, LocalStore)


def test_each_call_is_named_after_what_its_path_is(store, path):
    record = {"kind": "data", "writer": {}, "acked": {"a": 3}, "horizon": 0, "outputs": [], "state": {}}
    store.create("/c/manifests/00000000000000000/00000000000000000004.json", json.dumps(record).encode())
    store.list("/c/manifests", "/c/manifests/00000000000000000/00000000000000000002.json")
    store.create("/c/staging/00000000000000000004/x/out/0000.parquet", b"1")
    store.create("/c/staging/00000000000000000004/x/out/revision-0000.parquet", b"2")
    store.move_once("/c/staging/00000000000000000004/x/out/0000.parquet", "/table/a")
    with pytest.raises(AlreadyExists):
        store.replace_once(
            "/c/staging/00000000000000000004/x/out/revision-0000.parquet", "/table/a", was="0", becomes="1"
        )
    store.create("/c/state/00000000000000000004/x/w.full.arrow", b"3")
    store.read("/table/a")
    store.delete("/c/state/00000000000000000004/x/w.full.arrow")
    store.delete("/table/a")
    store.create("/c/job.json", b"4")
    store.create("/c/something/else", b"5")

    names = [event for event, _ in told(path)]
    assert names == [
        "data.create", "record.list", "file.stage", "revision.stage", "file.move", "file.replace", "state.create", "file.read",
        "object.delete", "live.delete", "job.create", "object.create",
    ]  # fmt: skip
    assert set(names) <= EVENTS
    assert [line["newest"] for line in map(json.loads, path.read_text().splitlines()) if "newest" in line] == [4]


def test_an_outcome_is_what_the_caller_saw(store, path):
    store.create("/c/job.json", b"1")
    with pytest.raises(AlreadyExists):
        store.create("/c/job.json", b"2")
    with pytest.raises(ObjectMissing):
        store.read("/c/state/00000000000000000001/x/w.full.arrow")

    assert told(path) == [("job.create", "made"), ("job.create", "taken"), ("state.read", "missing")]


def test_a_call_that_fails_or_dies_or_whose_answer_is_swallowed_is_told_so(tmp_path, path):
    failpoints = Failpoints.parse("fs.fsync_file:1:raise, fs.fsync_file:2:crash, stage.file:1:lost", None, str(path))
    store = LocalLogSpec(str(tmp_path / "log")).build(failpoints)[1].store
    with pytest.raises(Exception, match="on purpose"):
        store.create(f"{tmp_path}/log/job.json", b"1")
    with pytest.raises(SimulatedCrash):
        store.create(f"{tmp_path}/log/job.json", b"1")
    store.create(f"{tmp_path}/log/job.json", b"1")
    with pytest.raises(LostResponse):
        failpoints.lost("stage.file")

    assert told(path) == [
        ("run.start", "made"),
        ("job.create", "failed"),
        ("job.create", None),
        ("job.create", "failed"),
    ]


def test_calls_of_no_store_are_told_by_who_makes_them(path):
    failpoints = Failpoints.parse("", None, str(path))
    failpoints.tell("kafka.commit", n=4, sink="alerts")
    Failpoints().tell("kafka.commit", n=5)

    assert told(path) == [("kafka.commit", "made")]


class TestTracedStore(StoreConformance):
    @pytest.fixture
    def base(self, tmp_path):
        return str(tmp_path / "base")

    @pytest.fixture
    def store(self, base, tmp_path):
        return TracedStore(LocalStore(), base, ProtocolTrace.to(str(tmp_path / "trace")))
