"""Judges what a job removes of its own: never what is still needed (I13, first half), and in the end all that is not (second).

Names and records as plain values are all it looks at. It shares no code with the engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_RECORD = re.compile(r"manifests/\d{17}/(\d{20})\.json")
_OF_EPOCH = re.compile(r"(staging|state|outbox)/(\d+)/.+")


@dataclass(slots=True)
class Leftovers:
    """What there is below a control prefix, and who may still ask for it.

    Parameters
    ----------
    prefix : str
        The control prefix.
    roots : mapping
        The root of each table by the name of its sink.
    """

    prefix: str
    roots: Mapping[str, str]
    records: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    strays: set[int] = field(default_factory=set)
    """Records below the horizon that sleepers made again: nobody reads them, and the owner need not know of them yet."""
    removed: int = 0

    @property
    def horizon(self) -> int:
        """What the newest record announces: nobody reads records below it."""
        return int(self.records[max(self.records)]["horizon"]) if self.records else 0

    def recorded(self, record: Mapping[str, Any], objects: Mapping[str, bytes]) -> list[str]:
        """A record became true; returns what is wrong about its horizon."""
        before, acked = self.horizon, min(record["acked"].values(), default=-1)
        self.records[record["epoch"]] = record
        if not before <= record["horizon"] <= max(before, acked + 1):
            told = f"record {record['epoch']} announces horizon {record['horizon']} after {before}, with {acked} acknowledged"
            return [f"I13: {told}"]
        return []

    def created(self, path: str) -> None:
        """A run made `path`; called before the record is taken for true."""
        found = _RECORD.fullmatch(path.removeprefix(self.prefix + "/"))
        if found and self.records and int(found[1]) <= max(self.records):
            self.strays.add(int(found[1]))

    def deleted(self, path: str, objects: Mapping[str, bytes]) -> list[str]:
        """A run removed `path`; `objects` are those that are left. Returns what is wrong about it."""
        if not path.startswith(self.prefix + "/"):
            return [f"I13: a run removed {path}, which is no file of the log"]
        inside = path.removeprefix(self.prefix + "/")
        self.removed += 1
        if found := _RECORD.fullmatch(inside):
            epoch = int(found[1])
            older = [n for n in self._there(objects) if n < epoch and n not in self.strays]
            if epoch >= self.horizon:
                return [f"I13: record {epoch} was removed, the horizon announced is {self.horizon}"]
            return [f"I13: record {epoch} was removed before {min(older)}"] if older else []
        return [f"I13: {inside} was removed, and {why}" for why in self._needs(inside, objects)]

    def finish(self, objects: Mapping[str, bytes]) -> list[str]:
        """The owner has had time to tidy up, nobody else is awake, and nothing was begun since: what should be gone is."""
        if not self.records:
            return []
        last = self.records[max(epoch for epoch, each in self.records.items() if each["kind"] != "close")]
        horizon, published = int(last["horizon"]), min(last["acked"].values(), default=-1)
        named = {path for epoch in self._kept(horizon) for path in _names(self.records[epoch])}
        wrong = [f"record {epoch} is below the horizon {horizon}" for epoch in self._there(objects) if epoch < horizon]
        for path in sorted(objects):
            inside = path.removeprefix(self.prefix + "/")
            if not path.startswith(self.prefix + "/") or _RECORD.fullmatch(inside) or inside == "job.json":
                continue
            found = _OF_EPOCH.fullmatch(inside)
            limit = horizon - 1 if found is None or found[1] != "staging" else published
            if inside not in named and (found is None or int(found[2]) <= limit):
                wrong.append(f"{inside} is there, and no record from {horizon} on names it")
        return [f"I13: {each}" for each in wrong]

    def unnamed(self, objects: Mapping[str, bytes]) -> int:
        """How much there is to tidy up at most: records and files below them."""
        return sum(path.startswith(self.prefix + "/") for path in objects)

    # ---- who asks for what -----------------------------------------------------------------------------------------

    def _there(self, objects: Mapping[str, bytes]) -> list[int]:
        found = (_RECORD.fullmatch(path.removeprefix(self.prefix + "/")) for path in objects)
        return [int(each[1]) for each in found if each is not None]

    def _kept(self, horizon: int) -> list[int]:
        return [epoch for epoch in self.records if epoch >= horizon]

    def _needs(self, inside: str, objects: Mapping[str, bytes]) -> Iterator[str]:
        """Which records need a file.

        As long as they are kept: state, outboxes and what they replaced. Staged files until they are published.
        """
        for epoch in self._kept(self.horizon):
            record = self.records[epoch]
            if inside in _names(record):
                yield f"record {epoch} names it"
        acked = self.records[max(self.records)]["acked"] if self.records else {}
        for epoch, record in self.records.items():
            for file in record["outputs"]:
                if file["src"] == inside and epoch > acked.get(file["sink"], -1) and not self._is_out(file, objects):
                    yield f"record {epoch} is not published"

    def _is_out(self, file: Mapping[str, Any], objects: Mapping[str, bytes]) -> bool:
        data = objects.get(f"{self.roots[file['sink']]}/{file['dst']}")
        return data is not None and len(data) == file["bytes"]


def _names(record: Mapping[str, Any]) -> set[str]:
    """Files that a record needs as long as it is kept: a restore, a redo of an outbox, a revision read again."""
    named = {outbox["path"] for outbox in record["outbox"]}
    for state in record["state"].values():
        named |= {file["path"] for file in (state["full"], *state["deltas"]) if file is not None}
    for file in record["outputs"]:
        if (replaces := file.get("replaces")) is not None:
            name, dot, kind = file["dst"].rpartition(".")
            folder = name if kind == "parquet" else name + dot + kind
            named.add(f"revisions/{file['sink']}/{folder}/{replaces['revision']:06d}.{kind}")
    return named
