"""A lake in a bucket under kills, spoiled requests and frozen writers: a share of the campaign, and what readers see."""

import dataclasses
import itertools
import threading
from contextlib import closing
from datetime import timedelta

import polars as pl
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pytest
from tests.chaos import revision_job
from tests.chaos.bucket_campaign import (
    KINDS,
    LAKE,
    POINTS,
    TO_THE_END,
    faults_found,
    frozen,
    killed,
    run_here,
    spoiled,
)
from tests.chaos.replay_job import write_archive
from tests.chaos.test_revisions import wrong as wrong_revisions
from tests.support.buckets import BUCKET, strict_fake

from arrowflow.commitlog.gcs import GcsLogSpec
from arrowflow.commitlog.record import check_follows
from arrowflow.engine import start
from arrowflow.errors import ObjectMissing
from arrowflow.events import Notice
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.phases.fingerprint import fingerprint_of
from arrowflow.phases.job import build_job
from arrowflow.stores.gcs.patience import Patience
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.gcs import Fault
from arrowflow.testing.observer import RecordingObserver

EVERY_REQUEST = 73
"""So many requests a run of this archive makes, `test_the_requests_of_a_run_are_counted` holds it."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "production.ndjson"
    return path, write_archive(path, rows=1000)


def test_gold_in_a_bucket_gives_the_answer_and_clients_of_other_makers_read_it(archive, tmp_path):
    path, sheet = archive
    with strict_fake() as fake:
        run_here(path)
        arrow = fs.GcsFileSystem(
            anonymous=True, scheme="http", endpoint_override=fake.address.removeprefix("http://"),
            retry_time_limit=timedelta(seconds=10),
        )  # fmt: skip
        options = {"google_base_url": fake.address, "google_skip_signature": "true"}

        by_arrow = ds.dataset("lake/af/gold/production", filesystem=arrow, partitioning="hive").to_table()
        by_polars = pl.read_parquet(f"{LAKE}/gold/production/**/*.parquet", storage_options=options)

        assert faults_found(fake, sheet, tmp_path) == []
        assert by_arrow.num_rows == by_polars.height == len(sheet["windows"])
        assert sum(by_arrow["total_unidades"].to_pylist()) == by_polars["total_unidades"].sum()


def test_the_requests_of_a_run_are_counted(archive):
    """docs/gcs.md tells what an epoch costs; here is where it comes from."""
    with strict_fake() as fake:
        run_here(archive[0])
        files = sum(name.endswith(".parquet") for name in fake.snapshot(BUCKET))
        names = [name for name in fake.snapshot(BUCKET) if name.startswith("af/_arrowflow/")]
        records = sum("/manifests/" in name for name in names)
        states = sum("/state/" in name for name in names)

        assert fake.counts == {
            "insert": files + records + states + 1 + 2,  # job.json, and two of the trial
            "move": files + 1,
            "list": fake.counts["list"],
            "bucket": 1,
            "look": 1,
            "read": 2,  # of the trial, and the oldest record, to see what may be collected
            "delete": 1,
        }
        assert fake.counts["list"] <= 2 * records + 4  # two look for probes of dead runs
        first_start, close = 20, 2
        assert sum(fake.counts.values()) == first_start + close + 2 * files + 3 * states == EVERY_REQUEST
        assert (files, states) == (21, 3)


@pytest.mark.parametrize("point", POINTS)
def test_a_run_that_ends_at_this_point_loses_and_doubles_nothing(point, archive, tmp_path):
    path, sheet = archive
    with strict_fake() as fake:
        with pytest.raises(SimulatedCrash):
            run_here(path, f"{point}:1:crash")
        run_here(path)

        assert faults_found(fake, sheet, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plan", "moves"),
    [("publish.move:3:kill", True), ("publish.between_copy_delete:2:kill", False)],
)
def test_a_killed_process_loses_and_doubles_nothing(plan, moves, archive, tmp_path):
    assert killed(*archive, tmp_path, plan, moves=moves) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_spoiled_in_this_way_loses_and_doubles_nothing(kind, archive, tmp_path):
    """Every 22nd request here, each kind beginning elsewhere; `bucket_campaign requests` takes all of them."""
    for call in range(1 + 3 * KINDS.index(kind), EVERY_REQUEST, 22):
        struck, faults = spoiled(*archive, tmp_path / str(call), Fault(kind, call=call))

        assert (struck, faults) == (1, [])


@pytest.mark.parametrize(("kind", "every"), [("refuse_after", 3), ("drop_after", 4), ("twice", 1)])
def test_a_service_that_spoils_every_nth_answer_all_along_loses_and_doubles_nothing(kind, every, archive, tmp_path):
    struck, faults = spoiled(*archive, tmp_path, Fault(kind, every=every))

    assert faults == []
    assert struck > 20


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["commit.before:2:stop", "publish.move:2:stop"])
def test_row_77_a_frozen_writer_that_wakes_up_is_fenced_and_doubles_nothing(plan, archive, tmp_path):
    code, faults = frozen(*archive, tmp_path, plan)

    assert (code, faults) == (7, [])


def test_a_record_that_arrives_after_its_run_gave_it_up_is_adopted_by_that_run(archive, tmp_path):
    """Its request was on the way all the while; the run has staged the epoch again, under another record of that number."""
    path, sheet = archive

    class Watch:
        def __init__(self, fake):
            self.fake, self.arrived, self.notices = fake, None, []

        def notice(self, event):
            if isinstance(event, Notice) and "trying again" in event.message:
                self.notices.append(event.message)
                if self.arrived is None:
                    # The service works again, but the old request is still on its way: it comes just before the new one.
                    self.fake.mend()
                    self.arrived = []

    class Late(Failpoints):
        def hit(self, name):
            if name == "commit.create" and watch.arrived == []:
                watch.arrived = watch.fake.release()

    with strict_fake() as fake:
        watch = Watch(fake)
        records = "af/_arrowflow/gold_production/manifests/"
        fake.arrange(
            Fault("late", on="insert", name=records, call=3),
            Fault("refuse", on="insert", name=records, call=4, every=1),
        )
        pipeline = _patient(path)
        start(pipeline, TO_THE_END, observer=watch, failpoints=Late()).result()
        log, _ = pipeline.checkpoint.log.build(Failpoints())
        chain = [log.read(epoch) for epoch in log.epochs_after(-1)]

        assert [answer.status for answer in watch.arrived] == [200]
        assert any("an earlier attempt of this very run, which took effect late" in told for told in watch.notices)
        for older, newer in itertools.pairwise(chain):
            check_follows(older, newer)
        assert len({record.writer.id for record in chain}) == 1
        assert faults_found(fake, sheet, tmp_path) == []


def test_a_sleeper_publishes_no_file_from_a_second_copy_of_its_upload(archive):
    """The upload arrives once more after its file was published and taken away again, as a reset in place does."""
    path, _ = archive
    with strict_fake() as fake:
        fake.arrange(Fault("late", on="insert", name="af/_arrowflow/gold_production/staging/"))
        run_here(path)
        pipeline = _patient(path)
        job = build_job(
            pipeline, TO_THE_END, observer=RecordingObserver(), clock=ManualClock(), failpoints=Failpoints(),
            stopping=threading.Event(), fingerprint=fingerprint_of(pipeline),
        )  # fmt: skip
        with closing(job):
            records = [job.log.read(epoch) for epoch in job.log.epochs_after(-1)]
            files = next(record.outputs for record in records if record.outputs)
            for file in files:
                job.control.store.delete(f"{job.sinks[file.sink].location}/{file.dst}")
            assert [answer.status for answer in fake.release()] == [200]
            staged = {f"af/_arrowflow/gold_production/{file.src}" for file in files} & fake.snapshot(BUCKET).keys()
            assert len(staged) == 1

            before = fake.snapshot(BUCKET)
            for file in files:
                with pytest.raises(ObjectMissing, match="neither staged"):
                    job.sinks[file.sink].publish([file])
            assert fake.snapshot(BUCKET) == before


def _patient(path):
    from tests.chaos.replay_job import gold_over

    pipeline = gold_over(path, LAKE)
    log = dataclasses.replace(pipeline.checkpoint.log, patience=Patience(ManualClock()))
    return dataclasses.replace(pipeline, checkpoint=dataclasses.replace(pipeline.checkpoint, log=log))


# ---- corrections ------------------------------------------------------------------------------------------------------------


def _corrections(tmp_path, plan=""):
    """The job whose late rows correct windows, with every folder of it in the bucket."""
    job = revision_job.job(tmp_path, epoch_rows=60)
    sinks = tuple(
        dataclasses.replace(node, spec=dataclasses.replace(node.spec, root=f"{LAKE}/{node.name}")) for node in job.sinks
    )
    log = GcsLogSpec(f"{LAKE}/_log", Patience(ManualClock()))
    job = dataclasses.replace(job, sinks=sinks, checkpoint=dataclasses.replace(job.checkpoint, log=log))
    start(job, TO_THE_END, failpoints=Failpoints.parse(plan)).result()


@pytest.mark.parametrize("moves", [True, False], ids=["moves", "copies"])
@pytest.mark.parametrize("point", ["stage.revision", "publish.replace", "publish.between_look_rename"])
def test_a_run_that_ends_in_a_correction_leaves_each_window_once_as_its_newest_revision(point, moves, tmp_path):
    with strict_fake(moves=moves) as fake:
        plans = [f"{point}:2:crash"] if moves else [f"{point}:2:crash", "publish.between_copy_delete:9:crash"]
        for plan in plans:
            with pytest.raises(SimulatedCrash):
                _corrections(tmp_path, plan)
        _corrections(tmp_path)

        assert wrong_revisions(fake.dump(BUCKET, tmp_path / "dump") / "af") == []


@pytest.mark.parametrize("kind", ["refuse_after", "drop_after"])
def test_corrections_whose_answers_are_lost_again_and_again_are_made_once(kind, tmp_path):
    with strict_fake() as fake:
        fake.arrange(Fault(kind, every=3))
        _corrections(tmp_path)
        fake.mend()

        assert wrong_revisions(fake.dump(BUCKET, tmp_path / "dump") / "af") == []
