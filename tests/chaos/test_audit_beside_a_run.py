"""The auditor beside a run that corrects, publishes and collects as fast as it can: it never sees anything wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.chaos.revision_job import TO_THE_END, job, newest_revisions

from arrowflow.audit import LocalFiles, audit
from arrowflow.engine import start
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.testing.answers import read_rows

KEEP = 6


def collecting(folder, **options):
    pipeline = job(folder, epoch_rows=10, **options)
    return replace(pipeline, checkpoint=replace(pipeline.checkpoint, keep_records=KEEP, keep_for_s=0.0))


def look(folder, *, deep):
    return audit(LocalFiles(), str(folder / "_log"), roots={"open": str(folder / "open")}, deep=deep)


def in_order(folder):
    report = look(folder, deep=True)
    assert report.findings == []
    found = read_rows(folder / "out", ["k", "window_start", "n", "total"])
    windows = {(row["k"], int(row["window_start"].timestamp())): (row["n"], row["total"]) for row in found}
    assert windows == newest_revisions()
    assert len(windows) == len(found)
    return report


class Looking(Failpoints):
    """Audits the job at every so many passings of failpoints: between any two steps of a writer, so to speak."""

    def __init__(self, folder, every):
        super().__init__()
        self.folder, self.every, self.passed, self.seen = folder, every, 0, []

    def hit(self, name):
        self.passed += 1
        if self.passed % self.every == 0:
            report = look(self.folder, deep=len(self.seen) % 4 == 0)
            assert report.findings == [], f"at passing {self.passed}, {name}"
            self.seen.append(name)


def test_at_no_step_of_a_run_that_corrects_and_collects_does_anything_look_wrong(tmp_path):
    looking = Looking(tmp_path, every=61)

    start(collecting(tmp_path), TO_THE_END, failpoints=looking).result()

    report = in_order(tmp_path)
    assert len(set(looking.seen)) > 8
    assert 0 < report.horizon <= report.head - KEEP + 1
    assert report.table_files > 10
    # Nothing but what the last record announced waits to go.
    assert len(report.left_over) <= 40
    assert len([path for path in report.left_over if "/manifests/" in path]) <= 8


def test_beside_a_run_that_goes_on_meanwhile_nothing_looks_wrong(tmp_path):
    run = start(collecting(tmp_path), TO_THE_END)

    while not run.wait(0.02):
        assert look(tmp_path, deep=False).findings == []

    run.result()
    in_order(tmp_path)


@pytest.mark.parametrize("point", ["stage.revision:9", "commit.created:40", "publish.replace:7", "gc.object:25"])
def test_wherever_such_a_run_dies_there_is_nothing_wrong_before_and_after_the_next_start(point, tmp_path):
    with pytest.raises(SimulatedCrash):
        start(collecting(tmp_path), TO_THE_END, failpoints=Failpoints.parse(f"{point}:crash")).result()
    assert look(tmp_path, deep=True).findings == []

    start(collecting(tmp_path, seed=5), TO_THE_END).result()

    in_order(tmp_path)


def test_a_correction_undone_behind_the_jobs_back_is_found(tmp_path):
    start(collecting(tmp_path), TO_THE_END).result()
    kept = min((tmp_path / "_log" / "revisions" / "out").rglob("000001.parquet"))
    target = tmp_path / "out" / kept.parent.relative_to(tmp_path / "_log" / "revisions" / "out")
    target.with_name(target.name + ".parquet").write_bytes(kept.read_bytes())

    assert [each.invariant for each in look(tmp_path, deep=True).findings] == ["I3"]
