"""The order that several columns of integers give rows. Knows nothing of what they mean."""

from __future__ import annotations

import numpy as np

from arrowflow.types import I64

_WORD = 63
_SEATS_PER_ROW = 4
_MOST = 2**63 - 1


def order_of(*columns: I64) -> I64:
    """The ascending order of rows, the first column deciding first; rows equal in all of them come in any order.

    Parameters
    ----------
    columns : int64[n]
        At least one.

    Returns
    -------
    order : int64[n]
        Places of the rows, in order.

    Notes
    -----
    Rows whose numbers are few and all different are put on seats; else one sort of one word where the columns together fit
    into 63 bits, or as many of the first ones as tell the rows
    apart; else as many sorts as columns. Rows that are in order already cost no sort.
    """
    packed, bits, packs = np.zeros(len(columns[0]), np.int64), 0, True
    for column in columns:
        least = int(column.min(initial=_MOST))
        width = (max(least, int(column.max(initial=least))) - least).bit_length()
        bits += width
        packs = bits <= _WORD
        if not packs:
            break
        packed = (packed << width) | (column - least)
    if (packed[1:] > packed[:-1]).all():
        return np.arange(len(packed))
    if packs and (seated := _seated(packed)) is not None:
        return seated
    order = np.argsort(packed)
    if packs or (np.diff(packed[order]) != 0).all():
        return order
    return np.asarray(np.lexsort(columns[::-1]))


def _seated(packed: I64) -> I64 | None:
    """The order of numbers that are close together and all different, by putting each on a seat of its own."""
    span = int(packed.max()) + 1
    if span > _SEATS_PER_ROW * len(packed):
        return None
    seats = np.full(span, -1, np.int64)
    seats[packed] = np.arange(len(packed))
    order = seats[seats >= 0]
    return order if len(order) == len(packed) else None
