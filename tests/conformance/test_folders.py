"""Both stores that can list folders alone pass the suite about it."""

import pytest

from arrowflow.stores.local import LocalStore
from arrowflow.testing.conformance.folders import FoldersConformance
from arrowflow.testing.stores import MemoryStore


class TestLocalStore(FoldersConformance):
    @pytest.fixture
    def store(self):
        return LocalStore()

    @pytest.fixture
    def base(self, tmp_path):
        return str(tmp_path / "base")

    def test_the_folder_that_ends_it_stays_even_when_it_is_empty(self, store, base, tmp_path):
        store.create(f"{base}/a/gone", b"")
        store.delete(f"{base}/a/gone")

        store.prune(f"{base}/a/gone", base)

        assert list(tmp_path.rglob("*")) == [tmp_path / "base"]

    def test_links_to_folders_are_no_folders(self, store, base, tmp_path):
        store.create(f"{base}/a/x", b"")
        (tmp_path / "base" / "link").symlink_to(tmp_path)

        assert list(store.folders(base)) == [f"{base}/a"]


class TestMemoryStore(FoldersConformance):
    @pytest.fixture
    def store(self):
        return MemoryStore()

    @pytest.fixture
    def base(self):
        return "/memory/base"
