"""What an audit found: violations with their invariant and place, and what is merely in flight or left over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Finding(NamedTuple):
    """One violation: which invariant of docs/fsck.md, where, and what is wrong."""

    invariant: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.place}: {self.text}"


@dataclass(slots=True)
class Report:
    """What one audit saw.

    Attributes
    ----------
    findings : list of Finding
        What breaks a promise; empty for a job that is in order.
    in_flight : list of str
        Paths that a writer at work, or one that died at work, has not made true or not published yet.
    left_over : list of str
        Paths that no retained record needs: attempts that died, and what garbage collection has not reached.
    """

    prefix: str
    job: str | None = None
    horizon: int = 0
    head: int | None = None
    records: int = 0
    state_files: int = 0
    table_files: int = 0
    rows: int = 0
    deep: bool = False
    findings: list[Finding] = field(default_factory=list)
    in_flight: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.findings

    def add(self, invariant: str, place: str, text: str) -> None:
        """Note a violation."""
        self.findings.append(Finding(invariant, place, text))

    def as_data(self) -> dict[str, object]:
        """The report as plain data, for JSON."""
        return {
            "prefix": self.prefix,
            "job": self.job,
            "clean": self.clean,
            "deep": self.deep,
            "records": {"horizon": self.horizon, "head": self.head, "read": self.records},
            "state_files": self.state_files,
            "table_files": self.table_files,
            "rows": self.rows,
            "violations": [finding._asdict() for finding in self.findings],
            "in_flight": self.in_flight,
            "left_over": self.left_over,
        }
