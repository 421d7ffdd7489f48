"""Row 82: what is done about files without a record, and about a record without its files."""

from __future__ import annotations

import pytest
from tests.support.small import pipeline, results, rows

from arrowflow.engine import start
from arrowflow.errors import DataLossError
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.pipeline import RunOptions

TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
STREAM = rows(*((key, second, second / 8) for second in range(0, 90, 3) for key in "ab"))


def job(folder):
    return pipeline(folder, STREAM, max_epoch_rows=20, max_slice_rows=10)


def dies(folder, plan):
    with pytest.raises(SimulatedCrash):
        start(job(folder), TO_THE_END, failpoints=Failpoints.parse(plan)).result()


def staged(folder):
    return sorted((folder / "small" / "_log" / "staging").rglob("*.parquet"))


@pytest.fixture
def right(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    start(job(folder), TO_THE_END).result()
    return results(folder)


def test_row_82_files_without_a_record_are_made_again_and_the_old_ones_seen_by_nobody(tmp_path, right):
    dies(tmp_path, "commit.before:2:crash")
    assert staged(tmp_path) != []

    start(job(tmp_path), TO_THE_END).result()

    assert results(tmp_path) == right
    assert staged(tmp_path) == []


def test_row_82_a_record_whose_file_is_gone_stops_the_job_with_its_name(tmp_path):
    dies(tmp_path, "commit.checked:2:crash")
    (file,) = staged(tmp_path)[:1]
    file.unlink()

    with pytest.raises(DataLossError, match="is committed but a file of it is missing") as stopped:
        start(job(tmp_path), TO_THE_END).result()

    assert str(file) in str(stopped.value)
    assert stopped.value.exit_code == 6


def test_row_82_a_published_file_whose_staged_copy_is_left_over_is_done(tmp_path, right):
    dies(tmp_path, "publish.between_link_unlink:1:crash")

    start(job(tmp_path), TO_THE_END).result()

    assert results(tmp_path) == right
    assert staged(tmp_path) == []
