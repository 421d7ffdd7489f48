"""What the retained records, taken together, say must be there: files of tables, state, old revisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from arrowflow.audit.report import Report

Record = Mapping[str, Any]
Listing = Mapping[str, int | None]


class Table(NamedTuple):
    """A folder of results, as records and configuration describe it."""

    sink: str
    root: str
    kind: str
    stream: str
    names: tuple[str, ...]
    """Columns that together name a row."""
    folders: tuple[str, ...]
    corrects: bool


Span = tuple[int, int]
"""Epochs from the first up to, not including, the second."""

SEALED = "__sealed"
"""What the name of a folder of sealed files ends with."""


class Outbox(NamedTuple):
    """Rows for a sink that is no folder, as the record of `epoch` describes them."""

    epoch: int
    sink: str
    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Published:
    """One file as the record of `epoch` describes it; `before` is the description it takes the place of."""

    sink: str
    epoch: int
    path: str
    src: str
    rows: int
    bytes: int
    crc32c: str
    sha256: str
    revision: int
    before: Published | None = None


@dataclass(slots=True)
class Told:
    """Filled by one walk over the records, oldest first."""

    prefix: str
    roots: Mapping[str, str]
    tables: dict[str, Table] = field(default_factory=dict)
    files: dict[str, Published] = field(default_factory=dict)
    state: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    """Path of a state file to its sha256, its size, and the record that names it."""
    revisions: set[str] = field(default_factory=set)
    outbox: dict[str, Outbox] = field(default_factory=dict)
    retracted: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Path of a file that a reset took back to its sink and the record that says so."""
    sealed: dict[str, list[Span]] = field(default_factory=dict)
    """Epochs of each sink whose files are in sealed ones too, as the newest record says."""
    unread: set[int] = field(default_factory=set)
    """Numbers of records that are there and cannot be read."""
    head: Record | None = None
    first: int | None = None
    """Number of the oldest record that was taken in."""
    _chain: frozenset[str] | None = None
    _query: object = None
    _sinks: Mapping[str, Table] = field(default_factory=dict)

    @property
    def horizon(self) -> int:
        return 0 if self.head is None else int(self.head.get("horizon", 0))

    @property
    def epoch(self) -> int:
        """Number of the newest record; -1 without one."""
        return -1 if self.head is None else int(self.head["epoch"])

    def acked(self, sink: str) -> int:
        """Up to which epoch the newest record says that everything of `sink` is published."""
        return -1 if self.head is None else int(self.head.get("acked", {}).get(sink, -1))

    @property
    def published(self) -> int:
        """Up to which epoch every sink has published."""
        acked = {} if self.head is None else self.head.get("acked", {})
        return min(acked.values(), default=-1)

    def take(self, report: Report, record: Record, place: str) -> None:
        """Take in the next record."""
        self.head = record
        self.first = record["epoch"] if self.first is None else self.first
        self._take_tables(record)
        self._take_state(report, record, place)
        self._take_reset(record)
        for output in record.get("outputs", []):
            self._take_output(report, record, output, place)
        self._check_seals(report, record, place)
        for output in record.get("seals", []):
            self._take_output(report, record, output, place, SEALED)
        self.sealed = {sink: [(a, b) for a, b in ranges] for sink, ranges in record.get("sealed", {}).items()}
        for item in record.get("outbox", []):
            told = (item[name] for name in ("sink", "path", "bytes", "sha256"))
            self.outbox[item["path"]] = Outbox(record["epoch"], *told)

    def skip(self, epoch: int) -> None:
        """Pass over a record that cannot be read."""
        self.unread.add(epoch)
        self._chain = None

    def _take_tables(self, record: Record) -> None:
        query, generation = record.get("fingerprint", {}).get("query", {}), record.get("generation", 0)
        if (query, generation) == self._query:
            return
        self._query, sinks = (query, generation), query.get("sinks", {})
        self._sinks = {
            name: _table(name, sink, query, self.roots.get(name), generation) for name, sink in sinks.items()
        }
        self.tables.update({table.root: table for table in self._sinks.values() if table.root})

    def is_sealed(self, sink: str, epoch: int) -> bool:
        """Whether the rows of that epoch are read from sealed files."""
        return any(start <= epoch < stop for start, stop in self.sealed.get(sink, ()))

    def _take_state(self, report: Report, record: Record, place: str) -> None:
        """Remember the files; a chain only grows by files of its own epoch, or is kept as it was (I9)."""
        chain: set[str] = set()
        for name, state in record.get("state", {}).items():
            full, deltas = state.get("full"), state.get("deltas", [])
            epochs = [file["epoch"] for file in ([full] if full else []) + deltas]
            if epochs != sorted(epochs) or (deltas and not full):
                report.add("I9", place, f"the state of {name!r} is made of files of epochs {epochs}, out of order")
            for file in ([full] if full else []) + deltas:
                chain.add(file["path"])
                self.state.setdefault(file["path"], (file["sha256"], file["bytes"], place))
                known = self._chain is None or file["path"] in self._chain or file["epoch"] == record["epoch"]
                if not known and record["kind"] != "reset":
                    text = f"names {file['path']}, which is no file of the record before and none of its own"
                    report.add("I9", place, text)
        self._chain = frozenset(chain)

    def _take_reset(self, record: Record) -> None:
        """A reset in place takes files back; one into a new generation copies what its target had published."""
        reset = record.get("reset") or {}
        for gone in reset.get("retracted", []):
            table = self._sinks.get(gone["sink"])
            if table is not None:
                path = f"{table.root}/{gone['dst']}"
                self.files.pop(path, None)
                self.retracted[path] = (gone["sink"], record["epoch"])
        if reset.get("how") == "generation":
            for table in self._sinks.values():
                self._carry_over(table, int(reset["to"]))

    def _carry_over(self, table: Table, to: int) -> None:
        newest = {
            (beside, file.path.removeprefix(f"{root}{beside}/")): file
            for file in self.files.values()
            if file.sink == table.sink
            for root, beside in [_root_of(file, self.tables)]
        }
        for (beside, dst), file in newest.items():
            path, home = f"{table.root}{beside}/{dst}", epoch_of(dst)
            if path not in self.files and home is not None and home <= to:
                self.files[path] = replace(file, path=path, before=None)

    def _check_seals(self, report: Report, record: Record, place: str) -> None:
        """Sealed files hold as many rows as the small ones they are made of, where all of those are told of (I3)."""
        if record["kind"] != "compact":
            return
        for sink, ranges in record.get("sealed", {}).items():
            table, old = self._sinks.get(sink), self.sealed.get(sink, [])
            new = [(start, stop) for start, stop in _without(ranges, old) if start >= (self.first or 0)]
            seals = [file["rows"] for file in record.get("seals", []) if file["sink"] == sink]
            if table is None or not seals or not new:
                continue
            small = [
                file.rows
                for path, file in self.files.items()
                if path.startswith(f"{table.root}/") and any(a <= (epoch_of(path) or 0) < b for a, b in new)
            ]
            if sum(small) != sum(seals):
                report.add(
                    "I3", place, f"seals {sum(seals)} rows of sink {sink}, and its small files hold {sum(small)}"
                )

    def _take_output(
        self, report: Report, record: Record, output: Mapping[str, Any], place: str, beside: str = ""
    ) -> None:
        table = self._sinks.get(output["sink"])
        if table is None or not table.root:
            return
        path, replaces = f"{table.root}{beside}/{output['dst']}", output.get("replaces")
        before = self.files.get(path)
        revision = 1 if replaces is None else replaces["revision"] + 1
        if table.kind != "preview":
            _check_revision(report, before, replaces, output["dst"], place, report.horizon)
        if replaces is not None:
            stem = output["dst"].rsplit(".", 1)[0]
            self.revisions.add(f"revisions/{output['sink']}/{stem}/{replaces['revision']:06d}")
        self.files[path] = Published(
            output["sink"], record["epoch"], path, output["src"], output["rows"], output["bytes"],
            output["crc32c"], output["sha256"], revision, _unpublished(before, self.acked(output["sink"])),
        )  # fmt: skip


