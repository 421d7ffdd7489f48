"""A checkpoint folder put back to an older copy, or lost: the note beside the group's offsets tells."""

from __future__ import annotations

import shutil

import pytest
from tests.support.small import pipeline, results
from tests.unit.phases.test_recovery import records
from tests.unit.phases.test_topic_rows import CAUGHT_UP, TO_THE_END, fill

from arrowflow.engine import start
from arrowflow.errors import DataLossError, Unreachable
from arrowflow.events import Notice
from arrowflow.phases.alone import opened
from arrowflow.phases.drop import delete, retire
from arrowflow.phases.reset import go_back
from arrowflow.phases.rollback import Note, _parsed
from arrowflow.phases.wish import Wish
from arrowflow.pipeline import RunOptions
from arrowflow.testing.observer import RecordingObserver
from arrowflow.testing.sources import MemoryBroker, MemorySourceSpec

ADOPT = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True, adopt=True)


@pytest.fixture
def broker():
    made = MemoryBroker()
    made.create("events")
    fill(made, range(30))
    return made


def job(folder, broker):
    return pipeline(folder, MemorySourceSpec(broker, ("events",)))


def run(folder, broker, options=CAUGHT_UP, observer=None):
    return start(job(folder, broker), options, observer=observer).result()


def test_an_older_copy_of_the_folder_is_refused_and_the_missing_records_are_named(tmp_path, broker):
    run(tmp_path, broker)
    log, copy = tmp_path / "small" / "_log", tmp_path / "copy"
    shutil.copytree(log, copy)
    fill(broker, range(30, 60))
    run(tmp_path, broker)
    published, before = broker.acknowledged["small"][1], results(tmp_path)
    shutil.rmtree(log)
    shutil.copytree(copy, log)
    head = records(tmp_path)[-1]["epoch"]

    with pytest.raises(
        DataLossError, match=f"record {head + 2} was published.*Put records {head + 1} to {head + 2} back"
    ):
        run(tmp_path, broker, TO_THE_END)

    with (
        opened(job(tmp_path, broker), RunOptions(take_over=True)) as parts,
        pytest.raises(DataLossError, match="older copy"),
    ):
        go_back(parts, Wish(epoch=0, in_place=True))
    assert (records(tmp_path)[-1]["epoch"], results(tmp_path)) == (head, before)
    assert broker.acknowledged["small"][1] == published


def test_a_copy_that_went_on_by_itself_is_refused_by_its_digest(tmp_path, broker):
    run(tmp_path, broker)
    offsets, note = broker.acknowledged["small"]
    fields = dict(field.split("=") for field in note.split(";")[1:])
    broker.acknowledged["small"] = offsets, note.replace(fields["m"], "00000000")

    with pytest.raises(DataLossError, match=r"with digest 00000000 was published.*two copies"):
        run(tmp_path, broker)


def test_the_note_of_another_log_is_nothing_to_a_job_with_records(tmp_path, broker):
    run(tmp_path, broker)
    offsets, _ = broker.acknowledged["small"]
    broker.acknowledged["small"] = offsets, "af1;e=99;m=00000000;i=00000000"

    assert run(tmp_path, broker).balance.read == 0


def test_a_group_that_cannot_be_asked_is_a_warning(tmp_path, broker):
    run(tmp_path, broker)
    observer = RecordingObserver()

    class Silent(MemorySourceSpec):
        def build(self, name, context):
            source = super().build(name, context)

            class Deaf(type(source)):
                def acknowledged(self, partitions):
                    raise Unreachable("the coordinator is away")

            source.__class__ = Deaf
            return source

    start(pipeline(tmp_path, Silent(broker, ("events",))), CAUGHT_UP, observer=observer).result()

    assert any("cannot be checked: the coordinator is away" in notice.message for notice in observer.of(Notice))


def test_without_records_a_note_refuses_the_first_start_also_when_the_tables_are_empty(tmp_path, broker):
    run(tmp_path, broker)
    shutil.rmtree(tmp_path / "small")

    with pytest.raises(DataLossError, match=r"record 1 of a job was published \(events\[0\] up to 30\).*run --adopt"):
        run(tmp_path, broker)
    assert records(tmp_path) == []


def test_adopting_keeps_the_tables_and_begins_at_the_offsets_of_the_group(tmp_path, broker):
    run(tmp_path, broker, TO_THE_END)
    kept = results(tmp_path)
    shutil.rmtree(tmp_path / "small" / "_log")
    fill(broker, range(30, 60))
    with pytest.raises(DataLossError, match="run --adopt"):
        run(tmp_path, broker)

    assert run(tmp_path, broker, ADOPT).balance.read == 30

    assert results(tmp_path) == [*kept, *(("a", begin, 10, 10.0) for begin in (30, 40, 50))]
    assert run(tmp_path, broker).balance.read == 0, "and from then on like any other"


def test_a_job_given_up_leaves_no_note_that_would_stop_the_next(tmp_path, broker):
    run(tmp_path, broker, TO_THE_END)
    with opened(job(tmp_path, broker), RunOptions(take_over=True)) as parts:
        delete(parts, retire(parts), tables=True, forget=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    run(tmp_path, broker, TO_THE_END)

    assert results(tmp_path) == [("a", begin, 10, 10.0) for begin in (0, 10, 20)]


@pytest.mark.parametrize(
    "text", ["", "mine", "af1;retired", "af1;e=1;m=12;i=12345678", "af1;e=1;m=12345678;i=12345678;x"]
)
def test_other_metadata_is_no_note(text):
    assert _parsed({"p": (7, text)}) == {"p": None}
    assert _parsed({"p": (7, "af1;e=1;m=12345678;i=12345678")}) == {"p": Note(7, 1, "12345678", "12345678")}
