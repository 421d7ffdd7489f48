"""A real `arrowflow run` process that tests kill, freeze and fence; and what its trace says it was doing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLD = ROOT / "configs" / "gold.toml"
IN_FLIGHT = ("source.polled", "kernel.", "stage.", "commit.", "publish.", "fs.")


class Victim:
    """One run of the command line in a process of its own."""

    def __init__(self, folder: Path, config: Path, *flags: str, env: Mapping[str, str], failpoints: str = "") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.trace_file = folder / "trace"
        self.log = folder / "log"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "ARROWFLOW_FAILPOINTS": failpoints,
            "ARROWFLOW_FAILPOINT_TRACE": str(self.trace_file),
            **env,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "arrowflow", "run", str(config), *flags],
                env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    @property
    def trace(self) -> list[str]:
        return self.trace_file.read_text().split() if self.trace_file.exists() else []

    @property
    def last_point(self) -> str:
        return (self.trace or ["(before the first)"])[-1]

    @property
    def commits(self) -> int:
        return self.trace.count("commit.created")

    @property
    def in_flight(self) -> bool:
        """Whether an epoch was being made after this run's first commit."""
        return self.commits > 0 and self.last_point.startswith(IN_FLIGHT) and self.last_point != "publish.all"

    def wait_for_commit(self, n: int = 1, timeout: float = 180) -> None:
        until = time.monotonic() + timeout
        while self.commits < n:
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode} before commit {n}:\n{self.output}")
            if time.monotonic() > until:
                raise AssertionError(f"no commit {n} within {timeout} s; last point {self.last_point}:\n{self.output}")
            time.sleep(0.01)

    def wait_frozen(self, timeout: float = 180) -> None:
        """Wait until the kernel says the process is stopped."""
        until = time.monotonic() + timeout
        while _state(self.process.pid) != "T":
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"never froze (exit {self.process.poll()}):\n{self.output}")
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)
        self.wait_frozen()

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def end(self, timeout: float = 300) -> int:
        return self.process.wait(timeout)

    def close(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.thaw()
            self.kill()

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "gone"
