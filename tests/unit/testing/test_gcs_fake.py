"""The strict fake of Cloud Storage keeps the rules a commit rests on, as the service's own documentation has them."""

import base64
import io
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq
import pytest
from google.api_core.exceptions import BadRequest, NotFound, PreconditionFailed, ServiceUnavailable
from google.cloud import storage

from arrowflow.testing.gcs import FakeGcs, Fault

SRC = Path(__file__).parents[3] / "src"
ONCE = {"retry": None, "timeout": 10}


@pytest.fixture
def fake():
    with FakeGcs("lake") as fake:
        yield fake


@pytest.fixture
def bucket(fake, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake.address)
    return storage.Client(project=None).bucket("lake")


def put(bucket, name, data=b"1", **conditions):
    blob = bucket.blob(name)
    blob.upload_from_string(data, **ONCE, **conditions)
    return blob


def raw(fake, method, path, body=b"", **headers):
    """Status, headers and body of one request by hand."""
    request = urllib.request.Request(fake.address + path, body or None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers, answer.read()


# ---- conditions -------------------------------------------------------------------------------------------------------


def test_generation_zero_means_that_there_is_no_such_object(bucket):
    first = put(bucket, "a", b"1", if_generation_match=0)

    with pytest.raises(PreconditionFailed, match="did not hold"):
        put(bucket, "a", b"2", if_generation_match=0)
    assert bucket.blob("a").download_as_bytes(**ONCE) == b"1"
    assert put(bucket, "a", b"3", if_generation_match=first.generation).generation > first.generation
    with pytest.raises(PreconditionFailed):
        put(bucket, "a", b"4", if_generation_match=first.generation)
    with pytest.raises(PreconditionFailed):
        put(bucket, "b", b"1", if_generation_match=first.generation)


def test_the_conditions_of_a_resumable_upload_bite_when_its_last_byte_is_there(bucket, fake):
    large = bytes(9 << 20)
    begun = [bucket.blob("a").create_resumable_upload_session(size=4, if_generation_match=0, **ONCE) for _ in "12"]
    statuses = [
        raw(fake, "PUT", url.removeprefix(fake.address), b"abcd", **{"Content-Range": "bytes 0-3/4"})[0]
        for url in begun
    ]

    assert statuses == [200, 412]
    put(bucket, "large", large, if_generation_match=0)
    assert fake.snapshot("lake") == {"a": b"abcd", "large": large}
    with pytest.raises(PreconditionFailed):
        put(bucket, "large", large, if_generation_match=0)


def test_a_delete_under_a_stale_generation_deletes_nothing(bucket):
    old = put(bucket, "a").generation
    put(bucket, "a", b"2")

    with pytest.raises(PreconditionFailed):
        bucket.blob("a").delete(if_generation_match=old, **ONCE)
    bucket.blob("a").delete(**ONCE)
    with pytest.raises(NotFound, match="No such object: lake/a"):
        bucket.blob("a").delete(**ONCE)


@pytest.mark.parametrize("media", ["", "&alt=media"])
def test_a_read_is_412_where_it_must_match_and_304_where_it_must_not(bucket, fake, media):
    generation = put(bucket, "a").generation
    path = "/storage/v1/b/lake/o/a?"

    assert raw(fake, "GET", f"{path}ifGenerationMatch={generation}{media}")[0] == 200
    assert raw(fake, "GET", f"{path}ifGenerationMatch={generation + 1}{media}")[0] == 412
    assert raw(fake, "GET", f"{path}ifGenerationNotMatch={generation}{media}")[0] == 304
    assert raw(fake, "GET", f"{path}generation={generation + 1}{media}")[0] == 404


def test_a_move_is_one_step_that_keeps_bytes_and_metadata_and_minds_both_ends(bucket, fake):
    blob = bucket.blob("staged")
    blob.metadata = {"mark": "x"}
    blob.upload_from_string(b"rows", **ONCE)
    put(bucket, "taken")

    with pytest.raises(PreconditionFailed):
        bucket.move_blob(blob, "taken", if_generation_match=0, **ONCE)
    with pytest.raises(PreconditionFailed):
        bucket.move_blob(blob, "free", if_source_generation_match=1, **ONCE)
    with pytest.raises(BadRequest):
        bucket.move_blob(blob, "staged", **ONCE)
    moved = bucket.move_blob(blob, "p=1/a b", if_generation_match=0, **ONCE)

    assert (moved.name, moved.metadata) == ("p=1/a b", {"mark": "x"})
    assert moved.generation > blob.generation
    assert fake.snapshot("lake") == {"p=1/a b": b"rows", "taken": b"1"}
    with pytest.raises(NotFound):
        bucket.move_blob(blob, "free", if_generation_match=0, **ONCE)


@pytest.mark.parametrize(("first", "error"), [(False, NotFound), (True, PreconditionFailed)])
def test_which_of_404_and_412_a_move_gives_can_be_chosen(monkeypatch, first, error):
    with FakeGcs("lake", conditions_first=first) as fake:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake.address)
        bucket = storage.Client(project=None).bucket("lake")
        put(bucket, "taken")

        with pytest.raises(error):
            bucket.move_blob(bucket.blob("gone"), "taken", if_generation_match=0, **ONCE)


