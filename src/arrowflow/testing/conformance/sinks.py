"""What every file-like `Sink` must do: stage out of sight, publish once however often it is asked, correct in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import pyarrow as pa
import pytest

from arrowflow.errors import DataLossError, ObjectMissing, RetryableError
from arrowflow.failpoints import Failpoints
from arrowflow.protocols import Control, RunContext, Sink, SinkSpec
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.observer import RecordingObserver
from arrowflow.types import Attempt, StagedFile

_KEY: pa.Field[pa.DataType] = pa.field("k", pa.string())
_NUMBER: pa.Field[pa.DataType] = pa.field("n", pa.int64())
_ID: pa.Field[pa.DataType] = pa.field("id", pa.int64())
_REVISION: pa.Field[pa.DataType] = pa.field("__af_revision", pa.int32())
_IDENTITY = ("k", "id")


def a_context(control: Control, failpoints: Failpoints | None = None) -> RunContext:
    """What a run hands to a sink, with a manual clock and a recording observer."""
    return RunContext("job", ManualClock(), RecordingObserver(), failpoints or Failpoints(), control)


class SinkConformance:
    """Subclass it with fixtures `spec` and `control`, and a method `published` that reads the table as a stranger would."""

    schema = pa.schema([_KEY, _NUMBER])
    revised = pa.schema([_KEY, _NUMBER, _ID, _REVISION])

    @pytest.fixture
    def spec(self) -> SinkSpec:
        """The sink under test, for tables of `schema`, with an empty table."""
        raise NotImplementedError

    @pytest.fixture
    def control(self) -> Control:
        """An empty control prefix in a store that reaches the sink's table."""
        raise NotImplementedError

    def published(self, spec: SinkSpec, control: Control) -> list[dict[str, object]]:
        """Every row a reader of the table sees now, in any order, with columns `k` and `n`."""
        raise NotImplementedError

    def build(self, spec: SinkSpec, control: Control, plan: str = "") -> Sink:
        """Make the sink for a fresh run, with failpoints armed by `plan`."""
        return spec.build("gold", self.schema, a_context(control, Failpoints.parse(plan)))

    def rows(self, keys: Iterable[str | None] = ("a", "b", "a")) -> pa.Table:
        """One row per key, numbered."""
        keys = list(keys)
        return pa.table({"k": pa.array(keys, pa.string()), "n": pa.array(range(len(keys)), pa.int64())}, self.schema)

    def seen(self, spec: SinkSpec, control: Control) -> list[tuple[object, object]]:
        """The published rows in order of their number."""
        return sorted(((row["k"], row["n"]) for row in self.published(spec, control)), key=lambda pair: str(pair[1]))

    def test_staged_rows_are_visible_to_no_reader(self, spec: SinkSpec, control: Control) -> None:
        files = self.build(spec, control).stage(Attempt("job", 3, "try1"), self.rows())

        assert self.published(spec, control) == []
        assert sum(file.rows for file in files) == 3
        assert control.store.list(control.prefix) == sorted(control.path(file.src) for file in files)
        assert all(file.src.startswith(Attempt("job", 3, "try1").folder("staging")) for file in files)

    def test_published_rows_are_all_there_and_nothing_stays_staged(self, spec: SinkSpec, control: Control) -> None:
        sink = self.build(spec, control)

        sink.publish(sink.stage(Attempt("job", 3, "try1"), self.rows()))

        assert self.seen(spec, control) == [("a", 0), ("b", 1), ("a", 2)]
        assert control.store.list(control.prefix) == []

    def test_an_empty_table_makes_no_file(self, spec: SinkSpec, control: Control) -> None:
        assert self.build(spec, control).stage(Attempt("job", 3, "try1"), self.rows([])) == ()
        assert control.store.list(control.prefix) == []

    def test_publishing_again_changes_nothing_also_from_another_run(self, spec: SinkSpec, control: Control) -> None:
        files = self.build(spec, control).stage(Attempt("job", 3, "try1"), self.rows())
        for _ in range(3):
            self.build(spec, control).publish(files)

        assert self.seen(spec, control) == [("a", 0), ("b", 1), ("a", 2)]

    def test_two_tries_of_an_epoch_never_meet_and_only_the_published_one_shows(
        self, spec: SinkSpec, control: Control
    ) -> None:
        sink = self.build(spec, control)
        sink.stage(Attempt("job", 3, "try1"), self.rows(["lost"]))

        sink.publish(sink.stage(Attempt("job", 3, "try2"), self.rows(["kept"])))

        assert self.seen(spec, control) == [("kept", 0)]

    def test_equal_rows_of_two_epochs_are_both_kept(self, spec: SinkSpec, control: Control) -> None:
        sink = self.build(spec, control)
        for epoch in (3, 4):
            sink.publish(sink.stage(Attempt("job", epoch, "try1"), self.rows(["a"])))

        assert self.seen(spec, control) == [("a", 0), ("a", 0)]

    def test_the_record_of_a_file_holds_its_facts(self, spec: SinkSpec, control: Control) -> None:
        sink = self.build(spec, control)
        files = sink.stage(Attempt("job", 3, "try1"), self.rows())
        for file in files:
            data = control.store.read(control.path(file.src))

            assert (file.sink, file.bytes) == ("gold", len(data))
            assert len(file.sha256) == 64
            assert len(file.crc32c) == 8

    @pytest.mark.parametrize(
        "plan", ["publish.move:1:raise", "publish.move:2:raise", "publish.move:1:lost", "publish.move:2:lost"]
    )
    def test_a_failed_or_lost_move_is_mended_by_publishing_again(
        self, spec: SinkSpec, control: Control, plan: str
    ) -> None:
        files = self._two_files(spec, control)

        with pytest.raises(RetryableError):
            self.build(spec, control, plan).publish(files)
        self.build(spec, control).publish(files)

        assert self.seen(spec, control) == [("a", 0), ("b", 0)]
        assert control.store.list(control.prefix) == []

    @pytest.mark.parametrize(
        "plan", ["stage.file.before:1:raise", "stage.file.mid:1:raise", "stage.file:1:raise", "stage.file:1:lost"]
    )
    def test_a_failed_stage_leaves_nothing_a_reader_sees(self, spec: SinkSpec, control: Control, plan: str) -> None:
        with pytest.raises(RetryableError):
            self.build(spec, control, plan).stage(Attempt("job", 3, "try1"), self.rows())

        assert self.published(spec, control) == []
        sink = self.build(spec, control)
        sink.publish(sink.stage(Attempt("job", 3, "try2"), self.rows()))
        assert self.seen(spec, control) == [("a", 0), ("b", 1), ("a", 2)]

    def test_row_82_a_file_that_is_neither_staged_nor_published_is_named(
        self, spec: SinkSpec, control: Control
    ) -> None:
        sink = self.build(spec, control)
        files = sink.stage(Attempt("job", 3, "try1"), self.rows())
        lost = replace_src(files[0], "staging/elsewhere")

        with pytest.raises(ObjectMissing, match=r".*"):
            sink.publish([lost])
        assert self.published(spec, control) == []

    def test_the_fingerprint_is_plain_data_and_stable(self, spec: SinkSpec) -> None:
        assert dict(spec.fingerprint()) == dict(spec.fingerprint())

    # ---- corrections: rows (k, id) with a number n, in a sink that takes later revisions ----------------------------

    def test_a_correction_is_seen_by_nobody_until_it_takes_the_place_of_its_row_only(
        self, spec: SinkSpec, control: Control
    ) -> None:
        newest = self._published(spec, control)
        files = self._corrected(spec, control, 4, newest, {("a", 0): 100, (None, 2): 102})
        assert self.seen(spec, control) == [("a", 0), ("b", 1), (None, 2), ("a", 3)]

        self.build(spec, control).publish(files)

        assert self.seen(spec, control) == [("b", 1), ("a", 100), (None, 102), ("a", 3)]
        assert {file.dst for file in files} <= {file.dst for file in newest}
        assert all(file.replaces is not None and file.revision == 2 for file in files)
        assert sum(file.new_rows for file in files) == 2

    def test_corrections_follow_each_other_and_publishing_them_again_changes_nothing(
        self, spec: SinkSpec, control: Control
    ) -> None:
        newest = self._published(spec, control)
        for epoch in (4, 5, 6):
            files = self._corrected(spec, control, epoch, newest, {("a", 0): 100 * epoch})
            for _ in range(3):
                self.build(spec, control).publish(files)
            newest = _newer(newest, files)

        assert self.seen(spec, control) == [("b", 1), (None, 2), ("a", 3), ("a", 600)]
        assert not [path for path in control.store.list(control.prefix) if "/staging/" in path]

    def test_an_epoch_whose_files_were_replaced_since_is_done_if_the_newer_records_say_so(
        self, spec: SinkSpec, control: Control
    ) -> None:
        first = self._published(spec, control)
        one = self._corrected(spec, control, 4, first, {("a", 0): 100})
        self.build(spec, control).publish(one)
        two = self._corrected(spec, control, 5, _newer(first, one), {("a", 0): 200})
        self.build(spec, control).publish(two)

        for files in (first, one):
            with pytest.raises((DataLossError, ObjectMissing)):
                self.build(spec, control).publish(files)
            self.build(spec, control).publish(files, [*one, *two])
        self.build(spec, control).publish(two)

        assert ("a", 200) in self.seen(spec, control)

    @pytest.mark.parametrize("published", [0, 1, 2])
    def test_two_epochs_that_replaced_one_file_are_both_done_whatever_a_crash_left(
        self, spec: SinkSpec, control: Control, published: int
    ) -> None:
        first = self._published(spec, control)
        one = self._corrected(spec, control, 4, first, {("a", 0): 100})
        staged = {control.path(file.src): control.store.read(control.path(file.src)) for file in one}
        before = {file.dst: data for file in one for data in [self.bytes_of(spec, control, file)]}
        self.build(spec, control).publish(one)
        two = self._corrected(spec, control, 5, _newer(first, one), {("a", 0): 200})
        if published == 0:  # as it was before the first of the two was published
            one = self._put_back(spec, control, before, staged, one)
        if published == 2:
            self.build(spec, control).publish(two)

        self.build(spec, control).publish(one, two)
        self.build(spec, control).publish(two)

        assert ("a", 200) in self.seen(spec, control)
        assert not [path for path in control.store.list(control.prefix) if "/staging/" in path]

    def bytes_of(self, spec: SinkSpec, control: Control, file: StagedFile) -> bytes:
        """What a published file holds."""
        location = self.build(spec, control).location
        return control.store.read(f"{location}/{file.dst}")

    def _put_back(
        self,
        spec: SinkSpec,
        control: Control,
        before: dict[str, bytes],
        staged: dict[str, bytes],
        files: Sequence[StagedFile],
    ) -> list[StagedFile]:
        """Make published and staged files as they were; `files` as a record would tell of the objects staged now."""
        location = self.build(spec, control).location
        for name, data in before.items():
            control.store.delete(f"{location}/{name}")
            control.store.create(f"{location}/{name}", data)
        made = {path: control.store.create(path, data) for path, data in staged.items()}
        return [msgspec.structs.replace(file, generation=made[control.path(file.src)]) for file in files]

    @pytest.mark.parametrize("plan", ["publish.replace:1:raise", "publish.replace:1:lost", "publish.replace:2:lost"])
    def test_a_failed_or_lost_replacement_is_mended_by_publishing_again(
        self, spec: SinkSpec, control: Control, plan: str
    ) -> None:
        newest = self._published(spec, control)
        files = self._corrected(spec, control, 4, newest, {("a", 0): 100}) * 2

        with pytest.raises(RetryableError):
            self.build(spec, control, plan).publish(files)
        self.build(spec, control).publish(files)

        assert ("a", 100) in self.seen(spec, control)

    @pytest.mark.parametrize("plan", ["stage.revision:1:raise", "stage.revision:1:lost", "stage.file:1:lost"])
    def test_a_correction_that_failed_in_staging_is_staged_again_by_the_next_try(
        self, spec: SinkSpec, control: Control, plan: str
    ) -> None:
        newest = self._published(spec, control)
        with pytest.raises(RetryableError):
            self._corrected(spec, control, 4, newest, {("a", 0): 100}, plan)

        self.build(spec, control).publish(self._corrected(spec, control, 4, newest, {("a", 0): 200}, name="try2"))

        assert ("a", 200) in self.seen(spec, control)
        assert ("a", 100) not in self.seen(spec, control)

    @pytest.mark.parametrize("change", [{("a", 7): 1}, {("a", 0): 1}])
    def test_a_correction_of_a_row_that_is_not_there_or_not_older_is_refused(
        self, spec: SinkSpec, control: Control, change: dict[tuple[str | None, int], int]
    ) -> None:
        newest = self._published(spec, control)
        epoch = 4 if ("a", 7) in change else 3  # revision 1 again

        with pytest.raises(DataLossError, match="correct"):
            self._corrected(spec, control, epoch, newest, change)
        assert not [path for path in control.store.list(control.prefix) if "/staging/" in path]

    def test_a_file_that_is_not_what_the_newest_record_says_is_never_rewritten(
        self, spec: SinkSpec, control: Control
    ) -> None:
        newest = self._published(spec, control)
        other = [msgspec.structs.replace(file, crc32c="00000000") for file in newest]

        with pytest.raises(DataLossError):
            self._corrected(spec, control, 4, other, {("a", 0): 100})

    def test_what_is_replaced_is_kept(self, spec: SinkSpec, control: Control) -> None:
        newest = self._published(spec, control)
        for epoch in (4, 5):
            files = self._corrected(spec, control, epoch, newest, {("a", 0): 100 * epoch})
            self.build(spec, control).publish(files)
            newest = _newer(newest, files)

        kept = control.store.list(f"{control.prefix}/revisions/gold")
        assert len(kept) == 2, "revisions 1 and 2 of the one file; the third is in the table"

    def _published(self, spec: SinkSpec, control: Control) -> list[StagedFile]:
        """Rows (k, id) with n = id: a 0, b 1, null 2, a 3; skips where the sink takes no later revisions."""
        if "replace" not in spec.takes:
            pytest.skip("the sink takes no later revisions")
        sink = spec.build("gold", self.revised, a_context(control))
        files = sink.stage(
            Attempt("job", 3, "try1"), self._rows({("a", 0): 0, ("b", 1): 1, (None, 2): 2, ("a", 3): 3}, 1)
        )
        sink.publish(files)
        return list(files)

    def _corrected(
        self,
        spec: SinkSpec,
        control: Control,
        epoch: int,
        newest: list[StagedFile],
        change: dict[tuple[str | None, int], int],
        plan: str = "",
        name: str = "try1",
    ) -> list[StagedFile]:
        """Stage corrections of rows (k, id) to other n, as revision ``epoch - 2``."""
        sink = spec.build("gold", self.revised, a_context(control, Failpoints.parse(plan)))
        by_partition = {tuple(file.partition.items()): file for file in newest}
        return [
            sink.rewrite(Attempt("job", epoch, name), number, by_partition[tuple(partition.items())], part, _IDENTITY)
            for number, (partition, part) in enumerate(sink.split(self._rows(change, epoch - 2)))
        ]

    def _rows(self, numbers: dict[tuple[str | None, int], int], revision: int) -> pa.Table:
        keys = pa.array([key for key, _ in numbers], pa.string())
        ids = pa.array([number for _, number in numbers], pa.int64())
        n = pa.array(list(numbers.values()), pa.int64())
        return pa.table([keys, n, ids, pa.array([revision] * len(numbers), pa.int32())], schema=self.revised)

    def _two_files(self, spec: SinkSpec, control: Control) -> tuple[StagedFile, ...]:
        sink = self.build(spec, control)
        return tuple(
            file
            for epoch, key in ((3, "a"), (4, "b"))
            for file in sink.stage(Attempt("job", epoch, "try1"), self.rows([key]))
        )


def replace_src(file: StagedFile, src: str) -> StagedFile:
    """The same file with another staged name."""
    return msgspec.structs.replace(file, src=src)


def _newer(files: list[StagedFile], later: list[StagedFile]) -> list[StagedFile]:
    """What each file is once `later` are published."""
    by_name = {file.dst: file for file in later}
    return [by_name.get(file.dst, file) for file in files]
