"""Going back: the tables as they were at a record, the records after it again, and the same answer as without the detour."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from tests.chaos.revision_job import TO_THE_END as REVISIONS_TO_THE_END
from tests.chaos.revision_job import job as revision_job
from tests.chaos.revision_job import newest_revisions
from tests.support.cli import wait_for
from tests.support.small import SECOND_US, pipeline, places, results, rows, window
from tests.unit.phases.test_recovery import CAUGHT_UP, RIGHT, STREAM, TO_THE_END, flip_a_bit, grow, records
from tests.unit.phases.test_topic_rows import fill

from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.engine import start
from arrowflow.errors import ConfigError, DataLossError, Fenced, StateRefused
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.phases.alone import opened
from arrowflow.phases.commit import adopt
from arrowflow.phases.drop import delete, retire
from arrowflow.phases.reset import go_back, read_elsewhere
from arrowflow.phases.wish import Wish, rehearse_reset
from arrowflow.pipeline import EventTime, RunOptions, SinkNode
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.testing.answers import read_rows
from arrowflow.testing.observer import RecordingObserver
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec
from arrowflow.types import OffsetRange, PartitionClock, SourcePartition
from arrowflow.windows.spec import Aggregate

AT_ONCE = RunOptions(take_over=True)


def back(job, failpoints=None, **wish):
    with opened(job, AT_ONCE, failpoints=failpoints) as parts:
        return go_back(parts, Wish(**wish))


def table(root):
    """Every row of a table, bookkeeping columns included, however often."""
    files = sorted(root.rglob("*.parquet"))
    rows_ = pl.concat([pl.read_parquet(file) for file in files]).rows() if files else []
    return Counter(rows_)


def tables(folder, generation=""):
    return {name: table(folder / "small" / f"{name}{generation}") for name in ("out", "late", "dead")}


def history(folder, **kwargs):
    """Run in small steps; return what the tables held after each record that closed a run."""
    seen = {}
    for upto in (15, 25, 35, 45):
        grow(folder, upto, **kwargs)
        seen[records(folder)[-1]["epoch"]] = tables(folder)
    return seen


# ---- in place --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nth", [0, 1, 2, 3])
def test_in_place_the_tables_are_as_they_were_and_catching_up_gives_the_answer(nth, tmp_path):
    seen = history(tmp_path)
    grow(tmp_path, len(STREAM), TO_THE_END)
    to = list(seen)[nth]

    made = back(pipeline(tmp_path, STREAM), epoch=to, in_place=True)

    assert tables(tmp_path) == seen[to]
    assert (made.reset.how, made.reset.to, made.epoch) == ("in_place", to, records(tmp_path)[-2]["epoch"])
    grow(tmp_path, len(STREAM), TO_THE_END)
    assert results(tmp_path) == RIGHT
    log = records(tmp_path)
    assert [record["epoch"] for record in log] == list(range(len(log))), "no number is used twice"


def test_every_single_record_can_be_gone_back_to(tmp_path):
    for upto in (15, 40):
        grow(tmp_path, upto, max_epoch_rows=8, max_slice_rows=4)
    grow(tmp_path, len(STREAM), TO_THE_END, max_epoch_rows=8, max_slice_rows=4)
    last = records(tmp_path)[-1]["epoch"]

    for to in range(last, -1, -3):
        back(pipeline(tmp_path, STREAM), epoch=to, in_place=True)
        named = {
            file["dst"] for record in records(tmp_path)[: to + 1] for file in record["outputs"] if file["sink"] == "out"
        }
        assert {path.name for path in (tmp_path / "small" / "out").rglob("*.parquet")} == named
    grow(tmp_path, len(STREAM), TO_THE_END)

    assert results(tmp_path) == RIGHT


def test_late_rows_and_dead_letters_are_taken_back_and_come_again(tmp_path):
    stream = [*STREAM[:30], *rows(("a", 0, 9.0)), *STREAM[30:]]
    bad = STREAM[0]._replace(value=b"{")
    stream.insert(40, bad)

    def run(upto, options=CAUGHT_UP):
        made = pipeline(tmp_path, stream[:upto])
        start(replace(made, source=replace(made.source, max_error_rate=1.0)), options).result()

    run(20)
    to = records(tmp_path)[-1]["epoch"]
    run(len(stream), TO_THE_END)
    before = places(tmp_path, "late"), places(tmp_path, "dead"), results(tmp_path)
    assert before[0]
    assert before[1]

    back(pipeline(tmp_path, stream), epoch=to, in_place=True)

    assert (places(tmp_path, "late"), places(tmp_path, "dead")) == ([], [])
    run(len(stream), TO_THE_END)
    assert (places(tmp_path, "late"), places(tmp_path, "dead"), results(tmp_path)) == before


def test_a_record_that_was_gone_back_over_cannot_be_gone_back_to_and_the_message_says_what_can(tmp_path):
    seen = list(history(tmp_path))
    back(pipeline(tmp_path, STREAM), epoch=seen[0], in_place=True)
    grow(tmp_path, len(STREAM), TO_THE_END)

    with pytest.raises(ConfigError, match=f"record {seen[2]} was undone by a later reset"):
        back(pipeline(tmp_path, STREAM), epoch=seen[2], in_place=True)
    with pytest.raises(ConfigError, match="there is no record 999; records that count reach from 0 to"):
        back(pipeline(tmp_path, STREAM), epoch=999, in_place=True)


def test_a_reset_may_be_gone_back_over_too(tmp_path):
    seen = history(tmp_path)
    first, second = next(iter(seen)), list(seen)[1]
    back(pipeline(tmp_path, STREAM), epoch=second, in_place=True)
    grow(tmp_path, 45)

    back(pipeline(tmp_path, STREAM), epoch=first, in_place=True)

    assert tables(tmp_path) == seen[first]
    grow(tmp_path, len(STREAM), TO_THE_END)
    assert results(tmp_path) == RIGHT


def test_damaged_state_is_rebuilt_along_the_records_that_count(tmp_path):
    seen = list(history(tmp_path, full_every=1000))
    back(pipeline(tmp_path, STREAM), epoch=seen[1], in_place=True)
    grow(tmp_path, 40, full_every=1000)
    deltas = records(tmp_path)[-1]["state"]["window"]["deltas"]
    gone_back = max(each["epoch"] for each in records(tmp_path) if each["kind"] == "reset")
    later = [file for file in deltas if file["epoch"] > gone_back]
    assert later
    assert len(later) < len(deltas)
    flip_a_bit(tmp_path / "small" / "_log" / later[-1]["path"])
    observer = RecordingObserver()

    start(pipeline(tmp_path, STREAM), TO_THE_END, observer=observer).result()

    assert any("rebuilding the state" in str(event) for event in observer.events)
    assert results(tmp_path) == RIGHT


def test_partitions_that_joined_later_are_forgotten_by_whoever_meets_a_reset(tmp_path):
    seen = history(tmp_path)
    made = back(pipeline(tmp_path, STREAM), epoch=next(iter(seen)), in_place=True)
    later = SourcePartition("dealt", "events", 7)

    with opened(pipeline(tmp_path, STREAM), AT_ONCE) as parts:
        parts.positions[later], parts.clocks[later], parts.leader_epoch[later] = 5, PartitionClock(), 3
        parts.gaps[later] = OffsetRange(3, 5)
        adopt(parts, made)

        assert later not in {*parts.positions, *parts.clocks, *parts.leader_epoch, *parts.gaps}


# ---- corrections -----------------------------------------------------------------------------------------------


def step_through(job):
    """Run one epoch at a time; what the table and the late rows held after each, by its record's number."""
    folder, seen = job.sinks[0].spec.root, {}
    while True:
        finished = start(job, RunOptions(once=True, until_caught_up=True, take_over=True)).result()
        if not finished.epochs:
            return seen
        seen[finished.head] = revisions_in(Path(folder))


