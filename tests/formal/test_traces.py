"""Traces of real runs are followed by the model, and traces that somebody has doctored are not."""

from __future__ import annotations

import copy
import json

import pytest
from formal.check import missing_tools
from formal.traces import Unknown, read, slots
from tests.chaos.replay_job import gold_collecting, write_archive
from tests.chaos.revision_job import TO_THE_END, job
from tests.support.buckets import BUCKET, strict_fake
from tests.support.followed import Protocol, follower_in

from arrowflow.engine import start
from arrowflow.failpoints import SimulatedCrash


class Trace:
    """The lines of a trace, to be doctored."""

    def __init__(self, text: str) -> None:
        self.lines = [json.loads(line) for line in text.splitlines()]

    def first(self, event: str, **facts) -> dict:
        """The line that begins the first call like that."""
        wanted = {"event": event, **facts}
        return next(line for line in self.lines if all(line.get(key) == value for key, value in wanted.items()))

    def of(self, begin: dict) -> list[dict]:
        return [line for line in self.lines if (line["run"], line["call"]) == (begin["run"], begin["call"])]

    def without(self, begin: dict) -> Trace:
        gone = self.of(begin)
        return self.made_of([line for line in self.lines if line not in gone])

    def without_any(self, event: str, run: str) -> Trace:
        gone = [
            line
            for begin in self.lines
            if begin.get("event") == event and begin["run"] == run
            for line in self.of(begin)
        ]
        return self.made_of([line for line in self.lines if line not in gone])

    def swapped(self, one: dict, other: dict) -> Trace:
        """Two calls in each other's place."""
        lines = copy.deepcopy(self.lines)
        pairs = [(self.lines.index(a), self.lines.index(b)) for a, b in zip(self.of(one), self.of(other), strict=True)]
        for i, k in pairs:
            when = "begun" if "begun" in lines[i] else "ended"
            lines[i][when], lines[k][when] = lines[k][when], lines[i][when]
        return self.made_of(lines)

    def changed(self, line: dict, **facts) -> Trace:
        lines = copy.deepcopy(self.lines)
        lines[self.lines.index(line)].update(facts)
        return self.made_of(lines)

    @staticmethod
    def made_of(lines: list[dict]) -> Trace:
        trace = Trace("")
        trace.lines = lines
        return trace


@pytest.fixture(scope="module")
def follower(tmp_path_factory):
    made = follower_in(tmp_path_factory.mktemp("followed"))
    if made is None:
        pytest.skip(f"{' and '.join(missing_tools())} not found (Debian: apt-get install spin gcc)")
    return made


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Trace:
    """A job with corrections that died twice, once between a record and its files, once in a replacement."""
    folder = tmp_path_factory.mktemp("job")
    protocol = Protocol(folder / "protocol", None)
    for plan in ("commit.created:3:crash", "publish.between_look_rename:2:crash"):
        with pytest.raises(SimulatedCrash):
            start(job(folder, epoch_rows=100), TO_THE_END, failpoints=protocol.failpoints(plan)).result()
    start(job(folder, epoch_rows=100), TO_THE_END, failpoints=protocol.failpoints()).result()
    return Trace(protocol.path.read_text())


def refused(follower, trace: Trace, folder) -> list[str]:
    path = folder / "doctored"
    path.write_text("\n".join(map(json.dumps, trace.lines)))
    return follower.follow([path], to_the_first=True).refused


def test_a_trace_of_deaths_and_corrections_is_followed(follower, whole, tmp_path):
    assert {"file.replace", "file.move", "open.create", "state.read"} <= {line.get("event") for line in whole.lines}
    assert refused(follower, whole, tmp_path) == []


def last_data(trace: Trace) -> dict:
    """A record that published a file and was not redone."""
    run = trace.lines[-1]["run"]
    moved = [line["n"] for line in trace.lines if line.get("event") == "file.move" and line["run"] == run]
    return trace.first("data.create", run=run, n=moved[-1])


def check_after(trace: Trace, record: dict) -> dict:
    return next(
        line
        for line in trace.lines
        if line.get("event") == "record.list" and line["run"] == record["run"] and line["call"] > record["call"]
    )


DOCTORED = {
    "CHECK skipped": lambda t: t.without(check_after(t, last_data(t))),
    "published before the record": lambda t: t.swapped(
        last_data(t), t.first("file.move", run=last_data(t)["run"], n=last_data(t)["n"])
    ),
    "published without staging": lambda t: t.without(
        t.first("file.stage", n=last_data(t)["n"], run=last_data(t)["run"])
    ),
    "a file never published": lambda t: t.without(t.first("file.move", n=last_data(t)["n"], run=last_data(t)["run"])),
    "a correction never published": lambda t: t.without(t.first("file.replace")),
    "a record that acknowledges itself": lambda t: t.changed(
        last_data(t), acked=dict.fromkeys(last_data(t)["acked"], last_data(t)["n"])
    ),
    "taken over without an open record": lambda t: t.without(t.first("open.create", run=t.lines[-1]["run"])),
    "the state not restored": lambda t: t.without_any("state.read", t.lines[-1]["run"]),
    "a taken name called made": lambda t: t.changed(t.of(t.first("open.create", n=0))[1], outcome="taken"),
    "records that were not there": lambda t: t.changed(
        t.of(t.first("record.list", run=t.lines[-1]["run"]))[1], newest=0
    ),
    "a record collected above the horizon": lambda t: t.changed(
        t.first("record.read", run=t.lines[-1]["run"]), event="record.delete"
    ),
}


