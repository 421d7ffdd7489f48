"""What every `CommitLog` must do: dense records made once, losers told, old writers fenced."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from arrowflow.commitlog.record import check_follows
from arrowflow.errors import Fenced, ObjectMissing
from arrowflow.protocols import CommitLog
from arrowflow.types import Fingerprint, Manifest, RecordKind, Writer


def a_record(epoch: int, writer: str = "w1", kind: RecordKind = "data", prev: str = "") -> Manifest:
    """A small record to try a log with."""
    return Manifest(
        kind=kind,
        job="job",
        incarnation="8c1f",
        epoch=epoch,
        prev=prev,
        writer=Writer(id=writer, host=f"host-of-{writer}", pid=1, fence=0),
        fingerprint=Fingerprint(semantic="s", query={"window": "shift"}, engine="0", tzdata="2026b"),
        epoch_time_us=1,
    )


class CommitLogConformance:
    """Subclass it with a fixture `log` (an empty log) and a method `remove`."""

    @pytest.fixture
    def log(self) -> CommitLog:
        """The log under test, empty."""
        raise NotImplementedError

    def remove(self, log: CommitLog, epoch: int) -> None:
        """Delete a record as garbage collection does."""
        raise NotImplementedError

    def test_an_empty_log_has_no_records_and_no_incarnation(self, log: CommitLog) -> None:
        assert log.epochs_after(-1) == []
        assert log.incarnation(create=False) is None
        log.check(-1)

    def test_a_record_reads_back_as_it_was_appended(self, log: CommitLog) -> None:
        written = log.append(a_record(0))

        assert len(written.sha256) == 64
        assert log.read(0) == written
        assert log.epochs_after(-1) == [0]

    def test_a_record_that_is_not_there_is_missing(self, log: CommitLog) -> None:
        with pytest.raises(ObjectMissing):
            log.read(7)

    def test_records_form_a_chain_of_digests(self, log: CommitLog) -> None:
        first = log.append(a_record(0, kind="open"))
        second = log.append(a_record(1, prev=first.sha256))

        check_follows(log.read(0), log.read(1))
        assert second.prev == first.sha256

    def test_row_78_the_same_bytes_again_are_a_lost_reply_and_success(self, log: CommitLog) -> None:
        assert log.append(a_record(0)) == log.append(a_record(0))
        assert log.epochs_after(-1) == [0]

    def test_row_78_a_number_taken_by_another_writer_is_fenced_and_named(self, log: CommitLog) -> None:
        log.append(a_record(0, "w1"))

        with pytest.raises(Fenced, match="writer w1 on host-of-w1"):
            log.append(a_record(0, "w2"))
        assert log.read(0).writer.id == "w1"

    def test_numbers_after_another_cross_folders_in_order(self, log: CommitLog) -> None:
        for epoch in (998, 999, 1000, 1001, 2000, 12_345):
            log.append(a_record(epoch))

        assert log.epochs_after(-1) == [998, 999, 1000, 1001, 2000, 12_345]
        assert log.epochs_after(999) == [1000, 1001, 2000, 12_345]
        assert log.epochs_after(1000) == [1001, 2000, 12_345]
        assert log.epochs_after(12_345) == []

    def test_the_head_passes_the_check_and_an_older_number_names_the_owner(self, log: CommitLog) -> None:
        log.append(a_record(0))
        log.append(a_record(1, "w2"))

        log.check(1)
        with pytest.raises(Fenced, match="writer w2 on host-of-w2"):
            log.check(0)

    def test_row_77_a_zombie_below_collected_records_creates_its_number_but_fails_the_check(
        self, log: CommitLog
    ) -> None:
        for epoch in range(3):
            log.append(a_record(epoch, "winner"))
        log.append(a_record(5_000, "winner"))
        for epoch in range(3):
            self.remove(log, epoch)

        log.append(a_record(0, "zombie"))

        with pytest.raises(Fenced, match="5000"):
            log.check(0)

    def test_the_newest_record_is_found_whatever_lies_below_it(self, log: CommitLog) -> None:
        assert log.newest() is None
        for epoch in (2, 999, 1000, 12_345):
            log.append(a_record(epoch))
            assert log.newest() == epoch
        log.append(a_record(0, "zombie"))

        assert log.newest() == 12_345

    def test_records_go_one_by_one_and_those_that_are_left_below_a_number_are_told(self, log: CommitLog) -> None:
        for epoch in (0, 998, 999, 1000, 1001, 2000):
            log.append(a_record(epoch))

        assert log.epochs_below(1001) == [0, 998, 999, 1000]
        for epoch in (0, 998, 998, 7):
            log.remove(epoch)
        assert log.epochs_below(1001) == [999, 1000]
        assert log.epochs_below(0) == []
        assert log.epochs_after(-1) == [999, 1000, 1001, 2000]
        assert log.newest() == 2000
        with pytest.raises(ObjectMissing):
            log.read(998)

    def test_the_incarnation_is_made_once_and_kept(self, log: CommitLog) -> None:
        made = log.incarnation(create=True)

        assert made
        assert log.incarnation(create=True) == made
        assert log.incarnation(create=False) == made

    def test_of_many_writers_one_gets_each_number(self, log: CommitLog) -> None:
        gate = threading.Barrier(8)

        def work(worker: int) -> list[int]:
            gate.wait()
            return [epoch for epoch in range(20) if _appended(log, epoch, f"w{worker}")]

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(work, range(8)))

        assert sorted(epoch for epochs in won for epoch in epochs) == list(range(20))
        assert all(log.read(epoch).writer.id == f"w{worker}" for worker in range(8) for epoch in won[worker])


def _appended(log: CommitLog, epoch: int, writer: str) -> bool:
    try:
        log.append(a_record(epoch, writer))
    except Fenced:
        return False
    return True