def revisions_in(root):
    found = read_rows(root, ["k", "window_start", "n", "total", "__af_revision"])
    return Counter(
        (row["k"], int(row["window_start"].timestamp()), row["n"], row["total"], row["__af_revision"]) for row in found
    )


def wrong(root):
    found = Counter(row[:4] for row in revisions_in(root).elements())
    wanted = Counter((*name, *values) for name, values in newest_revisions().items())
    return [*(wanted - found), *(found - wanted)]


@pytest.mark.parametrize(("nth", "in_place"), [(2, True), (4, True), (3, False)])
def test_windows_corrected_since_are_what_they_were_and_are_corrected_again(nth, in_place, tmp_path):
    folder = tmp_path / "lake"
    seen = step_through(revision_job(folder, epoch_rows=90))
    start(revision_job(folder), REVISIONS_TO_THE_END).result()
    to = list(seen)[nth]
    newest = revisions_in(folder / "out")

    made = back(revision_job(folder), epoch=to, in_place=in_place)

    root = folder / ("out" if in_place else f"out__g{made.generation}")
    assert made.outputs, "windows that were there had been corrected"
    assert revisions_in(root) == seen[to]
    start(revision_job(folder, seed=7), REVISIONS_TO_THE_END).result()
    assert wrong(root) == []
    if not in_place:
        assert revisions_in(folder / "out") == newest, "readers of the old generation see what they saw"
    else:
        back(revision_job(folder), epoch=to, in_place=True)
        assert revisions_in(root) == seen[to], "also the second time"


