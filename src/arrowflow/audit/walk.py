"""The walk over the records, oldest first: each is read once, judged alone and against the one before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from arrowflow.audit.files import Files
from arrowflow.audit.links import Record, check_alone, check_link
from arrowflow.audit.report import Report
from arrowflow.audit.sealed import BrokenError, unseal
from arrowflow.audit.told import Told

NAME = re.compile(r"manifests/(\d{17})/(\1\d{3})\.json")
_TELLING = (KeyError, TypeError, ValueError, AttributeError, IndexError)


def epochs_in(files: Files, prefix: str) -> list[int]:
    """Numbers of all records there are, ascending."""
    names = (path.removeprefix(f"{prefix}/") for path in files.list(f"{prefix}/manifests"))
    return sorted(int(match[2]) for match in map(NAME.fullmatch, names) if match)


def place_of(epoch: int) -> str:
    """Where the record of `epoch` is, from the control prefix."""
    name = f"{epoch:020d}"
    return f"manifests/{name[:17]}/{name}.json"


def walk(files: Files, report: Report, told: Told) -> None:
    """Read every retained record and note what is wrong; fill `told`."""
    epochs = epochs_in(files, told.prefix)
    incarnation = _incarnation(files, report, told.prefix, expected=bool(epochs))
    if not epochs:
        return
    report.head = epochs[-1]
    report.horizon = _horizon(files, told.prefix, epochs[-1])
    before: Record | None = None
    for epoch in epochs:
        if epoch < report.horizon:
            continue  # announced as collected: whatever lies there is read by nobody
        record = _read(files, report, told.prefix, epoch)
        if record is None:
            before = None
            told.skip(epoch)
            continue
        report.records += 1
        _judge(report, told, before, record, place_of(epoch))
        if before is None and record.get("incarnation") != incarnation:
            report.add(
                "I1", place_of(epoch), f"belongs to incarnation {record.get('incarnation')}, job.json to {incarnation}"
            )
        before = record
    if epochs[-1] >= report.horizon and report.horizon not in epochs and report.horizon > 0:
        report.add("I1", place_of(report.horizon), "is missing: the newest record says that the log begins with it")
    elif report.horizon == 0 and epochs[0] != 0:
        report.add("I1", place_of(0), "is missing, and no record says that any was collected")
    report.job = None if told.head is None else str(told.head.get("job"))


def _judge(report: Report, told: Told, before: Record | None, record: Record, place: str) -> None:
    try:
        check_alone(report, record, place)
        if before is not None:
            check_link(report, before, record, place)
        told.take(report, record, place)
    except _TELLING as error:
        report.add("I1", place, f"is not the record of docs/commit-log.md: {type(error).__name__}: {error}")


def _horizon(files: Files, prefix: str, head: int) -> int:
    """What the newest record announces, itself at most; 0 if it cannot be read, so that everything is looked at."""
    try:
        return min(head, int(unseal(files.read(f"{prefix}/{place_of(head)}")).get("horizon", 0)))
    except (BrokenError, FileNotFoundError, TypeError, ValueError):
        return 0


def _read(files: Files, report: Report, prefix: str, epoch: int) -> Mapping[str, Any] | None:
    place = place_of(epoch)
    try:
        record = unseal(files.read(f"{prefix}/{place}"))
    except FileNotFoundError:
        report.add("I1", place, "was listed and is gone")
        return None
    except BrokenError as error:
        report.add("I1", place, str(error))
        return None
    if record.get("epoch") != epoch:
        report.add("I1", place, f"holds record {record.get('epoch')}")
        return None
    return record


def _incarnation(files: Files, report: Report, prefix: str, *, expected: bool) -> str | None:
    try:
        return str(unseal(files.read(f"{prefix}/job.json")).get("incarnation"))
    except FileNotFoundError:
        if expected:
            report.add("I1", "job.json", "is missing, and there are records")
    except BrokenError as error:
        report.add("I1", "job.json", str(error))
    return None
