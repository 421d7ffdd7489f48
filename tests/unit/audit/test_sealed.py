"""The auditor on a job whose small files were sealed: what counts, what may go, and every promise broken once."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.kept import STREAM, TO_THE_END, Kept, files_of
from tests.support.small import pipeline

from arrowflow.audit import audit
from arrowflow.engine import start


def run(folder, *, keep: int) -> None:
    job = pipeline(folder, STREAM, max_epoch_rows=8, max_slice_rows=8, full_every=2, keep_records=keep, keep_for_s=0.0)
    sinks = tuple(
        replace(node, spec=replace(node.spec, seal_us=1)) if node.name == "out" else node for node in job.sinks
    )
    start(replace(job, sinks=sinks), TO_THE_END).result()


@pytest.fixture(scope="module", params=[5, 1000], ids=["collected", "all there"])
def sound(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sealed")
    run(folder, keep=request.param)
    return Kept(folder, files_of(folder))


@pytest.fixture
def kept(sound):
    return sound.copy()


def found(kept: Kept, *, deep: bool = True) -> set[tuple[str, str]]:
    report = audit(kept.files, kept.prefix, deep=deep)
    base = kept.prefix.removesuffix("_log")
    return {(each.invariant, each.place.removeprefix(base)) for each in report.findings}


def compact(kept: Kept) -> tuple[int, dict]:
    """The newest record of sealed files, and its first file."""
    epoch = max(epoch for epoch, record in kept.records().items() if record["kind"] == "compact")
    return epoch, kept.records()[epoch]["seals"][0]


def test_rows_that_are_in_small_and_sealed_files_count_once(kept):
    report = audit(kept.files, kept.prefix, deep=True)

    assert report.findings == []
    # Every window of both keys, none twice: the small files beside the sealed ones are read, and not counted.
    assert report.rows == 24
    assert len(kept.paths("out__sealed/")) > 5


@pytest.mark.parametrize("deep", [False, True])
def test_a_sealed_file_that_is_missing_is_found(kept, deep):
    _, file = compact(kept)
    del kept.files.content[f"{kept.out}__sealed/{file['dst']}"]

    assert found(kept, deep=deep) == {("I3", f"out__sealed/{file['dst']}")}


def test_a_flipped_bit_in_a_sealed_file_is_found_also_where_its_record_was_collected(kept):
    for path in sorted(kept.paths("out__sealed/")):
        twin = kept.copy()
        data = bytearray(twin.files.content[path])
        data[len(data) // 2] ^= 1
        twin.files.content[path] = bytes(data)

        assert found(twin) == {("I3", path.removeprefix(kept.prefix.removesuffix("_log")))}


def test_a_sealed_file_nobody_names_is_found(kept):
    epoch, file = compact(kept)
    stem = file["dst"].split("-")
    stem[1] = f"{epoch - 1:012d}"  # of a record that is there and says nothing of it
    foreign = "-".join(stem)
    kept.files.content[f"{kept.out}__sealed/{foreign}"] = kept.files.content[f"{kept.out}__sealed/{file['dst']}"]

    assert ("I3", f"out__sealed/{foreign}") in found(kept, deep=False)


def test_a_row_that_is_sealed_twice_is_found(kept):
    """The newest sealed file holds what an older one holds, and its record says so."""
    epoch, file = compact(kept)
    data = kept.files.content[sorted(kept.paths("out__sealed/"))[-2]]
    kept.files.content[f"{kept.out}__sealed/{file['dst']}"] = data
    told = {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "crc32c": f"{google_crc32c.value(data):08x}",
        "rows": pq.ParquetFile(pa.BufferReader(data)).metadata.num_rows,
    }
    kept.change(epoch, lambda record: record["seals"][0].update(told))

    assert ("I4", "out") in found(kept)


def test_a_record_that_seals_fewer_rows_than_there_were_is_found(kept):
    records = kept.records()
    epoch = max(epoch for epoch, record in records.items() if record["kind"] == "compact" and epoch - 3 >= min(records))
    kept.change(epoch, lambda record: record["seals"][0].update(rows=record["seals"][0]["rows"] - 1))

    assert ("I3", kept.place(epoch)) in found(kept, deep=False)


def test_what_was_sealed_may_not_be_said_to_be_unsealed(kept):
    head = max(kept.records())
    kept.change(head, lambda record: record.update(sealed={"out": [[0, 1]]}))

    assert ("I3", kept.place(head)) in found(kept, deep=False)


def test_nothing_that_is_still_to_come_may_be_sealed(kept):
    head = max(kept.records())
    kept.change(head, lambda record: record.update(sealed={"out": [[0, head + 5]]}))

    assert ("I3", kept.place(head)) in found(kept, deep=False)


def test_a_small_file_is_missing_only_while_its_record_is_there(kept):
    named = [
        (epoch, file["dst"])
        for epoch, record in kept.records().items()
        for file in record["outputs"]
        if file["sink"] == "out"
    ]
    horizon = kept.records()[max(kept.records())]["horizon"]
    for epoch, dst in named:
        twin = kept.copy()
        twin.files.content.pop(f"{kept.out}/{dst}", None)

        assert found(twin, deep=False) == (set() if epoch < horizon else {("I3", f"out/{dst}")})
