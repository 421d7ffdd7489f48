"""The store in Cloud Storage passes the suite on our own strict fake, on another fake and, if there is a bucket, for real."""

import os
import uuid

import pytest
from tests.conformance.races import race
from tests.support.buckets import BUCKET, fake_server, store_at, strict_fake

from arrowflow.testing.conformance.stores import StoreConformance


class _InABucket(StoreConformance):
    workers = 4
    rounds = 40

    @pytest.fixture
    def store(self, base):
        return store_at(f"{base}/control")


class _OnTheStrictFake(_InABucket):
    options = {}  # noqa: RUF012

    @pytest.fixture
    def base(self):
        with strict_fake(**self.options):
            yield f"gs://{BUCKET}/some/where"


class TestGcsStore(_OnTheStrictFake):
    """As the service is documented."""

    @pytest.fixture(autouse=True)
    def meeting(self, tmp_path):
        self.gate = tmp_path / "gate"

    def race(self, store, paths):
        """Real processes, each with a client of its own."""
        return race(self.workers, paths, self.gate, STORAGE_EMULATOR_HOST=os.environ["STORAGE_EMULATOR_HOST"])


class TestGcsStoreWhereConditionsComeFirst(_OnTheStrictFake):
    """A move without a source onto a name that is taken is answered with 412 and not with 404."""

    options = {"conditions_first": True}  # noqa: RUF012


class TestGcsStoreWithoutMove(_OnTheStrictFake):
    """Copies and deletes where the service has no move."""

    options = {"moves": False}  # noqa: RUF012


class TestGcsStoreOnFakeGcsServer(_InABucket):
    """The server of the package index."""

    @pytest.fixture
    def base(self, monkeypatch, tmp_path):
        with fake_server(tmp_path):
            yield f"gs://{BUCKET}/some/where"


if os.environ.get("ARROWFLOW_GCS_BUCKET"):

    class TestGcsStoreForReal(_InABucket):
        """The service itself; leaves nothing behind but what the bucket's soft delete keeps."""

        rounds = 10

        @pytest.fixture
        def base(self, monkeypatch):
            monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
            prefix = f"gs://{os.environ['ARROWFLOW_GCS_BUCKET']}/arrowflow-conformance/{uuid.uuid4().hex}"
            yield prefix
            store = store_at(f"{prefix}/control")
            for path in store.list(prefix):
                store.delete(path)

else:

    def test_the_real_service_passes_the_suite():
        pytest.skip("tested with credentials and a bucket's name in ARROWFLOW_GCS_BUCKET")
