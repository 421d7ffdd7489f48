"""The log passes the suite every log must pass, over each store."""

import pytest
from tests.support.buckets import BUCKET, strict_fake

from arrowflow.commitlog.gcs import GcsLogSpec
from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.failpoints import Failpoints
from arrowflow.testing.commitlogs import MemoryLogSpec
from arrowflow.testing.conformance.commitlogs import CommitLogConformance


class _RedoLogConformance(CommitLogConformance):
    def remove(self, log, epoch):
        log.store.delete(log.path_of(epoch))


class TestLocalLog(_RedoLogConformance):
    @pytest.fixture
    def log(self, tmp_path):
        return LocalLogSpec(str(tmp_path / "control")).build(Failpoints())[0]


class TestMemoryLog(_RedoLogConformance):
    @pytest.fixture
    def log(self):
        return MemoryLogSpec().build(Failpoints())[0]


class TestGcsLog(_RedoLogConformance):
    @pytest.fixture(params=[True, False], ids=["moves", "copies"])
    def log(self, request):
        with strict_fake(moves=request.param):
            yield GcsLogSpec(f"gs://{BUCKET}/af/control").build(Failpoints())[0]
