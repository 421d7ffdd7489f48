"""What a `Store` owes that is `Folders` as well: names of folders alone, and no empty one left behind on request."""

from __future__ import annotations

import pytest

from arrowflow.protocols import Folders, Store


class FoldersConformance:
    """Subclass it with fixtures `store` and `base` (an absolute folder with nothing in it)."""

    @pytest.fixture
    def store(self) -> Store:
        """The store under test."""
        raise NotImplementedError

    @pytest.fixture
    def base(self) -> str:
        """An absolute folder of the store that holds nothing."""
        raise NotImplementedError

    def test_folders_are_listed_without_what_is_in_them(self, store: Store, base: str) -> None:
        assert isinstance(store, Folders)
        assert list(store.folders(base)) == []
        for name in ("b/1/x", "a/1", "a/2", "c.txt", "a.b/1"):
            store.create(f"{base}/{name}", b"")

        assert list(store.folders(base)) == [f"{base}/a", f"{base}/a.b", f"{base}/b"]
        assert list(store.folders(f"{base}/b")) == [f"{base}/b/1"]
        assert list(store.folders(f"{base}/none")) == []

    def test_pruning_removes_no_object_and_no_folder_that_holds_one(self, store: Store, base: str) -> None:
        assert isinstance(store, Folders)
        for name in ("keep", "a/keep", "a/b/c/gone"):
            store.create(f"{base}/{name}", b"")
        store.delete(f"{base}/a/b/c/gone")

        store.prune(f"{base}/a/b/c/gone", base)

        assert list(store.folders(f"{base}/a")) == []
        assert store.list(base) == [f"{base}/a/keep", f"{base}/keep"]

    def test_pruning_ends_at_the_folder_given_and_may_be_asked_for_again(self, store: Store, base: str) -> None:
        assert isinstance(store, Folders)
        store.create(f"{base}/top/a/b/gone", b"")
        store.delete(f"{base}/top/a/b/gone")

        for _ in range(2):
            store.prune(f"{base}/top/a/b/gone", f"{base}/top")

        assert list(store.folders(f"{base}/top")) == []
        store.create(f"{base}/top/a/b/gone", b"")
        assert store.list(base) == [f"{base}/top/a/b/gone"]