# ---- a new generation ------------------------------------------------------------------------------------------


def test_a_new_generation_has_tables_of_its_own_and_the_old_ones_stay(tmp_path):
    seen = history(tmp_path)
    grow(tmp_path, len(STREAM), TO_THE_END)
    old, to = tables(tmp_path), list(seen)[1]

    made = back(pipeline(tmp_path, STREAM), epoch=to)

    name = f"__g{made.generation}"
    assert made.generation == made.writer.fence
    assert made.reset.retracted == []
    assert tables(tmp_path, name) == seen[to]
    grow(tmp_path, len(STREAM), TO_THE_END)
    assert results(tmp_path) == RIGHT
    assert tables(tmp_path) == old
    found = read_rows(tmp_path / "small" / f"out{name}", ["k", "window_start", "n", "total"])
    assert sorted((r["k"], int(r["window_start"].timestamp()), r["n"], r["total"]) for r in found) == RIGHT
    assert {record["generation"] for record in records(tmp_path)[made.epoch :]} == {made.generation}


def test_a_second_new_generation_starts_from_the_first(tmp_path):
    seen = history(tmp_path)
    first = back(pipeline(tmp_path, STREAM), epoch=list(seen)[2])
    grow(tmp_path, len(STREAM), TO_THE_END)

    second = back(pipeline(tmp_path, STREAM), epoch=list(seen)[1])
    in_place = back(pipeline(tmp_path, STREAM), epoch=next(iter(seen)), in_place=True)

    assert first.generation < second.generation == in_place.generation
    assert tables(tmp_path, f"__g{second.generation}") == seen[next(iter(seen))]
    grow(tmp_path, len(STREAM), TO_THE_END)
    assert sum(tables(tmp_path, f"__g{second.generation}")["out"].values()) == len(RIGHT)


def test_the_beginning_can_be_gone_back_to_by_another_query(tmp_path):
    grow(tmp_path, len(STREAM), TO_THE_END)
    other = pipeline(
        tmp_path,
        STREAM,
        operator=replace(window(size_s=20), aggregates=(Aggregate("n", "count"), Aggregate("total", "max", "v"))),
    )
    with pytest.raises(StateRefused, match=r"arrowflow reset CONFIG --to-start"):
        start(other, TO_THE_END).result()

    made = back(other, start=True)
    start(other, TO_THE_END).result()

    assert results(tmp_path) == RIGHT
    found = read_rows(tmp_path / "small" / f"out__g{made.generation}", ["k", "window_start", "n", "total"])
    seconds = {
        (key, begin): [s / 8 for s in range(0, 90, 3) if begin <= s < begin + 20]
        for begin in range(0, 90, 20)
        for key in "ab"
    }
    assert sorted((r["k"], int(r["window_start"].timestamp()), r["n"], r["total"]) for r in found) == sorted(
        (*name, len(inside), max(inside)) for name, inside in seconds.items()
    )
    assert "aggregate.total: sum(v) -> max(v)" in made.changes
    assert made.reset.to == -1


def test_the_beginning_in_place_empties_the_tables(tmp_path):
    grow(tmp_path, len(STREAM), TO_THE_END)

    made = back(pipeline(tmp_path, STREAM), start=True, in_place=True)

    assert results(tmp_path) == []
    assert (made.watermark_us, made.state) == (None, {})
    grow(tmp_path, len(STREAM), TO_THE_END)
    assert results(tmp_path) == RIGHT


