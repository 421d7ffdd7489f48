"""Tables against what the records say: every committed file there, whole, once; nothing else under the root (I3, I5, I17)."""

from __future__ import annotations

import hashlib
import re

import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq

from arrowflow.audit.contents import Contents
from arrowflow.audit.files import Files
from arrowflow.audit.report import Report
from arrowflow.audit.told import SEALED, Listing, Published, Table, Told, epoch_of

_NAMES = {
    "parquet": re.compile(r"(?P<job>[0-9a-f]{8})-(?P<epoch>\d{12})-\d{4}-(?P<digest>[0-9a-f]{8})\.parquet"),
    # The table in memory that ships for tests; names of jobs are not in it.
    "memory": re.compile(r"(?P<job>)(?P<epoch>\d{12})-(?P<digest>[0-9a-f]{8})\.arrow"),
}
"""How files of a table are called, by its kind; any other kind has files that records name, and no others."""


def check_tables(files: Files, report: Report, told: Told, control: Listing, *, deep: bool) -> None:
    """Look through every table; with `deep` read every byte of it."""
    by_root: dict[str, list[Published]] = {folder: [] for root in told.tables for folder in (root, f"{root}{SEALED}")}
    for file in told.files.values():
        root = next(root for root in by_root if file.path.startswith(f"{root}/"))
        by_root[root].append(file)
    for root, table in told.tables.items():
        contents = Contents(table)
        for folder in (root, f"{root}{SEALED}"):
            present = files.list(folder)
            # A preview is what somebody saw last; whatever became of it, the next record brings another.
            for file in by_root[folder] if table.kind != "preview" else []:
                twin = folder == root and told.is_sealed(table.sink, epoch_of(file.path) or 0)
                part = contents.apart() if twin else contents
                _check_file(files, report, told, part if deep else None, file, present, control)
            _check_names(files, report, told, contents if deep else None, table, present, sealed=folder != root)
        if deep:
            report.rows += contents.rows
            contents.check_rows(report)


def _check_file(
    files: Files, report: Report, told: Told, contents: Contents | None, file: Published,
    present: Listing, control: Listing,
) -> None:  # fmt: skip
    """One file that a record names: published as its newest description says, or still on its way."""
    published = file.epoch <= told.acked(file.sink)
    staged = f"{told.prefix}/{file.src}" in control
    if file.path not in present:
        if published or not staged:
            state = "published" if published else "committed, and neither published nor staged"
            report.add("I3", file.path, f"is missing; record {file.epoch} says it is {state}")
        else:
            report.in_flight.append(file.path)
        return
    report.table_files += 1
    if contents is not None:
        _check_bytes(files, report, contents, file, told.acked(file.sink))
        return
    allowed = {each.bytes for each in _acceptable(file, told.acked(file.sink))}
    size = present[file.path]
    if size is not None and size not in allowed:
        report.add("I3", file.path, f"has {size} bytes; record {file.epoch} says {file.bytes}")


def _acceptable(file: Published, acked: int) -> list[Published]:
    """The descriptions that a file may answer to: back to the newest one that is published for sure."""
    found = [file]
    while found[-1].epoch > acked and found[-1].before is not None:
        found.append(found[-1].before)
    return found


def _check_bytes(files: Files, report: Report, contents: Contents, file: Published, acked: int) -> None:
    try:
        data = files.read(file.path)
    except FileNotFoundError:
        report.add("I3", file.path, "was listed and is gone")
        return
    for told in _acceptable(file, acked):
        if len(data) == told.bytes and hashlib.sha256(data).hexdigest() == told.sha256:
            if f"{google_crc32c.value(data):08x}" != told.crc32c:
                report.add("I3", file.path, f"has the sha256 and not the crc32c that record {told.epoch} says")
            contents.take(report, file.path, data, told.rows, told.epoch)
            return
    report.add("I3", file.path, f"does not hold the {file.bytes} bytes that record {file.epoch} says")


def _check_names(
    files: Files, report: Report, told: Told, contents: Contents | None, table: Table, present: Listing,
    *, sealed: bool,
) -> None:  # fmt: skip
    """Every name under the root is one of ours, of a record that is there or was collected (I5, I17)."""
    job = hashlib.sha256((report.job or "").encode()).hexdigest()[:8]
    for path in present:
        if path in told.files:
            continue
        sink, reset = told.retracted.get(path, ("", -1))
        if reset >= 0:
            if reset <= told.acked(sink):
                report.add("I3", path, f"is there, and record {reset} took it back")
            continue
        match = _NAMES[table.kind].fullmatch(path.rsplit("/", 1)[-1]) if table.kind in _NAMES else None
        if match is None or match["job"] not in (job, ""):
            report.add("I17", path, "is no file of this job, and readers of the table take it in")
            continue
        epoch = int(match["epoch"])
        if epoch > told.epoch:
            report.add("I5", path, f"is of epoch {epoch}, and the newest record is {told.epoch}")
        elif epoch in told.unread:
            continue  # its record is broken, which is told once
        elif epoch >= told.horizon:
            report.add("I3", path, f"is of epoch {epoch}, whose record does not name it")
        elif not sealed and told.is_sealed(table.sink, epoch):
            report.left_over.append(path)  # its rows are sealed and its record is collected: it goes next
        else:
            report.table_files += 1
            if contents is not None:
                _check_collected(files, report, contents, table, path, match["digest"])


def _check_collected(files: Files, report: Report, contents: Contents, table: Table, path: str, digest: str) -> None:
    """A file whose record was collected: its name ends with the digest of its first bytes."""
    try:
        data = files.read(path)
    except FileNotFoundError:
        report.add("I3", path, "was listed and is gone")
        return
    if not table.corrects and hashlib.sha256(data).hexdigest()[:8] != digest:
        report.add("I3", path, f"does not hold the bytes whose digest ({digest}) its name ends with")
        return
    try:
        rows = pq.ParquetFile(pa.BufferReader(data)).metadata.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        report.add("I3", path, f"cannot be read: {error}")
        return
    contents.take(report, path, data, rows, None)
