"""The Parquet sink: where rows land, what is refused before any upload, what a glob sees."""

import datetime as dt
import hashlib
import zoneinfo
from dataclasses import replace
from types import MappingProxyType

import duckdb
import google_crc32c
import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arrowflow.errors import ConfigError, DataLossError, ObjectMissing, PromiseBroken
from arrowflow.events import Notice
from arrowflow.failpoints import FailpointHit, Failpoints
from arrowflow.protocols import Control
from arrowflow.sinks.encoding import decode, encode, grow
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.stores.local import LocalStore
from arrowflow.testing.conformance.sinks import a_context
from arrowflow.testing.stores import MemoryStore
from arrowflow.types import Attempt

ATTEMPT = Attempt("gold-prod", 4711, "try1")
ROOT = "/lake/gold/production"
UTC_US = pa.timestamp("us", "UTC")


class Zones:
    """Civil time by the standard library, for two plants."""

    key = "planta"
    zones = MappingProxyType({"tijuana": "America/Tijuana", "madrid": "Europe/Madrid"})

    def civil(self, key, us):
        zone = zoneinfo.ZoneInfo(self.zones.get(key, "UTC"))
        local = [
            dt.datetime(1970, 1, 1, tzinfo=dt.UTC).astimezone(dt.UTC) + dt.timedelta(microseconds=int(x)) for x in us
        ]
        local = [moment.astimezone(zone) for moment in local]
        days = [moment.date().toordinal() - dt.date(1970, 1, 1).toordinal() for moment in local]
        return np.array(days, np.int32), np.array([moment.hour for moment in local], np.int32)

    def fingerprint(self):
        return {"zones": dict(self.zones)}


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def table(plants, times, **more):
    columns = {
        "planta": pa.array(plants, pa.string()),
        "window_start": pa.array([at(time) if time else None for time in times], UTC_US),
        "n": pa.array(range(len(plants)), pa.int64()),
    }
    return pa.table(columns | more)


def build(spec, schema, *, failpoints=None, store=None):
    context = a_context(Control(store or MemoryStore(), "/lake/_arrowflow/job"), failpoints)
    return spec.build("gold", schema, context)


def staged(spec, rows, store=None):
    return build(spec, rows.schema, store=store).stage(ATTEMPT, rows)


def folders(files):
    return [file.dst.rpartition("/")[0] for file in files]


def test_derived_date_and_hour_are_local_to_the_plant():
    rows = table(["tijuana", "madrid", "nowhere"], ["2025-10-31T05:30", "2025-10-31T23:30", "2025-10-31T08:00"])

    files = staged(ParquetSpec(ROOT, ("planta", "date", "hour"), civil=Zones()), rows)

    assert folders(files) == [
        "planta=madrid/date=2025-11-01/hour=00",
        "planta=nowhere/date=2025-10-31/hour=08",
        "planta=tijuana/date=2025-10-30/hour=22",
    ]
    assert files[0].partition == {"planta": "madrid", "date": "2025-11-01", "hour": "00"}


def test_without_civil_time_derived_columns_are_utc_also_before_1970():
    rows = table(["a", "a"], ["1969-12-31T23:59:59.999999", "2025-10-31T08:00"])

    assert folders(staged(ParquetSpec(ROOT, ("date", "hour")), rows)) == [
        "date=1969-12-31/hour=23",
        "date=2025-10-31/hour=08",
    ]


def test_int64_microseconds_serve_as_time_column():
    rows = pa.table({"at_us": pa.array([-1, 0], pa.int64())})

    files = staged(ParquetSpec(ROOT, ("date",), time_column="at_us"), rows)

    assert folders(files) == ["date=1969-12-31", "date=1970-01-01"]
    assert [(file.min_event_us, file.max_event_us) for file in files] == [(-1, -1), (0, 0)]


def test_a_row_without_time_goes_to_the_null_partition():
    assert folders(staged(ParquetSpec(ROOT, ("date",)), table(["a"], [None]))) == ["date=__HIVE_DEFAULT_PARTITION__"]


def test_a_column_of_the_table_wins_over_a_derived_one():
    rows = table(["a"], ["2025-10-31T08:00"], date=pa.array([dt.date(2020, 1, 2)], pa.date32()))

    files = staged(ParquetSpec(ROOT, ("date",)), rows)

    assert folders(files) == ["date=2020-01-02"]


