"""Judges a topic by what readers of committed records see of it, and its markers by the records of the log (I6, I7).

Bytes and plain values are all it looks at: keys, values and headers of a topic, JSON, and outboxes as Arrow files. It
shares no code with the engine or its outlet.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from arrowflow.testing.simulation.verifier import Row

_NOTE = re.compile(r"af1;e=(\d+);r=(\d+);m=([0-9a-f]{0,16})(;p=\d+)?")
_Sent = tuple[bytes | None, bytes | None, str | None, int | None]
"""A row of an outbox: key, value, kind, revision."""


class Seen(NamedTuple):
    """A record as a reader of committed records sees it."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]

    @property
    def place(self) -> tuple[int, int]:
        """Epoch and number in it, as the headers say."""
        return int(self.headers["af-epoch"]), int(self.headers["af-seq"])


@dataclass(slots=True)
class Readers:
    """Everything that can be said of one topic.

    Parameters
    ----------
    sink : str
        The name of the sink that fills it.
    prefix : str
        The control prefix: outboxes lie below it.
    """

    sink: str
    prefix: str
    wrong: list[str] = field(default_factory=list)
    sent: dict[int, list[_Sent]] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    incarnation: str = ""
    head: int = -1
    acked: int = -1
    marker: tuple[int, int] = (-1, 0)
    seen: tuple[Seen, ...] = ()
    loses: bool = False
    """Whether the cluster has lost what it answered for: then rows may be away until somebody looks."""

    # ---- what happens ----------------------------------------------------------------------------------------------

    def recorded(self, record: Mapping[str, Any], objects: Mapping[str, bytes]) -> list[str]:
        """A record became true; returns what is wrong about it."""
        epoch, before = record["epoch"], len(self.wrong)
        self.incarnation, self.head = record["incarnation"][:8], epoch
        self.digests[epoch] = record["sha256"]
        for outbox in record["outbox"]:
            if outbox["sink"] == self.sink:
                self._handed(epoch, outbox, objects.get(f"{self.prefix}/{outbox['path']}"))
        self.acked = record["acked"].get(self.sink, -1)
        self._is_out(f"record {epoch}")
        return self.wrong[before:]

    def marked(self, offset: int, note: str) -> None:
        """A marker became true."""
        found = _NOTE.fullmatch(note)
        if found is None or int(found[1]) != offset >> 16:
            return self._blame("I7", f"marker {offset} has the note {note!r}")
        epoch, rows = int(found[1]), int(found[2])
        if epoch > self.head:
            self._blame("I7", f"the marker says epoch {epoch}, the newest record is {self.head}")
        elif not self.digests.get(epoch, "").startswith(found[3]):
            self._blame("I7", f"the marker names the digest {found[3]}, record {epoch} has {self.digests.get(epoch)}")
        if rows > len(self.sent.get(epoch, ())):
            self._blame("I7", f"the marker says {rows} rows of epoch {epoch}, which has fewer")
        if (epoch, rows) < self.marker and not self.loses:
            self._blame("I7", f"the marker went back from {self.marker} to {(epoch, rows)}")
        self.marker = max(self.marker, (epoch, rows))
        return self._is_out(f"the marker {epoch}, {rows}")

    def look(self, seen: Sequence[Seen]) -> None:
        """Readers see this now: rows of records, each once, in each partition in their order."""
        self.seen = tuple(seen)
        newest: dict[int, tuple[int, int]] = {}
        homes: dict[bytes, int] = {}
        for place, times in Counter(each.place for each in seen).items():
            if times > 1:
                self._blame("I6", f"row {place[1]} of epoch {place[0]} is there {times} times")
        for each in seen:
            epoch, seq = each.place
            if self._is_foreign(each):
                self._blame("I6", f"row {seq} of epoch {epoch} is not what its outbox holds, or no record tells of it")
            if newest.get(each.partition, (-1, -1)) >= each.place:
                self._blame("I6", f"partition {each.partition} has row {seq} of epoch {epoch} behind a later one")
            newest[each.partition] = each.place
            if each.key is not None and homes.setdefault(each.key, each.partition) != each.partition:
                self._blame("I6", f"key {each.key!r} is in partitions {homes[each.key]} and {each.partition}")

    def finish(self, rows: Sequence[Row] | None) -> None:
        """All is over: every row that a record handed over is there, and they are those of a table beside the topic."""
        there = {each.place for each in self.seen}
        for epoch, sent in self.sent.items():
            missing = [seq for seq in range(len(sent)) if (epoch, seq) not in there]
            if missing:
                self._blame("I6", f"rows {missing} of epoch {epoch} are committed and not there")
        if rows is None:
            return
        wanted, found = Counter(map(_named, rows)), Counter(map(_named, self.rows()))
        for row in wanted - found:
            self._blame("I6", f"the table has {row}, the topic has not")
        for row in found - wanted:
            self._blame("I6", f"the topic has {row}, the table has not")

    def rows(self) -> list[Row]:
        """What the records say, as rows of a table: of a window the newest revision."""
        newest: dict[object, tuple[int, Row]] = {}
        others: list[Row] = []
        told: dict[object, list[int]] = defaultdict(list)
        for each in self.seen:
            row = json.loads(each.value or b"null")
            if "window_start" not in row or "total" not in row:
                others.append(row)
                continue
            row["window_start"] = datetime.fromisoformat(row["window_start"])
            name: object = (row["k"], row["window_start"])
            revision = int(each.headers.get("af-revision", b"1"))
            told[name].append(revision)
            newest[name] = max(newest.get(name, (0, row)), (revision, row), key=lambda pair: pair[0])
        for name, revisions in told.items():
            if revisions != list(range(1, len(revisions) + 1)):
                self._blame("I6", f"window {name} came as revisions {revisions}")
        return [*others, *(row for _, row in newest.values())]

    # ---- one record ------------------------------------------------------------------------------------------------

    def _handed(self, epoch: int, outbox: Mapping[str, Any], data: bytes | None) -> None:
        if data is None or (hashlib.sha256(data).hexdigest(), len(data)) != (outbox["sha256"], outbox["bytes"]):
            return self._blame("I3", f"record {epoch} names {outbox['path']}, which is not there or not whole")
        rows = pa.ipc.open_file(data).read_all().to_pylist()
        if len(rows) != outbox["rows"]:
            self._blame("I3", f"{outbox['path']} holds {len(rows)} rows, record {epoch} says {outbox['rows']}")
        self.sent[epoch] = [(row["key"], row["value"], row["kind"], row["revision"]) for row in rows]
        return None

    def _is_out(self, when: str) -> None:
        """Whether the marker reaches as far as the newest record acknowledges."""
        last = max((epoch for epoch in self.sent if epoch <= self.acked), default=-1)
        if last >= 0 and self.marker < (last, len(self.sent[last])):
            self._blame("I7", f"at {when}: epoch {self.acked} is acknowledged, the marker says {self.marker}")

    def _is_foreign(self, each: Seen) -> bool:
        epoch, seq = each.place
        sent = self.sent.get(epoch, [])
        if seq >= len(sent) or each.headers.get("af-incarnation") != self.incarnation.encode():
            return True
        key, value, kind, revision = sent[seq]
        told = each.headers.get("af-kind"), each.headers.get("af-revision")
        wanted = (None, None) if kind is None else (kind.encode(), str(revision).encode())
        return (each.key, each.value) != (key, value) or told != wanted

    def _blame(self, invariant: str, what: str) -> None:
        self.wrong.append(f"{invariant}: {self.sink}: {what}")


def _named(row: Row) -> tuple[object, ...]:
    return row["k"], row["window_start"].timestamp(), row["n"], row["total"]
