"""A process that is given one job after another, so that its start is behind it when the clock runs. Linux only."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.peers.tree import members

_END_S = 30.0


class WorkerFailed(RuntimeError):
    """The process ended, or did not answer in time; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one job took of a process that was there before."""

    wall_s: float
    cpu_s: float


class Worker:
    """A worker that has said it is ready.

    Parameters
    ----------
    command : sequence of str
        A program that speaks `bench/peers/workers/serve.py`.
    env : mapping
        Its environment.
    log : Path
        Takes what it prints beside its answers.
    timeout_s : float
        How long it may take to start, and for each job.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path, timeout_s: float) -> None:
        self._log, self._timeout_s = log, timeout_s
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                command,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                start_new_session=True,
            )
        self._heard = b""
        self._wait_for("ready")

    def run(self, told: str) -> Spent:
        """Give it a line and wait until it is done; raises `WorkerFailed`."""
        before, began = self._cpu_s(), time.perf_counter()
        assert self._process.stdin is not None
        self._process.stdin.write(told.encode())
        self._process.stdin.flush()
        self._wait_for("done")
        return Spent(time.perf_counter() - began, self._cpu_s() - before)

    def close(self) -> None:
        """Let it end, and end what does not."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        deadline = time.monotonic() + _END_S
        while left := members(self._process.pid):
            if self._process.poll() is not None and list(left) == [self._process.pid]:
                break
            if time.monotonic() > deadline:
                for each in left:
                    with suppress(ProcessLookupError):
                        os.kill(each, signal.SIGKILL)
            time.sleep(0.1)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _cpu_s(self) -> float:
        return sum(members(self._process.pid).values())

    def _wait_for(self, word: str) -> None:
        """Read lines up to the word; others are a library's."""
        assert self._process.stdout is not None
        deadline, place = time.monotonic() + self._timeout_s, self._process.stdout.fileno()
        while True:
            line, found, rest = self._heard.partition(b"\n")
            if found:
                self._heard = rest
                if line.decode().strip() == word:
                    return
                continue
            if not select.select([place], [], [], max(0.0, deadline - time.monotonic()))[0]:
                self._fail(f"did not say {word!r} in {self._timeout_s:.0f} s")
            if not (more := os.read(place, 65_536)):
                self._fail(f"ended and had not said {word!r}")
            self._heard += more

    def _fail(self, why: str) -> None:
        for each in members(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self.close()
        raise WorkerFailed(f"{why}; the end of its log:\n{self._log.read_text(errors='replace')[-1_500:]}")