def test_only_the_beginning_is_open_to_another_query(tmp_path):
    seen = history(tmp_path)
    head = records(tmp_path)[-1]

    with pytest.raises(StateRefused, match=r"window\.size: 10s -> 20s"):
        back(pipeline(tmp_path, STREAM, operator=window(size_s=20)), epoch=next(iter(seen)))

    assert records(tmp_path)[-1] == head, "nothing was written, nobody fenced"


# ---- which record ----------------------------------------------------------------------------------------------


def test_a_time_means_the_newest_record_that_began_by_then_and_offsets_the_newest_that_had_not_read_them(tmp_path):
    seen = list(history(tmp_path))
    at = {record["epoch"]: record["epoch_time_us"] for record in records(tmp_path)}
    stops = {record["epoch"]: record["inputs"][0]["stop"] for record in records(tmp_path)}

    def meant(**wish):
        with opened(pipeline(tmp_path, STREAM), RunOptions(dry_run=True)) as parts:
            return rehearse_reset(parts, Wish(**wish)).to

    assert meant(time_us=at[seen[1]]) == seen[1]
    assert meant(time_us=at[seen[2]] - 1) < seen[2]
    assert meant(offsets={("events", 0): stops[seen[1]]}) == max(
        e for e, stop in stops.items() if stop <= stops[seen[1]]
    )
    assert meant(offsets={("events", 0): stops[seen[1]] - 1}) < seen[1]
    assert meant(start=True) == -1
    with pytest.raises(ConfigError, match="no record began so early"):
        meant(time_us=at[0] - 1)


