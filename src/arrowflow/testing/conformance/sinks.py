"""What every file-like `Sink` must do: stage out of sight, publish once however often it is asked."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pyarrow as pa
import pytest

from arrowflow.errors import ObjectMissing, RetryableError
from arrowflow.failpoints import Failpoints
from arrowflow.protocols import Control, RunContext, Sink, SinkSpec
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.observer import RecordingObserver
from arrowflow.types import Attempt, StagedFile

_KEY: pa.Field[pa.DataType] = pa.field("k", pa.string())
_NUMBER: pa.Field[pa.DataType] = pa.field("n", pa.int64())


def a_context(control: Control, failpoints: Failpoints | None = None) -> RunContext:
    """What a run hands to a sink, with a manual clock and a recording observer."""
    return RunContext("job", ManualClock(), RecordingObserver(), failpoints or Failpoints(), control)


class SinkConformance:
    """Subclass it with fixtures `spec` and `control`, and a method `published` that reads the table as a stranger would."""

    schema = pa.schema([_KEY, _NUMBER])

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
