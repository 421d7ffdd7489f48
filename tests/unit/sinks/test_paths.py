"""Partition values as folder names: three readers agree, or the value is refused."""

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrowflow.errors import ConfigError
from arrowflow.sinks import paths

ODD = [
    "monterrey",
    "/",
    "a/b",
    "..",
    ".",
    "%",
    "%2F",
    "=",
    "a=b",
    "a b",
    " ",
    "a\\b",
    "a\nb",
    "?",
    "#",
    "*",
    "[a]{b}",
    "a&b",
    "a+b",
    "a:b",
    "'\"",
    "~",
    "-",
    "_x",
    ".x",
    "NULL",
    "null",
    "None",
    "nan",
    "007",
    "1e3",
    "true",
    "2025-10-31",
    "08",
    "Querétaro",
    "e\u0301",
    "é",
    "\U0001f600",
    "\x01\x7f",
    "\ufeff",
    "Tijuana",
    "tijuana",
    "x" * 240,
]


def write(root, values):
    """One file per value, its index as the only row, in the folder we would use."""
    for i, value in enumerate(values):
        folder = root / paths.folder({"p": value})
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"v": pa.array([i], pa.int64())}), folder / f"{i}.parquet")


def read_pyarrow(root):
    partitioning = ds.partitioning(pa.schema([("p", pa.string())]), flavor="hive")
    return ds.dataset(root, partitioning=partitioning, format="parquet").to_table().to_pylist()


def read_polars(root):
    return (
        pl.scan_parquet(f"{root}/**/*.parquet", hive_partitioning=True, hive_schema={"p": pl.String})
        .collect()
        .to_dicts()
    )


def read_duckdb(root):
    query = f"select v, p from read_parquet('{root}/**/*.parquet', hive_partitioning=true, hive_types={{'p': VARCHAR}})"
    return [{"v": v, "p": p} for v, p in duckdb.connect().sql(query).fetchall()]


READERS = {"pyarrow": read_pyarrow, "polars": read_polars, "duckdb": read_duckdb}


@pytest.mark.parametrize("reader", READERS)
def test_rows_48_49_52_odd_values_and_null_read_back_as_themselves(tmp_path, reader):
    values = [*ODD, None]
    write(tmp_path, values)

    found = {row["v"]: row["p"] for row in READERS[reader](tmp_path)}

    assert found == dict(enumerate(values))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=30)), min_size=1, max_size=12, unique=True))
def test_row_48_any_accepted_value_reads_back_in_three_readers(tmp_path_factory, values):
    accepted = [value for value in values if paths.refusal("p", value) is None]
    root = tmp_path_factory.mktemp("any")
    write(root, [*accepted, "anchor"])

    for name, reader in READERS.items():
        assert {row["v"]: row["p"] for row in reader(root)} == dict(enumerate([*accepted, "anchor"])), name


@given(st.text())
def test_row_48_a_folder_name_never_leaves_its_parent_and_reverses(value):
    text = paths.escape(value)

    assert paths.unescape(text) == value
    assert not {*text} - {*"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-~.%"}
    assert paths.segment("p", value).startswith("p=")


@given(st.text(), st.text())
def test_row_52_different_values_never_share_a_folder_name(a, b):
    assert (paths.escape(a) == paths.escape(b)) == (a == b)


def test_escapes_are_those_of_duckdb(tmp_path):
    duckdb.connect().execute("create table t as select unnest(?) as p, 1 as v", [ODD]).execute(
        f"copy t to '{tmp_path}/out' (format parquet, partition_by (p))"
    )

    assert {path.name for path in (tmp_path / "out").iterdir()} == {paths.segment("p", value) for value in ODD}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("__HIVE_DEFAULT_PARTITION__", "partition_reserved"),
        ("", "partition_empty"),
        ("a\0b", "partition_nul"),
        ("x" * 254, "partition_too_long"),
        ("ñ" * 43, "partition_too_long"),
    ],
)
def test_rows_49_50_what_cannot_read_back_is_refused_with_its_reason(value, reason):
    refused = paths.refusal("p", value)

    assert refused.reason == reason
    assert refused.detail.startswith("p is ")
    assert len(refused.detail) < 200


def test_row_49_the_marker_of_null_as_text_would_be_null_in_every_reader(tmp_path):
    """Why it is refused: even with its first byte escaped two of three readers call it null."""
    for i, folder in enumerate(("p=__HIVE_DEFAULT_PARTITION__", "p=%5F_HIVE_DEFAULT_PARTITION__")):
        (tmp_path / folder).mkdir()
        pq.write_table(pa.table({"v": pa.array([i], pa.int64())}), tmp_path / folder / "f.parquet")

    assert [row["p"] for row in read_pyarrow(tmp_path)] == [None, None]
    assert [row["p"] for row in read_polars(tmp_path)] == [None, None]


def test_row_50_a_folder_name_of_255_bytes_passes_and_fits_on_disk(tmp_path):
    value = "x" * (255 - len("p="))

    assert paths.refusal("p", value) is None
    (tmp_path / paths.segment("p", value)).mkdir()
    assert paths.refusal("p", value + "x") is not None


def test_refusals_name_each_row_once_in_order():
    rejects = paths.refusals(
        "/lake/gold",
        {
            "a": pa.array(["ok", "", None, "x\0", "ok"], pa.string()),
            "b": pa.array(["ok", "", "ok", "ok", "__HIVE_DEFAULT_PARTITION__"], pa.string()),
        },
    )

    assert [(reject.row, reject.reason) for reject in rejects] == [
        (1, "partition_empty"),
        (3, "partition_nul"),
        (4, "partition_reserved"),
    ]


def test_row_50_an_object_name_too_long_as_a_whole_is_refused():
    long = pa.array(["x" * 240, "x"], pa.string())
    columns = dict.fromkeys("abcd", long)

    assert [(r.row, r.reason) for r in paths.refusals("/lake", columns)] == [(0, "partition_too_long")]
    assert paths.refusals("/lake", {"a": long}) == ()


def test_no_columns_refuse_nothing():
    assert paths.refusals("/lake", {}) == ()


@pytest.mark.parametrize("column", ["_topic", ".x", "", "año", "a=b", "a/b", "a b"])
def test_a_column_that_readers_hide_or_misread_is_refused(column):
    with pytest.raises(ConfigError, match="partition_by column"):
        paths.check_column(column)
