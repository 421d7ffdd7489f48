"""The sweeps over topics of a real Kafka, a point of each: a size through the whole job, a codec through the fetch."""

from __future__ import annotations

import pytest
from bench.sweeps.telegrams import wrong
from bench.sweeps.topics import of_codec, of_size

pytestmark = pytest.mark.kafka


def test_the_whole_job_over_telegrams_of_a_size(kafka, tmp_path):
    line = of_size(kafka, 1_000, 300, 1, tmp_path)

    assert (line.x, line.records) == (1_000.0, 300)
    assert wrong(tmp_path / "size-1000-1", 300) is None
    assert "rows instead of" in wrong(tmp_path / "size-1000-1", 301)


def test_a_topic_in_a_codec_is_fetched_with_its_values(kafka):
    (line,) = of_codec(kafka, "zstd", {"plain": (kafka.bootstrap, {})}, 500, 1)

    assert (line.name, line.records) == ("zstd, plain", 500)
