"""Named points where a run can be made to crash, freeze, fail or lose a reply; a no-op unless armed.

One `Failpoints` belongs to one run and is handed to the engine and its adapters. There is no global state:
two runs in a process never see each other's points. The grammar of a plan is ``name:hit:action``, separated by
commas, for example ``commit.created:3:kill``.

Actions
-------
kill  : SIGKILL this process: nothing is flushed, no handler runs.
stop  : SIGSTOP this process: it freezes until SIGCONT, like a paused virtual machine.
raise : raise `FailpointHit`, as any outside call may raise.
crash : raise `SimulatedCrash`, which nothing catches: the run dies as if killed, the process lives on.
lost  : only at `after` sites: the outside effect happened, the caller sees `LostResponse`.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import dataclass, field

from arrowflow.errors import ConfigError, RetryableError

# name -> (what has just happened or is about to happen, whether a reply can be lost there)
REGISTRY: dict[str, tuple[str, bool]] = {
    "recover.listed": ("the records were listed", False),
    "recover.head_loaded": ("the newest record was read and verified", False),
    "open.before": ("about to take over", False),
    "open.create": ("the open record is being created", True),
    "open.created": ("the open record exists", False),
    "open.checked": ("no newer record was seen after the open record", False),
    "redo.before": ("about to publish again what the log says", False),
    "redo.mid": ("one epoch was published again, others may follow", False),
    "source.polled": ("a slice of records was fetched", False),
    "kernel.mid": ("a slice was folded, others may follow", False),
    "kernel.done": ("every row of the epoch was folded and its windows closed", False),
    "stage.file.before": ("about to stage an output file", False),
    "stage.file.mid": ("half of an output file was staged", False),
    "stage.file": ("an output file is being staged", True),
    "stage.revision": ("the bytes a revision will replace are being kept", True),
    "stage.state_delta": ("a state delta is being staged", True),
    "stage.state_full": ("a full state snapshot is being staged", True),
    "commit.before": ("everything is staged, the record is not written", False),
    "commit.create": ("the record is being created", True),
    "commit.created": ("the record exists", False),
    "commit.checked": ("no newer record was seen", False),
    "publish.before": ("about to publish the epoch's files", False),
    "publish.move": ("a file is being moved to its final name", True),
    "publish.between_link_unlink": ("a file has both its names", False),
    "publish.replace": ("a revision is taking the place of a published file", True),
    "publish.between_look_rename": ("the file to replace was found as recorded, and is not replaced yet", False),
    "publish.after": ("a file has its final name only", False),
    "publish.all": ("every file of the epoch has its final name", False),
    "reset.carried": ("a file was copied to the tables of a new generation", False),
    "reset.committed": ("the record of a reset exists, nothing is taken back yet", False),
    "reset.mid_retract": ("a file was taken back, others may follow", False),
    "drop.retired": ("the job is retired, nothing of it is deleted yet", False),
    "drop.mid_delete": ("an object of a retired job was deleted, others may follow", False),
    "lag.before": ("about to commit group offsets for lag tools", False),
    "lag.after": ("group offsets were committed", False),
    "fs.fsync_file": ("a file was written, not yet flushed", False),
    "fs.fsync_dir": ("a name was made, its folder not yet flushed", False),
    "fs.enospc": ("the disk may be full here", False),
}
_ACTIONS = frozenset({"kill", "stop", "raise", "lost", "enospc", "crash"})


class FailpointHit(RetryableError):
    """What an armed ``raise`` throws; adapters and engine treat it like any failed outside call."""


class SimulatedCrash(BaseException):
    """A kill without a process to kill: for tests that die thousands of times in one process."""


class LostResponse(RetryableError):
    """The outside effect happened and its reply was lost."""


@dataclass(frozen=True, slots=True)
class Trap:
    """Do `action` at the `hit`-th passing (from 1) of point `name`."""

    name: str
    hit: int
    action: str


@dataclass(slots=True)
class Failpoints:
    """The failpoints of one run.

    Parameters
    ----------
    traps : sequence of Trap
        What to do where; empty for normal work.
    trace : int or None
        File descriptor that gets the name of each point passed; a write survives SIGKILL.
    """

    traps: tuple[Trap, ...] = ()
    trace: int | None = None
    _passed: Counter[str] = field(default_factory=Counter)

    @classmethod
    def parse(cls, plan: str, trace_path: str | None = None) -> Failpoints:
        """Read ``name:hit:action,...``; raises `ConfigError` for a name or action that does not exist."""
        trace = None
        if trace_path:
            trace = os.open(trace_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        return cls(tuple(_parse_trap(text) for text in plan.split(",") if text.strip()), trace)

    def hit(self, name: str) -> None:
        """Pass the point `name`; the armed action, if any, happens here."""
        if self.traps or self.trace is not None:
            self._pass(name, name)

    def lost(self, name: str) -> None:
        """Pass the reply of `name`: the effect has happened, and an armed ``lost`` hides that from the caller."""
        if self.traps or self.trace is not None:
            self._pass(name, name + "/reply")

    def _pass(self, name: str, site: str) -> None:
        self._passed[site] += 1
        if self.trace is not None:
            os.write(self.trace, f"{site}\n".encode())
        for trap in self.traps:
            here = (trap.action == "lost") == site.endswith("/reply")
            if here and trap.name == name and trap.hit == self._passed[site]:
                _act(trap)


def _parse_trap(text: str) -> Trap:
    parts = text.strip().split(":")
    name = parts[0]
    action = parts[2] if len(parts) == 3 else "kill"
    if name not in REGISTRY:
        raise ConfigError(f"failpoint {name!r} does not exist; `arrowflow chaos --list` shows them")
    if action not in _ACTIONS or (action == "lost" and not REGISTRY[name][1]):
        raise ConfigError(f"failpoint {name!r} cannot do {action!r}")
    return Trap(name, int(parts[1]) if len(parts) > 1 else 1, action)


def _act(trap: Trap) -> None:
    if trap.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif trap.action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif trap.action == "lost":
        raise LostResponse(f"the reply of {trap.name} was lost on purpose")
    elif trap.action == "crash":
        raise SimulatedCrash(trap.name)
    elif trap.action == "enospc":
        raise OSError(28, "No space left on device (made to happen)")
    else:
        raise FailpointHit(f"{trap.name} was made to fail on purpose")