def test_integers_booleans_dictionaries_and_nulls_become_folder_names():
    rows = pa.table(
        {
            "i": pa.array([7, None], pa.int32()),
            "b": pa.array([True, False], pa.bool_()),
            "d": pa.array(["x", None], pa.string()).dictionary_encode(),
            "n": pa.array([1, 2], pa.int64()),
        }
    )

    assert folders(staged(ParquetSpec(ROOT, ("i", "b", "d")), rows)) == [
        "i=__HIVE_DEFAULT_PARTITION__/b=false/d=__HIVE_DEFAULT_PARTITION__",
        "i=7/b=true/d=x",
    ]


def test_a_file_leaves_out_the_partition_columns_and_keeps_the_order_of_rows():
    store = MemoryStore()
    rows = table(["b", "a", "b", "a"], ["2025-10-31T08:00"] * 4, __af_epoch=pa.array([4711] * 4, pa.int64()))

    files = staged(ParquetSpec(ROOT, ("planta",)), rows, store)

    read = [pq.read_table(pa.BufferReader(store.read(f"/lake/_arrowflow/job/{file.src}"))) for file in files]
    assert [part.column_names for part in read] == [["window_start", "n", "__af_epoch"]] * 2
    assert [part["n"].to_pylist() for part in read] == [[1, 3], [0, 2]]


def test_the_final_name_says_job_epoch_number_and_content():
    store = MemoryStore()
    (file,) = staged(ParquetSpec(ROOT), table(["a"], ["2025-10-31T08:00"]), store)
    data = store.read(f"/lake/_arrowflow/job/{file.src}")

    job8, sha8 = hashlib.sha256(b"gold-prod").hexdigest()[:8], hashlib.sha256(data).hexdigest()[:8]
    assert file.dst == f"{job8}-000000004711-0000-{sha8}.parquet"
    assert file.src == "staging/00000000000000004711/try1/gold/0000.parquet"
    assert file.crc32c == f"{google_crc32c.value(data):08x}"
    assert file.min_event_us == file.max_event_us == 1_761_897_600_000_000


def test_the_same_table_gives_the_same_files_in_any_process():
    rows = table(["b", "a", None], ["2025-10-31T08:00"] * 3)

    assert staged(ParquetSpec(ROOT, ("planta",)), rows) == staged(ParquetSpec(ROOT, ("planta",)), rows)


def test_chunked_and_sliced_tables_split_like_whole_ones():
    rows = table(list("abcab"), ["2025-10-31T08:00"] * 5)
    chunked = pa.concat_tables([rows.slice(0, 2), rows.slice(2, 0), rows.slice(2)])

    whole, cut = (staged(ParquetSpec(ROOT, ("planta",)), candidate) for candidate in (rows, chunked))
    assert [(f.partition, f.rows) for f in whole] == [(f.partition, f.rows) for f in cut]


def test_row_51_tens_of_thousands_of_rows_in_a_thousand_partitions_keep_every_row():
    store, n = MemoryStore(), 50_000
    rng = np.random.default_rng(51)
    rows = pa.table(
        {
            "m": pa.array([f"m{i}" for i in rng.integers(0, 1000, n)], pa.string()),
            "n": pa.array(np.arange(n), pa.int64()),
        }
    )

    files = staged(ParquetSpec(ROOT, ("m",)), rows, store)

    assert len(files) == 1000
    assert sum(file.rows for file in files) == n
    found = {}
    for file in files:
        part = pq.read_table(pa.BufferReader(store.read(f"/lake/_arrowflow/job/{file.src}")))
        numbers = part["n"].to_pylist()
        assert numbers == sorted(numbers), "rows changed their order inside a file"
        found.update(dict.fromkeys(numbers, file.partition["m"]))
    assert found == dict(enumerate(rows["m"].to_pylist()))


def test_row_51_too_many_partitions_stop_before_the_first_upload():
    store = MemoryStore()
    rows = pa.table({"m": pa.array([f"m{i}" for i in range(100_000)], pa.string()), "n": pa.array(range(100_000))})

    with pytest.raises(ConfigError, match=r"epoch 4711 has 100000 partitions.*max_partitions_per_epoch allows 2000"):
        staged(ParquetSpec(ROOT, ("m",)), rows, store)
    assert store.snapshot() == {}


