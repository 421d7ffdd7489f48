"""Archived files behave like the topic they came from, and say file and line when they do not."""

import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arrowflow.errors import ConfigError, DataLossError
from arrowflow.sources.replay import ReplaySpec, files_of
from arrowflow.testing.conformance.sources import check_sums, read_to_end, rows_of, source_context
from arrowflow.types import MIN_US, Bounds, SourcePartition

PART = SourcePartition("replay", "t", 0)


def line(offset, value="v", partition=0, topic="t", **more):
    return (
        json.dumps(
            {
                "topic": topic,
                "partition": partition,
                "offset": offset,
                "timestamp": 5,
                "key": None,
                "value": value,
                **more,
            }
        )
        + "\n"
    )


def write(folder, name, *lines):
    (folder / name).write_text("".join(lines))
    return folder / name


def opened(*paths, **options):
    return ReplaySpec(tuple(map(str, paths)), **options).build("replay", source_context())


def offsets(source, at=0, part=PART):
    return [row.offset for row in read_to_end(source, {part: at})[part]]


def test_holes_are_unseen_like_compacted_offsets(tmp_path):
    write(tmp_path, "a.ndjson", line(3), line(4), line(9))
    source = opened(tmp_path)

    fetched = source.read({PART: 3}, Bounds())

    check_sums(fetched, {PART: 3})
    assert (fetched.ranges[PART], fetched.unseen[PART]) == ((3, 10), 4)


def test_offsets_that_go_back_name_file_and_line(tmp_path):
    path = write(tmp_path, "a.ndjson", line(3), line(5), line(4))

    with pytest.raises(DataLossError, match=rf"{path}:3: offset 4 of t\[0\] comes after 5"):
        opened(tmp_path).discover()


def test_a_duplicate_far_down_a_file_names_its_line(tmp_path):
    path = write(tmp_path, "a.ndjson", *(line(number) for number in range(10_000)), line(9_999))

    with pytest.raises(DataLossError, match=rf"{path}:10001: offset 9999 of t\[0\] comes after 9999"):
        opened(tmp_path).discover()


def test_a_duplicate_in_parquet_names_its_row(tmp_path):
    table = {
        "topic": ["t"] * 3,
        "partition": [0] * 3,
        "offset": [0, 1, 1],
        "timestamp_us": [0] * 3,
        "key": [b""] * 3,
        "value": [b""] * 3,
    }
    pq.write_table(pa.table(table), tmp_path / "a.parquet")

    with pytest.raises(DataLossError, match=r"a\.parquet:2: offset 1 of t\[0\] comes after 1"):
        opened(tmp_path).discover()


def test_overlapping_files_name_both(tmp_path):
    write(tmp_path, "a.ndjson", line(0), line(5))
    write(tmp_path, "b.ndjson", line(5))

    with pytest.raises(DataLossError, match=r"b\.ndjson: begins t\[0\] at offset 5, .*a\.ndjson.* ends at 5"):
        opened(tmp_path).discover()


def test_a_hole_between_files_is_said_once(tmp_path):
    write(tmp_path, "a.ndjson", line(0), line(1))
    write(tmp_path, "c.ndjson", line(4))
    source = opened(tmp_path)
    source.discover()
    source.discover()

    (notice,) = source._context.observer.events
    assert "offsets [2, 4) of t[0] are in no file" in notice.message
    assert offsets(source) == [0, 1, 4]


def test_files_are_read_in_natural_order(tmp_path):
    for number in (10, 2, 1):
        write(tmp_path, f"part-{number}.ndjson", line(number))

    assert offsets(opened(tmp_path / "part-*.ndjson"), 1) == [1, 2, 10]


def test_files_are_found_by_path_folder_and_glob_once_each(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    first = write(tmp_path, "a.ndjson")
    second = write(tmp_path / "deep" / "er", "b.jsonl")
    write(tmp_path, "notes.txt")

    assert files_of((str(tmp_path), str(first), str(tmp_path / "**" / "*.jsonl"))) == [first, second]


def test_no_file_at_all_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match=r"source\.replay\.paths: no file matches"):
        opened(tmp_path / "*.ndjson")


