"""Operator state as files: a delta for each epoch, a full snapshot now and then, and both read back.

A record names its whole chain, so restoring never lists and never guesses.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import overload

import pyarrow as pa

from arrowflow.errors import AlreadyExists, ObjectMissing, StateCorrupt
from arrowflow.phases.job import Job
from arrowflow.types import Attempt, Manifest, OperatorState, StateFile

_IPC = pa.ipc.IpcWriteOptions(compression="lz4")
_PART = 65_536
"""Rows of a part, so that restoring never has a second state beside the one it fills."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What an epoch changed in the operator's state.

    Parameters
    ----------
    digest : str
        Of the whole state behind the epoch.
    full : bytes, optional
        A whole snapshot, where one is due. It is encoded part by part while the state stands still, so that a large
        state is never there twice.
    delta : Table[n], optional
        The rows that changed, in the place of it.
    """

    digest: str
    full: bytes | None = None
    delta: pa.Table | None = None

    @property
    def nbytes(self) -> int:
        return len(self.full or b"") + (0 if self.delta is None else self.delta.nbytes)


def take_state(job: Job) -> Taken:
    """Take what this epoch changed out of the operator; a full snapshot when the chain has grown long."""
    if is_full_due(job, _chain_before(job)):
        full = encode(job.operator.parts())
        return Taken(job.operator.digest(), full=full)
    delta = job.operator.delta()
    return Taken(job.operator.digest(), delta=delta)


def stage_state(job: Job, attempt: Attempt, taken: Taken) -> dict[str, OperatorState]:
    """Write what was taken, and return the chain that the record names."""
    name, before = job.pipeline.operator.name, _chain_before(job)
    if taken.full is not None:
        file = _write(job, attempt, name, "full", taken.full)
        return {name: OperatorState(full=file, deltas=[], digest=taken.digest)}
    if taken.delta is None or taken.delta.num_rows == 0:
        return {name: OperatorState(full=before.full, deltas=before.deltas, digest=taken.digest)}
    file = _write(job, attempt, name, "delta", encode([taken.delta]))
    return {name: OperatorState(full=before.full, deltas=[*before.deltas, file], digest=taken.digest)}


def _chain_before(job: Job) -> OperatorState:
    name = job.pipeline.operator.name
    return OperatorState() if job.head is None else job.head.state.get(name, OperatorState())


def is_full_due(job: Job, before: OperatorState) -> bool:
    """A chain is cut when it was found broken, is long or old, or weighs half of its full snapshot.

    An old one would keep the records since its full snapshot from ever being collected.
    """
    if job.chain_broken or before.full is None or job.head is None:
        return True
    checkpoint = job.pipeline.checkpoint
    if job.head.epoch - before.full.epoch >= max(checkpoint.full_every, checkpoint.keep_records // 2):
        return True
    weight = sum(file.bytes for file in before.deltas)
    return len(before.deltas) >= checkpoint.full_every or 2 * weight > max(before.full.bytes, 1 << 20)


def _write(job: Job, attempt: Attempt, name: str, kind: str, data: bytes) -> StateFile:
    point = f"stage.state_{kind}"
    job.failpoints.hit(point)
    return keep(job, attempt, f"{name}.{kind}", data, point)


def keep(job: Job, attempt: Attempt, name: str, data: bytes, point: str | None = None) -> StateFile:
    """Write one state file of an attempt; `point` is the failpoint where its answer may be lost."""
    path = f"{attempt.folder('state')}/{name}.arrow"
    store, target = job.control.store, job.control.path(path)
    try:
        store.create(target, data)
        if point is not None:
            job.failpoints.lost(point)
    except AlreadyExists as error:  # the attempt's id is unique: it is our own request, sent twice
        if store.read(target) != data:
            raise StateCorrupt(f"{path} exists although attempt {attempt.id} is new") from error
    return StateFile(epoch=attempt.epoch, path=path, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def restore_state(job: Job, manifest: Manifest) -> None:
    """Load the state a record names into the operator.

    Raises
    ------
    StateCorrupt
        If a file is missing or does not hold the bytes its record promises, or the digest differs.
    """
    name = job.pipeline.operator.name
    state = manifest.state.get(name, OperatorState())
    job.operator.restore(None, [])  # what was there goes before as much comes again
    full = None if state.full is None else Parts(recorded_bytes(job, state.full))
    job.operator.restore(full, Parts(*(recorded_bytes(job, file) for file in state.deltas)))
    job.machine.give_back_memory()  # the parts were read into memory that nobody needs now
    if state.digest and job.operator.digest() != state.digest:
        raise StateCorrupt(f"state of {name!r} at epoch {manifest.epoch}: restored digest differs from the record's")


def recorded_bytes(job: Job, file: StateFile) -> bytes:
    """Read a state file; raises `StateCorrupt` if it is missing or not what its record promises."""
    try:
        data = job.control.store.read(job.control.path(file.path))
    except ObjectMissing as error:
        raise StateCorrupt(f"state file {file.path} of epoch {file.epoch} is missing") from error
    if len(data) != file.bytes or hashlib.sha256(data).hexdigest() != file.sha256:
        raise StateCorrupt(f"state file {file.path} of epoch {file.epoch} does not hold the recorded bytes")
    return data


def encode(parts: Iterable[pa.Table]) -> bytes:
    """One Arrow IPC file in memory, of one table or more of one schema, in parts that can be read one by one."""
    buffer, rest = io.BytesIO(), iter(parts)  # Arrow's own doubles, and would have to be copied
    first = next(rest)
    with pa.ipc.new_file(buffer, first.schema, options=_IPC) as writer:
        for part in chain([first], rest):
            writer.write_table(part, max_chunksize=_PART)
    return buffer.getvalue()


class Parts(Sequence[pa.Table]):
    """State files read back in the parts they were written in, at least one of each, each when it is asked for.

    Their bytes were checked against the record before.
    """

    def __init__(self, *files: bytes) -> None:
        readers = [pa.ipc.open_file(pa.py_buffer(data)) for data in files]
        self._parts = [(reader, i) for reader in readers for i in range(max(1, reader.num_record_batches))]

    def __len__(self) -> int:
        return len(self._parts)

    @overload
    def __getitem__(self, i: int) -> pa.Table: ...

    @overload
    def __getitem__(self, i: slice) -> list[pa.Table]: ...

    def __getitem__(self, i: int | slice) -> pa.Table | list[pa.Table]:
        if isinstance(i, slice):
            return [self[each] for each in range(*i.indices(len(self)))]
        reader, number = self._parts[i]
        if not reader.num_record_batches:
            return reader.schema.empty_table()
        return pa.Table.from_batches([reader.get_batch(number)])