def test_row_51_many_small_files_are_noticed_once():
    rows = pa.table({"m": pa.array([f"m{i}" for i in range(150)], pa.string()), "n": pa.array(range(150))})
    sink = build(ParquetSpec(ROOT, ("m",)), rows.schema)
    sink.stage(ATTEMPT, rows)
    sink.stage(replace(ATTEMPT, id="try2"), rows)

    assert [note.message for note in sink.context.observer.of(Notice) if "150 files for 150 rows" in note.message] != []
    assert len(sink.context.observer.of(Notice)) == 1


def test_row_52_values_equal_but_for_case_stay_apart_and_are_noticed_once():
    rows = table(["Tijuana", "tijuana"], ["2025-10-31T08:00"] * 2)
    sink = build(ParquetSpec(ROOT, ("planta",)), rows.schema)

    assert folders(sink.stage(ATTEMPT, rows)) == ["planta=Tijuana", "planta=tijuana"]
    sink.stage(replace(ATTEMPT, id="try2"), rows)
    (notice,) = sink.context.observer.of(Notice)
    assert "'Tijuana' and 'tijuana'" in notice.message


@pytest.mark.parametrize("value", ["", "a\0b", "__HIVE_DEFAULT_PARTITION__", "x" * 300])
def test_rows_7_49_50_a_value_no_folder_can_have_stops_before_the_first_upload(value):
    store = MemoryStore()

    with pytest.raises(PromiseBroken, match=r"sink 'gold': planta is .*filter"):
        staged(ParquetSpec(ROOT, ("planta",)), table(["a", value], ["2025-10-31T08:00"] * 2), store)
    assert store.snapshot() == {}


def test_rows_7_49_50_the_same_values_can_be_refused_row_by_row_before_folding():
    spec = ParquetSpec(ROOT, ("planta", "date", "hour"))
    rows = pa.table({"planta": pa.array(["a", "", "b", "x\0"], pa.string()), "v": pa.array([1, 2, 3, 4])})

    assert [(r.row, r.reason) for r in spec.key_refusals(rows)] == [(1, "partition_empty"), (3, "partition_nul")]
    assert spec.key_refusals(rows.select(["v"])) == ()


