"""What every `Store` must do: one winner per name, whole content or none, moves and replacements that happen once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from arrowflow.checksums import crc32c
from arrowflow.errors import AlreadyExists, ConfigError, ObjectMissing
from arrowflow.protocols import Store


class StoreConformance:
    """Subclass it with fixtures `store` and `base` (an absolute folder with nothing in it).

    Override `race` where other processes can reach the store: threads share too much to prove a lot.
    """

    workers = 8
    rounds = 100

    @pytest.fixture
    def store(self) -> Store:
        """The store under test."""
        raise NotImplementedError

    @pytest.fixture
    def base(self) -> str:
        """An absolute folder of the store that holds nothing."""
        raise NotImplementedError

    def race(self, store: Store, paths: Sequence[str]) -> list[list[str]]:
        """Let `workers` create every path with their own names as content; return per path who thinks it won."""
        gate = threading.Barrier(self.workers)

        def work(worker: int) -> list[str]:
            gate.wait()
            return [path for path in paths if _wins(lambda path=path: store.create(path, f"w{worker}".encode()))]  # type: ignore[misc]

        with ThreadPoolExecutor(self.workers) as pool:
            won = list(pool.map(work, range(self.workers)))
        return [[f"w{worker}" for worker in range(self.workers) if path in won[worker]] for path in paths]

    def test_what_was_created_reads_back_whole(self, store: Store, base: str) -> None:
        for size in (0, 1, 100_000):
            store.create(f"{base}/deep/er/{size}", b"x" * size)

            assert store.read(f"{base}/deep/er/{size}") == b"x" * size

    def test_a_taken_name_is_refused_and_keeps_its_content(self, store: Store, base: str) -> None:
        store.create(f"{base}/a", b"first")

        for content in (b"second", b"first"):
            with pytest.raises(AlreadyExists, match="taken"):
                store.create(f"{base}/a", content)
        assert store.read(f"{base}/a") == b"first"

    def test_reading_nothing_says_object_missing_and_where(self, store: Store, base: str) -> None:
        with pytest.raises(ObjectMissing, match="no/such"):
            store.read(f"{base}/no/such")

    def test_a_listing_is_recursive_ascending_and_never_stale(self, store: Store, base: str) -> None:
        assert store.list(base) == []
        paths = [f"{base}/b", f"{base}/a/2", f"{base}/a/1", f"{base}/a.x", f"{base}/c/d/e"]
        for count, path in enumerate(paths, start=1):
            store.create(path, b"")

            assert store.list(base) == sorted(paths[:count])
        assert store.list(f"{base}/a") == [f"{base}/a/1", f"{base}/a/2"]

    @pytest.mark.parametrize("after", ["", "a", "a/1", "a/1x", "a/2", "a/9", "b", "b/1", "c", "zz"])
    def test_a_listing_after_a_name_is_the_rest_of_the_whole_listing(self, store: Store, base: str, after: str) -> None:
        for name in ("a/1", "a/2", "b/1", "b/2/3", "b.x", "c"):
            store.create(f"{base}/{name}", b"")

        wanted = [path for path in store.list(base) if path > f"{base}/{after}"]
        assert store.list(base, f"{base}/{after}") == wanted

    def test_a_move_takes_the_old_name_away(self, store: Store, base: str) -> None:
        store.create(f"{base}/from/a", b"rows")

        store.move_once(f"{base}/from/a", f"{base}/to/p=1/a")

        assert store.read(f"{base}/to/p=1/a") == b"rows"
        assert store.list(base) == [f"{base}/to/p=1/a"]

    def test_a_second_move_finds_nothing_to_move(self, store: Store, base: str) -> None:
        store.create(f"{base}/a", b"rows")
        store.move_once(f"{base}/a", f"{base}/b")

        with pytest.raises((ObjectMissing, AlreadyExists)):
            store.move_once(f"{base}/a", f"{base}/b")
        with pytest.raises(ObjectMissing):
            store.move_once(f"{base}/a", f"{base}/c")
        assert store.list(base) == [f"{base}/b"]

    def test_a_move_onto_another_object_is_refused_even_with_equal_content(self, store: Store, base: str) -> None:
        store.create(f"{base}/a", b"rows")
        store.create(f"{base}/b", b"rows")

        with pytest.raises(AlreadyExists):
            store.move_once(f"{base}/a", f"{base}/b")
        assert store.list(base) == [f"{base}/a", f"{base}/b"]

    def test_a_replacement_takes_the_place_and_the_staged_name_away(self, store: Store, base: str) -> None:
        _stage_revisions(store, base, 2)

        _revise(store, base, 2)

        assert store.read(f"{base}/table/a") == _revision(2)
        assert store.list(base) == [f"{base}/table/a"]

    def test_a_replacement_that_was_made_is_done_however_often_it_is_asked_for(self, store: Store, base: str) -> None:
        _stage_revisions(store, base, 2)
        for _ in range(3):
            _revise(store, base, 2)
        store.create(f"{base}/staged/2", _revision(2))  # as a store that copies and deletes leaves it in a crash

        _revise(store, base, 2)

        assert store.read(f"{base}/table/a") == _revision(2)
        assert store.list(base) == [f"{base}/table/a"]

    def test_a_replacement_of_other_bytes_is_refused_and_changes_nothing(self, store: Store, base: str) -> None:
        store.create(f"{base}/table/a", _revision(1))
        store.create(f"{base}/staged/3", _revision(3))

        with pytest.raises(AlreadyExists, match="table/a"):
            _revise(store, base, 3)
        assert store.read(f"{base}/table/a") == _revision(1)
        assert store.read(f"{base}/staged/3") == _revision(3)

    def test_a_replacement_with_nothing_staged_or_nothing_there_says_object_missing(
        self, store: Store, base: str
    ) -> None:
        store.create(f"{base}/table/a", _revision(1))
        with pytest.raises(ObjectMissing, match="staged/2"):
            _revise(store, base, 2)
        assert store.read(f"{base}/table/a") == _revision(1)

        store.delete(f"{base}/table/a")
        store.create(f"{base}/staged/2", _revision(2))
        with pytest.raises(ObjectMissing, match="table/a"):
            _revise(store, base, 2)
        assert store.read(f"{base}/staged/2") == _revision(2)

    def test_an_older_replacement_that_comes_again_never_undoes_a_newer_one(self, store: Store, base: str) -> None:
        _stage_revisions(store, base, 4)
        for number in (2, 3, 4):
            _revise(store, base, number)
        for number in (2, 3):
            with pytest.raises((AlreadyExists, ObjectMissing)):
                _revise(store, base, number)
        assert store.read(f"{base}/table/a") == _revision(4)

    def test_of_many_who_replace_in_turn_all_agree_and_a_reader_sees_revisions_only_grow(
        self, store: Store, base: str
    ) -> None:
        last = 30
        _stage_revisions(store, base, last)
        gate, done, seen = threading.Barrier(self.workers + 1), threading.Event(), list[bytes]()

        def work(_: int) -> None:
            gate.wait()
            for number in range(2, last + 1):
                _wins(lambda number=number: _revise(store, base, number))  # type: ignore[misc]

        def look() -> None:
            gate.wait()
            while not done.is_set():
                seen.append(store.read(f"{base}/table/a"))

        with ThreadPoolExecutor(self.workers + 1) as pool:
            reader = pool.submit(look)
            try:
                list(pool.map(work, range(self.workers)))
            finally:  # a reader that nobody ends fills the memory
                done.set()
            reader.result()

        assert store.read(f"{base}/table/a") == _revision(last)
        assert store.list(base) == [f"{base}/table/a"]
        numbers = [_number(data) for data in seen]
        assert numbers == sorted(numbers)

    def test_a_deleted_name_is_free_and_deleting_nothing_is_no_error(self, store: Store, base: str) -> None:
        store.create(f"{base}/a", b"1")
        store.delete(f"{base}/a")
        store.delete(f"{base}/a")

        assert store.list(base) == []
        store.create(f"{base}/a", b"2")
        assert store.read(f"{base}/a") == b"2"

    def test_a_probe_passes_where_the_store_works_and_leaves_nothing(self, store: Store, base: str) -> None:
        store.probe([f"{base}/control", f"{base}/table"])

        assert store.list(base) == []

    def test_a_relative_folder_is_refused(self, store: Store) -> None:
        with pytest.raises(ConfigError, match="absolute"):
            store.probe(["relative/folder"])

    def test_every_name_has_exactly_one_winner_and_its_content(self, store: Store, base: str) -> None:
        paths = [f"{base}/race/{i:04d}" for i in range(self.rounds)]

        winners = self.race(store, paths)

        assert [len(who) for who in winners] == [1] * self.rounds
        assert [store.read(path).decode() for path in paths] == [who[0] for who in winners]

    def test_of_many_movers_of_one_object_one_publishes_it_and_all_agree(self, store: Store, base: str) -> None:
        for i in range(20):
            store.create(f"{base}/from/{i}", f"rows {i}".encode())
        gate = threading.Barrier(self.workers)

        def work(worker: int) -> int:
            gate.wait()
            return sum(_wins(lambda i=i: store.move_once(f"{base}/from/{i}", f"{base}/to/{i}")) for i in range(20))  # type: ignore[misc]

        with ThreadPoolExecutor(self.workers) as pool:
            moved = sum(pool.map(work, range(self.workers)))

        assert moved >= 20
        assert store.list(base) == sorted(f"{base}/to/{i}" for i in range(20))
        assert all(store.read(f"{base}/to/{i}") == f"rows {i}".encode() for i in range(20))


def _wins(step: Callable[[], object]) -> bool:
    try:
        step()
    except (AlreadyExists, ObjectMissing):
        return False
    return True


def _revision(number: int) -> bytes:
    return f"revision {number} ".encode() * 1000


def _number(data: bytes) -> int:
    """Which revision `data` is, whole."""
    number = int(data.split()[1])
    assert data == _revision(number), "a torn object was read"
    return number


def _stage_revisions(store: Store, base: str, last: int) -> None:
    """Publish revision 1 of one object and stage all the later ones."""
    store.create(f"{base}/table/a", _revision(1))
    for number in range(2, last + 1):
        store.create(f"{base}/staged/{number}", _revision(number))


def _revise(store: Store, base: str, number: int) -> None:
    """Let revision `number` take the place of the one before."""
    was, becomes = crc32c(_revision(number - 1)), crc32c(_revision(number))
    store.replace_once(f"{base}/staged/{number}", f"{base}/table/a", was=was, becomes=becomes)
