"""Partition values as folder names that pyarrow, polars and DuckDB read back; pure text, no file is touched.

A value passes if it survives the round trip in all readers. What cannot is refused by name and never bent into
something that reads back as another value: a plant called by the marker of null would silently become null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.errors import ConfigError
from arrowflow.types import I64, Reject

NULL = "__HIVE_DEFAULT_PARTITION__"
"""The folder value every reader takes for null."""

MAX_SEGMENT_BYTES = 255
"""One folder name, ``column=value`` encoded: the limit of local file systems."""

MAX_NAME_BYTES = 1024
"""One object name, root included: the limit of object stores, kept on local disks too so that a table can move."""

FILE_NAME_BYTES = 80
"""Room kept for derived date and hour folders and for the file's own name."""

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-~.")


def escape(value: str) -> str:
    """Return `value` with every UTF-8 byte outside ``A-Za-z0-9_-~.`` as upper-case ``%XX``, as DuckDB writes it."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in value.encode())


def unescape(text: str) -> str:
    """Return what `escape` was given; raises `ValueError` for bytes that are no UTF-8."""
    return unquote(text, errors="strict")


def segment(column: str, value: str | None) -> str:
    """Return the folder name of one partition value; null has a marker of its own."""
    return f"{column}={NULL if value is None else escape(value)}"


def folder(values: Mapping[str, str | None]) -> str:
    """Return the folder of a partition, columns in their order; empty if there are none."""
    return "/".join(segment(column, value) for column, value in values.items())


def check_column(column: str) -> str:
    """Return `column` if every reader finds it in a folder name, else raise `ConfigError`."""
    if escape(column) != column or column[:1] in {"", "_", "."}:
        raise ConfigError(
            f"partition_by column {column!r}: use ASCII letters, digits, '_', '-', '~' and '.', not beginning with '_' or "
            "'.', since readers hide such folders; rename it with a select transform"
        )
    return column


def refusal(column: str, value: str | None) -> Reject | None:
    """Say why `value` cannot be a partition value of `column` (row is 0); None if it can."""
    if value is None:
        return None
    if value == NULL:
        return Reject(0, "partition_reserved", f"{column} is {NULL!r}, which every reader takes for null")
    if value == "":
        return Reject(0, "partition_empty", f"{column} is empty: some readers refuse a whole table for one such folder")
    if "\0" in value:
        return Reject(0, "partition_nul", f"{column} is {_short(value)}: a NUL is no part of a name")
    size = len(segment(column, value))
    if size > MAX_SEGMENT_BYTES:
        detail = f"{column} is {_short(value)}: its folder name has {size} bytes, {MAX_SEGMENT_BYTES} are allowed"
        return Reject(0, "partition_too_long", detail)
    return None


def refusals(root: str, columns: Mapping[str, pa.Array[Any]]) -> tuple[Reject, ...]:
    """Say which rows cannot be written under `root` because of their partition values.

    Parameters
    ----------
    root : str
        The table root as the store names it.
    columns : mapping of str to Array of string[n]
        The partition columns known so far; nulls are fine.

    Returns
    -------
    tuple of Reject
        At most one per row, ascending by row: reasons ``partition_reserved``, ``partition_empty``, ``partition_nul``,
        ``partition_too_long``. Cost: one look at each distinct value.
    """
    found: dict[int, Reject] = {}
    name_bytes: I64 | None = None
    for column, values in columns.items():
        codes, distinct = codes_of(values)
        reasons = [refusal(column, value) for value in distinct]
        for row in np.flatnonzero(np.array([reason is not None for reason in reasons], np.bool_)[codes]).tolist():
            reason = reasons[codes[row]]
            if reason is not None:
                found.setdefault(row, reason._replace(row=row))
        sizes = np.array([1 + len(segment(column, value)) for value in distinct], np.int64)[codes]
        name_bytes = sizes if name_bytes is None else name_bytes + sizes
    if name_bytes is not None:
        _add_too_long(found, name_bytes + len(root.encode()) + 1 + FILE_NAME_BYTES)
    return tuple(found[row] for row in sorted(found))


def codes_of(values: pa.Array[Any]) -> tuple[I64, Sequence[str | None]]:
    """Return (index of each row's value int64[n], distinct values ascending by code point, null first)."""
    encoded = cast("pa.DictionaryArray[Any, Any]", pc.dictionary_encode(values, null_encoding="encode"))
    distinct: list[str | None] = encoded.dictionary.to_pylist()
    order = sorted(range(len(distinct)), key=lambda i: (distinct[i] is not None, distinct[i] or ""))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return rank[codes], [distinct[i] for i in order]


def _add_too_long(found: dict[int, Reject], name_bytes: I64) -> None:
    for row in np.flatnonzero(name_bytes > MAX_NAME_BYTES).tolist():
        detail = f"the object name would have {name_bytes[row]} bytes, {MAX_NAME_BYTES} are allowed"
        found.setdefault(row, Reject(row, "partition_too_long", detail))


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")