def _without(ranges: Iterable[Sequence[int]], known: Iterable[Span]) -> list[Span]:
    """What `ranges` have beyond `known`: each grows at its end, or is new."""
    ends = dict(known)
    return [(ends.get(start, start), stop) for start, stop in ranges if ends.get(start, start) < stop]


def _unpublished(before: Published | None, acked: int) -> Published | None:
    """What may still be there beside the newest: the description before, cut off behind what is published for sure."""
    if before is None or before.epoch <= acked or before.before is None:
        return None if before is None else _alone(before)
    return before


def _alone(file: Published) -> Published:
    return replace(file, before=None)


def _check_revision(
    report: Report, before: Published | None, replaces: Mapping[str, Any] | None, dst: str, place: str, horizon: int
) -> None:
    if replaces is None:
        if before is not None:
            report.add("I4", place, f"publishes {dst} a second time; the first is of record {before.epoch}")
    elif before is None:
        home = epoch_of(dst)
        if home is not None and home >= horizon:
            report.add("I4", place, f"replaces {dst}, which no record before it published")
    elif (replaces["crc32c"], replaces["revision"]) != (before.crc32c, before.revision):
        text = f"replaces revision {replaces['revision']} of {dst} with crc32c {replaces['crc32c']}, and record"
        report.add("I4", place, f"{text} {before.epoch} made it revision {before.revision} with {before.crc32c}")


def epoch_of(dst: str) -> int | None:
    """The epoch in the name of a table's file; None where the name is not one of ours."""
    parts = dst.rsplit("/", 1)[-1].rsplit(".", 1)[0].split("-")
    numbers = [part for part in parts if len(part) == 12 and part.isdigit()]
    return int(numbers[0]) if numbers else None


def _root_of(file: Published, tables: Mapping[str, Table]) -> tuple[str, str]:
    """The table a file is of, and whether it lies in it or beside it."""
    places = ((root, beside) for root in tables for beside in ("", SEALED))
    return next((root, beside) for root, beside in places if file.path.startswith(f"{root}{beside}/"))


def _table(name: str, sink: Mapping[str, Any], query: Mapping[str, Any], root: str | None, generation: int) -> Table:
    operator = query.get("operator", {})
    window = operator.get("window", {})
    by_place = sink.get("stream") != "rows" or window.get("kind", "none") == "none"
    bounds = ("window_start", "window_end")
    names = ("_topic", "_partition", "_offset") if by_place else (*operator.get("group_by", []), *bounds)
    folders = tuple(sink.get("partition_by") or ())
    kind, place = sink.get("kind", ""), (root or sink.get("root") or "").rstrip("/")
    if generation and place and kind != "preview":
        place = f"{place}__g{generation}"
    corrects = query.get("late") == "correct"
    return Table(name, place, kind, sink.get("stream", "rows"), names, folders, corrects)
