"""The store in Cloud Storage under every answer that can be lost, late, doubled, cut or refused; and what it says when it stops."""

import time

import pytest
from tests.support.buckets import BUCKET, store_at, strict_fake

from arrowflow.checksums import crc32c
from arrowflow.errors import AlreadyExists, ConfigError, ObjectMissing, RetryableError, Unreachable
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.stores.gcs.patience import Patience
from arrowflow.stores.gcs.store import GcsStore, connect
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.gcs import Fault

ROOT = f"gs://{BUCKET}"
LARGE = b"0123456789abcdef" * (600 << 10)  # 9.4 MiB: beyond what the client sends in one request
LOSSES = ("refuse", "refuse_after", "drop", "drop_after", "twice")


@pytest.fixture
def fake():
    with strict_fake() as fake:
        yield fake


@pytest.fixture(params=[True, False], ids=["moves", "copies"])
def either(request):
    """A service with moves, and one without."""
    with strict_fake(moves=request.param) as fake:
        yield fake


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(clock):
    """Waits by a clock of its own; asks for `fake` or `either` first."""
    return GcsStore(connect(BUCKET), BUCKET, patience=Patience(clock))


def armed(plan):
    return GcsStore(connect(BUCKET), BUCKET, Failpoints.parse(plan), Patience(ManualClock()))


# ---- create -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize(("data", "on"), [(b"ours", "insert"), (LARGE, "begin"), (LARGE, "chunk")])
def test_row_78_a_create_is_made_once_whatever_becomes_of_an_answer(fake, store, kind, data, on):
    fake.arrange(Fault(kind, on=on))

    store.create(f"{ROOT}/a", data)

    assert fake.snapshot(BUCKET) == {"a": data}


@pytest.mark.parametrize("kind", LOSSES)
def test_row_78_a_name_that_another_has_is_taken_however_the_answers_come_and_whatever_it_holds(fake, store, kind):
    store.create(f"{ROOT}/a", b"same")
    fake.arrange(Fault(kind, on="insert"))

    with pytest.raises(AlreadyExists, match="gs://lake/a: the name is taken"):
        store.create(f"{ROOT}/a", b"same")


def test_a_create_that_lands_when_nobody_waits_for_it_any_more_overwrites_nothing(fake, store):
    fake.arrange(Fault("late", on="insert"))
    store.create(f"{ROOT}/a", b"ours")

    assert [answer.status for answer in fake.release()] == [412]
    assert fake.snapshot(BUCKET) == {"a": b"ours"}


def test_the_race_that_this_store_wins_is_lost_where_conditions_are_not_honoured():
    """A control: on a service without preconditions the second create is not refused, so the suite can tell."""
    with strict_fake(strict=False):
        store = store_at(f"{ROOT}/control")
        store.create(f"{ROOT}/a", b"first")
        store.create(f"{ROOT}/a", b"second")

        assert store.read(f"{ROOT}/a") == b"second"


# ---- read and list ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["refuse", "drop", "drop_after", "truncate", "flip"])
def test_row_80_what_is_read_is_what_was_written_or_is_read_again(fake, store, kind):
    store.create(f"{ROOT}/a", LARGE)
    fake.arrange(Fault(kind, on="read"))

    assert store.read(f"{ROOT}/a") == LARGE
    assert fake.counts["read"] == 2


def test_row_80_an_object_removed_behind_our_back_is_missing_and_named(fake, store):
    store.create(f"{ROOT}/a/b", b"1")
    fake.remove(BUCKET, "a/b")

    with pytest.raises(ObjectMissing, match="gs://lake/a/b: no such object"):
        store.read(f"{ROOT}/a/b")


def test_row_80_a_listing_is_asked_anew_takes_a_page_per_thousand_names_begins_where_it_is_asked_to_and_goes_on_after_a_refusal(
    fake, store
):
    for number in range(2500):
        fake.put(BUCKET, f"log/{number:05d}", b"")
    fake.put(BUCKET, "log/shown-by-a-console/", b"")
    fake.arrange(Fault("refuse", on="list", call=2))

    names = store.list(f"{ROOT}/log")
    assert names == [f"{ROOT}/log/{number:05d}" for number in range(2500)]
    assert fake.counts["list"] == 4
    assert store.list(f"{ROOT}/log", names[-3]) == names[-2:]
    assert fake.counts["list"] == 5
    assert store.list(ROOT, f"{ROOT}/log/02498x") == names[-1:]


