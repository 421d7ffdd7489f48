"""The log over a store that fails: unknown is not failed, and a lost reply is not a lost commit."""

import pytest
from msgspec import structs

from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.commitlog.log import RedoLog
from arrowflow.errors import CommitUnknown, DataLossError, Fenced, ObjectMissing, RetryableError
from arrowflow.failpoints import Failpoints, LostResponse
from arrowflow.testing.conformance.commitlogs import a_record
from arrowflow.testing.stores import MemoryStore

PREFIX = "/memory/_arrowflow/job"


def log_on(store, plan=""):
    return RedoLog(store, PREFIX, Failpoints.parse(plan))


def test_records_live_in_folders_of_a_thousand():
    assert log_on(MemoryStore()).path_of(4711) == f"{PREFIX}/manifests/00000000000000004/00000000000000004711.json"


@pytest.mark.parametrize("nth", [1, 2])
def test_row_78_a_lost_reply_of_create_is_a_commit(nth):
    store = MemoryStore()
    for call in range(1, nth + 1):
        store.lose_reply("create", call)

    assert log_on(store).append(a_record(0)).epoch == 0
    assert log_on(store).epochs_after(-1) == [0]


def test_row_78_a_lost_reply_behind_which_another_writer_won_is_fenced():
    store = MemoryStore()
    log_on(store).append(a_record(0, "w1"))
    store.fail("create", 1, lambda: LostResponse("lost"))

    with pytest.raises(Fenced, match="written by writer w1 on host-of-w1, not by w2"):
        log_on(store).append(a_record(0, "w2"))


def test_row_79_a_short_failure_is_tried_again():
    store = MemoryStore()
    store.fail("create", 1)
    store.fail("create", 2)

    assert log_on(store).append(a_record(0)).epoch == 0
    assert store.calls("create") == 3


def test_row_79_a_lasting_failure_that_left_nothing_is_retryable():
    store = MemoryStore()
    store.fail("create", 1, lasting=True)

    with pytest.raises(RetryableError, match="create failed on purpose"):
        log_on(store).append(a_record(0))
    assert store.snapshot() == {}


def test_a_taken_number_that_cannot_be_read_is_unknown():
    store = MemoryStore()
    log_on(store).append(a_record(0))
    store.fail("read", 1)

    with pytest.raises(CommitUnknown, match="exists but cannot be read"):
        log_on(store).append(a_record(0))


def test_a_store_that_answers_nothing_is_unknown():
    store = MemoryStore()
    store.fail("create", 1, lasting=True)
    store.fail("read", 1, lasting=True)

    with pytest.raises(CommitUnknown, match="arrowflow log"):
        log_on(store).append(a_record(0))


def test_our_record_that_was_never_confirmed_is_unknown():
    store = MemoryStore()
    log_on(store).append(a_record(0))
    store.fail("create", 1, lasting=True)

    with pytest.raises(CommitUnknown, match="never confirmed"):
        log_on(store).append(a_record(0))


def test_a_store_that_keeps_failing_while_another_wins_is_fenced():
    store = MemoryStore()
    log_on(store).append(a_record(0, "w1"))
    store.fail("create", 1, lasting=True)

    with pytest.raises(Fenced, match="w1"):
        log_on(store).append(a_record(0, "w2"))


@pytest.mark.parametrize("action", ["raise", "lost"])
@pytest.mark.parametrize(
    ("kind", "point"), [("open", "open.create"), ("data", "commit.create"), ("close", "commit.create")]
)
def test_row_75_each_kind_passes_its_own_failpoint_and_survives_it(tmp_path, kind, point, action):
    trace = tmp_path / "trace"
    log = RedoLog(MemoryStore(), PREFIX, Failpoints.parse(f"{point}:1:{action}", str(trace)))

    assert log.append(a_record(0, kind=kind)).kind == kind
    assert set(trace.read_text().split()) == {point, f"{point}/reply"}


def test_a_record_under_a_wrong_name_is_found():
    store = MemoryStore()
    log = log_on(store)
    log.append(a_record(0))
    store.put(log.path_of(1), store.read(log.path_of(0)))

    with pytest.raises(DataLossError, match="holds record 0"):
        log.read(1)


def test_foreign_names_are_no_records_and_hide_none():
    store = MemoryStore()
    log = log_on(store)
    log.append(a_record(7))
    for name in (
        "README",
        "00000000000000000/x.json",
        "00000000000000001/00000000000000000007.json",
        "00000000000000000/00000000000000000008.json~",
    ):
        store.put(f"{PREFIX}/manifests/{name}", b"")

    assert log.epochs_after(-1) == [7]


def test_a_damaged_record_in_the_way_is_not_called_a_winner():
    store = MemoryStore()
    log = log_on(store)
    log.append(a_record(0))
    store.put(log.path_of(0), b"garbage")

    with pytest.raises(DataLossError):
        log.append(a_record(0))


def test_a_newer_record_that_cannot_be_read_still_fences():
    store = MemoryStore()
    log = log_on(store)
    log.append(a_record(3))
    store.put(log.path_of(3), b"garbage")

    with pytest.raises(Fenced, match="cannot be read"):
        log.check(2)


def test_a_damaged_job_file_is_found():
    store = MemoryStore()
    log = log_on(store)
    log.incarnation(create=True)
    store.put(f"{PREFIX}/job.json", store.read(f"{PREFIX}/job.json").replace(b"-", b"_", 1))

    with pytest.raises(DataLossError, match=r"job\.json"):
        log.incarnation(create=False)


def test_row_78_a_lost_reply_of_the_job_file_keeps_its_uuid():
    store = MemoryStore()
    store.lose_reply("create", 1)

    assert log_on(store).incarnation(create=True) == log_on(store).incarnation(create=False)


def test_building_a_local_log_creates_nothing_and_makes_paths_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    log, control = LocalLogSpec("lake/_arrowflow/job").build(Failpoints())

    assert control.prefix == log.prefix == f"{tmp_path}/lake/_arrowflow/job"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ObjectMissing):
        log.read(0)


def test_a_number_that_was_taken_and_collected_before_it_could_be_read_is_fenced():
    """Found by the simulator: old records go far below the head only, so whoever meets the gap was overtaken."""
    store = MemoryStore()
    log_on(store).append(a_record(0, "w1"))

    class Collected:
        def create(self, path, data):
            try:
                store.create(path, data)
            finally:
                store.delete(path)

        read = staticmethod(store.read)

    with pytest.raises(Fenced, match="taken and has been collected since"):
        log_on(Collected()).append(a_record(0, "w2"))


def test_an_earlier_attempt_of_ones_own_that_arrived_late_is_gone_on_from_and_fences_nobody():
    store = MemoryStore()
    log_on(store).append(a_record(0, "w1"))
    again = structs.replace(a_record(0, "w1"), epoch_time_us=2)

    with pytest.raises(CommitUnknown, match="an earlier attempt of this very run"):
        log_on(store).append(again)
    with pytest.raises(Fenced, match="written by writer w1"):
        log_on(store).append(structs.replace(again, kind="open"))
