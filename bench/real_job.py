"""A job of its own process on a real Kafka, for benchmarks of whole runs: its configuration, its start, its memory and its records."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.failpoints import Failpoints
from arrowflow.types import Manifest

TOPIC = "telegrams"
NAME = "bench"
_CONFIG = """
[pipeline]
name = "bench"

[source.kafka]
brokers = "{brokers}"
topics = ["telegrams"]

[source.kafka.schema]
key = "{kind}"
ts = "timestamp[ms]"
value = "int64"

[event_time]
column = "ts"
max_out_of_orderness = "{tolerance}"

[window]
type = "tumbling"
size = "{window}"
group_by = ["key"]
late = "drop"

[aggregate]
n = "count()"
total = "sum(value)"

[sink.parquet]
path = "{folder}/out"

[checkpoint]
path = "{folder}/log"
cadence = "{cadence}"
{limits}
"""


@dataclass
class Job:
    """One `arrowflow run` after the other over one topic and one folder.

    Parameters
    ----------
    folder : Path
        Where its configuration, tables, log and traces go.
    brokers : str
        Bootstrap addresses.
    window, cadence, tolerance : str
        As in a configuration.
    kind : str
        Type of the key column.
    memory : str
        `limits.memory`; what the process may take where it is empty.
    """

    folder: Path
    brokers: str
    window: str = "10s"
    cadence: str = "1s"
    tolerance: str = "0s"
    kind: str = "string"
    memory: str = ""
    runs: int = field(default=0, init=False)

    @contextmanager
    def running(self, *options: str) -> Iterator[Running]:
        """Start a run; it is ended with the block, if it has not ended by itself."""
        config = self.folder / "job.toml"
        limits = f'[limits]\nmemory = "{self.memory}"' if self.memory else ""
        config.write_text(_CONFIG.format(**vars(self), limits=limits))
        self.runs += 1
        run = Running(config, self.folder / f"run-{self.runs}", options)
        try:
            yield run
        finally:
            run.end()

    def records(self) -> list[Manifest]:
        """The records of the log, in order."""
        log, _control = LocalLogSpec(str(self.folder / "log")).build(Failpoints())
        newest = log.newest()
        return [] if newest is None else [log.read(epoch) for epoch in range(newest + 1)]

    def results(self) -> tuple[int, int, int]:
        """Rows of the table, and the sums of its counts and totals."""
        files = sorted((self.folder / "out").rglob("*.parquet"))
        rows = count = total = 0
        for batch in ds.dataset(files).to_batches(columns=["n", "total"]) if files else ():
            table = pa.Table.from_batches([batch])
            rows += table.num_rows
            count += pc.sum(table["n"]).as_py() or 0
            total += pc.sum(table["total"]).as_py() or 0
        return rows, count, total


class Running:
    """A run in a process of its own.

    Attributes
    ----------
    began : float
        Monotonic time before the process was made.
    """

    def __init__(self, config: Path, prefix: Path, options: tuple[str, ...]) -> None:
        self._sites, self.protocol = prefix.with_suffix(".sites"), prefix.with_suffix(".protocol")
        env = os.environ | {
            "ARROWFLOW_FAILPOINT_TRACE": str(self._sites),
            "ARROWFLOW_TRACE_PROTOCOL": str(self.protocol),
        }
        command = [sys.executable, "-m", "arrowflow", "run", str(config), *options]
        self._said = prefix.with_suffix(".err")
        with self._said.open("wb") as said:
            self.began = time.monotonic()
            self._process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=said)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def passed(self, site: str) -> int:
        """How many times it has passed a point that failpoints know."""
        return self._sites.read_text().split("\n").count(site) if self._sites.exists() else 0

    def wait_for(self, site: str, times: int = 1, patience: float = 300.0) -> float:
        """Wait until it has passed a point so many times; the seconds since its start."""
        while self.passed(site) < times:
            self.must_live(patience)
            time.sleep(0.005)
        return time.monotonic() - self.began

    def must_live(self, patience: float) -> None:
        """Stop the benchmark if the run has ended or takes longer than any should."""
        if self._process.poll() is not None or time.monotonic() - self.began > patience:
            raise SystemExit(f"the run ended or did not get there ({self._process.poll()}):\n{self.said()}")

    def said(self) -> str:
        """The end of what it printed."""
        return self._said.read_text(errors="replace")[-2000:]

    def memory_mb(self, what: str = "VmRSS") -> int:
        """Its resident set now, or the largest so far as "VmHWM"."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith(f"{what}:"))) // 1024

    def cpu_s(self) -> float:
        """Seconds of processor it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def finish(self, patience: float = 600.0) -> None:
        """Wait until it ends by itself."""
        if self._process.wait(patience):
            raise SystemExit(f"the run failed with {self._process.returncode}:\n{self.said()}")

    def stop(self, patience: float = 120.0) -> None:
        """Ask it to commit and end."""
        self._process.send_signal(signal.SIGTERM)
        self.finish(patience)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Leave nothing running."""
        if self._process.poll() is None:
            self.kill()
