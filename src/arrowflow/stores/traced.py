"""A store that tells the protocol trace of every call and its outcome; does nothing else, and is not there when nobody traces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from arrowflow.errors import AlreadyExists, ObjectMissing
from arrowflow.failpoints import Failpoints
from arrowflow.protocols import Store
from arrowflow.tracing import ProtocolTrace, Told

_RECORD = re.compile(r"manifests/\d+/(\d+)\.json")
_OF_EPOCH = re.compile(r"(staging|state|outbox)/(\d+)/")
_ROOMS = {"staging": "staged", "state": "state", "outbox": "outbox", "revisions": "kept", "job.json": "job"}


def traced(store: Store, prefix: str, failpoints: Failpoints) -> Store:
    """Return `store` as it is, or telling of every call if the run of `failpoints` is traced."""
    if failpoints.protocol is None:
        return store
    failpoints.protocol.start(prefix)
    return TracedStore(store, prefix, failpoints.protocol)


@dataclass(frozen=True, slots=True)
class TracedStore:
    """The `Store` protocol around another store.

    Parameters
    ----------
    store : Store
        Does the work.
    prefix : str
        The control prefix: what lies outside of it are tables.
    trace : ProtocolTrace
        Is told.
    """

    store: Store
    prefix: str
    trace: ProtocolTrace

    def create(self, path: str, data: bytes) -> int | None:
        event, facts = self._place(path, "create")
        if event == "record.create":
            told = json.loads(data)
            event = f"{told['kind']}.create"
            facts |= {name: told[name] for name in ("writer", "acked", "horizon", "outputs", "state")}
            facts |= {"sealed": told["sealed"]} if told["kind"] == "compact" else {}
        elif event == "staged.create":
            name = path.rpartition("/")[2]
            kinds = (("revision-", "revision.stage"), ("sealed-", "object.create"))
            event = next((kind for begin, kind in kinds if name.startswith(begin)), "file.stage")
        with self._told(event, facts):
            return self.store.create(path, data)

    def read(self, path: str) -> bytes:
        with self._told(*self._place(path, "read")):
            return self.store.read(path)

    def list(self, prefix: str, after: str = "") -> list[str]:
        event, facts = self._place(prefix, "list")
        if prefix == f"{self.prefix}/manifests":
            event, facts["n"] = "record.list", self._epoch(after)
        with self._told(event, facts) as told:
            names = self.store.list(prefix, after)
            if event == "record.list":
                told.facts["newest"] = max(map(self._epoch, names), default=-1)
            return names

    def move_once(self, source: str, target: str, *, generation: int | None = None) -> None:
        event, facts = self._place(source, "move")
        sealed = source.rpartition("/")[2].startswith("sealed-")
        event = "object.move" if event != "staged.move" else "seal.publish" if sealed else "file.move"
        with self._told(event, {**facts, "target": target}):
            self.store.move_once(source, target, generation=generation)

    def replace_once(self, source: str, target: str, *, was: str, becomes: str, generation: int | None = None) -> None:
        _, facts = self._place(source, "replace")
        with self._told("file.replace", {**facts, "target": target}):
            self.store.replace_once(source, target, was=was, becomes=becomes, generation=generation)

    def delete(self, path: str) -> None:
        event, facts = self._place(path, "delete")
        named = {"file.delete": "live.delete", "record.delete": event, "staged.delete": event}
        with self._told(named.get(event, "object.delete"), facts):
            self.store.delete(path)

    def probe(self, folders: Sequence[str]) -> None:
        self.store.probe(folders)

    def _place(self, path: str, verb: str) -> tuple[str, dict[str, object]]:
        """Name what `path` is, and the facts of its name."""
        if not path.startswith(self.prefix + "/"):
            return f"file.{verb}", {"path": path}
        inside = path[len(self.prefix) + 1 :]
        facts: dict[str, object] = {"path": inside}
        if found := _RECORD.fullmatch(inside):
            return f"record.{verb}", {"n": int(found[1])}
        if found := _OF_EPOCH.match(inside):
            facts["n"] = int(found[2])
        room = _ROOMS.get(inside.partition("/")[0], "object")
        return f"{'object' if verb == 'list' else room}.{verb}", facts

    def _epoch(self, path: str) -> int:
        found = _RECORD.fullmatch(path[len(self.prefix) + 1 :])
        return int(found[1]) if found else -1

    @contextmanager
    def _told(self, event: str, facts: dict[str, object]) -> Iterator[Told]:
        with self.trace.call(event, facts) as told:
            try:
                yield told
            except AlreadyExists:
                told.outcome = "taken"
                raise
            except ObjectMissing:
                told.outcome = "missing"
                raise
            else:
                told.outcome = "made"
