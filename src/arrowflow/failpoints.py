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
delay : go on a quarter of a second later.
lost  : only where a reply can be lost: the outside effect happened, the caller sees `LostResponse`.
duplicate : at the same points: the request was sent twice, and the answer to the second one arrives: `AlreadyExists`.
torn  : only where bytes are about to be written: half of them are, then the process is killed.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

from arrowflow.errors import AlreadyExists, ConfigError, RetryableError
from arrowflow.tracing import ProtocolTrace

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
    "stage.outbox": ("an outbox is being staged", True),
    "stage.state_delta": ("a state delta is being staged", True),
    "stage.state_full": ("a full state snapshot is being staged", True),
    "commit.before": ("everything is staged, the record is not written", False),
    "commit.create": ("the record is being created", True),
    "commit.created": ("the record exists", False),
    "commit.checked": ("no newer record was seen", False),
    "publish.before": ("about to publish the epoch's files", False),
    "publish.move": ("a file is being moved to its final name", True),
    "publish.between_link_unlink": ("a file has both its names", False),
    "publish.between_copy_delete": ("a file has its final name and still its staged one, as a copy", False),
    "publish.replace": ("a revision is taking the place of a published file", True),
    "publish.between_look_rename": ("the file to replace was found as recorded, and is not replaced yet", False),
    "publish.after": ("a file has its final name only", False),
    "publish.all": ("every file of the epoch has its final name", False),
    "kafka.marker_read": ("the sink's producer is ours and its marker was read", False),
    "kafka.begun": ("a transaction is open, nothing is produced yet", False),
    "kafka.mid_produce": ("half of a chunk was handed to the client", False),
    "kafka.flushed": ("the broker has every record of the chunk, uncommitted", False),
    "kafka.offsets_sent": ("the marker is part of the transaction", False),
    "kafka.commit": ("the transaction is being committed", True),
    "kafka.committed": ("a chunk and its marker are there for readers", False),
    "kafka.abort": ("about to abort a transaction that cannot be committed", False),
    "reset.carried": ("a file was copied to the tables of a new generation", False),
    "reset.committed": ("the record of a reset exists, nothing is taken back yet", False),
    "reset.mid_retract": ("a file was taken back, others may follow", False),
    "drop.retired": ("the job is retired, nothing of it is deleted yet", False),
    "drop.mid_delete": ("an object of a retired job was deleted, others may follow", False),
    "compact.staged": ("small files were put together, no record says so yet", False),
    "compact.committed": ("the record of sealed files exists, they have not their names yet", False),
    "compact.mid_publish": ("a sealed file has its name, others may follow", False),
    "lag.before": ("about to commit group offsets for lag tools", False),
    "lag.after": ("group offsets were committed", False),
    "gc.horizon": ("the next record will announce that older ones are collected", False),
    "gc.object": ("a file that only collected records named is being removed", True),
    "gc.manifest": ("a collected record is being removed", True),
    "fs.fsync_file": ("a file was written, not yet flushed", False),
    "fs.fsync_dir": ("a name was made, its folder not yet flushed", False),
    "fs.enospc": ("the disk may be full here", False),
}
UPLOADS = frozenset(
    {
        "open.create",
        "commit.create",
        "stage.file",
        "stage.revision",
        "stage.state_delta",
        "stage.state_full",
        "fs.enospc",
    }
)
"""Points after which bytes are written."""

_HALF_WRITTEN = "fs.enospc"
_DELAY_S = 0.25
_REPLIES = frozenset({"lost", "duplicate"})
_ACTIONS = frozenset({"kill", "stop", "raise", "lost", "enospc", "crash", "delay", "duplicate", "torn"})


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
    protocol : ProtocolTrace or None
        Is told of every call the commit protocol speaks of (docs/model.md).
    in_process : bool
        Whether kill and torn raise `SimulatedCrash` instead: for tests that outlive what they kill.
    """

    traps: tuple[Trap, ...] = ()
    trace: int | None = None
    protocol: ProtocolTrace | None = None
    in_process: bool = False
    _torn: bool = False
    _passed: Counter[str] = field(default_factory=Counter)

    @classmethod
    def parse(
        cls, plan: str, trace_path: str | None = None, protocol_path: str | None = None, *, in_process: bool = False
    ) -> Failpoints:
        """Read ``name:hit:action,...``; raises `ConfigError` for a name or action that does not exist."""
        trace = None
        if trace_path:
            trace = os.open(trace_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        protocol = ProtocolTrace.to(protocol_path) if protocol_path else None
        traps = tuple(_parse_trap(text) for text in plan.split(",") if text.strip())
        return cls(traps, trace, protocol, in_process)

    def hit(self, name: str) -> None:
        """Pass the point `name`; the armed action, if any, happens here."""
        if self.traps or self.trace is not None:
            self._pass(name, name)

    def lost(self, name: str) -> None:
        """Pass the reply of `name`: the effect has happened, and an armed ``lost`` hides that from the caller."""
        if self.traps or self.trace is not None:
            self._pass(name, name + "/reply")

    def tell(self, event: str, outcome: str = "made", **facts: object) -> None:
        """Tell the protocol trace, if there is one, of a call that is over and was none of a store."""
        if self.protocol is not None:
            with self.protocol.call(event, facts) as told:
                told.outcome = outcome

    def _pass(self, name: str, site: str) -> None:
        self._passed[site] += 1
        if self.trace is not None:
            os.write(self.trace, f"{site}\n".encode())
        for trap in self.traps:
            here = (trap.action in _REPLIES) == site.endswith("/reply")
            if here and trap.name == name and trap.hit == self._passed[site]:
                self._spring(trap)
        if self._torn and site == _HALF_WRITTEN:
            self._kill(name)

    def _spring(self, trap: Trap) -> None:
        if trap.action == "kill":
            self._kill(trap.name)
        elif trap.action == "torn":
            self._torn = True
        else:
            if trap.action == "lost" and self.protocol is not None:
                self.protocol.lost()
            _act(trap)

    def _kill(self, name: str) -> None:
        if self.in_process:
            raise SimulatedCrash(name)
        os.kill(os.getpid(), signal.SIGKILL)


def _parse_trap(text: str) -> Trap:
    parts = text.strip().split(":")
    name = parts[0]
    action = parts[2] if len(parts) == 3 else "kill"
    if name not in REGISTRY:
        raise ConfigError(f"failpoint {name!r} does not exist; `arrowflow chaos --list` shows them")
    never = (action in _REPLIES and not REGISTRY[name][1]) or (action == "torn" and name not in UPLOADS)
    if action not in _ACTIONS or never:
        raise ConfigError(f"failpoint {name!r} cannot do {action!r}")
    return Trap(name, int(parts[1]) if len(parts) > 1 else 1, action)


def _act(trap: Trap) -> None:
    if trap.action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif trap.action == "lost":
        raise LostResponse(f"the reply of {trap.name} was lost on purpose")
    elif trap.action == "duplicate":
        raise AlreadyExists(f"{trap.name}: the name is taken, by the same request sent before")
    elif trap.action == "delay":
        time.sleep(_DELAY_S)
    elif trap.action == "crash":
        raise SimulatedCrash(trap.name)
    elif trap.action == "enospc":
        raise OSError(28, "No space left on device (made to happen)")
    else:
        raise FailpointHit(f"{trap.name} was made to fail on purpose")