@pytest.mark.parametrize("how", DOCTORED)
def test_a_doctored_trace_is_refused(how, follower, whole, tmp_path):
    assert refused(follower, DOCTORED[how](whole), tmp_path), how


# ---- collecting and sealing, on a disk and in a bucket ----------------------------------------------------------


def aged(folder, lake: str) -> Trace:
    """A job that collects and seals all the while, and died twice of it."""
    archive = folder / "archive.ndjson"
    write_archive(archive, rows=1100)
    protocol = Protocol(folder / "protocol", None)
    for plan in ("compact.committed:2:crash", "gc.object:3:crash"):
        with pytest.raises(SimulatedCrash):
            start(
                gold_collecting(archive, lake, 3, sealed=True), TO_THE_END, failpoints=protocol.failpoints(plan)
            ).result()
    start(gold_collecting(archive, lake, 3, sealed=True), TO_THE_END, failpoints=protocol.failpoints()).result()
    return Trace(protocol.path.read_text())


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Trace:
    folder = tmp_path_factory.mktemp("aged")
    return aged(folder, str(folder / "lake"))


AGES = {"record.delete", "object.delete", "compact.create", "seal.publish", "live.delete"}


def followed(follower, trace: Trace, folder, most: int = 2) -> list[str]:
    path = folder / "trace"
    path.write_text("\n".join(map(json.dumps, trace.lines)))
    return follower.follow([path], most=most).refused


def test_a_trace_of_collecting_and_sealing_and_of_deaths_in_it_is_followed(follower, old, tmp_path):
    assert {line.get("event") for line in old.lines} >= AGES
    assert followed(follower, old, tmp_path) == []


def test_and_one_of_a_lake_in_a_bucket(follower, tmp_path):
    with strict_fake():
        trace = aged(tmp_path, f"gs://{BUCKET}/af")

    assert {line.get("event") for line in trace.lines} >= AGES
    assert trace.first("run.start")["log"] == f"gs://{BUCKET}/af/_arrowflow/gold_production"
    assert followed(follower, trace, tmp_path) == []


def last_sealed(trace: Trace) -> dict:
    """The move of the first sealed file of the last compact record."""
    moves = [line for line in trace.lines if line.get("event") == "seal.publish"]
    return next(line for line in reversed(moves) if line["path"].endswith("/sealed-0000.parquet"))


def all_sealed(trace: Trace, upto: int) -> Trace:
    """Every compact record says that only epochs below `upto` are sealed."""
    lines = copy.deepcopy(trace.lines)
    for line in lines:
        if line.get("event") == "compact.create":
            line["sealed"] = {name: [[0, upto]] for name in line["sealed"]}
    return Trace.made_of(lines)


AGED = {
    "a sealed file that never got its name": lambda t: t.without(last_sealed(t)),
    "fewer epochs sealed than files removed": lambda t: all_sealed(t, 1),
    "more epochs sealed than published": lambda t: all_sealed(t, t.lines[-1].get("n", 90)),
    "small files removed after their record": lambda t: t.swapped(
        t.first("live.delete"), next(
            line
            for line in t.lines
            if line.get("event") == "record.delete" and line["begun"] > t.first("live.delete")["begun"]
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", AGED)
def test_a_doctored_trace_of_sealing_is_refused(how, follower, old, tmp_path):
    assert followed(follower, AGED[how](old), tmp_path, most=6), how


def test_an_event_the_model_does_not_know_is_an_error(whole, tmp_path):
    path = tmp_path / "doctored"
    path.write_text("\n".join(map(json.dumps, whole.changed(whole.first("file.move"), event="file.teleport").lines)))

    with pytest.raises(Unknown, match=r"knows no event 'file\.teleport'"):
        read([path])


def test_three_writers_at_a_time_are_more_than_the_model_has(whole, tmp_path):
    run = whole.lines[0]["run"]
    lines = [{**line, "run": name} for name in "abc" for line in whole.lines if line["run"] == run]
    path = tmp_path / "three"
    path.write_text("\n".join(map(json.dumps, lines)))

    (calls,) = read([path]).values()
    with pytest.raises(Unknown, match="more than two writers"):
        slots(calls)