def test_a_copy_and_a_rewrite_mind_both_ends(bucket, fake):
    blob = put(bucket, "a", b"rows")
    for copy in (
        lambda **conditions: bucket.copy_blob(blob, bucket, "copied", **ONCE, **conditions),
        lambda **conditions: bucket.blob("rewritten").rewrite(blob, **ONCE, **conditions),
    ):
        with pytest.raises(PreconditionFailed):
            copy(if_source_generation_match=1)
        copy(if_generation_match=0, if_source_generation_match=blob.generation)
        with pytest.raises(PreconditionFailed):
            copy(if_generation_match=0)
    assert fake.snapshot("lake") == {"a": b"rows", "copied": b"rows", "rewritten": b"rows"}


def test_a_composition_is_its_parts_in_their_order_and_has_no_md5(bucket, fake):
    parts = [put(bucket, name, name.encode()) for name in ("one", "two")]
    whole = bucket.blob("whole")

    with pytest.raises(PreconditionFailed):
        whole.compose(parts, if_generation_match=7, **ONCE)
    whole.compose([*parts, parts[0]], if_generation_match=0, **ONCE)
    whole.reload(**ONCE)

    assert fake.snapshot("lake")["whole"] == b"onetwoone"
    assert (whole.component_count, whole.md5_hash) == (3, None)
    with pytest.raises(BadRequest, match="33 components"):
        bucket.blob("more").compose(parts[:1] * 33, **ONCE)


# ---- bytes and names --------------------------------------------------------------------------------------------------


def test_row_55_bytes_that_look_like_the_end_of_an_upload_are_bytes(bucket, fake):
    """A part of a multipart upload ends at its own boundary only."""
    data = b"--==0==\r\n--===============1234==\r\n\r\n--==0==--\r\n"

    put(bucket, "a", data)

    assert fake.snapshot("lake")["a"] == data
    assert bucket.blob("a").download_as_bytes(**ONCE) == data


def test_bytes_that_do_not_have_the_checksum_they_came_with_are_refused(bucket, fake):
    blob = bucket.blob("a")
    blob.crc32c = base64.b64encode(b"0000").decode()

    with pytest.raises(BadRequest, match="does not match"):
        blob.upload_from_string(b"rows", checksum=None, **ONCE)
    assert fake.snapshot("lake") == {}


def test_ranges_are_served_and_those_beyond_the_end_refused(bucket, fake):
    put(bucket, "a", b"0123456789")
    asked = {"bytes=2-4": (206, b"234"), "bytes=7-": (206, b"789"), "bytes=-2": (206, b"89"), "bytes=10-": (416, None)}

    for wanted, (status, data) in asked.items():
        found, _, body = raw(fake, "GET", "/storage/v1/b/lake/o/a?alt=media", Range=wanted)
        assert found == status
        assert data is None or body == data


def test_listings_come_in_pages_between_offsets_and_by_folders(bucket):
    for name in ("a/1", "a/2", "b/1", "b.x", "c", "ñ", "z/"):
        put(bucket, name)

    def names(**asked):
        return [blob.name for blob in bucket.list_blobs(**ONCE, **asked)]

    assert names() == ["a/1", "a/2", "b.x", "b/1", "c", "z/", "ñ"]
    assert names(page_size=2) == names()
    assert names(prefix="a/") == ["a/1", "a/2"]
    assert names(start_offset="b/", end_offset="z") == ["b/1", "c"]
    iterator = bucket.list_blobs(delimiter="/", page_size=1, **ONCE)
    assert [blob.name for blob in iterator] == ["b.x", "c", "ñ"]
    assert iterator.prefixes == {"a/", "b/", "z/"}


@pytest.mark.parametrize("name", ["", "..", "a\nb", "x" * 1025])
def test_a_name_that_no_object_has_is_refused(fake, name):
    body = json.dumps({"name": name}).encode()

    status, _, _ = raw(fake, "POST", "/upload/storage/v1/b/lake/o?uploadType=resumable", body)
    if status == 200:  # a session may begin; no object may come of it
        status, _, _ = raw(fake, "PUT", "/upload/storage/v1/b/lake/o?uploadType=resumable&upload_id=upload-1", b"1")
    assert status == 400


