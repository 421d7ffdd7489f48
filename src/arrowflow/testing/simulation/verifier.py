"""Judges a log and its tables by what lies in the store: the invariants of docs/commit-log.md, each read from bytes.

It shares no code with the engine: JSON, hashes and Arrow's own readers are all it uses. What it sees is told at the
instant it happens, so a wrong state that a later step would mend is found too. Broken invariants are collected, each
with its number as the design notes count them (I1 to I17).
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq

_RECORD = re.compile(r"manifests/\d{17}/(\d{20})\.json$")
_FINAL = re.compile(r"([a-z_]+=[^/]+/)*[\w-]+\.(parquet|arrow)$")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie: the control prefix, and the root of each table by the name of its sink."""

    prefix: str
    roots: Mapping[str, str]

    def sink_of(self, path: str) -> str | None:
        """The sink whose table `path` lies in."""
        return next((sink for sink, root in self.roots.items() if path.startswith(root + "/")), None)


class Witness(Protocol):
    """Looks at more than tables, and is told of each record."""

    def recorded(self, record: Mapping[str, Any], objects: Mapping[str, bytes]) -> list[str]:
        """A record became true; returns what is wrong about it."""


@dataclass(slots=True)
class Verifier:
    """What was seen of one job.

    Parameters
    ----------
    layout : Layout
        Where to look.
    judge_rows : callable
        Given a sink and all rows of its table at this instant, says what is wrong with them.
    """

    layout: Layout
    judge_rows: Callable[[str, list[Row]], list[str]]
    wrong: list[str] = field(default_factory=list)
    records: dict[int, dict[str, Any]] = field(default_factory=dict)
    opened: dict[str, Any] | None = None
    tables: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    strays: set[str] = field(default_factory=set)
    contents: dict[str, str] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    witnesses: list[Witness] = field(default_factory=list)

    @property
    def head(self) -> dict[str, Any] | None:
        """The newest record."""
        return self.records[max(self.records)] if self.records else None

    def acked(self) -> int:
        """Up to which epoch every sink is known to be published."""
        acked = (self.head or {}).get("acked", {})
        return min(acked.values(), default=-1)

    # ---- what happens in the store ---------------------------------------------------------------------------

    def created(self, path: str, data: bytes, objects: Mapping[str, bytes]) -> None:
        """An object came into being; `objects` says what else there is."""
        if self.layout.sink_of(path) is not None:
            return self.published(path, data)
        if not path.startswith(self.layout.prefix + "/"):
            return self._blame("I17", f"{path} lies outside of everything that belongs to the job")
        digest = hashlib.sha256(data).hexdigest()
        if self.contents.setdefault(path, digest) != digest and not _RECORD.search(path):
            self._blame("I15", f"{path} was created again with other bytes")
        if match := _RECORD.search(path):
            self._record(int(match[1]), path, data, objects)
        return None

    def published(self, target: str, data: bytes) -> None:
        """`target` holds `data` now: a file of a table."""
        sink = self.layout.sink_of(target)
        if sink is None:
            return self._blame("I17", f"{target} was published outside of every table")
        name = target.removeprefix(self.layout.roots[sink] + "/")
        if not _FINAL.fullmatch(name):
            self._blame("I17", f"{target} is no name of a table's file")
        if not self._is_recorded(sink, name, data):
            self._blame("I5", f"{target} holds bytes that no record tells of")
        self.tables.setdefault(sink, {})[target] = rows_of(target, data)
        self._look(sink)
        return None

    def replaced_all(self, sink: str, files: Mapping[str, bytes]) -> None:
        """Housekeeping put `files` in the place of a whole table."""
        self.tables[sink] = {path: rows_of(path, data) for path, data in files.items()}
        self._look(sink)

    def acknowledged(self, positions: Mapping[tuple[str, int], int]) -> None:
        """A group's offsets were committed for lag tools."""
        stops = _stops(self.head)
        for part, offset in positions.items():
            if offset > stops.get(part, 0):
                self._blame("I12", f"group offset {offset} of {part} is beyond {stops.get(part)} of the head")

    # ---- at the end --------------------------------------------------------------------------------------------

    def finish(self, objects: Mapping[str, bytes], merged: Mapping[str, set[str]]) -> None:
        """All is over and `objects` is what there is; of each sink, `merged` names the files that housekeeping took away."""
        wanted: dict[str, dict[str, Any]] = {}
        for record in self.records.values():
            for file in record["outputs"]:
                path = f"{self.layout.roots[file['sink']]}/{file['dst']}"
                if path not in merged.get(file["sink"], set()):
                    wanted[path] = file
        found = {path for path in objects if self.layout.sink_of(path) is not None and not _is_merged(path)}
        for path in sorted(wanted.keys() - found):
            self._blame("I3", f"{path} is committed and not there")
        for path in sorted(found - wanted.keys()):
            self._blame("I3", f"{path} is there and no record tells of it")
        for path in sorted(found & wanted.keys()):
            if not _holds(objects[path], wanted[path]):
                self._blame("I3", f"{path} does not hold what its newest record says")
            elif len(rows_of(path, objects[path])) != wanted[path]["rows"]:
                self._blame("I3", f"{path} has another number of rows than its record says")

    # ---- one record ----------------------------------------------------------------------------------------------

    def _record(self, number: int, path: str, data: bytes, objects: Mapping[str, bytes]) -> None:
        record = _unsealed(data)
        if record is None:
            return self._blame("I1", f"{path} does not hold the sha256 it ends with")
        head = self.head
        if head is not None and number <= head["epoch"]:
            self.strays.add(record["writer"]["id"])  # below the horizon: harmless if its writer publishes nothing
            return None
        if number != (0 if head is None else head["epoch"] + 1) or record["epoch"] != number:
            self._blame("I1", f"record {record['epoch']} in {path} follows {None if head is None else head['epoch']}")
        if head is not None:
            self._follows(head, record)
        if record["kind"] == "open":
            self.opened = record
            if record["writer"]["fence"] != number:
                self._blame("I1", f"open record {number} gives its writer the fence {record['writer']['fence']}")
        elif self.opened is None or record["writer"] != self.opened["writer"]:
            self._blame("I1", f"record {number} was written by {record['writer']['id']}, who does not own the job")
        self._adds_up(record)
        self._is_backed(record, objects)
        self.records[number] = record
        for witness in self.witnesses:
            self.wrong += witness.recorded(record, objects)
        return None

    def _follows(self, head: dict[str, Any], record: dict[str, Any]) -> None:
        number = record["epoch"]
        if record["prev"] != head["sha256"] or record["incarnation"] != head["incarnation"]:
            self._blame("I1", f"record {number} does not name the bytes of record {head['epoch']}")
        stops = _stops(head)
        for part, each in _inputs(record).items():
            if part in stops and each["start"] != stops[part] and each.get("gap") is None:
                self._blame(
                    "I2", f"record {number} begins {part} at {each['start']}, the one before ended at {stops[part]}"
                )
        for part in stops.keys() - _inputs(record).keys():
            self._blame("I2", f"record {number} has forgotten {part}")
        if _low(record["watermark_us"]) < _low(head["watermark_us"]):
            self._blame("I10", f"the watermark fell from {head['watermark_us']} to {record['watermark_us']}")
        for part, each in _inputs(head).items():
            later = _inputs(record).get(part, each)["clock"]
            for name in ("max_event_us", "floor_us"):
                if _low(later.get(name)) < _low(each["clock"].get(name)):
                    self._blame("I10", f"{name} of {part} fell in record {number}")
        for sink, epoch in head["acked"].items():
            if not epoch <= record["acked"].get(sink, -1) < number:
                self._blame("I1", f"record {number} acknowledges {record['acked'].get(sink)} of {sink!r} after {epoch}")

    def _adds_up(self, record: dict[str, Any]) -> None:
        for part, each in _inputs(record).items():
            balance = each["balance"]
            lost = sum(sum(balance[name].values()) for name in ("filtered", "late", "dead_lettered"))
            if balance["read"] != balance["folded"] + balance["duplicate"] + lost:
                self._blame("I11", f"record {record['epoch']}: rows of {part} do not add up: {balance}")
            unseen = each["unseen"] + each["control"] + each["aborted"] + each["compacted"]
            if each["stop"] - each["start"] != balance["read"] + unseen:
                self._blame("I11", f"record {record['epoch']}: offsets of {part} do not add up")

    def _is_backed(self, record: dict[str, Any], objects: Mapping[str, bytes]) -> None:
        """Whether all a record names is there at the instant it becomes true."""
        for file in record["outputs"]:
            data = objects.get(f"{self.layout.prefix}/{file['src']}")
            if data is None or not _holds(data, file):
                self._blame("I3", f"record {record['epoch']} names {file['src']}, which is not there or not whole")
        for state in record["state"].values():
            for file in [state["full"], *state["deltas"]]:
                path = "" if file is None else f"{self.layout.prefix}/{file['path']}"
                if file is None or path in self.damaged:
                    continue
                if path not in objects or hashlib.sha256(objects[path]).hexdigest() != file["sha256"]:
                    self._blame("I9", f"record {record['epoch']} names {file['path']}, which is not there or not whole")

    def _is_recorded(self, sink: str, name: str, data: bytes) -> bool:
        files = (file for record in self.records.values() for file in record["outputs"])
        return any(file["sink"] == sink and file["dst"] == name and _holds(data, file) for file in files)

    def _look(self, sink: str) -> None:
        rows = [row for table in self.tables[sink].values() for row in table]
        for wrong in self.judge_rows(sink, rows):
            self._blame("I4", wrong)

    def _blame(self, invariant: str, what: str) -> None:
        self.wrong.append(f"{invariant}: {what}")


