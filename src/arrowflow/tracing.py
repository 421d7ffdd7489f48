"""The protocol trace: every call of a run that the commit protocol speaks of, as JSON lines. Decides nothing, reads nothing.

A call is two lines: one when it begins, one when it has ended, so that a call cut short by a crash is seen as such. Times are
nanoseconds of the machine's monotonic clock, which all its processes share. The names are those of the model,
``formal/events.pml``; docs/model.md tells how to add one.
"""

from __future__ import annotations

import itertools
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

EVENTS = frozenset(
    {
        "run.start", "record.list", "record.read", "record.delete",
        "open.create", "data.create", "compact.create", "close.create", "reset.create", "reconfig.create", "retire.create",
        "file.stage", "revision.stage", "file.move", "file.replace", "file.read", "file.list", "staged.delete", "staged.read",
        "state.create", "state.read", "outbox.create", "outbox.read", "kept.create", "kept.read", "job.create", "job.read",
        "object.create", "object.read", "object.list", "object.move", "object.delete", "live.delete", "seal.publish",
        "kafka.init", "kafka.marker", "kafka.begin", "kafka.commit", "kafka.abort", "load.get", "load.submit",
    }
)  # fmt: skip
"""Every name a trace may hold. A test holds the list against the model's."""


@dataclass(slots=True)
class Told:
    """One call under way: set `outcome` and add to `facts` before it ends."""

    outcome: str = "failed"
    facts: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class ProtocolTrace:
    """Appends to one file, which many runs may share: each line is one write.

    Parameters
    ----------
    file : int
        Descriptor opened for appending.
    run : str
        Names the run; changed by `start`, since one process may run many.
    """

    file: int
    run: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _last: int = 0

    @classmethod
    def to(cls, path: str) -> ProtocolTrace:
        """Append to `path`; raises `OSError`."""
        return cls(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644))

    def start(self, log: str) -> None:
        """A run over the control prefix `log` begins."""
        self.run = uuid.uuid4().hex
        with self.call("run.start", {"log": log, "pid": os.getpid()}) as told:
            told.outcome = "made"

    @contextmanager
    def call(self, event: str, facts: Mapping[str, object]) -> Iterator[Told]:
        """Tell of one call; whatever leaves the block without having set an outcome has failed."""
        number, told = next(self._numbers), Told()  # also where several threads stage at once
        self._last = number
        self._write({"call": number, "begun": time.monotonic_ns(), "event": event, **facts})
        try:
            yield told
        except Exception:  # a crash that a test simulates is none: a process that died tells nothing more
            self._write({"call": number, "ended": time.monotonic_ns(), "outcome": told.outcome, **told.facts})
            raise
        self._write({"call": number, "ended": time.monotonic_ns(), "outcome": told.outcome, **told.facts})

    def lost(self) -> None:
        """The caller of the last call never heard how it ended: a test has swallowed the answer."""
        self._write({"call": self._last, "ended": time.monotonic_ns(), "outcome": "failed"})

    def _write(self, line: Mapping[str, object]) -> None:
        os.write(self.file, json.dumps({"run": self.run, **line}).encode() + b"\n")
