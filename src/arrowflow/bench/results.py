"""A benchmark's result as a frozen value, and as the JSON file it is kept in. Measures nothing."""

from __future__ import annotations

import statistics
from pathlib import Path

import msgspec

from arrowflow.config.problem import shown
from arrowflow.errors import ConfigError

FORMAT = "arrowflow-bench"
VERSION = 1


class Line(msgspec.Struct, frozen=True):
    """One thing measured: so many records, so many runs of it, and what its answer was held against.

    Parameters
    ----------
    group : str
        What it stands beside in a table or a plot: lines of a group have one scale.
    name : str
        What was measured; the same group, name and `x` in another result are the same measurement.
    records : int
        Records of one run.
    wall_s, cpu_s : tuple of float
        Seconds of each run by the clock, and of this process's processors.
    checked : str
        What the answer was compared with, in words; a line whose answer is wrong is never made.
    x : float, optional
        Where the line stands in a sweep: the number of keys, the bytes of a message.
    unit : str
        What a record is here.
    figures : dict of str to float
        Whatever else was measured, with its unit in the name.
    points : tuple of (float, float)
        A course over time, in seconds, where there is one.
    """

    group: str
    name: str
    records: int
    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]
    checked: str
    x: float | None = None
    unit: str = "records"
    figures: dict[str, float] = msgspec.field(default_factory=dict)
    points: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if not self.wall_s or len(self.wall_s) != len(self.cpu_s):
            raise ValueError(f"{self.label}: wall_s and cpu_s want one figure for each run")
        if self.records < 1 or min(self.wall_s) <= 0 or min(self.cpu_s) < 0:
            raise ValueError(f"{self.label}: a run has at least one record and takes time")

    @property
    def place(self) -> tuple[str, str, float | None]:
        """What makes a line of another result the same measurement."""
        return self.group, self.name, self.x

    @property
    def label(self) -> str:
        """Group, name and where the line stands in a sweep."""
        return f"{self.group}: {self.name}" + ("" if self.x is None else f" at {self.x:,.12g}")

    @property
    def records_per_s(self) -> float:
        """Records by the second of the median run."""
        return self.records / statistics.median(self.wall_s)

    @property
    def wall_ns(self) -> float:
        """Nanoseconds a record of the median run, by the clock."""
        return statistics.median(self.wall_s) * 1e9 / self.records

    @property
    def cpu_ns(self) -> float:
        """Nanoseconds a record of the median run, of processors."""
        return statistics.median(self.cpu_s) * 1e9 / self.records


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured. `busy` is the load of the last minute when the benchmark began, itself not counted."""

    cpu: str
    cores: int
    memory_mb: int
    kernel: str
    busy: float = 0.0


class Result(msgspec.Struct, frozen=True):
    """All lines of one command."""

    title: str
    command: str
    date: str
    machine: Machine
    versions: dict[str, str]
    lines: tuple[Line, ...]
    format: str = FORMAT
    version: int = VERSION


class _Head(msgspec.Struct):
    format: str
    version: int


def save(result: Result, path: Path) -> None:
    """Write a result; raises `OSError` as the system does."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")


def read(path: Path) -> Result:
    """Read a result that was saved.

    Raises
    ------
    ConfigError
        If there is no such file, or it is no result of this version; the message says which.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}): name a file that `arrowflow bench --out FILE` wrote"
        ) from error
    try:
        head = msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is no result of a benchmark ({error}): name a file that `arrowflow bench --out FILE` wrote"
        ) from error
    if (head.format, head.version) != (FORMAT, VERSION):
        told = f"{shown(head.format)} of version {head.version}"
        raise ConfigError(
            f"{path} holds {told}, this arrowflow reads {shown(FORMAT)} of version {VERSION}: measure again with --out"
        )
    try:
        return msgspec.json.decode(data, type=Result)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is damaged: {error}; measure again with --out") from error