def test_a_file_that_went_away_is_data_loss(tmp_path):
    write(tmp_path, "a.ndjson", line(0))
    gone = write(tmp_path, "b.ndjson", line(1), line(2))
    source = opened(tmp_path)
    at = {PART: source.read({PART: 0}, Bounds(rows=1)).ranges[PART].stop}
    gone.unlink()

    with pytest.raises(DataLossError, match=rf"{gone} is needed"):
        source.read(at, Bounds())
    assert source.discover().partitions[PART].high == 1
    with pytest.raises(DataLossError, match=r"t\[0\]: offset 3 was wanted, the files hold \[0, 1\): a file is missing"):
        source.read({PART: 3}, Bounds())


def test_deleted_first_files_are_data_loss_for_a_position_inside_them(tmp_path):
    write(tmp_path, "b.ndjson", line(5), line(6))

    with pytest.raises(DataLossError, match=r"offset 2 was wanted, the files hold \[5, 7\)"):
        opened(tmp_path).read({PART: 2}, Bounds())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "is no archived record"),
        ("", "is no archived record"),
        ('{"topic":"t","partition":0}', "missing required field `offset`"),
        ('{"topic":"t","partition":0,"offset":1}', 'one of "value"'),
        ('{"topic":"t","partition":0,"offset":1,"value":{"a":1}}', r"Expected `str \| null`, got `object`"),
        ('{"topic":"t","partition":0,"offset":1,"value":null,"value_b64":"AA=="}', 'one of "value"'),
    ],
)
def test_a_malformed_envelope_stops_with_file_and_line(tmp_path, text, said):
    path = write(tmp_path, "a.ndjson", line(0), text + "\n")

    with pytest.raises(ConfigError, match=rf"{path}:2: .*{said}"):
        opened(tmp_path).discover()


def test_numbers_and_base64_out_of_range_name_the_lines(tmp_path):
    for name, bad in (("big.ndjson", {"timestamp": 2**62}), ("b64.ndjson", {"key_b64": "!"})):
        path = write(tmp_path, name, line(0, **bad))
        with pytest.raises(ConfigError, match=f"{path}:1-1: a number or text of a record is out of range"):
            opened(path).discover()


def test_the_other_topics_of_an_archive_are_left_alone(tmp_path):
    write(tmp_path, "a.ndjson", line(0, topic="other"), line(0, "mine"), line(1, topic="other"), line(1, "too"))
    source = opened(tmp_path, topic="t")

    assert list(source.discover().partitions) == [PART]
    assert [row.value for row in read_to_end(source, {PART: 0})[PART]] == [b"mine", b"too"]
    assert len(opened(tmp_path).discover().partitions) == 2


def test_bytes_that_are_not_text_and_broker_timestamps_survive(tmp_path):
    write(
        tmp_path,
        "a.ndjson",
        '{"topic":"t","partition":0,"offset":0,"timestamp":7,"appended":true,"key_b64":"/wA=","value_b64":""}\n',
    )

    (batch,) = opened(tmp_path).read({PART: 0}, Bounds()).batches

    assert (batch.key.to_pylist(), batch.value.to_pylist(), batch.appended.tolist()) == ([b"\xff\x00"], [b""], [True])
    assert batch.timestamp_us.tolist() == [7000]


def test_bare_lines_are_values_with_line_numbers_and_no_time(tmp_path):
    write(tmp_path, "a.ndjson", '{"x":1}\n', "garbage\n", "\n", "last without newline")
    source = opened(tmp_path, topic="t", envelope=False)

    rows = read_to_end(source, {PART: 0})[PART]

    assert [(row.offset, row.value, row.key, row.timestamp_us) for row in rows] == [
        (0, b'{"x":1}', None, MIN_US),
        (1, b"garbage", None, MIN_US),
        (2, b"", None, MIN_US),
        (3, b"last without newline", None, MIN_US),
    ]