def test_what_it_does_not_know_it_says_and_remembers(fake):
    assert raw(fake, "GET", "/storage/v1/b/lake/o?ifGenerationMatsch=0")[0] == 400
    assert raw(fake, "GET", "/storage/v1/b/lake/iam")[0] == 501
    assert raw(fake, "GET", "/storage/v1/b/other/o")[0] == 404
    assert len(fake.strangers) == 2


def test_the_clients_of_arrow_and_polars_read_a_table_from_it(fake):
    """Clients in two other languages, whose makers never heard of this fake."""
    for value in ("x", "y"):
        buffer = io.BytesIO()
        pq.write_table(pa.table({"n": pa.array([1, 2], pa.int64())}), buffer)
        fake.put("lake", f"table/k={value}/a.parquet", buffer.getvalue())
    arrow = fs.GcsFileSystem(
        anonymous=True, scheme="http", endpoint_override=fake.address.removeprefix("http://"),
        retry_time_limit=timedelta(seconds=10),
    )  # fmt: skip
    options = {"google_base_url": fake.address, "google_skip_signature": "true"}

    table = ds.dataset("lake/table", filesystem=arrow, partitioning="hive").to_table()
    frame = pl.read_parquet("gs://lake/table/**/*.parquet", storage_options=options, hive_partitioning=True)

    wanted = [{"n": 1, "k": "x"}, {"n": 2, "k": "x"}, {"n": 1, "k": "y"}, {"n": 2, "k": "y"}]
    assert table.to_pylist() == frame.to_dicts() == wanted
    assert fake.strangers == []


# ---- faults -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "error", "there"),
    [
        ("refuse", ServiceUnavailable, False),
        ("refuse_after", ServiceUnavailable, True),
        ("drop", ConnectionError, False),
        ("drop_after", ConnectionError, True),
        ("late", ConnectionError, False),
        ("twice", PreconditionFailed, True),
    ],
)
def test_each_fault_spoils_the_one_request_it_was_meant_for(bucket, fake, kind, error, there):
    fake.arrange(Fault(kind, on="insert", name="b", call=2))
    put(bucket, "b1", if_generation_match=0)
    put(bucket, "a", if_generation_match=0)

    with pytest.raises((error, OSError) if error is ConnectionError else error):
        put(bucket, "b2", if_generation_match=0)
    assert ("b2" in fake.snapshot("lake")) == there
    put(bucket, "b3", if_generation_match=0)
    assert [answer.status for answer in fake.release()] == ([200] if kind == "late" else [])
    assert ("b2" in fake.snapshot("lake")) == (there or kind == "late")


def test_a_cut_answer_is_noticed_and_a_delayed_one_comes(bucket, fake):
    put(bucket, "a", b"x" * 1000)
    fake.arrange(Fault("truncate", on="read"), Fault("delay", on="read", call=2, seconds=0.05))

    with pytest.raises(Exception, match=r"(?i)incomplete|500 bytes read|ended prematurely|broken"):
        bucket.blob("a").download_as_bytes(**ONCE)
    assert bucket.blob("a").download_as_bytes(**ONCE) == b"x" * 1000


def test_a_fault_every_third_time_strikes_the_same_requests_each_run(fake, bucket):
    fake.arrange(Fault("refuse", on="insert", call=2, every=3, status=429))
    failed = []
    for number in range(9):
        try:
            put(bucket, str(number))
        except Exception:  # noqa: BLE001 - 429 by whatever class
            failed.append(number)
    assert failed == [1, 4, 7]


def test_a_fake_that_was_left_hears_nobody(bucket, fake):
    put(bucket, "a")
    fake.__exit__(None, None, None)

    with pytest.raises(OSError, match=r".*"):
        put(bucket, "b")


def test_as_a_process_it_says_where_it_is_and_ends_with_its_standard_input():
    served = subprocess.Popen(
        [sys.executable, "-m", "arrowflow.testing.gcs", "lake"],
        env={**os.environ, "PYTHONPATH": str(SRC)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        name, _, address = served.stdout.readline().strip().partition("=")
        with urllib.request.urlopen(f"{address}/storage/v1/b/lake", timeout=10) as answer:
            assert json.load(answer)["name"] == "lake"
        served.communicate(timeout=60)
    finally:
        if served.poll() is None:
            served.kill()
            served.communicate()

    assert name == "STORAGE_EMULATOR_HOST"
    assert served.returncode == 0