def test_a_row_the_early_check_lets_pass_is_never_refused_later():
    spec = ParquetSpec(ROOT, ("planta", "date", "hour"))
    for length in range(200, 260):
        rows = table(["ñ" * (length // 6) + "x" * (length % 6)], ["2025-10-31T08:00"])
        if not spec.key_refusals(rows):
            assert len(staged(spec, rows)) == 1


def test_publishing_leaves_nothing_but_parquet_under_the_root(tmp_path):
    rows = table(["a", "b", None], ["2025-10-31T08:00"] * 3)
    spec = ParquetSpec(str(tmp_path / "table"), ("planta", "date"))
    context = a_context(Control(LocalStore(), str(tmp_path / "control")))
    sink = spec.build("gold", rows.schema, context)
    sink.publish(sink.stage(ATTEMPT, rows))

    names = [path.name for path in (tmp_path / "table").rglob("*") if path.is_file()]
    assert len(names) == 3
    assert all(name.endswith(".parquet") and name[0] not in "._" for name in names)
    assert LocalStore().list(str(tmp_path / "control")) == []


def published(tmp_path):
    rows = table(["a"], ["2025-10-31T08:00"])
    context = a_context(Control(LocalStore(), str(tmp_path / "control")))
    sink = ParquetSpec(str(tmp_path / "table")).build("gold", rows.schema, context)
    files = sink.stage(ATTEMPT, rows)
    return sink, files, tmp_path / "table" / files[0].dst, tmp_path / "control" / files[0].src


def test_row_80_a_published_file_that_was_changed_is_found_and_named(tmp_path):
    sink, files, target, _ = published(tmp_path)
    sink.publish(files)
    data = bytearray(target.read_bytes())
    data[20] ^= 1
    target.write_bytes(data)

    with pytest.raises(DataLossError, match=rf"{target} holds .* crc32c"):
        sink.publish(files)


def test_row_82_a_file_in_neither_place_is_named_with_both(tmp_path):
    sink, files, target, source = published(tmp_path)
    source.unlink()

    with pytest.raises(ObjectMissing, match=rf"1 rows are neither staged at {source} nor published at {target}"):
        sink.publish(files)


def test_a_staged_copy_beside_its_published_twin_is_removed(tmp_path):
    sink, files, target, source = published(tmp_path)
    data = source.read_bytes()
    sink.publish(files)
    source.parent.mkdir(parents=True)
    source.write_bytes(data)

    sink.publish(files)

    assert target.exists()
    assert not source.exists()


@pytest.mark.parametrize("hit", [1, 2])
def test_a_move_cut_between_its_two_names_is_completed(tmp_path, hit):
    rows = table(["a", "b"], ["2025-10-31T08:00"] * 2)
    spec, prefix = ParquetSpec(str(tmp_path / "table"), ("planta",)), str(tmp_path / "control")
    cut = Failpoints.parse(f"publish.between_link_unlink:{hit}:raise")
    sink = spec.build("gold", rows.schema, a_context(Control(LocalStore(cut), prefix)))
    files = sink.stage(ATTEMPT, rows)
    with pytest.raises(FailpointHit):
        sink.publish(files)

    spec.build("gold", rows.schema, a_context(Control(LocalStore(), prefix))).publish(files)

    assert len(LocalStore().list(str(tmp_path / "table"))) == 2
    assert LocalStore().list(prefix) == []


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ParquetSpec(ROOT, ("plant",)), "'plant' is not in the table"),
        (ParquetSpec(ROOT, ("date",), time_column="window_end"), "time_column 'window_end'"),
        (ParquetSpec(ROOT, ("date",), time_column="planta"), "is string: a timestamp"),
        (ParquetSpec(ROOT, ("planta", "planta")), "names a column twice"),
        (ParquetSpec(ROOT, ("window_start",)), "partition by 'date' or 'hour'"),
        (ParquetSpec(ROOT, ("f",)), "double"),
        (ParquetSpec(ROOT, compression="zip"), "compression 'zip'"),
        (ParquetSpec("/lake/_arrowflow/job/table"), "lies inside"),
        (ParquetSpec("/lake"), "lies inside"),
    ],
)
def test_a_table_that_cannot_be_written_is_refused_when_built(spec, message):
    schema = pa.schema({"planta": pa.string(), "window_start": UTC_US, "f": pa.float64(), "n": pa.int64()})

    with pytest.raises(ConfigError, match=message):
        build(spec, schema)


def test_local_time_without_its_key_column_is_refused():
    with pytest.raises(ConfigError, match="zone is chosen by column 'planta'"):
        build(ParquetSpec(ROOT, ("date",), civil=Zones()), pa.schema({"window_start": UTC_US, "n": pa.int64()}))


def test_a_partition_by_that_leaves_no_column_is_refused():
    with pytest.raises(ConfigError, match="leaves none"):
        build(ParquetSpec(ROOT, ("planta",)), pa.schema({"planta": pa.string()}))


def test_the_fingerprint_holds_the_root_and_no_operational_setting():
    spec = ParquetSpec(ROOT, ("planta",), civil=Zones())

    assert spec.fingerprint()["root"] == ROOT
    assert spec.fingerprint() == replace(spec, compression="zstd", max_partitions_per_epoch=1).fingerprint()
    assert spec.fingerprint() != replace(spec, root="/lake/other").fingerprint()
    assert msgspec.json.encode(spec.fingerprint())


@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", "lz4", "brotli", "none"])
def test_each_compression_is_what_the_file_says(compression):
    store = MemoryStore()
    (file,) = staged(ParquetSpec(ROOT, compression=compression), table(["a"], ["2025-10-31T08:00"]), store)
    meta = pq.ParquetFile(pa.BufferReader(store.read(f"/lake/_arrowflow/job/{file.src}"))).metadata

    wanted = {"none": "UNCOMPRESSED"}.get(compression, compression.upper())
    assert meta.row_group(0).column(0).compression == wanted


# ---- revisions ---------------------------------------------------------------------------------------------------


def revised(n, revision):
    return table(["a", "b"], ["2025-10-31T08:00"] * 2, __af_revision=pa.array([revision] * 2, pa.int32())).set_column(
        2, "n", pa.array([n, n + 1], pa.int64())
    )


