"""Hold a lake against an answer sheet: the same rows, each once, no more and no fewer. Computes no result itself."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

Row = tuple[tuple[str, object], ...]


def wrong_rows(sheet: Mapping[str, Any], root: str | Path) -> list[str]:
    """Compare the result rows under a table root with the sheet's windows.

    Parameters
    ----------
    sheet : mapping
        What `arrowflow.samples.answer` returned.
    root : str or Path
        A table root: every Parquet file below it is read.

    Returns
    -------
    list of str
        One sentence per row that is missing, foreign or repeated; empty if all is right.
    """
    wanted = Counter(_row(window, leave_out=("rows",)) for window in sheet["windows"])
    names = [name for name in (sheet["windows"] or [{}])[0] if name != "rows"]
    return _differences(wanted, Counter(_row(row) for row in read_rows(root, names)))


def wrong_late_rows(sheet: Mapping[str, Any], root: str | Path) -> list[str]:
    """Compare the late output with the sheet by partition, offset and window; rows that missed some windows are there too."""
    wanted = Counter(_row(late) for late in [*sheet["late"], *sheet.get("missed", ())])
    names = {
        "_partition": "partition",
        "_offset": "offset",
        "_window_start": "window_start",
        "_window_end": "window_end",
    }
    return _differences(wanted, Counter(_renamed(read_rows(root, list(names)), names)))


def wrong_dead_letters(sheet: Mapping[str, Any], root: str | Path) -> list[str]:
    """Compare the dead letters with the sheet by partition, offset and reason."""
    wanted = Counter(_row(letter) for letter in sheet["dead_letters"])
    names = {"_partition": "partition", "_offset": "offset", "_reason": "reason"}
    return _differences(wanted, Counter(_renamed(read_rows(root, list(names)), names)))


def read_rows(root: str | Path, names: list[str]) -> list[dict[str, object]]:
    """Read the named columns of every Parquet file below `root`, hive columns as text."""
    files = sorted(str(path) for path in Path(root).rglob("*.parquet"))
    if not files:
        return []
    hive = sorted({part.split("=")[0] for file in files for part in Path(file).relative_to(root).parts[:-1]})
    flavor = ds.partitioning(pa.schema([(name, pa.string()) for name in hive]), flavor="hive")
    table = ds.dataset(files, partitioning=flavor, partition_base_dir=str(root)).to_table(columns=names)
    return table.to_pylist()


def _renamed(rows: Iterable[Mapping[str, object]], names: Mapping[str, str]) -> Iterable[Row]:
    return (_row({new: row[old] for old, new in names.items()}) for row in rows)


def _row(values: Mapping[str, object], leave_out: tuple[str, ...] = ()) -> Row:
    return tuple(sorted((name, _text(value)) for name, value in values.items() if name not in leave_out))


def _text(value: object) -> object:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _differences(wanted: Counter[Row], found: Counter[Row]) -> list[str]:
    missing = [f"missing{_times(n)}: {dict(row)}" for row, n in (wanted - found).items()]
    repeated = [
        f"seen {found[row]} times, wanted {wanted[row]}: {dict(row)}" for row in found - wanted if row in wanted
    ]
    foreign = [f"not in the answer{_times(n)}: {dict(row)}" for row, n in (found - wanted).items() if row not in wanted]
    return [*missing, *repeated, *foreign]


def _times(n: int) -> str:
    return "" if n == 1 else f" {n} times"
