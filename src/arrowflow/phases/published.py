"""Where published files stand by now: which record wrote each of them last. Reads the log, and no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from arrowflow.errors import DataLossError
from arrowflow.protocols import CommitLog
from arrowflow.types import Manifest, StagedFile

_MOST = 100_000
"""So many replaced files are remembered at most."""


@dataclass(slots=True)
class Published:
    """What the records ``[low, high)`` say of files that were replaced; it looks further as it is asked.

    Records never change, so nothing learnt here is ever wrong. It holds a name and a number per replaced file, and
    forgets the oldest half when there are too many.
    """

    log: CommitLog
    _low: int = 0
    _high: int = 0
    _last: dict[tuple[str, str], int] = field(default_factory=dict)
    _read: Manifest | None = None

    def first(self, sink: str, epoch: int, partition: Mapping[str, str | None]) -> StagedFile | None:
        """The file that `epoch` published first for a partition of `sink`; None if the pipeline had no such sink then.

        Raises
        ------
        DataLossError
            If the sink was there and the record tells of no such file.
        """
        record = self._record(epoch)
        for file in record.outputs:
            if file.sink == sink and file.replaces is None and file.partition == dict(partition):
                return file
        if not _had(record, sink):
            return None
        raise DataLossError(
            f"epoch {epoch} gave out windows that are to be corrected now, and its record names no file of sink {sink!r} for "
            f"{dict(partition) or 'its rows'}: were zones of the calendar changed, so that their folder is another one today?"
        )

    def newest(self, file: StagedFile, epoch: int, head: int) -> StagedFile:
        """How the newest record up to `head` describes the file that `epoch` published first as `file`."""
        self._look(epoch + 1, head + 1)
        last = self._last.get((file.sink, file.dst))
        if last is None:
            return file
        return next(each for each in self._record(last).outputs if (each.sink, each.dst) == (file.sink, file.dst))

    def _record(self, epoch: int) -> Manifest:
        """Read a record; the one read last is remembered, since files corrected together were written together."""
        if self._read is None or self._read.epoch != epoch:
            self._read = self.log.read(epoch)
        return self._read

    def _look(self, low: int, high: int) -> None:
        """Have looked through all records from `low` up to, not including, `high`."""
        if self._low == self._high or low > self._high:
            # Nothing is known yet, or only of records so old that those behind them may have been collected since.
            self._low = self._high = low
            self._last.clear()
        for epoch in range(self._low - 1, low - 1, -1):
            for name in _replaced(self.log.read(epoch)):
                self._last.setdefault(name, epoch)
        for epoch in range(self._high, high):
            self._last.update(dict.fromkeys(_replaced(self.log.read(epoch)), epoch))
        self._low, self._high = min(low, self._low), max(high, self._high)

    def forget_oldest(self) -> None:
        """Keep what is held within bounds; called between epochs, when nobody is asking."""
        if len(self._last) > _MOST:
            cut = sorted(self._last.values())[len(self._last) // 2]
            self._last = {name: epoch for name, epoch in self._last.items() if epoch > cut}
            self._low = cut + 1


def _replaced(record: Manifest) -> list[tuple[str, str]]:
    return [(file.sink, file.dst) for file in record.outputs if file.replaces is not None]


def _had(record: Manifest, sink: str) -> bool:
    """Whether the pipeline that wrote `record` had `sink`; a sink added later has nothing of what came before."""
    sinks = record.fingerprint.query.get("sinks")
    return not isinstance(sinks, Mapping) or sink in sinks
