"""The whole job as `arrowflow bench` times it: on the embedded broker, every run's rows checked."""

import pytest
from tests.support.sampled import FOLDER

from arrowflow.bench.jobs import measure
from arrowflow.errors import ArrowflowError

pytestmark = pytest.mark.embedded


def test_the_job_is_timed_beside_a_loop_that_only_consumes(embedded):
    consume, job = measure(FOLDER / "gold.toml", 2_000, 1, embedded.bootstrap)

    assert (consume.name, job.name) == ("only consume production", "gold")
    assert consume.records == job.records == 2_000
    assert job.figures["of_consume_rate"] == pytest.approx(consume.wall_s[0] / job.wall_s[0], abs=1e-3)
    assert "result rows" in job.checked


def test_a_job_with_other_rows_than_the_answer_is_no_measurement(embedded, tmp_path):
    text = (FOLDER / "order_sessions.toml").read_text(encoding="utf-8")
    other = tmp_path / "order_sessions.toml"  # another sample, so other topics than the test above
    other.write_text(text.replace('gap = "10m"', 'gap = "9m"'), encoding="utf-8")
    assert other.read_text(encoding="utf-8") != text

    with pytest.raises(ArrowflowError, match="rows are not the answer's: "):
        measure(other, 2_000, 1, embedded.bootstrap)
