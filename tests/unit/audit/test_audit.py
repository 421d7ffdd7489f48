"""The auditor finds each broken promise, names it and its place, and finds nothing where nothing is wrong."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.kept import Kept, files_of, run_small_job

from arrowflow.audit import LocalFiles, audit


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    run_small_job(folder)
    return Kept(folder, files_of(folder))


@pytest.fixture
def kept(sound):
    return sound.copy()


def found(kept: Kept, *, deep: bool = True) -> set[tuple[str, str]]:
    """(invariant, place) of every violation, places from the folder of the job."""
    report = audit(kept.files, kept.prefix, deep=deep)
    base = kept.prefix.removesuffix("_log")
    return {(each.invariant, each.place.removeprefix(base)) for each in report.findings}


def data_epochs(kept: Kept) -> list[int]:
    return [epoch for epoch, record in sorted(kept.records().items()) if record["kind"] == "data"]


def with_outputs(kept: Kept) -> tuple[int, dict]:
    """An epoch that published results, and its first output."""
    return next(
        (epoch, output)
        for epoch, record in sorted(kept.records().items())
        for output in record["outputs"]
        if output["sink"] == "out"
    )


def newest_output(kept: Kept) -> tuple[int, dict]:
    """The newest epoch that published anything, and its first output."""
    epoch = max(epoch for epoch, record in kept.records().items() if record["outputs"])
    return epoch, kept.records()[epoch]["outputs"][0]


def test_a_job_in_order_has_nothing_to_find_and_every_part_was_looked_at(kept):
    report = audit(kept.files, kept.prefix, deep=True)

    assert report.findings == []
    assert report.in_flight == report.left_over == []
    assert (report.horizon, report.head) == (0, max(kept.records()))
    assert report.records == len(kept.records()) > 10
    assert report.state_files == len(kept.paths("/state/")) > 3
    assert report.table_files == len(kept.paths(".parquet")) > 3
    assert report.rows > 20


def test_files_on_disk_and_in_memory_give_the_same_report(sound):
    for deep in (False, True):
        one, other = (audit(files, sound.prefix, deep=deep) for files in (LocalFiles(), sound.files))
        assert one.as_data() == other.as_data()


def test_an_empty_folder_is_no_violation(tmp_path):
    report = audit(LocalFiles(), str(tmp_path))

    assert (report.clean, report.head, report.records) == (True, None, 0)


# ---- each promise broken once --------------------------------------------------------------------------------


def _drop_record(kept):
    epoch = data_epochs(kept)[2]
    del kept.files.content[f"{kept.prefix}/{kept.place(epoch)}"]
    return kept.place(epoch + 1)


def _drop_first_record(kept):
    del kept.files.content[f"{kept.prefix}/{kept.place(0)}"]
    return kept.place(0)


def _other_prev(kept):
    epoch = data_epochs(kept)[2]
    record = {**kept.records()[epoch], "prev": "0" * 64}
    kept.change_all(lambda each: each.update(prev="left alone") if each["epoch"] == epoch else None)
    assert record["epoch"] == epoch
    return kept.place(epoch)


def _other_writer(kept):
    epoch = data_epochs(kept)[-1]
    kept.change(epoch, lambda record: record["writer"].update(id="somebody"))
    return kept.place(epoch)


def _renamed(kept):
    epoch = max(kept.records())
    data = kept.files.content[f"{kept.prefix}/{kept.place(epoch)}"]
    kept.files.content[f"{kept.prefix}/{kept.place(epoch + 1)}"] = data
    return kept.place(epoch + 1)


def _no_job_file(kept):
    del kept.files.content[f"{kept.prefix}/job.json"]
    return "job.json"


def _jump(kept):
    epoch = data_epochs(kept)[1]
    kept.change(epoch, lambda record: record["inputs"][0].update(start=record["inputs"][0]["start"] - 1))
    return kept.place(epoch)


def _lost_partition(kept):
    epoch = data_epochs(kept)[1]
    kept.change(epoch, lambda record: record.update(inputs=[]))
    return kept.place(epoch)


def _no_file(kept):
    _, output = with_outputs(kept)
    del kept.files.content[f"{kept.out}/{output['dst']}"]
    return f"out/{output['dst']}"


def _other_bytes(kept):
    _, output = with_outputs(kept)
    kept.files.content[f"{kept.out}/{output['dst']}"] += b"x"
    return f"out/{output['dst']}"


def _flipped(kept):
    _, output = with_outputs(kept)
    data = bytearray(kept.files.content[f"{kept.out}/{output['dst']}"])
    data[len(data) // 2] ^= 4
    kept.files.content[f"{kept.out}/{output['dst']}"] = bytes(data)
    return f"out/{output['dst']}"


def _unexplained(kept):
    """A file of ours that no record names, as a writer without the commit point would leave it."""
    _epoch, output = with_outputs(kept)
    name = output["dst"].replace("-0000-", "-0007-")
    kept.files.content[f"{kept.out}/{name}"] = kept.files.content[f"{kept.out}/{output['dst']}"]
    return f"out/{name}"


def _from_the_future(kept):
    epoch, output = with_outputs(kept)
    name = output["dst"].replace(f"{epoch:012d}", "000000009999")
    kept.files.content[f"{kept.out}/{name}"] = kept.files.content[f"{kept.out}/{output['dst']}"]
    return f"out/{name}"


def _foreign(kept):
    kept.files.content[f"{kept.out}/part-0.parquet"] = b""
    return "out/part-0.parquet"


def _temporary(kept):
    kept.files.content[f"{kept.out}/.af-1.tmp"] = b""
    return "out/.af-1.tmp"


def _row_count(kept):
    epoch, output = with_outputs(kept)
    kept.change(epoch, lambda record: record["outputs"][0].update(rows=output["rows"] + 1))
    return f"out/{output['dst']}"


def _published_twice(kept):
    _first, output = with_outputs(kept)
    later = max(data_epochs(kept))
    kept.change(later, lambda record: record["outputs"].append(output))
    return kept.place(later)


def _rows_twice(kept):
    """A second file with the same windows, whole, recorded and published: only its rows tell."""
    epoch, output = with_outputs(kept)
    table = pq.read_table(pa.BufferReader(kept.files.content[f"{kept.out}/{output['dst']}"]))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data = sink.getvalue().to_pybytes()
    digest, later = hashlib.sha256(data).hexdigest(), max(data_epochs(kept))
    import google_crc32c

    twin = {**output, "dst": output["dst"].replace(f"{epoch:012d}-0000", f"{later:012d}-0009"), "bytes": len(data)}
    twin |= {"sha256": digest, "crc32c": f"{google_crc32c.value(data):08x}"}
    kept.change(later, lambda record: record["outputs"].append(twin))
    kept.files.content[f"{kept.out}/{twin['dst']}"] = data
    return "out"


def _rows_of_a_later_epoch(kept):
    epoch, output = with_outputs(kept)
    table = pq.read_table(pa.BufferReader(kept.files.content[f"{kept.out}/{output['dst']}"]))
    at = table.schema.get_field_index("__af_epoch")
    table = table.set_column(at, "__af_epoch", pa.array([epoch + 1] * table.num_rows, pa.int64()))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    data = sink.getvalue().to_pybytes()
    import google_crc32c

    told = {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "crc32c": f"{google_crc32c.value(data):08x}",
    }
    kept.change(epoch, lambda record: record["outputs"][0].update(told))
    kept.files.content[f"{kept.out}/{output['dst']}"] = data
    return f"out/{output['dst']}"


def _replaces_what_was_not_there(kept):
    epoch, _output = with_outputs(kept)
    replaces = {"crc32c": "00000000", "revision": 1, "rows": 1}
    kept.change(epoch, lambda record: record["outputs"][0].update(replaces=replaces))
    return kept.place(epoch)


def _falling_watermark(kept):
    epoch = next(epoch for epoch in data_epochs(kept) if kept.records()[epoch]["watermark_us"] is not None)
    kept.change(epoch + 1, lambda record: record.update(watermark_us=-5_000_000))
    return kept.place(epoch + 1)


def _falling_clock(kept):
    epoch = data_epochs(kept)[3]
    kept.change(epoch, lambda record: record["inputs"][0]["clock"].update(max_event_us=-1))
    return kept.place(epoch)


def _lost_row(kept):
    epoch = data_epochs(kept)[0]
    kept.change(epoch, lambda record: record["inputs"][0]["balance"].update(folded=0))
    return kept.place(epoch)


def _lost_offset(kept):
    epoch = data_epochs(kept)[0]
    kept.change(epoch, lambda record: record["inputs"][0].update(unseen=1))
    return kept.place(epoch)


def _no_state(kept):
    path = kept.paths("/state/")[0]
    del kept.files.content[path]
    return path.removeprefix(kept.prefix + "/")


def _other_state(kept):
    path = kept.paths("/state/")[-1]
    data = bytearray(kept.files.content[path])
    data[9] ^= 1
    kept.files.content[path] = bytes(data)
    return path.removeprefix(kept.prefix + "/")


def _state_of_another_record(kept):
    """A chain that goes back to a file which the record before had let go."""
    chains = {epoch: record["state"]["window"] for epoch, record in kept.records().items() if record["state"]}
    epoch = next(
        epoch for epoch in chains if chains.get(epoch - 1) and chains[epoch]["full"] != chains[epoch - 1]["full"]
    )
    old = chains[epoch - 1]["full"]
    kept.change(epoch + 1, lambda record: record["state"]["window"].update(full=old, deltas=[]))
    return kept.place(epoch + 1)


def _foreign_in_control(kept):
    kept.files.content[f"{kept.prefix}/notes.txt"] = b""
    return "notes.txt"


def _horizon_above_acked(kept):
    epoch = max(kept.records())
    kept.change(epoch, lambda record: record.update(horizon=epoch + 5))
    return kept.place(epoch)


def _acked_ahead(kept):
    epoch = data_epochs(kept)[-1]
    kept.change(epoch, lambda record: record["acked"].update(out=epoch))
    return kept.place(epoch)


BROKEN = {
    "I1": [_drop_record, _drop_first_record, _other_prev, _other_writer, _renamed, _no_job_file],
    "I2": [_jump, _lost_partition],
    "I3": [_no_file, _other_bytes, _flipped, _unexplained, _row_count, _acked_ahead],
    "I4": [_published_twice, _rows_twice, _replaces_what_was_not_there],
    "I5": [_from_the_future, _rows_of_a_later_epoch],
    "I9": [_no_state, _other_state, _state_of_another_record],
    "I10": [_falling_watermark, _falling_clock],
    "I11": [_lost_row, _lost_offset],
    "I13": [_foreign_in_control, _horizon_above_acked],
    "I17": [_foreign, _temporary],
}
ALSO_FOUND_WITHOUT_READING = {_no_file, _other_bytes, _unexplained, _from_the_future, _foreign, _temporary}


@pytest.mark.parametrize(
    ("invariant", "damage"),
    [(name, each) for name, all_ in BROKEN.items() for each in all_],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_each_broken_promise_is_found_with_its_name_and_place(invariant, damage, kept):
    place = damage(kept)

    assert (invariant, place) in {(name, where.removeprefix("_log/")) for name, where in found(kept)}


@pytest.mark.parametrize(
    "damage", sorted(ALSO_FOUND_WITHOUT_READING, key=lambda each: each.__name__), ids=lambda each: each.__name__
)
def test_names_and_sizes_are_checked_without_reading_the_tables(damage, kept):
    place = damage(kept)

    assert place in {where for _, where in found(kept, deep=False)}


def test_records_below_the_horizon_are_read_by_nobody(kept):
    """What garbage collection has announced and not yet removed may be broken, or be there a second time."""
    cut = data_epochs(kept)[3]
    last = max(kept.records())
    kept.change(last, lambda record: record.update(horizon=cut))
    for epoch in range(1, cut):
        del kept.files.content[f"{kept.prefix}/{kept.place(epoch)}"]
    kept.files.content[f"{kept.prefix}/{kept.place(0)}"] = b"broken"

    report = audit(kept.files, kept.prefix, deep=True)

    assert report.findings == []
    assert (report.horizon, report.records) == (cut, last - cut + 1)
    assert f"{kept.prefix}/{kept.place(0)}" in report.left_over


def test_a_missing_record_at_the_horizon_is_found(kept):
    cut = data_epochs(kept)[3]
    kept.change(max(kept.records()), lambda record: record.update(horizon=cut))
    for epoch in range(cut + 1):
        del kept.files.content[f"{kept.prefix}/{kept.place(epoch)}"]

    assert ("I1", f"_log/{kept.place(cut)}".removeprefix("_log/")) in found(kept)


def test_files_whose_records_were_collected_are_told_by_the_digest_in_their_names(kept):
    epoch, output = with_outputs(kept)
    kept.change(max(kept.records()), lambda record: record.update(horizon=epoch + 1))
    assert found(kept) == set()

    _flipped(kept)

    assert found(kept) == {("I3", f"out/{output['dst']}")}


def test_what_a_dead_writer_left_is_in_flight_or_left_over_and_no_violation(kept):
    head = max(kept.records())
    for kind, epoch in (("staging", head + 1), ("state", head + 1), ("staging", 1), ("state", 1)):
        kept.files.content[f"{kept.prefix}/{kind}/{epoch:020d}/deadbeef/x"] = b""
    for name in ("state/.af-1.tmp", ".af-probe-1-a"):
        kept.files.content[f"{kept.prefix}/{name}"] = b""

    report = audit(kept.files, kept.prefix)

    assert report.findings == []
    assert len(report.in_flight) == 4
    assert len(report.left_over) == 2


def test_a_committed_file_may_still_be_staged_until_the_next_record_says_otherwise(kept):
    epoch, output = newest_output(kept)
    for later in range(epoch + 1, max(kept.records()) + 1):
        del kept.files.content[f"{kept.prefix}/{kept.place(later)}"]
    root = kept.out.removesuffix("out") + output["sink"]
    data = kept.files.content.pop(f"{root}/{output['dst']}")
    assert ("I3", f"{output['sink']}/{output['dst']}") in found(kept)

    kept.files.content[f"{kept.prefix}/{output['src']}"] = data

    report = audit(kept.files, kept.prefix, deep=True)
    assert report.findings == []
    assert f"{root}/{output['dst']}" in report.in_flight


# ---- resets and outboxes, as their records describe them ------------------------------------------------------


def append(kept: Kept, **changes) -> int:
    """Write one more record after the newest; return its number."""
    records = kept.records()
    last = records[max(records)]
    fresh = {**last, "epoch": last["epoch"] + 1, "prev": last["sha256"], "outputs": [], "forced": [], **changes}
    fresh["acked"] = dict.fromkeys(last["acked"], last["epoch"])
    for part in fresh["inputs"]:
        part.update(start=part["stop"], balance={"read": 0}, unseen=0)
    kept.write(fresh["epoch"], fresh)
    return fresh["epoch"]


def published(kept: Kept) -> dict[str, int]:
    """Files of results and the epoch of each."""
    return {
        output["dst"]: epoch
        for epoch, record in kept.records().items()
        for output in record["outputs"]
        if output["sink"] == "out"
    }


def test_files_that_a_reset_took_back_may_be_there_until_the_next_record_and_never_after(kept):
    to = sorted(published(kept).values())[1]
    gone = [dst for dst, epoch in published(kept).items() if epoch > to]
    reset = {"how": "in_place", "to": to, "retracted": [{"sink": "out", "dst": dst} for dst in gone]}
    assert gone

    append(kept, kind="reset", reset=reset)
    assert found(kept) == set()
    append(kept, kind="close", reset=None)
    assert found(kept) == {("I3", f"out/{dst}") for dst in gone}
    for dst in gone:
        del kept.files.content[f"{kept.out}/{dst}"]
    assert found(kept) == set()


def test_the_tables_of_a_new_generation_hold_what_their_target_had_published(kept):
    to = sorted(published(kept).values())[1]
    number = append(kept, kind="reset", generation=90, reset={"how": "generation", "to": to, "retracted": []})
    append(kept, kind="close", generation=90, reset=None)
    assert number
    early = [dst for dst, epoch in published(kept).items() if epoch <= to]
    assert ("I3", f"out__g90/{early[0]}") in found(kept)

    for root in ("out", "late", "dead"):
        base = f"{kept.prefix.removesuffix('_log')}{root}"
        for path in [path for path in kept.files.content if path.startswith(f"{base}/")]:
            if int(path.rsplit("/", 1)[1].split("-")[1]) <= to:
                kept.files.content[path.replace(base, f"{base}__g90")] = kept.files.content[path]

    assert found(kept) == set()


def test_an_outbox_that_was_not_delivered_must_be_there_and_any_that_is_there_whole(kept):
    data, path = b"rows", "outbox/00000000000000000099/dead/alerts.arrow"
    told = {"sink": "alerts", "path": path, "rows": 1, "bytes": 4, "sha256": hashlib.sha256(data).hexdigest()}
    append(kept, kind="close", outbox=[told])

    assert found(kept) == {("I6", path)}
    kept.files.content[f"{kept.prefix}/{path}"] = data
    assert found(kept) == set()
    kept.files.content[f"{kept.prefix}/{path}"] = b"rowz"
    assert found(kept) == {("I6", path)}


# ---- beside a writer at work ----------------------------------------------------------------------------------


class Moving:
    """Files that change a little with every listing of the control prefix, as under a writer at work."""

    def __init__(self, kept: Kept, steps) -> None:
        self.kept, self.steps = kept, list(steps)

    def list(self, folder):
        listing = self.kept.files.list(folder)
        if folder == self.kept.prefix and self.steps:
            self.steps.pop(0)()
        return listing

    def read(self, path):
        return self.kept.files.read(path)


def test_what_a_writer_moves_between_two_listings_is_no_violation(kept):
    """The newest record and its file appear after the records were read and before the tables are listed."""
    last, whole = max(kept.records()), kept.copy()
    epoch, output = newest_output(kept)
    root = kept.out.removesuffix("out") + output["sink"]
    for later in range(epoch, last + 1):
        del kept.files.content[f"{kept.prefix}/{kept.place(later)}"]
    for path in [path for path in kept.files.content if path.startswith(root) and f"-{epoch:012d}-" in path]:
        del kept.files.content[path]

    report = audit(Moving(kept, [lambda: kept.files.content.update(whole.files.content)]), kept.prefix)

    assert report.findings == []
    assert report.head == last


def test_what_is_really_wrong_stays_wrong_however_much_a_writer_moves(kept):
    _foreign(kept)
    last = kept.records()[max(kept.records())]

    def write_one_more():
        kept.write(last["epoch"] + 1, {**last, "epoch": last["epoch"] + 1, "prev": last["sha256"]})
        last.update(kept.records()[last["epoch"] + 1])

    report = audit(Moving(kept, [write_one_more] * 20), kept.prefix)

    assert [each.invariant for each in report.findings] == ["I17"]
