"""The control prefix: state files as recorded, and nothing that no retained record needs (I9, I13)."""

from __future__ import annotations

import hashlib
import re

from arrowflow.audit.files import Files
from arrowflow.audit.report import Report
from arrowflow.audit.told import Listing, Told
from arrowflow.audit.walk import NAME

_OWNED = re.compile(r"(staging|state|outbox)/(\d{20})/[^/]+/.+")
_TEMPORARY = re.compile(r"(?:.*/)?\.af-[^/]+")


def check_state(files: Files, report: Report, told: Told) -> None:
    """Every state file that a retained record names holds the bytes it promises."""
    for path, (digest, size, place) in told.state.items():
        report.state_files += 1
        try:
            data = files.read(f"{told.prefix}/{path}")
        except FileNotFoundError:
            report.add("I9", path, f"is missing; {place} needs it")
            continue
        if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
            report.add("I9", path, f"does not hold the {size} bytes that {place} says")


def check_outboxes(files: Files, report: Report, told: Told, control: Listing) -> None:
    """Rows that a topic is still owed are there, and those that are there are as recorded (I6, as far as files tell)."""
    for path, outbox in told.outbox.items():
        if f"{told.prefix}/{path}" not in control:
            if outbox.epoch > told.acked(outbox.sink):
                report.add("I6", path, f"is missing, and record {outbox.epoch} has not delivered it")
            continue
        data = files.read(f"{told.prefix}/{path}")
        if len(data) != outbox.bytes or hashlib.sha256(data).hexdigest() != outbox.sha256:
            report.add("I6", path, f"does not hold the {outbox.bytes} bytes that record {outbox.epoch} says")


def sort_out(report: Report, told: Told, control: Listing) -> None:
    """Say of every other file of the control prefix whether it is on its way, left over, or not ours."""
    for path in sorted(control):
        name = path.removeprefix(f"{told.prefix}/")
        kind = _kind(told, name)
        if kind == "in flight":
            report.in_flight.append(path)
        elif kind == "left over":
            report.left_over.append(path)
        elif kind == "foreign":
            report.add("I13", name, "is none of the files that a job keeps")


def _kind(told: Told, name: str) -> str:
    record, owned = NAME.fullmatch(name), _OWNED.fullmatch(name)
    if name == "job.json" or name in told.state:
        return "needed"
    if record is not None:
        return "left over" if int(record[2]) < told.horizon else "needed"
    if _TEMPORARY.fullmatch(name):
        return "in flight"
    if name.startswith("revisions/"):
        return "needed" if name.rsplit(".", 1)[0] in told.revisions else "left over"
    if owned is None:
        return "foreign"
    if (owned[1] == "outbox" and name in told.outbox) or int(owned[2]) in told.unread:
        return "needed"
    done = told.epoch if owned[1] == "state" else told.published
    return "left over" if int(owned[2]) <= done else "in flight"
