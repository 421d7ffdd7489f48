"""What every `Outlet` must do: show nothing before it delivers, everything once however often it is asked or killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
import pyarrow as pa
import pytest

from arrowflow.errors import DataLossError, ObjectMissing, OutletTaken, RetryableError
from arrowflow.failpoints import Failpoints, SimulatedCrash
from arrowflow.protocols import Control, Outlet, OutletSpec
from arrowflow.testing.conformance.sinks import a_context
from arrowflow.types import Attempt, Delivered, Fingerprint, Manifest, Outbox, Writer

_KEY: pa.Field[pa.DataType] = pa.field("k", pa.string())
_NUMBER: pa.Field[pa.DataType] = pa.field("n", pa.int64())
_SCHEMA = pa.schema([_KEY, _NUMBER])
INCARNATION = "0123456789abcdef"
"""Of the job that every test runs."""
_POINTS = (
    "kafka.begun",
    "kafka.mid_produce",
    "kafka.flushed",
    "kafka.offsets_sent",
    "kafka.commit",
    "kafka.committed",
)
FAULTS = [f"{point}:{{}}:{action}" for point in _POINTS for action in ("raise", "crash")] + ["kafka.commit:{}:lost"]

"""Where a run can fail or die while it delivers; ``{}`` is which time it gets there."""

Seen = tuple[int, int, bytes | None, bytes | None]
"""Epoch, sequence number, key and value of a record a reader saw."""


def a_record(epoch: int, outbox: Outbox | None = None, sha256: str = "") -> Manifest:
    """A record of an epoch with one outbox."""
    return Manifest(
        kind="data",
        job="job",
        incarnation=INCARNATION,
        epoch=epoch,
        prev="",
        writer=Writer(id="w", host="h", pid=1, fence=0),
        fingerprint=Fingerprint(semantic="", query={}, engine="", tzdata=""),
        epoch_time_us=0,
        outbox=[] if outbox is None else [outbox],
        sha256=sha256 or f"{epoch:064x}",
    )


class OutletConformance:
    """Subclass it with fixtures `spec` and `control`, and a method `published` that reads as a stranger would.

    The spec has chunks of two rows; `k` is the column its records go by.
    """

    @pytest.fixture
    def spec(self) -> OutletSpec:
        """The outlet under test, for tables with columns `k` (text) and `n` (int64), with nothing delivered yet."""
        raise NotImplementedError

    @pytest.fixture
    def control(self) -> Control:
        """An empty control prefix."""
        raise NotImplementedError

    def published(self, spec: OutletSpec) -> list[list[Seen]]:
        """Per partition every record that a reader of committed records sees now, in its order."""
        raise NotImplementedError

    def lose_marker(self, spec: OutletSpec, outlet: Outlet) -> None:
        """Make the cluster forget the marker; skips where that cannot be done."""
        pytest.skip("this cluster forgets no marker on demand")

    # ---- driving one ----------------------------------------------------------------------------------------

    def build(self, spec: OutletSpec, control: Control, plan: str = "") -> Outlet:
        """Make the outlet for a fresh run, with failpoints armed by `plan`; nothing is fenced."""
        return spec.build("alerts", _SCHEMA, a_context(control, Failpoints.parse(plan)))

    def own(self, outlet: Outlet) -> Delivered:
        """Fence, and read the marker; write the first one."""
        outlet.fence(INCARNATION)
        reached = outlet.reached()
        if reached is None:
            outlet.settle(Delivered(0, 0), a_record(0).sha256)
            return Delivered(0, 0)
        return reached[0]

    def stage(
        self, spec: OutletSpec, control: Control, epoch: int, keys: Iterable[str | None], try_: str = "try1"
    ) -> Manifest:
        """Stage one row per key, numbered, and return the record that makes them true."""
        keys = list(keys)
        table = pa.table({"k": pa.array(keys, pa.string()), "n": pa.array(range(len(keys)), pa.int64())}, _SCHEMA)
        outbox = self.build(spec, control).stage(Attempt("job", epoch, try_), table)
        return a_record(epoch, outbox)

    def redo(self, spec: OutletSpec, control: Control, *manifests: Manifest, plan: str = "") -> Delivered:
        """A fresh run delivers these records as recovery does."""
        outlet = self.build(spec, control, plan)
        try:
            reached = self.own(outlet)
            for manifest in manifests:
                for told in outlet.deliver(manifest.outbox[0], reached, manifest):
                    reached = told
        finally:
            outlet.close()
        return reached

    def seen(self, spec: OutletSpec) -> list[Seen]:
        """Everything visible, by epoch and sequence number."""
        return sorted(record for partition in self.published(spec) for record in partition)

    def expect(self, spec: OutletSpec, wanted: list[tuple[int, int]]) -> None:
        """Assert that readers see just these rows, as (epoch, sequence number).

        A cluster may answer a commit before readers see it: on such a one, ask again for a while.
        """
        assert [record[:2] for record in self.seen(spec)] == wanted

    def check(self, spec: OutletSpec, *manifests: Manifest) -> None:
        """Assert that exactly these records were delivered: each row once, in order within each partition."""
        self.expect(spec, [(each.epoch, seq) for each in manifests for seq in range(each.outbox[0].rows)])
        assert all(partition == sorted(partition) for partition in self.published(spec))

    # ---- before the record ----------------------------------------------------------------------------------

    def test_a_staged_outbox_is_seen_by_no_reader_and_lies_in_the_folder_of_its_attempt(
        self, spec: OutletSpec, control: Control
    ) -> None:
        (outbox,) = self.stage(spec, control, 3, ["a", "b", None]).outbox

        assert self.seen(spec) == []
        assert outbox.path.startswith(Attempt("job", 3, "try1").folder("outbox") + "/")
        assert control.store.list(control.prefix) == [control.path(outbox.path)]
        assert (outbox.sink, outbox.rows, len(outbox.sha256)) == ("alerts", 3, 64)

    def test_no_rows_make_no_outbox(self, spec: OutletSpec, control: Control) -> None:
        assert self.stage(spec, control, 3, []).outbox == []
        assert control.store.list(control.prefix) == []

    @pytest.mark.parametrize("action", ["raise", "lost"])
    def test_a_failed_stage_is_done_again_by_the_next_try(
        self, spec: OutletSpec, control: Control, action: str
    ) -> None:
        failing = self.build(spec, control, f"stage.outbox:1:{action}")
        table = pa.table({"k": pa.array(["lost"]), "n": pa.array([0], pa.int64())}, _SCHEMA)
        with pytest.raises(RetryableError):
            failing.stage(Attempt("job", 3, "try1"), table)

        kept = self.stage(spec, control, 3, ["kept"], "try2")
        self.redo(spec, control, kept)

        self.check(spec, kept)
        assert [record[2] for record in self.seen(spec)] == [b"kept"]

    # ---- after the record -----------------------------------------------------------------------------------

    def test_what_is_delivered_is_all_there_once_and_in_order(self, spec: OutletSpec, control: Control) -> None:
        records = [self.stage(spec, control, epoch, ["a", "b", "a", None, "c"]) for epoch in (3, 4)]

        reached = self.redo(spec, control, *records)

        self.check(spec, *records)
        assert reached == Delivered(4, 5)

    def test_equal_keys_meet_in_one_partition(self, spec: OutletSpec, control: Control) -> None:
        records = [self.stage(spec, control, epoch, [f"key {n}" for n in range(20)]) for epoch in (3, 4)]
        self.redo(spec, control, *records)

        places = Counter(key for partition in self.published(spec) for key in {record[2] for record in partition})
        assert set(places.values()) == {1}

    def test_delivering_again_changes_nothing_also_from_another_run(self, spec: OutletSpec, control: Control) -> None:
        record = self.stage(spec, control, 3, ["a", "b", "a"])
        for _ in range(3):
            assert self.redo(spec, control, record) == Delivered(3, 3)

        self.check(spec, record)

    def test_each_chunk_tells_how_far_readers_have_it(self, spec: OutletSpec, control: Control) -> None:
        record = self.stage(spec, control, 3, "abcde")
        outlet = self.build(spec, control)
        reached = self.own(outlet)

        told = list(outlet.deliver(record.outbox[0], reached, record))
        held = outlet.reached()
        outlet.close()

        assert told == [Delivered(3, 2), Delivered(3, 4), Delivered(3, 5)]
        assert held is not None
        assert held[0] == Delivered(3, 5)
        assert record.sha256.startswith(held[1])

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("hit", [1, 2, 3])
    def test_a_run_that_fails_or_dies_anywhere_is_made_good_by_the_next(
        self, spec: OutletSpec, control: Control, fault: str, hit: int
    ) -> None:
        if hit == 3 and "mid_produce" in fault:
            pytest.skip("the first marker produces no record")
        records = [self.stage(spec, control, epoch, ["a", "b", "c"]) for epoch in (3, 4)]

        with pytest.raises((RetryableError, SimulatedCrash)):
            self.redo(spec, control, *records, plan=fault.format(hit))
        self.redo(spec, control, *records)

        self.check(spec, *records)

    def test_a_run_that_died_in_its_transaction_hides_nothing_from_readers_once_the_next_has_begun(
        self, spec: OutletSpec, control: Control
    ) -> None:
        records = [self.stage(spec, control, epoch, ["a", "b", "c"]) for epoch in (3, 4)]
        with pytest.raises(SimulatedCrash):
            self.redo(spec, control, *records, plan="kafka.offsets_sent:2:crash")
        self.expect(spec, [(3, 0), (3, 1)])

        self.redo(spec, control, records[0])

        self.check(spec, records[0])

    # ---- whose it is ----------------------------------------------------------------------------------------

    def test_a_producer_that_slept_while_another_was_fenced_in_delivers_nothing(
        self, spec: OutletSpec, control: Control
    ) -> None:
        records = [self.stage(spec, control, epoch, ["a", "b", "c"]) for epoch in (3, 4)]
        asleep = self.build(spec, control)
        reached = self.own(asleep)
        halfway = asleep.deliver(records[0].outbox[0], reached, records[0])
        assert next(halfway) == Delivered(3, 2)

        self.redo(spec, control, *records)
        with pytest.raises(OutletTaken):
            list(halfway)

        self.check(spec, *records)
        assert not asleep.is_fenced_in

    def test_an_outlet_that_lost_its_place_can_take_it_back(self, spec: OutletSpec, control: Control) -> None:
        records = [self.stage(spec, control, epoch, ["a", "b"]) for epoch in (3, 4)]
        ours = self.build(spec, control)
        self.own(ours)
        self.redo(spec, control, records[0])
        with pytest.raises(OutletTaken):
            list(ours.deliver(records[1].outbox[0], Delivered(3, 2), records[1]))

        assert self.own(ours) == Delivered(3, 2)
        list(ours.deliver(records[1].outbox[0], Delivered(3, 2), records[1]))
        ours.close()

        self.check(spec, *records)

    # ---- a marker that is lost ------------------------------------------------------------------------------

    def test_where_nothing_was_ever_delivered_the_search_says_so(self, spec: OutletSpec, control: Control) -> None:
        outlet = self.build(spec, control)
        outlet.fence(INCARNATION)

        assert outlet.reached() is None
        assert outlet.search() == Delivered(-1, 0)
        outlet.close()

    def test_the_search_finds_what_the_marker_said(self, spec: OutletSpec, control: Control) -> None:
        records = [self.stage(spec, control, epoch, ["a", "b", "c", "d", "e"]) for epoch in (3, 4)]
        self.redo(spec, control, *records)
        outlet = self.build(spec, control)
        self.own(outlet)
        found = outlet.search()
        outlet.close()

        # A partition that never had a record of ours may hide nothing: it was looked through to its beginning.
        assert found == Delivered(4, 5)

    def test_a_lost_marker_reads_as_none_and_one_that_is_settled_is_back(
        self, spec: OutletSpec, control: Control
    ) -> None:
        self.redo(spec, control, self.stage(spec, control, 3, ["a"]))
        outlet = self.build(spec, control)
        self.own(outlet)
        self.lose_marker(spec, outlet)
        outlet.fence(INCARNATION)

        assert outlet.reached() is None
        outlet.settle(Delivered(3, 1), a_record(3).sha256)
        held = outlet.reached()
        outlet.close()
        assert held is not None
        assert held[0] == Delivered(3, 1)

    # ---- outboxes that are not what the record says ---------------------------------------------------------

    def test_an_outbox_that_is_gone_is_missing(self, spec: OutletSpec, control: Control) -> None:
        record = self.stage(spec, control, 3, ["a"])
        control.store.delete(control.path(record.outbox[0].path))

        with pytest.raises(ObjectMissing):
            self.redo(spec, control, record)

    def test_an_outbox_with_other_bytes_is_never_delivered(self, spec: OutletSpec, control: Control) -> None:
        record = self.stage(spec, control, 3, ["a"])
        other = msgspec.structs.replace(record, outbox=[msgspec.structs.replace(record.outbox[0], sha256="0" * 64)])

        with pytest.raises(DataLossError, match="epoch 3"):
            self.redo(spec, control, other)

        assert self.seen(spec) == []

    def test_the_fingerprint_is_plain_data_and_stable(self, spec: OutletSpec) -> None:
        assert dict(spec.fingerprint()) == dict(spec.fingerprint())