# ---- move ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["refuse", "drop"])
def test_a_move_that_did_not_happen_is_made_again(either, store, kind):
    store.create(f"{ROOT}/a", b"rows")
    either.arrange(*(Fault(kind, on=on) for on in ("move", "rewrite", "delete", "look")))

    store.move_once(f"{ROOT}/a", f"{ROOT}/b")

    assert either.snapshot(BUCKET) == {"b": b"rows"}


@pytest.mark.parametrize("kind", ["refuse_after", "drop_after", "twice"])
def test_a_move_whose_answer_was_lost_is_made_once_and_the_target_tells(either, store, kind):
    store.create(f"{ROOT}/a", b"rows")
    either.arrange(*(Fault(kind, on=on) for on in ("move", "rewrite", "delete")))

    try:
        store.move_once(f"{ROOT}/a", f"{ROOT}/b")
    except (ObjectMissing, AlreadyExists):
        assert store.read(f"{ROOT}/b") == b"rows"
    assert either.snapshot(BUCKET) == {"b": b"rows"}


def test_a_move_cut_between_copy_and_delete_is_completed_and_never_made_of_another_object():
    with strict_fake(moves=False) as fake:
        store = armed("publish.between_copy_delete:1:crash")
        for name in ("a", "like a"):
            store.create(f"{ROOT}/{name}", b"rows")
        with pytest.raises(SimulatedCrash):
            store.move_once(f"{ROOT}/a", f"{ROOT}/b")
        assert sorted(fake.snapshot(BUCKET)) == ["a", "b", "like a"]

        with pytest.raises(AlreadyExists):
            store_at(ROOT + "/c").move_once(f"{ROOT}/like a", f"{ROOT}/b")
        store_at(ROOT + "/c").move_once(f"{ROOT}/a", f"{ROOT}/b")

        assert sorted(fake.snapshot(BUCKET)) == ["b", "like a"]


def test_a_copy_never_overwrites_what_came_between_the_last_look_and_itself():
    class Looking(GcsStore):
        looks = 0

        def _look(self, name):
            found = super()._look(name)
            self.looks += 1
            if self.looks == 2:  # of the staged name, then of the final one
                fake.put(BUCKET, "b", b"another")
            return found

    with strict_fake(moves=False) as fake:
        store = Looking(connect(BUCKET), BUCKET, patience=Patience(ManualClock()))
        store.create(f"{ROOT}/a", b"rows")

        with pytest.raises(AlreadyExists):
            store.move_once(f"{ROOT}/a", f"{ROOT}/b")
        assert fake.snapshot(BUCKET) == {"a": b"rows", "b": b"another"}


@pytest.mark.parametrize("kind", ["refuse_after", "drop_after", "twice", None])
def test_a_create_tells_the_generation_of_what_it_made_whatever_became_of_the_answer(fake, store, kind):
    if kind is not None:
        fake.arrange(Fault(kind, on="insert"))
    made = store.create(f"{ROOT}/a", b"rows")

    assert made == fake.service.buckets[BUCKET].objects["a"].generation


@pytest.fixture
def come_twice(either, store):
    """An upload whose first request was lost on the way; it arrives after its object was moved away and deleted."""
    either.arrange(Fault("late", on="insert"))
    generation = store.create(f"{ROOT}/staged", b"rows")
    store.move_once(f"{ROOT}/staged", f"{ROOT}/table/a", generation=generation)
    store.delete(f"{ROOT}/table/a")
    assert [answer.status for answer in either.release()] == [200]
    assert either.snapshot(BUCKET) == {"staged": b"rows"}
    return generation


def test_a_second_copy_of_an_upload_is_not_what_a_move_with_its_generation_takes(either, store, come_twice):
    with pytest.raises(ObjectMissing, match=f"gs://lake/staged: no such object of generation {come_twice}"):
        store.move_once(f"{ROOT}/staged", f"{ROOT}/table/a", generation=come_twice)
    assert either.snapshot(BUCKET) == {"staged": b"rows"}

    store.move_once(f"{ROOT}/staged", f"{ROOT}/table/a")  # the control: without it the row is there again
    assert either.snapshot(BUCKET) == {"table/a": b"rows"}


