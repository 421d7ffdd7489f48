"""The keys of a roster as the file lists them, or as a file of their own does. It checks no types: the windows do."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from arrowflow.errors import ConfigError

Key = str | int | bool | dt.date


def keys_of(given: str | Sequence[Key] | Sequence[Mapping[str, Key]], group_by: Sequence[str]) -> pa.Table:
    """Return the expected keys, one row each.

    Parameters
    ----------
    given : str, or list of values or tables
        The path of a CSV or Parquet file, values of the one column of `group_by`, or a value per column.
    group_by : sequence of str
        The columns of a key.

    Raises
    ------
    ConfigError
        For a file that cannot be read, and for lists that are no table.
    """
    if isinstance(given, str):
        return _of_file(Path(given))
    if all(isinstance(each, Mapping) for each in given):
        return _of_tables([each for each in given if isinstance(each, Mapping)], group_by)
    if len(group_by) != 1:
        raise ConfigError(
            f"roster: a list of values is for one column, and keys have {len(group_by)}; list tables such as "
            f"{{ {', '.join(f'{name} = …' for name in group_by)} }}"
        )
    return pa.table({group_by[0]: _array(group_by[0], list(given))})


def _of_tables(rows: Sequence[Mapping[str, Key]], group_by: Sequence[str]) -> pa.Table:
    for place, row in enumerate(rows):
        if set(row) != set(group_by):
            has = ", ".join(row) or "nothing"
            raise ConfigError(f"roster: entry {place + 1} has {has}; each has {', '.join(group_by)}")
    return pa.table({name: _array(name, [row[name] for row in rows]) for name in group_by})


def _array(name: str, values: list[Any]) -> pa.Array[Any]:
    kinds = {type(value) for value in values}
    if len(kinds) > 1:
        words = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise ConfigError(f"roster: values of {name!r} are of several types, {words}; write all in one")
    try:
        found: pa.Array[Any] = pa.array(values)
    except (pa.ArrowInvalid, OverflowError) as error:
        raise ConfigError(f"roster: values of {name!r} cannot be a column: {error}") from None
    return found


def _of_file(path: Path) -> pa.Table:
    reader = {".csv": _of_csv, ".parquet": _of_parquet}.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"roster: {path} is neither a .csv nor a .parquet file")
    try:
        return reader(path)
    except FileNotFoundError:
        raise ConfigError(f"roster: there is no file {path}; relative paths count from the current folder") from None
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise ConfigError(f"roster: {path} cannot be read: {error}") from None


def _of_csv(path: Path) -> pa.Table:
    """Every cell as text: what it means is for the type of the group key to say."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, strict=True)
        names = next(lines, [])
        cells = []
        for line in lines:
            if len(line) != len(names) and line:
                raise ConfigError(
                    f"roster: line {lines.line_num} of {path} has {len(line)} cells, and its first line {len(names)}"
                )
            cells += [line] if line else []
    columns = list(zip(*cells, strict=True)) or [()] * len(names)
    return pa.Table.from_arrays([pa.array(column, pa.string()) for column in columns], names=names)


def _of_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read()
