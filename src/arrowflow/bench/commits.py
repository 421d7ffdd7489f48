"""The commit of one epoch after another: a file staged, a record created, the file moved into its table. Reads everything back."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from arrowflow.bench.results import Line
from arrowflow.bench.rounds import Timed
from arrowflow.checksums import crc32c
from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.errors import ArrowflowError
from arrowflow.failpoints import Failpoints
from arrowflow.protocols import LogSpec
from arrowflow.types import Balance, Fingerprint, Input, Manifest, StagedFile, Writer

FILE = bytes(range(256)) * 256
"""What each epoch publishes: 64 KiB, about what 3,000 result rows take."""


def measure(commits: int, runs: int) -> list[Line]:
    """Time commits in a folder of this machine, each run in a log of its own.

    Raises
    ------
    ArrowflowError
        If a record or a file is not read back as it was written.
    """
    timed = Timed[int]()
    with _folder() as folder:
        for turn in range(runs + 1):
            home = f"{folder}/{turn}"
            work = Committing(LocalLogSpec(f"{home}/_log"), f"{home}/table", commits)
            if turn:
                timed.run(work.run)
            else:
                work.run()
            work.check()
    told = f"{commits:,} records and files read back"
    return [Line("commit", "local disk", commits, tuple(timed.wall_s), tuple(timed.cpu_s), told, unit="commits")]


class Committing:
    """So many epochs committed one after the other.

    Parameters
    ----------
    spec : LogSpec
        The log, in a control prefix that holds nothing yet.
    table : str
        Table root, on the same store.
    commits : int
        How many epochs.
    """

    def __init__(self, spec: LogSpec, table: str, commits: int) -> None:
        self._log, self._control = spec.build(Failpoints())
        self._table, self._commits = table, commits

    def run(self) -> int:
        """Commit all of them; return how many."""
        before = ""
        for epoch in range(self._commits):
            staged = f"staging/{epoch:020d}/0/out/0000.parquet"
            record = manifest(epoch, before, staged)
            self._control.store.create(self._control.path(staged), FILE)
            before = self._log.append(record).sha256
            self._control.store.move_once(self._control.path(staged), f"{self._table}/{epoch}.parquet")
        return self._commits

    def check(self) -> None:
        """Read every record and file back; raises `ArrowflowError` naming the first that differs."""
        if self._log.epochs_after(-1) != list(range(self._commits)):
            raise ArrowflowError(f"commit: {self._commits} records were made, {self._log.epochs_after(-1)} are there")
        before = ""
        for epoch in range(self._commits):
            record = self._log.read(epoch)
            if record.prev != before:
                raise ArrowflowError(f"commit: record {epoch} does not follow the one before")
            if self._control.store.read(f"{self._table}/{epoch}.parquet") != FILE:
                raise ArrowflowError(f"commit: the file of record {epoch} holds other bytes")
            before = record.sha256


def manifest(epoch: int, prev: str, staged: str) -> Manifest:
    """A record as an epoch of a small job makes one: a partition, a file."""
    file = StagedFile(
        sink="out",
        src=staged,
        dst=f"{epoch}.parquet",
        rows=3_000,
        bytes=len(FILE),
        crc32c=crc32c(FILE),
        sha256=hashlib.sha256(FILE).hexdigest(),
    )
    read = Balance(read=100_000, folded=100_000)
    return Manifest(
        kind="data",
        job="bench",
        incarnation="bench",
        epoch=epoch,
        prev=prev,
        writer=Writer(id="bench", host="bench", pid=1, fence=0),
        fingerprint=Fingerprint(semantic="", query={}, engine="", tzdata=""),
        epoch_time_us=0,
        inputs=[
            Input(
                source="kafka",
                topic="events",
                partition=0,
                start=epoch * 100_000,
                stop=(epoch + 1) * 100_000,
                balance=read,
            )
        ],
        outputs=[file],
    )


@contextmanager
def _folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="arrowflow-bench-") as folder:
        yield folder
