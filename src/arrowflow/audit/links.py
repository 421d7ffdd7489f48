"""Two neighbouring records: numbers, digests, writers, offsets, clocks and counts must follow from one to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arrowflow.audit.report import Report

Record = Mapping[str, Any]
_KINDS = frozenset({"open", "data", "compact", "reset", "reconfig", "close", "retire"})
_LEAST = -(2**63)


def check_alone(report: Report, record: Record, place: str) -> None:
    """What one record must be by itself: its kind, where it may point, and rows that add up (I1, I11, I13)."""
    epoch, acked = record["epoch"], record.get("acked", {})
    if record["kind"] not in _KINDS:
        report.add("I1", place, f"kind {record['kind']!r} is none of {sorted(_KINDS)}")
    for sink, number in acked.items():
        if number >= epoch:
            report.add("I3", place, f"says that sink {sink} has published up to {number}, which is not before it")
    if record.get("horizon", 0) > min([epoch, *(number + 1 for number in acked.values())]):
        report.add("I13", place, f"horizon {record['horizon']} lies above what every sink has published: {acked}")
    for sink, ranges in record.get("sealed", {}).items():
        for start, stop in ranges:
            if not start < stop <= epoch:
                report.add("I3", place, f"says that epochs {start} to {stop - 1} of sink {sink} are sealed")
    for part in record.get("inputs", []):
        _check_balance(report, part, place)


def check_link(report: Report, before: Record, record: Record, place: str) -> None:
    """What a record must be after the one `before` it (I1, I2, I10)."""
    if record["epoch"] != before["epoch"] + 1:
        report.add("I1", place, f"follows record {before['epoch']}: records between them are missing")
        return
    if record["prev"] != before["sha256"]:
        report.add("I1", place, f"names {record['prev'][:12]} as the record before, which is {before['sha256'][:12]}")
    if record["incarnation"] != before["incarnation"]:
        report.add("I1", place, f"belongs to incarnation {record['incarnation']}, the record before to another")
    if record.get("horizon", 0) < before.get("horizon", 0):
        report.add("I13", place, f"horizon fell from {before['horizon']} to {record.get('horizon', 0)}")
    _check_writer(report, before, record, place)
    _check_acked(report, before, record, place)
    _check_sealed(report, before, record, place)
    if record["kind"] != "reset":
        _check_offsets(report, before, record, place)
        _check_clocks(report, before, record, place)


def _check_writer(report: Report, before: Record, record: Record, place: str) -> None:
    writer, last = record["writer"], before["writer"]
    if record["kind"] == "open":
        if writer["fence"] != record["epoch"]:
            report.add("I1", place, f"an open record is its writer's fence, and it says {writer['fence']}")
    elif record["kind"] in ("data", "close", "compact") and (writer["id"], writer["fence"]) != (
        last["id"],
        last["fence"],
    ):
        text = f"was written by {writer['id']} (fence {writer['fence']}) while {last['id']} (fence {last['fence']}) owned the log"
        report.add("I1", place, text)


def _check_acked(report: Report, before: Record, record: Record, place: str) -> None:
    for sink, number in record.get("acked", {}).items():
        if number < before.get("acked", {}).get(sink, -1):
            report.add(
                "I3", place, f"sink {sink} had published up to {before['acked'][sink]}, and now only to {number}"
            )


def _check_sealed(report: Report, before: Record, record: Record, place: str) -> None:
    """What was sealed stays so, and only what every sink has published is sealed."""
    published = min(before.get("acked", {}).values(), default=-1)
    for sink, ranges in before.get("sealed", {}).items():
        now = record.get("sealed", {}).get(sink, [])
        if any(not any(a <= start and stop <= b for a, b in now) for start, stop in ranges):
            report.add("I3", place, f"epochs of sink {sink} were sealed in the record before, {ranges}; now {now}")
    for sink, ranges in record.get("sealed", {}).items():
        newest = max((stop for _, stop in ranges), default=0) - 1
        if newest > max(published, before["epoch"]):
            report.add("I3", place, f"epoch {newest} of sink {sink} is sealed, and published is up to {published}")


def _check_offsets(report: Report, before: Record, record: Record, place: str) -> None:
    ended = {_key(part): part["stop"] for part in before.get("inputs", [])}
    for part in record.get("inputs", []):
        key = _key(part)
        was, gap = ended.pop(key, part["start"]), part.get("gap")
        if part["start"] != was and not (gap and gap[0] == was and gap[1] == part["start"]):
            report.add("I2", place, f"{_name(key)} starts at {part['start']}, and the record before ended at {was}")
    for key in ended:
        report.add("I2", place, f"{_name(key)} is missing; the record before has it")


def _check_clocks(report: Report, before: Record, record: Record, place: str) -> None:
    was, now = (each.get("watermark_us") for each in (before, record))
    if _us(now) < _us(was):
        report.add("I10", place, f"the watermark fell from {was} to {now}")
    clocks = {_key(part): part.get("clock", {}) for part in before.get("inputs", [])}
    for part in record.get("inputs", []):
        old, new = clocks.get(_key(part), {}), part.get("clock", {})
        for name in ("max_event_us", "floor_us"):
            if _us(new.get(name)) < _us(old.get(name)):
                text = f"{name} of {_name(_key(part))} fell from {old.get(name)} to {new.get(name)}"
                report.add("I10", place, text)


def _check_balance(report: Report, part: Mapping[str, Any], place: str) -> None:
    name, balance = _name(_key(part)), part.get("balance", {})
    read = balance.get("read", 0)
    known = balance.get("folded", 0) + balance.get("duplicate", 0)
    known += sum(sum(balance.get(kind, {}).values()) for kind in ("filtered", "late", "dead_lettered"))
    if read != known:
        report.add("I11", place, f"{name}: {read} rows were read and {known} are accounted for")
    walked = part["stop"] - part["start"]
    seen = read + sum(part.get(kind, 0) for kind in ("unseen", "control", "aborted", "compacted"))
    if walked != seen:
        text = f"{name}: offsets {part['start']} to {part['stop']} are {walked}, and {seen} are accounted for"
        report.add("I11", place, text)


def _us(value: int | None) -> int:
    return _LEAST if value is None else value


def _key(part: Mapping[str, Any]) -> tuple[str, str, int]:
    return part["source"], part["topic"], part["partition"]


def _name(key: tuple[str, str, int]) -> str:
    return f"{key[1]}[{key[2]}]"