def test_nor_what_takes_the_place_of_a_file(either, store, come_twice):
    store.create(f"{ROOT}/table/a", b"old")
    was, becomes = crc32c(b"old"), crc32c(b"rows")

    with pytest.raises(ObjectMissing, match="still holds what it would replace"):
        store.replace_once(f"{ROOT}/staged", f"{ROOT}/table/a", was=was, becomes=becomes, generation=come_twice)
    assert either.snapshot(BUCKET) == {"staged": b"rows", "table/a": b"old"}

    store.replace_once(f"{ROOT}/staged", f"{ROOT}/table/a", was=was, becomes=becomes)
    assert either.snapshot(BUCKET) == {"table/a": b"rows"}


# ---- replace ------------------------------------------------------------------------------------------------------------


def revise(store, number):
    was, becomes = crc32c(b"%d" % (number - 1)), crc32c(b"%d" % number)
    store.replace_once(f"{ROOT}/staged/{number}", f"{ROOT}/table/a", was=was, becomes=becomes)


def stage(store, last):
    store.create(f"{ROOT}/table/a", b"1")
    for number in range(2, last + 1):
        store.create(f"{ROOT}/staged/{number}", b"%d" % number)


@pytest.mark.parametrize("kind", LOSSES)
def test_a_replacement_is_made_once_whatever_becomes_of_an_answer(either, store, kind):
    stage(store, 2)
    either.arrange(*(Fault(kind, on=on) for on in ("look", "move", "rewrite", "delete")))

    revise(store, 2)

    assert either.snapshot(BUCKET) == {"table/a": b"2"}


class Sleeper(Failpoints):
    """Lets others work while a run stands at a point."""

    def __init__(self, point, meanwhile):
        super().__init__()
        self.point, self.meanwhile = point, meanwhile

    def hit(self, name):
        if name == self.point and self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()


@pytest.mark.parametrize("point", ["publish.between_look_rename", "publish.between_copy_delete"])
@pytest.mark.parametrize("last", [2, 3, 5])
def test_a_zombie_that_wakes_in_the_middle_of_a_replacement_undoes_nothing(either, store, point, last):
    stage(store, last)

    def meanwhile():
        for number in range(2, last + 1):
            revise(store, number)

    zombie = GcsStore(connect(BUCKET), BUCKET, Sleeper(point, meanwhile), Patience(ManualClock()))
    try:
        revise(zombie, 2)
    except (AlreadyExists, ObjectMissing):
        assert last > 2 or point == "publish.between_copy_delete"
    if zombie._failpoints.meanwhile is not None:  # it never passed the point: the service moves
        meanwhile()

    assert either.snapshot(BUCKET) == {"table/a": b"%d" % last}


def test_a_target_made_anew_with_the_old_bytes_is_looked_at_again_and_replaced(fake, clock):
    stage(store_at(ROOT + "/c"), 2)
    zombie = GcsStore(
        connect(BUCKET),
        BUCKET,
        Sleeper("publish.between_look_rename", lambda: fake.put(BUCKET, "table/a", b"1")),
        Patience(clock),
    )

    revise(zombie, 2)

    assert fake.snapshot(BUCKET) == {"table/a": b"2"}


# ---- patience and what is said at its end ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_row_79_what_may_pass_is_tried_again_for_some_seconds_with_growing_pauses_and_then_retryable(
    fake, store, clock, status
):
    fake.arrange(Fault("refuse", every=1, status=status, reason="unheardOf"))

    with pytest.raises(RetryableError, match=rf"cannot create gs://lake/a: The service is made to fail. \({status}\)"):
        store.create(f"{ROOT}/a", b"1")
    assert 5 < clock.seconds <= 15
    assert 6 <= fake.counts["insert"] <= 20


def test_row_79_a_service_that_is_gone_is_unreachable_and_found_again(clock):
    with strict_fake() as fake:
        store = GcsStore(connect(BUCKET), BUCKET, patience=Patience(clock))
        store.create(f"{ROOT}/a", b"1")
        fake.__exit__(None, None, None)

        with pytest.raises(Unreachable, match=r"cannot read gs://lake/a: .*the service was not reached"):
            store.read(f"{ROOT}/a")


def test_row_79_a_rate_limit_is_waited_for_although_it_is_a_403(fake, store):
    fake.arrange(Fault("refuse", status=403, reason="rateLimitExceeded", every=2))

    store.create(f"{ROOT}/a", b"1")

    assert fake.counts["insert"] == 2


