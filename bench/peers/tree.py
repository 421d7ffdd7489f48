"""Runs a command and tells what its whole tree of processes took: wall, processor time, memory. Linux only.

A child that outlives the command (the JVM behind a Python driver) is adopted and waited for, so its processor time is counted
by the kernel and not by looking now and then; only memory is looked at, five times a second.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_LOOK_S = 0.2
_STRAGGLERS_S = 30.0


@dataclass(frozen=True, slots=True)
class Took:
    """From the start of the process to the end of its command, and of all it started."""

    code: int
    wall_s: float
    cpu_s: float
    peak_mb: int
    tail: str


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent ends (``PR_SET_CHILD_SUBREAPER``)."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this kernel lets no process adopt orphans")


def run(command: Sequence[str], env: Mapping[str, str], log: Path, timeout_s: float, told: str = "") -> Took:
    """Run a command to its end.

    To be called where no other child of this process can end meanwhile: ``python -m bench.peers.tree`` is a process for it.

    Parameters
    ----------
    command : sequence of str
        What is run, in a session of its own.
    env : mapping
        Its environment.
    log : Path
        Takes what it prints.
    timeout_s : float
        After so many seconds it and all it started are killed.
    told : str
        What it is told on standard input, which ends then.
    """
    adopt_orphans()
    with log.open("wb") as sink:
        began = time.perf_counter()
        child = subprocess.Popen(
            command, env=dict(env), stdin=subprocess.PIPE, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )
    assert child.stdin is not None
    with suppress(BrokenPipeError), child.stdin:
        child.stdin.write(told.encode())
    watch = _Watch(child.pid, timeout_s)
    watch.start()
    try:
        _, status, used = os.wait4(child.pid, 0)
    except BaseException:  # told to stop: nothing that was started stays behind
        for each in members(child.pid):
            _kill(each)
        _wait_for_stragglers(child.pid)
        raise
    wall_s = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    cpu_s = used.ru_utime + used.ru_stime + _wait_for_stragglers(child.pid)
    watch.over.set()
    watch.join()
    return Took(child.returncode, wall_s, cpu_s, watch.peak_kb // 1024, log.read_text(errors="replace")[-2_000:])


def _wait_for_stragglers(session: int) -> float:
    """Wait for adopted children, and end what does not end by itself; the processor time of all."""
    cpu_s, deadline = 0.0, time.monotonic() + _STRAGGLERS_S
    while True:
        try:
            pid, _, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return cpu_s
        if pid:
            cpu_s += used.ru_utime + used.ru_stime
            continue
        if time.monotonic() > deadline:
            for each in members(session):
                _kill(each)
        time.sleep(0.02)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class _Watch(threading.Thread):
    """Looks at the memory of a tree until it is told that the tree is gone, and kills it when its time is up."""

    def __init__(self, pid: int, timeout_s: float) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.peak_kb = 0
        self._pid, self._deadline = pid, time.monotonic() + timeout_s

    def run(self) -> None:
        """Add up resident memory; pages that processes share are counted for each."""
        while not self.over.wait(_LOOK_S):
            pids = members(self._pid)
            self.peak_kb = max(self.peak_kb, sum(map(_resident_kb, pids)))
            if time.monotonic() > self._deadline:
                for each in pids:
                    _kill(each)


def members(session: int) -> dict[int, float]:
    """The processes of a session and the processor seconds of each, children it has waited for included.

    The fields of a `stat` begin behind the last bracket: the fourth is the session, those from the twelfth on are times.
    """
    found, ticks = {}, os.sysconf("SC_CLK_TCK")
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:  # gone meanwhile
            continue
        if int(fields[3]) == session:
            found[int(place.parent.name)] = sum(map(int, fields[11:15])) / ticks
    return found


def _resident_kb(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024
    except (OSError, IndexError):
        return 0


def main() -> None:
    """``python -m bench.peers.tree LOG TIMEOUT COMMAND...``: run the command, print what it took as JSON; input is handed on.

    The command's own PYTHONPATH comes in TREE_PYTHONPATH: this module needs the checkout on it, a peer must not have it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    log, timeout_s, *command = sys.argv[1:]
    env = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "TREE_PYTHONPATH"}}
    if path := os.environ.get("TREE_PYTHONPATH"):
        env["PYTHONPATH"] = path
    print(json.dumps(asdict(run(command, env, Path(log), float(timeout_s), sys.stdin.read()))))


if __name__ == "__main__":
    main()
