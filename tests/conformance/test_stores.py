"""Each store passes the suite every store must pass; those in Cloud Storage have a file of their own."""

from pathlib import Path

import pytest
from tests.conformance.races import race

from arrowflow.stores.local import LocalStore
from arrowflow.testing.conformance.stores import StoreConformance
from arrowflow.testing.stores import MemoryStore


class TestLocalStore(StoreConformance):
    @pytest.fixture
    def store(self):
        return LocalStore()

    @pytest.fixture
    def base(self, tmp_path):
        return str(tmp_path)

    def race(self, store, paths):
        return race(self.workers, paths, Path(paths[0]).parent.with_name("gate"))


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self):
        return MemoryStore()

    @pytest.fixture
    def base(self):
        return "/memory/base"