def test_a_rewritten_file_keeps_its_name_and_partition_and_the_old_rows_lie_under_the_control_prefix(tmp_path):
    spec, store = ParquetSpec(str(tmp_path / "table"), ("planta", "date")), LocalStore()
    sink = spec.build("gold", revised(0, 1).schema, a_context(Control(store, str(tmp_path / "control"))))
    newest = list(sink.stage(ATTEMPT, revised(0, 1)))
    sink.publish(newest)
    for revision in (2, 3):
        parts = [part for _, part in sink.split(revised(10 * revision, revision))]
        newest = [
            sink.rewrite(Attempt("gold-prod", 4711 + revision, "try"), number, file, part, ("planta", "window_start"))
            for number, (file, part) in enumerate(zip(newest, parts, strict=True))
        ]
        sink.publish(newest)

    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.parquet"))
    name = newest[0].dst.removesuffix(".parquet")
    assert [file.revision for file in newest] == [3, 3]
    assert name.startswith("planta=a/date=2025-10-31/")
    assert files[:2] == [f"control/revisions/gold/{name}/{number:06d}.parquet" for number in (1, 2)]
    assert len(files) == 6
    assert pq.ParquetFile(tmp_path / files[1]).read()["n"].to_pylist() == [20]
    assert pq.ParquetFile(tmp_path / "table" / newest[0].dst).read()["n"].to_pylist() == [30]


def test_a_kept_revision_that_another_hand_changed_is_named(tmp_path):
    spec, control = ParquetSpec(str(tmp_path / "table")), Control(LocalStore(), str(tmp_path / "control"))
    sink = spec.build("gold", revised(0, 1).schema, a_context(control))
    (newest,) = sink.stage(ATTEMPT, revised(0, 1))
    sink.publish([newest])
    kept = f"{control.prefix}/revisions/gold/{newest.dst.removesuffix('.parquet')}/000001.parquet"
    control.store.create(kept, encode(revised(7, 1), "snappy"))

    with pytest.raises(DataLossError, match=f"{kept} does not hold the rows of revision 1"):
        sink.rewrite(Attempt("gold-prod", 4712, "try"), 0, newest, revised(20, 2), ("planta", "window_start"))


def test_a_file_grows_by_its_revisions_until_the_old_ones_outweigh_it_and_then_starts_afresh():
    rows = pa.table({"text": [f"{i:>2000}" for i in range(400)], "n": range(400)})
    first = encode(rows, "none")
    data, sizes = first, []
    for _ in range(20):
        grown = grow(data, rows, "none")
        assert decode(grown).equals(rows)
        assert grown.startswith(data) or len(grown) == len(first)
        data = grown
        sizes.append(len(data))

    assert max(sizes) <= 8 * len(first) + 4096
    assert sizes.count(len(first)) >= 2


@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", "lz4", "brotli", "none"])
def test_polars_and_duckdb_read_a_grown_file_as_its_newest_revision(tmp_path, compression):
    data = b""
    for n in range(4):
        rows = pa.table({"k": ["a", None, "c" * 50 * n], "n": [n, n + 1, n + 2]})
        data = grow(data, rows, compression) if data else encode(rows, compression)
    (tmp_path / "a.parquet").write_bytes(data)

    assert pl.read_parquet(tmp_path / "a.parquet")["n"].to_list() == [3, 4, 5]
    assert duckdb.connect().execute(f"select n from '{tmp_path}/a.parquet' where n > 3").fetchall() == [(4,), (5,)]
    assert pq.read_metadata(tmp_path / "a.parquet").num_rows == 3


def test_large_columns_have_a_dictionary_where_their_values_repeat_and_read_back_as_they_were():
    n = 40_000
    numbers = np.arange(n)
    table = pa.table(
        {
            "offset": numbers, "quality": numbers % 7, "name": [f"k{i % 50}" for i in range(n)], "nothing": pa.nulls(n),
            "id": [f"id-{i}" for i in range(n)],
        }
    )  # fmt: skip

    data = encode(table, "snappy")

    assert decode(data).equals(table)
    columns = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0)
    dictionary = {
        columns.column(i).path_in_schema: columns.column(i).has_dictionary_page for i in range(columns.num_columns)
    }
    assert dictionary == {"offset": False, "quality": True, "name": True, "nothing": True, "id": False}
    nested = pa.table({"list": [[i] for i in range(n)]})
    assert decode(encode(nested, "zstd")).equals(nested)