def test_a_rehearsal_writes_nothing(tmp_path):
    history(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    with opened(pipeline(tmp_path, STREAM), RunOptions(dry_run=True)) as parts:
        plan = rehearse_reset(parts, Wish(epoch=2, in_place=True))

    assert plan.files.retracted
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_offsets_that_are_gone_refuse_a_reset_and_leave_everything(tmp_path):
    broker = MemoryBroker()
    broker.create("events")
    job = pipeline(tmp_path, MemorySourceSpec(broker, ("events",)))
    for upto in (20, 40):
        fill(broker, range(upto - 20, upto))
        start(job, CAUGHT_UP).result()
    broker.delete_before("events", 0, 30)
    before, head = results(tmp_path), records(tmp_path)[-1]

    for wish in ({"epoch": 2}, {"epoch": 2, "in_place": True}, {"start": True, "in_place": True}):
        with pytest.raises(DataLossError, match=r"wanted offset \d+, available 30 to 40"):
            back(job, **wish)

    assert (results(tmp_path), records(tmp_path)[-1]) == (before, head)


def test_state_that_is_gone_refuses_a_reset_and_names_the_record(tmp_path):
    seen = list(history(tmp_path))
    for state in records(tmp_path)[seen[0]]["state"].values():
        (tmp_path / "small" / "_log" / (state["deltas"] or [state["full"]])[-1]["path"]).unlink()

    with pytest.raises(StateRefused, match=f"record {seen[0]} cannot be gone back to.*is missing"):
        back(pipeline(tmp_path, STREAM), epoch=seen[0], in_place=True)


def test_tolerances_changed_at_a_reset_raise_floors_above_what_the_record_stood_for(tmp_path):
    """Also where the newest record is under the new ones already: what counts is what the record gone back to was under."""
    seen = list(history(tmp_path))
    stood = records(tmp_path)[seen[1]]
    patient = EventTime("t", max_out_of_orderness_us=60 * SECOND_US)
    start(pipeline(tmp_path, STREAM[:45], event_time=patient), CAUGHT_UP).result()

    made = back(pipeline(tmp_path, STREAM, event_time=patient), epoch=seen[1], in_place=True)

    assert made.inputs[0].clock.floor_us == stood["watermark_us"]
    start(pipeline(tmp_path, STREAM, event_time=patient), TO_THE_END).result()
    keys = [(key, second) for key, second, *_ in results(tmp_path)]
    assert len(keys) == len(set(keys))


def test_a_sink_that_is_gone_keeps_its_files_from_being_taken_back_and_says_so(tmp_path):
    made = pipeline(tmp_path, STREAM)
    wider = replace(made, sinks=(*made.sinks, SinkNode("copy", ParquetSpec(str(tmp_path / "small" / "copy")))))
    start(wider, CAUGHT_UP).result()
    grow(tmp_path, len(STREAM))

    with pytest.raises(ConfigError, match="files of sink 'copy' would have to be taken back"):
        back(made, epoch=0, in_place=True)


# ---- crashes and rivals ----------------------------------------------------------------------------------------

STEPS = (
    "open.created:1", "redo.before:1", "commit.create:1", "reset.committed:1", "publish.before:1", "reset.mid_retract:1",
    "reset.mid_retract:2", "publish.all:1", "commit.create:2",
)  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_this_step_of_a_reset_in_place_leaves_a_log_that_the_next_start_carries_out(step, tmp_path):
    to = list(history(tmp_path))[1]
    before = results(tmp_path)
    with pytest.raises(SimulatedCrash):
        back(pipeline(tmp_path, STREAM), Failpoints.parse(f"{step}:crash"), epoch=to, in_place=True)
    committed = any(record["kind"] == "reset" for record in records(tmp_path))

    grow(tmp_path, 45)

    assert results(tmp_path) == before
    assert committed == (step not in ("open.created:1", "redo.before:1", "commit.create:1"))
    grow(tmp_path, len(STREAM), TO_THE_END)
    assert results(tmp_path) == RIGHT


@pytest.mark.parametrize(
    "step", ["reset.carried:2", "stage.revision:1", "commit.create:1", "reset.committed:1", "publish.replace:1"],
)  # fmt: skip
def test_a_crash_at_this_step_of_a_new_generation_leaves_the_old_one_or_a_whole_new_one(step, tmp_path):
    folder = tmp_path / "lake"
    seen = step_through(revision_job(folder, epoch_rows=150))
    to = list(seen)[1]
    newest = revisions_in(folder / "out")
    with pytest.raises(SimulatedCrash):
        back(revision_job(folder), Failpoints.parse(f"{step}:crash"), epoch=to)

    start(revision_job(folder, seed=3), REVISIONS_TO_THE_END).result()

    log, _ = LocalLogSpec(str(folder / "_log")).build(Failpoints())
    generation = log.read(log.epochs_after(-1)[-1]).generation
    assert wrong(folder / ("out" if not generation else f"out__g{generation}")) == []
    assert bool(generation) == (step in ("reset.committed:1", "publish.replace:1"))
    if generation:
        assert revisions_in(folder / "out") == newest


def test_a_live_writer_is_fenced_and_its_files_are_taken_back(tmp_path):
    broker = MemoryBroker()
    broker.create("events")
    fill(broker, range(30))
    job = pipeline(tmp_path, MemorySourceSpec(broker, ("events",)))
    start(job, CAUGHT_UP).result()
    to, before = records(tmp_path)[-1]["epoch"], tables(tmp_path)
    live = start(job, AT_ONCE)
    fill(broker, range(30, 60))
    wait_for(lambda: any(part["stop"] == 60 for part in records(tmp_path)[-1]["inputs"]))

    back(job, epoch=to, in_place=True)

    fill(broker, range(60, 70))
    with pytest.raises(Fenced):
        live.result()
    assert tables(tmp_path) == before
    start(job, TO_THE_END).result()
    assert results(tmp_path) == [("a", begin, 10, 10.0) for begin in range(0, 70, 10)]


# ---- reading on elsewhere --------------------------------------------------------------------------------------


def test_a_topic_made_anew_is_read_on_from_its_beginning_with_the_windows_that_were_open(tmp_path):
    broker = MemoryBroker()
    broker.create("events")
    fill(broker, range(35))
    job = pipeline(tmp_path, MemorySourceSpec(broker, ("events",)))
    start(job, CAUGHT_UP).result()
    broker.create("events")
    fill(broker, range(35, 60))
    with pytest.raises(DataLossError, match="arrowflow reset CONFIG --from earliest --topic events"):
        start(job, TO_THE_END).result()

    with opened(job, AT_ONCE) as parts:
        made = read_elsewhere(parts, "earliest", "events")
    start(job, TO_THE_END).result()

    assert made.reset.how == "positions"
    assert results(tmp_path) == [("a", begin, 10, 10.0) for begin in range(0, 60, 10)]
    with pytest.raises(ConfigError, match="went on in another topic or cluster"):
        back(job, epoch=0, in_place=True)


def test_another_cluster_is_gone_to_with_offsets_for_every_partition(tmp_path):
    broker, elsewhere = MemoryBroker(), MemoryBroker()
    for each in (broker, elsewhere):
        each.create("events", 2)
        fill(each, range(30))
        fill(each, range(30), partition=1, key="b")
    start(pipeline(tmp_path, MemorySourceSpec(broker, ("events",))), CAUGHT_UP).result()
    fill(elsewhere, range(30, 60))
    fill(elsewhere, range(30, 60), partition=1, key="b")
    job = pipeline(tmp_path, MemorySourceSpec(elsewhere, ("events",)))
    with pytest.raises(StateRefused, match="arrowflow reset CONFIG --from earliest"):
        start(job, TO_THE_END).result()

    with opened(job, AT_ONCE) as parts, pytest.raises(ConfigError, match=r"do not say where to go on in events\[1\]"):
        read_elsewhere(parts, {("events", 0): 30}, None)
    with (
        opened(job, AT_ONCE) as parts,
        pytest.raises(ConfigError, match=r"events\[1\]: offset 99 is not there; available 0 to 60"),
    ):
        read_elsewhere(parts, {("events", 0): 30, ("events", 1): 99}, None)
    with opened(job, AT_ONCE) as parts:
        read_elsewhere(parts, {("events", 0): 30, ("events", 1): 30}, None)
    start(job, TO_THE_END).result()

    assert results(tmp_path) == [(key, begin, 10, 10.0) for key in "ab" for begin in range(0, 60, 10)]


def test_a_topic_that_goes_on_must_be_the_one_it_was(tmp_path):
    broker = MemoryBroker()
    for topic in ("events", "more"):
        broker.create(topic)
        broker.append(topic, 0, b'{"k":"a","t":1,"v":1}')
    job = pipeline(tmp_path, MemorySourceSpec(broker, ("events", "more")))
    start(job, CAUGHT_UP).result()
    broker.create("events")
    broker.create("more")

    with opened(job, AT_ONCE) as parts, pytest.raises(DataLossError, match="reset all of them, without --topic"):
        read_elsewhere(parts, "earliest", "events")
    with opened(job, AT_ONCE) as parts, pytest.raises(ConfigError, match="no topic 'event'"):
        read_elsewhere(parts, "earliest", "event")


# ---- giving up -------------------------------------------------------------------------------------------------


def test_a_writer_at_work_is_fenced_by_the_end_of_its_job(tmp_path):
    broker = MemoryBroker()
    broker.create("events")
    fill(broker, range(30))
    job = pipeline(tmp_path, MemorySourceSpec(broker, ("events",)))
    live = start(job, AT_ONCE)
    wait_for(lambda: any(record["kind"] == "data" for record in records(tmp_path)))

    with opened(job, AT_ONCE) as parts:
        delete(parts, retire(parts), tables=True, forget=False)
    fill(broker, range(30, 60))

    with pytest.raises(Fenced):
        live.result()
    assert not list((tmp_path / "small" / "out").rglob("*.parquet"))
    assert records(tmp_path)[-1]["kind"] == "retire", "whatever number it still took lies below"


def test_a_writer_frozen_before_its_record_while_the_job_ended_gives_out_nothing_when_it_wakes(tmp_path):
    """The numbers below the last record are free again; that record is what tells it."""
    broker = MemoryBroker()
    broker.create("events")
    fill(broker, range(30))
    job = pipeline(tmp_path, MemorySourceSpec(broker, ("events",)))
    start(job, CAUGHT_UP).result()
    fill(broker, range(30, 60))

    class Sleepy(MemorySourceSpec):
        def build(self, name, context):
            source = super().build(name, context)
            original, looks = source.discover, iter(["at the start", "before the first commit"])

            def discover():
                if next(looks, None) == "before the first commit":
                    with opened(job, AT_ONCE) as parts:
                        delete(parts, retire(parts), tables=True, forget=False)
                return original()

            source.discover = discover
            return source

    with pytest.raises((Fenced, DataLossError)):
        start(pipeline(tmp_path, Sleepy(broker, ("events",))), TO_THE_END).result()

    assert not list((tmp_path / "small" / "out").rglob("*.parquet"))
