"""The commit of an epoch, a file staged, a record created, a file moved: on this machine's disk and on the strict fake of Cloud Storage."""

from __future__ import annotations

import pytest
from tests.support.buckets import strict_fake

from arrowflow.bench.commits import Committing
from arrowflow.commitlog.gcs import GcsLogSpec
from arrowflow.commitlog.local import LocalLogSpec


@pytest.fixture(params=["local disk", "strict fake of Cloud Storage"])
def committing(request, tmp_path):
    commits = 3 if request.config.getoption("benchmark_disable") else 100
    places = iter(range(100))
    if request.param == "local disk":
        yield (
            commits,
            lambda: Committing(
                LocalLogSpec(f"{tmp_path}/{(n := next(places))}/_log"), f"{tmp_path}/{n}/table", commits
            ),
        )
        return
    with strict_fake():
        yield (
            commits,
            lambda: Committing(GcsLogSpec(f"gs://lake/{(n := next(places))}/_log"), f"gs://lake/{n}/table", commits),
        )


@pytest.mark.benchmark(group="commit")
def test_commits(benchmark, committing):
    commits, fresh = committing
    works = []

    def setup():
        works.append(fresh())
        return (works[-1],), {}

    made = benchmark.pedantic(lambda work: work.run(), setup=setup, rounds=3)

    assert made == commits
    for work in works:
        work.check()
