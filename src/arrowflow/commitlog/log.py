"""The log of records over any store that can create a name once; never overwrites, and removes only what it is told to.

Records live at ``<prefix>/manifests/<first 17 digits>/<20 digits>.json``: folders of 1,000, so that asking for what is
newer than a record opens the newest folder only. All of it rests on two properties of the store: one winner
per name, and listings that miss nothing older than themselves.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from arrowflow.commitlog import record
from arrowflow.errors import (
    AlreadyExists,
    ArrowflowError,
    CommitUnknown,
    DataLossError,
    Fenced,
    ObjectMissing,
    RetryableError,
    StateRefused,
)
from arrowflow.failpoints import Failpoints
from arrowflow.protocols import Folders, Store
from arrowflow.types import Manifest

_NAME = re.compile(r"/manifests/(\d{17})/(\1\d{3})\.json")
_FOLDER = re.compile(r"/manifests/\d{17}$")
_TRIES = 3


@dataclass(frozen=True, slots=True)
class RedoLog:
    """The `CommitLog` protocol over a `Store`.

    Parameters
    ----------
    store : Store
        Holds the records; `prefix` is the control prefix of one job in it.
    failpoints : Failpoints
        ``open.create`` or ``commit.create`` is passed around each creation of a record.
    new_name : callable
        Gives the job its incarnation, once.
    """

    store: Store
    prefix: str
    failpoints: Failpoints = field(default_factory=Failpoints)
    new_name: Callable[[], object] = uuid.uuid4

    def path_of(self, epoch: int) -> str:
        """Where the record of `epoch` is, or would be."""
        name = f"{epoch:020d}"
        return f"{self.prefix}/manifests/{name[:17]}/{name}.json"

    def epochs_after(self, epoch: int) -> list[int]:
        """Record numbers above `epoch`, ascending; -1 lists all. Foreign names are not records."""
        after = "" if epoch < 0 else self.path_of(epoch)
        names = (path.removeprefix(self.prefix) for path in self.store.list(f"{self.prefix}/manifests", after))
        return [int(match[2]) for match in map(_NAME.fullmatch, names) if match]

    def newest(self) -> int | None:
        """Number of the newest record; where the store can list folders alone, only the newest one is looked into."""
        if not isinstance(self.store, Folders):
            return max(self.epochs_after(-1), default=None)
        for folder in reversed(self._folders(self.store)):
            if found := self._in_folder(folder):
                return found[-1]
        return None

    def epochs_below(self, epoch: int) -> list[int]:
        """Record numbers below `epoch` that are still there, ascending; folders of newer ones are not looked into."""
        if not isinstance(self.store, Folders):
            return [each for each in self.epochs_after(-1) if each < epoch]
        last = self.path_of(epoch)
        folders = [folder for folder in self._folders(self.store) if folder <= last]
        return [each for folder in folders for each in self._in_folder(folder) if each < epoch]

    def remove(self, epoch: int) -> None:
        """Delete a record that a committed one has announced as collected, and its folder with the last one in it."""
        path = self.path_of(epoch)
        self.store.delete(path)
        if isinstance(self.store, Folders):
            self.store.prune(path, f"{self.prefix}/manifests")

    def read(self, epoch: int) -> Manifest:
        """Return a record whose own digest was verified. Raises `ObjectMissing`, `DataLossError`, `StateRefused`."""
        path = self.path_of(epoch)
        manifest = record.decode(self.store.read(path), path)
        if manifest.epoch != epoch:
            raise DataLossError(f"{path} holds record {manifest.epoch}: it was renamed; give it its own name again")
        return manifest

    def append(self, manifest: Manifest) -> Manifest:
        """Create the record if its number is free and return it with its `sha256`.

        A number taken by the same bytes is success: an earlier reply was lost.

        Raises
        ------
        Fenced
            Another record has the number. Stop; delete nothing.
        RetryableError
            The store failed several times and no record exists.
        CommitUnknown
            The store failed and what it holds cannot be read, or an earlier attempt of the same run took effect late.
            Read the log before anything else.
        """
        path, data = self.path_of(manifest.epoch), record.encode(manifest)
        point = "open.create" if manifest.kind == "open" else "commit.create"
        found = self._create_once(path, data, point)
        if found != data:
            raise _lost_to(path, found, manifest)
        return record.decode(data, path)

    def check(self, epoch: int) -> None:
        """Raise `Fenced` if any record above `epoch` exists: a number may be free only because it was collected."""
        newer = self.epochs_after(epoch)
        if newer:
            raise Fenced(
                f"{self.path_of(newer[-1])} is newer than record {epoch}: {self._owner_of(newer[-1])} owns the job"
            )

    def incarnation(self, *, create: bool) -> str | None:
        """The uuid in ``job.json``, which is created once and never again; None if absent and not created."""
        path = f"{self.prefix}/job.json"
        if create:
            data = self._create_once(path, record.seal(record.JobFile(incarnation=str(self.new_name()))), None)
        else:
            try:
                data = self.store.read(path)
            except ObjectMissing:
                return None
        return record.unseal(data, record.JobFile, path).incarnation

    def _folders(self, store: Folders) -> list[str]:
        """Folders of records, ascending; a foreign one is none."""
        return [folder for folder in store.folders(f"{self.prefix}/manifests") if _FOLDER.search(folder)]

    def _in_folder(self, folder: str) -> list[int]:
        names = (path.removeprefix(self.prefix) for path in self.store.list(folder))
        return [int(match[2]) for match in map(_NAME.fullmatch, names) if match]

    def _create_once(self, path: str, data: bytes, point: str | None) -> bytes:
        """Create `path` and return what it then holds: `data`, or what was there first.

        A failure may have come after the effect, so the store is asked again: it makes the object, or says that the
        name is durably taken. Only an answer of one of these kinds counts.
        """
        failure = RetryableError(f"{path}: not tried")
        for _ in range(_TRIES):
            try:
                self._create(path, data, point)
            except AlreadyExists:
                return self._read_back(path)
            except RetryableError as error:
                failure = error
            else:
                return data
        return self._found_after(failure, path, data)

    def _create(self, path: str, data: bytes, point: str | None) -> None:
        if point is None:
            self.store.create(path, data)
        else:
            self.failpoints.hit(point)
            self.store.create(path, data)
            self.failpoints.lost(point)

    def _read_back(self, path: str) -> bytes:
        try:
            return self.store.read(path)
        except ObjectMissing:  # records are only ever removed far below the head, so somebody has gone far past us
            raise Fenced(f"{path} was taken and has been collected since: a newer writer owns the job") from None
        except RetryableError as error:
            raise CommitUnknown(f"{path} exists but cannot be read ({error}); run `arrowflow log`") from error

    def _found_after(self, failure: RetryableError, path: str, data: bytes) -> bytes:
        """Return what another writer put at `path` while we failed; raise `failure` if there is nothing."""
        try:
            found = self.store.read(path)
        except ObjectMissing:
            raise failure from None
        except RetryableError as error:
            raise CommitUnknown(
                f"{path}: {failure}; then {error}; run `arrowflow log` once the store answers"
            ) from failure
        if found == data:
            raise CommitUnknown(f"{path} is ours, but the store never confirmed it as durable: {failure}") from failure
        return found

    def _owner_of(self, epoch: int) -> str:
        try:
            writer = self.read(epoch).writer
        except ArrowflowError:
            return "a writer that cannot be read"
        return f"writer {writer.id} on {writer.host}"


def _lost_to(path: str, found: bytes, ours: Manifest) -> Fenced | CommitUnknown:
    """What it means that the name holds another record: somebody won, or a request that we had given up arrived after all."""
    try:
        winner = record.decode(found, path).writer
    except StateRefused:
        who = "a writer of another version"
    else:
        who = f"writer {winner.id} on {winner.host}"
        if winner.id == ours.writer.id and ours.kind in ("data", "compact"):
            return CommitUnknown(
                f"{path} holds an earlier attempt of this very run, which took effect late: go on from it"
            )
    return Fenced(f"{path} was written by {who}, not by {ours.writer.id}: this run has lost the job and must stop")
