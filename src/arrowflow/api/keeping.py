"""An operator's state as one Arrow table: open windows as rows, everything else in the schema's metadata."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from arrowflow.api.partitions import Partitions, Standing
from arrowflow.errors import StateRefused
from arrowflow.types import MIN_US, Balance, PartitionClock, SourcePartition
from arrowflow.windows.clocks import raise_floor
from arrowflow.windows.spec import WindowSpec

_KEY = b"arrowflow.operator"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """What a snapshot holds beside the open windows; `rows` is None where none was ever pushed."""

    spec: WindowSpec
    time: str
    partitions: Partitions
    rows: pa.Schema | None
    balance: Balance


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    topic: str
    partition: int
    offset: int
    clock: PartitionClock


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """What is written under `_KEY`, as JSON."""

    version: int
    query: dict[str, Any]
    max_out_of_orderness_us: int
    allowed_lateness_us: int
    partitions: list[_Place]
    rows: str | None
    balance: Balance


def packed(state: pa.Table, kept: Kept) -> pa.Table:
    """Return `state` with everything else in its metadata."""
    places = [
        _Place(**part._asdict(), offset=each.offset, clock=each.clock) for part, each in kept.partitions.known.items()
    ]
    note = _Note(
        version=_VERSION,
        query=_query(kept.spec, kept.time),
        max_out_of_orderness_us=kept.partitions.tolerance_us,
        allowed_lateness_us=kept.spec.allowed_lateness_us,
        partitions=places,
        rows=None if kept.rows is None else base64.b64encode(kept.rows.serialize()).decode("ascii"),
        balance=kept.balance,
    )
    return state.replace_schema_metadata({**(state.schema.metadata or {}), _KEY: msgspec.json.encode(note)})


def unpacked(table: pa.Table, spec: WindowSpec, time: str, tolerance_us: int) -> tuple[pa.Table, Kept]:
    """Return the core's own state and the rest, clocks as they stand under the tolerances of now.

    Raises
    ------
    StateRefused
        If `table` is no snapshot of an operator, or one of another description.
    """
    metadata = dict(table.schema.metadata or {})
    note = _read(metadata.pop(_KEY, None))
    now = _query(spec, time)
    then = _without_keys(note.query)
    changed = sorted(name for name in {*now, *then} if _without_keys(now).get(name) != then.get(name))
    if changed:
        said = "; ".join(f"{name} was {note.query.get(name)}, is {now.get(name)}" for name in changed)
        raise StateRefused(f"the snapshot was made by an operator of another description: {said}")
    partitions = Partitions((), tolerance_us)
    partitions.known = _standing(note, spec, tolerance_us)
    rows = None if note.rows is None else pa.ipc.read_schema(pa.py_buffer(base64.b64decode(note.rows)))
    return table.replace_schema_metadata(metadata or None), Kept(spec, time, partitions, rows, note.balance)


def _read(note: bytes | None) -> _Note:
    if note is None:
        raise StateRefused(
            "the table is no snapshot of an operator: its schema has no metadata arrowflow.operator. Keep a snapshot in "
            "an Arrow or Parquet file; frames of other libraries lose the metadata"
        )
    try:
        found = msgspec.json.decode(note, type=_Note)
    except msgspec.MsgspecError as error:
        raise StateRefused(f"the snapshot's metadata cannot be read: {error}") from error
    if found.version != _VERSION:
        raise StateRefused(f"the snapshot is of version {found.version}; this release reads version {_VERSION}")
    return found


def _query(spec: WindowSpec, time: str) -> dict[str, Any]:
    """What results depend on, as JSON gives it back."""
    query: dict[str, Any] = json.loads(json.dumps({"time": time, **spec.fingerprint()}, default=str))
    return query


def _without_keys(query: dict[str, Any]) -> dict[str, Any]:
    """The query but for who is on the roster, which may change: windows still to come count against the new one."""
    roster = query.get("roster")
    if roster is None:
        return query
    return {**query, "roster": {name: value for name, value in roster.items() if name != "keys"}}


def _standing(note: _Note, spec: WindowSpec, tolerance_us: int) -> dict[SourcePartition, Standing]:
    """Where each partition stands; floors rise to where clocks stood, and by as much as patience has grown."""
    stood = {place: place.clock.clock_us(note.max_out_of_orderness_us) for place in note.partitions}
    patience = max(0, spec.allowed_lateness_us - note.allowed_lateness_us)
    watermark = min(stood.values(), default=MIN_US)
    known = {}
    for place, clock_us in stood.items():
        closed_up_to = clock_us if spec.scope == "partition" else watermark
        floor = max(clock_us, closed_up_to + patience if closed_up_to > MIN_US else MIN_US)
        same = (tolerance_us, spec.allowed_lateness_us) == (note.max_out_of_orderness_us, note.allowed_lateness_us)
        clock = place.clock if same or floor == MIN_US else raise_floor(place.clock, floor)
        known[SourcePartition(place.source, place.topic, place.partition)] = Standing(clock, place.offset)
    return known
