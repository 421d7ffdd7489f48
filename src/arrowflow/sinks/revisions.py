"""Put later revisions of rows in the place of earlier ones, found by the columns that name them; pure, touches no file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from arrowflow.errors import DataLossError
from arrowflow.types import I64

REVISION = "__af_revision"
"""The column that says how often a window's row was given out, from 1."""


def replace_rows(old: pa.Table, new: pa.Table, identity: Sequence[str], place: str) -> pa.Table:
    """Return `old` with each row of `new` in the place of the row of equal `identity`; the order of rows stays.

    Parameters
    ----------
    old : Table[n]
        What was published.
    new : Table[m]
        Later revisions of some of its rows, at most one of each, in the same columns.
    identity : sequence of str
        Columns that together name a row; nulls equal nulls.
    place : str
        What an error message calls the file.

    Raises
    ------
    DataLossError
        If a row of `new` has no row to take the place of, or several, or one that is not older.
    """
    new = _in_columns_of(old, new, place)
    was, becomes = np.split(_codes(old, new, identity), [old.num_rows])
    order = np.argsort(was, kind="stable")
    first = np.searchsorted(was[order], becomes, "left")
    found = np.searchsorted(was[order], becomes, "right") - first
    if not (found == 1).all() or len(np.unique(becomes)) != len(becomes):
        row = int(np.argmax(found != 1))
        raise DataLossError(
            f"{place}: {_name(new, row, identity)} was to be corrected and the file holds {found[row]} rows of it; "
            "was the file changed by another hand?"
        )
    at = order[first]
    _refuse_older(old, new, at, identity, place)
    take = np.arange(old.num_rows)
    take[at] = old.num_rows + np.arange(new.num_rows)
    return pa.concat_tables([old, new]).take(pa.array(take, pa.int64())).combine_chunks()


def _in_columns_of(old: pa.Table, new: pa.Table, place: str) -> pa.Table:
    if old.column_names != new.column_names:
        raise DataLossError(f"{place} has columns {old.column_names}, its correction has {new.column_names}")
    return new.cast(old.schema)


def _codes(old: pa.Table, new: pa.Table, identity: Sequence[str]) -> I64:
    """One number per row of both tables, equal where all of `identity` is."""
    group = np.zeros(old.num_rows + new.num_rows, np.int64)
    for name in identity:
        column = pa.chunked_array([*old.column(name).chunks, *new.column(name).chunks], old.schema.field(name).type)
        coded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        _, group = np.unique(group * (len(coded.dictionary) + 1) + codes, return_inverse=True)
    return group


def _refuse_older(old: pa.Table, new: pa.Table, at: I64, identity: Sequence[str], place: str) -> None:
    was = old.column(REVISION).to_numpy()[at]
    becomes = new.column(REVISION).to_numpy()
    if (becomes <= was).any():
        row = int(np.argmax(becomes <= was))
        raise DataLossError(
            f"{place}: {_name(new, row, identity)} is there as revision {was[row]}, and its correction is revision {becomes[row]}"
        )


def _name(table: pa.Table, row: int, identity: Sequence[str]) -> str:
    return ", ".join(f"{name} {table.column(name)[row].as_py()!r}" for name in identity)