def rows_of(path: str, data: bytes) -> list[Row]:
    """The rows of a file of a table, with the columns its folders name."""
    if path.endswith(".parquet"):
        rows = pq.read_table(io.BytesIO(data)).to_pylist()
    else:
        rows = pa.ipc.open_stream(data).read_all().to_pylist()
    folders = dict(part.split("=", 1) for part in path.split("/") if "=" in part)
    return [row | folders for row in rows]


def _unsealed(data: bytes) -> dict[str, Any] | None:
    body, found, tail = data.rpartition(b',"sha256":"')
    if not found or tail != hashlib.sha256(body).hexdigest().encode() + b'"}':
        return None
    record: dict[str, Any] = json.loads(data)
    return record


def _holds(data: bytes, file: Mapping[str, Any]) -> bool:
    crc = f"{google_crc32c.value(data):08x}"
    found = (hashlib.sha256(data).hexdigest(), len(data), crc)
    return found == (file["sha256"], file["bytes"], file["crc32c"])


def _inputs(record: Mapping[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    return {(each["topic"], each["partition"]): each for each in record["inputs"]}


def _stops(record: Mapping[str, Any] | None) -> dict[tuple[str, int], int]:
    return {} if record is None else {part: each["stop"] for part, each in _inputs(record).items()}


def _low(us: int | None) -> int:
    return -(2**63) if us is None else us


def _is_merged(path: str) -> bool:
    return path.rsplit("/", 1)[-1].startswith("merged-")
