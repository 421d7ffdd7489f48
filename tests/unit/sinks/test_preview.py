"""A preview: one name, always whole, the newest said last; it keeps nothing and stops nobody."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arrowflow.errors import ConfigError, RetryableError
from arrowflow.failpoints import Failpoints
from arrowflow.protocols import Control
from arrowflow.sinks.preview import PreviewSpec
from arrowflow.stores.local import LocalStore
from arrowflow.testing.conformance.sinks import a_context
from arrowflow.types import Attempt


def rows(n):
    return pa.table({"k": ["a"] * n, "n": pa.array(range(n), pa.int64())})


@pytest.fixture
def spec(tmp_path):
    return PreviewSpec(str(tmp_path / "open"))


@pytest.fixture
def control(tmp_path):
    return Control(LocalStore(), str(tmp_path / "control"))


def build(spec, control, plan=""):
    return spec.build("open", rows(0).schema, a_context(control, Failpoints.parse(plan)))


def shown(spec):
    return pq.read_table(f"{spec.root}/open.parquet").num_rows


def test_each_record_takes_the_place_of_the_one_before_and_an_empty_one_too(spec, control, tmp_path):
    for epoch, n in enumerate((3, 5, 0, 1)):
        build(spec, control).publish(build(spec, control).stage(Attempt("job", epoch, "try"), rows(n)))
        assert shown(spec) == n

    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["open.parquet"]


def test_a_staged_preview_is_seen_by_nobody_and_publishing_again_changes_nothing(spec, control):
    build(spec, control).publish(build(spec, control).stage(Attempt("job", 0, "try"), rows(3)))
    files = build(spec, control).stage(Attempt("job", 1, "try"), rows(5))
    assert shown(spec) == 3

    for _ in range(3):
        build(spec, control).publish(files)
    assert shown(spec) == 5


@pytest.mark.parametrize("plan", ["publish.replace:1:raise", "publish.replace:1:lost"])
def test_a_failed_or_lost_reply_is_made_good(spec, control, plan):
    build(spec, control).publish(build(spec, control).stage(Attempt("job", 0, "try"), rows(3)))
    files = build(spec, control).stage(Attempt("job", 1, "try"), rows(5))
    with pytest.raises(RetryableError):
        build(spec, control, plan).publish(files)

    build(spec, control).publish(files)

    assert shown(spec) == 5


def test_an_older_preview_never_takes_the_place_of_a_newer_one(spec, control):
    files = [build(spec, control).stage(Attempt("job", 0, "try"), rows(3))]
    build(spec, control).publish(files[0])
    files += [build(spec, control).stage(Attempt("job", 1, "try"), rows(4))]
    files += [build(spec, control).stage(Attempt("job", 2, "try"), rows(5))]  # staged before the other was published
    build(spec, control).publish(files[1])

    build(spec, control).publish(files[2])
    assert shown(spec) == 4, "what it was to replace is gone; the next record brings another"
    build(spec, control).publish(files[0])
    assert shown(spec) == 4
    assert control.store.list(control.prefix) == []


def test_it_takes_interim_results_and_no_corrections(spec, control):
    sink = build(spec, control)

    assert spec.takes == {"interim"}
    assert not sink.holds_files()
    for refused in (
        lambda: list(sink.split(rows(1)) or ()),
        lambda: sink.rewrite(Attempt("j", 1, "t"), 0, None, rows(1), ()),
    ):
        with pytest.raises(ConfigError, match="holds no results"):
            refused()
    with pytest.raises(ConfigError, match="compression"):
        build(PreviewSpec(spec.root, "zip"), control)