def test_line_numbers_go_on_over_a_long_file(tmp_path):
    write(tmp_path, "a.ndjson", *(f"{number}\n" for number in range(25_000)))
    source = opened(tmp_path, topic="t", envelope=False)

    rows = read_to_end(source, {PART: 9_990})[PART]

    assert [(row.offset, row.value) for row in rows] == [(number, b"%d" % number) for number in range(9_990, 25_000)]


def test_without_an_envelope_a_partition_is_known_by_its_file(tmp_path):
    write(tmp_path, "a.ndjson", "1\n")
    write(tmp_path, "b.ndjson", "2\n")
    before = opened(tmp_path, envelope=False).discover().partitions
    write(tmp_path, "aa.ndjson", "3\n")
    after = opened(tmp_path, envelope=False).discover().partitions

    second = SourcePartition("replay", "replay", 1)
    assert before[second].topic_id != after[second].topic_id


def test_parquet_without_an_envelope_or_a_column_is_refused(tmp_path):
    pq.write_table(pa.table({"topic": ["t"], "offset": [0]}), tmp_path / "a.parquet")

    with pytest.raises(ConfigError, match="is Parquet, whose rows always are records"):
        opened(tmp_path, envelope=False)
    with pytest.raises(ConfigError, match="column 'partition' is missing"):
        opened(tmp_path).discover()
    (tmp_path / "a.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(ConfigError, match="is no Parquet file"):
        opened(tmp_path).discover()


def test_a_file_that_grew_and_a_new_file_are_seen_by_the_next_look(tmp_path):
    path = write(tmp_path, "a.ndjson", line(0))
    source = opened(tmp_path)
    assert offsets(source) == [0]
    with path.open("a") as out:
        out.write(line(1))
    write(tmp_path, "b.ndjson", line(2), line(0, partition=1))

    found = source.discover().partitions

    assert {part.partition: info.high for part, info in found.items()} == {0: 3, 1: 1}
    assert offsets(source, 1) == [1, 2]


def test_memory_stays_bounded_on_a_file_much_larger_than_a_read(tmp_path):
    big = "x" * 1000
    write(tmp_path, "a.ndjson", *(line(number, big) for number in range(40_000)))
    source = opened(tmp_path)
    at, rows = {PART: 0}, 0
    tracemalloc.start()
    while rows < 40_000:
        fetched = source.read(at, Bounds(rows=500))
        rows += len(rows_of(fetched, PART))
        at = {PART: fetched.ranges[PART].stop}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 45_000_000, "a few slabs of 8 MB and their decoded lines, not the 42 MB file and its objects"


def test_the_fingerprint_does_not_know_where_files_lie(tmp_path):
    assert ReplaySpec(("a",)).fingerprint() == ReplaySpec(("b", "c")).fingerprint()
    assert ReplaySpec(("a",)).fingerprint() != ReplaySpec(("a",), envelope=False).fingerprint()


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_compressed_file_that_was_cut_off_is_data_loss_and_names_the_file(tmp_path, suffix):
    whole = tmp_path / "whole"
    with pa.output_stream(str(whole), compression={"gz": "gzip", "zst": "zstd"}[suffix]) as out:
        out.write("".join(line(number, value="v" * (number % 97)) for number in range(20_000)).encode())
    path = tmp_path / f"a.ndjson.{suffix}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    with pytest.raises(DataLossError, match=rf"{path} cannot be read to its end"):
        opened(path).discover()


@pytest.mark.parametrize(
    ("partition", "offset"), [(-1, 0), (2**31, 0), (99_999_999_999, 0), (0, -1), (0, 2**63 - 1), (0, 2**70)]
)
def test_a_partition_or_offset_that_kafka_cannot_have_names_its_line(tmp_path, partition, offset):
    path = write(tmp_path, "a.ndjson", line(0), line(offset, partition=partition))

    with pytest.raises(ConfigError, match=rf"{path}:2: .* is no archived record"):
        opened(path).discover()