@pytest.mark.parametrize(
    ("status", "reason", "advice"),
    [
        (401, "authError", "gcloud auth application-default login"),
        (403, "forbidden", r"docs/gcs\.md"),
        (403, "retentionPolicyNotMet", "retention policy"),
        (400, "invalid", "no error that passes"),
    ],
)
def test_row_79_what_must_be_mended_stops_at_once_and_says_how(fake, store, clock, status, reason, advice):
    fake.arrange(Fault("refuse", every=1, status=status, reason=reason))
    steps = [lambda: store.read(f"{ROOT}/a")] if status != 401 else []  # the client forgets to close that connection

    for step in (
        *steps,
        lambda: store.create(f"{ROOT}/a", b"1"),
        lambda: store.list(ROOT),
        lambda: store.replace_once(f"{ROOT}/a", f"{ROOT}/b", was="0", becomes="1"),
        lambda: store.delete(f"{ROOT}/a"),
    ):
        with pytest.raises(ConfigError, match=advice):
            step()
    assert clock.seconds == 0


def test_row_79_a_bucket_that_is_not_there_stops_every_call_at_once(fake, clock):
    store = GcsStore(connect("nobodys"), "nobodys", patience=Patience(clock))
    root = "gs://nobodys"

    for step in (
        lambda: store.create(f"{root}/a", b"1"),
        lambda: store.create(f"{root}/a", LARGE),
        lambda: store.read(f"{root}/a"),
        lambda: store.list(root),
        lambda: store.move_once(f"{root}/a", f"{root}/b"),
        lambda: store.replace_once(f"{root}/a", f"{root}/b", was="0", becomes="1"),
        lambda: store.delete(f"{root}/a"),
        lambda: store.probe([f"{root}/control"]),
    ):
        with pytest.raises(ConfigError, match=r"bucket does not exist.*make the bucket, or correct its name"):
            step()
    assert clock.seconds == 0


# ---- the start ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"locationType": "zone"}, "zonal bucket"),
        ({"retentionPolicy": {"retentionPeriod": "86400"}}, "retention policy"),
        ({"defaultEventBasedHold": True}, "hold"),
        ({"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 30}}]}}, "lifecycle.*age 30"),
    ],
)
def test_a_bucket_that_would_harm_a_commit_is_refused_by_its_name_before_anything_is_written(facts, said):
    with strict_fake(facts=facts) as fake:
        with pytest.raises(ConfigError, match=f"gs://lake .*{said}"):
            store_at(f"{ROOT}/control").probe([f"{ROOT}/control", f"{ROOT}/table"])
        assert fake.snapshot(BUCKET) == {}


def test_a_service_without_preconditions_is_refused():
    with strict_fake(strict=False) as fake:
        with pytest.raises(ConfigError, match="does not honour ifGenerationMatch"):
            store_at(f"{ROOT}/control").probe([f"{ROOT}/control"])
        assert fake.snapshot(BUCKET) == {}


def test_a_table_in_another_bucket_or_inside_the_control_prefix_is_refused(fake, store):
    with pytest.raises(ConfigError, match="gs://other/table is in another bucket than the commit log, gs://lake"):
        store.probe([f"{ROOT}/control", "gs://other/table"])
    with pytest.raises(ConfigError, match="lies inside"):
        store.probe([f"{ROOT}/control", f"{ROOT}/control/table"])
    store.probe([f"{ROOT}/control", f"{ROOT}/control-of-another"])


def test_an_account_that_may_not_see_the_buckets_settings_is_told_so(fake, store):
    fake.arrange(Fault("refuse", on="bucket", status=403, reason="forbidden"))

    with pytest.raises(ConfigError, match=r"cannot look at gs://lake.*permission"):
        store.probe([f"{ROOT}/control"])


def test_a_start_without_credentials_says_within_seconds_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # no metadata server is looked for
    began = time.monotonic()

    with pytest.raises(ConfigError, match=r"no Google credentials.*gcloud auth application-default login"):
        connect(BUCKET)
    assert time.monotonic() - began < 30


def test_an_emulators_address_needs_its_scheme(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "localhost:4443")

    with pytest.raises(ConfigError, match='such as "http://localhost:4443"'):
        connect(BUCKET)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("on", ["insert", "look", "move", "rewrite", "delete"])
def test_the_trial_at_the_start_passes_whatever_becomes_of_an_answer_and_leaves_nothing(either, store, kind, on):
    either.arrange(Fault(kind, on=on))

    store.probe([f"{ROOT}/control", f"{ROOT}/table"])

    assert either.snapshot(BUCKET) == {}
