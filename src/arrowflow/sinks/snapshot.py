"""Which files make up a table as of a record: reads the log and lists the table's folders, and opens no file.

Under a table's folders there is nothing but committed files, and each is named after its epoch. So one listing, and the few
records that are not settled yet, tell what one record's state of the table is: nothing of a later epoch, sealed files in the
place of the small ones, corrected files as they were then.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from arrowflow.errors import ConfigError, ObjectMissing, RetryableError
from arrowflow.protocols import CommitLog, Control
from arrowflow.sinks.paths import NULL, unescape
from arrowflow.types import EpochRange, Manifest

SEALED = "__sealed"
"""What the name of a folder of sealed files ends with."""

_NAME = re.compile(r"(?:([0-9a-f]{8})-)?(\d{12})-(?:\d{4}-)?[0-9a-f]{8}\.(?:parquet|arrow)")
_TABLES = ("parquet", "memory")
_LOOKS = 5


class Chosen(NamedTuple):
    """A file that counts, and the values of the folders it lies in."""

    path: str
    partition: Mapping[str, str | None]
    epoch: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table as record `epoch` left it; rows with a later `__af_epoch` than `cut`, if there is one, are not part of it."""

    sink: str
    epoch: int
    root: str
    files: tuple[Chosen, ...]
    cut: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for: a sink, as of an epoch or a time, below a folder of the table."""

    sink: str | None = None
    epoch: int | None = None
    time_us: int | None = None
    within: str = ""


def snapshot(log: CommitLog, control: Control, wanted: Wanted) -> Snapshot:
    """Choose the files of a table.

    Raises
    ------
    ConfigError
        If there is no such table, or no record for what is asked.
    RetryableError
        If the job takes files back, or collects, faster than its folders can be listed: ask again.
    """
    for _ in range(_LOOKS):
        head = _newest(log, control)
        sink = _sink(head, wanted.sink)
        at = _as_of(log, head, sink, wanted)
        view = _view(log, head, sink, at)
        listed = _listed(control, view, wanted.within)
        news = _records(log, head.epoch, _newest(log, control).epoch)
        if view.still_holds(news):
            return view.chosen(control, listed, news)
    raise RetryableError(f"{control.prefix}: the table changed while its files were listed, {_LOOKS} times: ask again")


@dataclass(frozen=True, slots=True)
class _View:
    """What the log says of one table as of `at`: `last` is the newest settled record of its generation, `later` come after `at`."""

    sink: str
    at: Manifest
    last: Manifest
    later: tuple[Manifest, ...]
    root: str

    @property
    def ranges(self) -> Sequence[EpochRange]:
        return self.last.sealed.get(self.sink, ())

    def is_sealed(self, epoch: int) -> bool:
        return any(start <= epoch < stop for start, stop in self.ranges)

    def still_holds(self, news: Sequence[Manifest]) -> bool:
        """Whether what was listed was all there while it was listed."""
        if any(record.reset is not None and record.reset.how == "in_place" for record in news):
            return False
        first = max((stop for _, stop in self.ranges), default=0)  # below this one nothing small is asked for
        return all(record.sealed.get(self.sink, []) == list(self.ranges) or record.horizon <= first for record in news)

    def chosen(self, control: Control, listed: _Listed, news: Sequence[Manifest]) -> Snapshot:
        """The files that count, those that were corrected since as they were kept."""
        replaced = self._replaced(news)
        small = [file for file in listed.small if file.epoch <= self.at.epoch and not self.is_sealed(file.epoch)]
        large = [file for file in listed.sealed if file.epoch <= self.last.epoch]
        cut = self.at.epoch if large and any(stop - 1 > self.at.epoch for _, stop in self.ranges) else None
        if cut is not None and self.at.fingerprint.query.get("late") == "correct":
            newest = max(stop for _, stop in self.ranges) - 1
            raise ConfigError(
                f"record {cut} of sink {self.sink!r}: its epochs were sealed after later corrections, so what they held then is "
                f"gone; ask for record {newest} or a later one"
            )
        files = [
            file._replace(path=control.path(kept_place(self.sink, dst, replaced[dst]))) if dst in replaced else file
            for file in small
            for dst in [file.path.removeprefix(f"{self.root}/")]
        ]
        return Snapshot(self.sink, self.at.epoch, self.root, tuple(large + files), cut)

    def _replaced(self, news: Sequence[Manifest]) -> dict[str, int]:
        """Files that records after the one asked for have corrected, and which revision they were before."""
        found: dict[str, int] = {}
        for record in (*self.later, *news):
            if record.generation != self.at.generation:
                break
            for file in record.outputs:
                if file.sink == self.sink and file.replaces is not None:
                    found.setdefault(file.dst, file.replaces.revision)
        return found


class _Listed(NamedTuple):
    small: list[Chosen]
    sealed: list[Chosen]


def _newest(log: CommitLog, control: Control) -> Manifest:
    newest = log.newest()
    if newest is None:
        raise ConfigError(f"{control.prefix} holds no record: no run has begun there")
    return log.read(newest)


def _sink(head: Manifest, asked: str | None) -> str:
    sinks = head.fingerprint.query.get("sinks")
    tables = {
        name: told
        for name, told in (sinks.items() if isinstance(sinks, Mapping) else ())
        if told.get("kind") in _TABLES
    }
    if asked is not None and asked in tables:
        return asked
    results: list[str] = [name for name, told in tables.items() if told.get("stream") == "rows"]
    if asked is None and len(results) == 1:
        return results[0]
    said = "say which table" if asked is None else f"there is no table {asked!r}"
    raise ConfigError(f"{head.job}: {said}; sink = one of {sorted(tables)}")


def _as_of(log: CommitLog, head: Manifest, sink: str, wanted: Wanted) -> int:
    """The number of the record asked for; by default the newest one of which everything is published."""
    settled = head.acked.get(sink, -1)
    if settled < 0:
        raise ConfigError(f"{head.job}: nothing of sink {sink!r} is published yet")
    if wanted.epoch is not None:
        if not head.horizon <= wanted.epoch <= settled:
            raise ConfigError(
                f"{head.job}: there is no record {wanted.epoch} to read as of; kept and published are {head.horizon} to {settled}"
            )
        return wanted.epoch
    return settled if wanted.time_us is None else _begun_by(log, head, settled, wanted.time_us)


def _begun_by(log: CommitLog, head: Manifest, settled: int, time_us: int) -> int:
    """The newest record of an epoch that began at `time_us` or before, found by halving: times grow with numbers."""
    low, high = head.horizon, settled
    if log.read(low).epoch_time_us > time_us:
        raise ConfigError(f"{head.job}: no record that is kept is so old; the oldest is {low}")
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if log.read(middle).epoch_time_us <= time_us else (low, middle - 1)
    return low


def _records(log: CommitLog, after: int, upto: int) -> list[Manifest]:
    try:
        return [log.read(epoch) for epoch in range(after + 1, upto + 1)]
    except ObjectMissing as error:
        raise RetryableError(f"{error}: it was collected meanwhile; ask again") from error


def _view(log: CommitLog, head: Manifest, sink: str, at: int) -> _View:
    """Read the records from `at` on; the last settled one of its generation says what was sealed of it."""
    settled = head.acked.get(sink, -1)
    record, *later = [*_records(log, at - 1, head.epoch - 1), head]
    own = [each for each in later if each.generation == record.generation]
    for each in own:
        if each.reset is not None and each.reset.how == "in_place":
            if each.epoch > settled:
                raise RetryableError(f"record {each.epoch} takes files back just now: ask again")
            if each.reset.to < at:
                raise ConfigError(
                    f"record {each.epoch} went back to {each.reset.to} in place: what record {at} had published is gone"
                )
    last = max((each for each in own if each.epoch <= settled), key=lambda each: each.epoch, default=record)
    sinks = record.fingerprint.query["sinks"]
    assert isinstance(sinks, Mapping)
    if sink not in sinks:
        raise ConfigError(f"the pipeline of record {at} had no sink {sink!r}")
    root = str(sinks[sink]["root"]).rstrip("/")
    generation = f"__g{record.generation}" if record.generation else ""
    return _View(sink, record, last, tuple(later), f"{root}{generation}")


def _listed(control: Control, view: _View, within: str) -> _Listed:
    below = f"/{within.strip('/')}" if within.strip("/") else ""
    job = hashlib.sha256(view.at.job.encode()).hexdigest()[:8]
    places = [(view.root, True), (f"{view.root}{SEALED}", bool(view.ranges))]
    found = [
        [file for path in control.store.list(f"{root}{below}") if (file := _file(root, path, job)) is not None]
        if needed
        else []
        for root, needed in places
    ]
    return _Listed(*found)


def _file(root: str, path: str, job: str) -> Chosen | None:
    """What a path under `root` is; None for a name that is not of this job."""
    *folders, name = path.removeprefix(f"{root}/").split("/")
    match = _NAME.fullmatch(name)
    if match is None or match[1] not in (None, job):
        return None
    values = [folder.split("=", 1) for folder in folders if "=" in folder]
    partition = {column: None if value == NULL else unescape(value) for column, value in values}
    return Chosen(path, partition, int(match[2]))


def kept_place(sink: str, dst: str, revision: int) -> str:
    """Where the rows of a revision are, or would be, kept once a later one took its place, below the control prefix."""
    return f"revisions/{sink}/{dst.removesuffix('.parquet')}/{revision:06d}.parquet"
