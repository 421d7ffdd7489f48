"""Exact sums of products of two doubles in fixed point. Nothing here rounds, wraps or depends on order.

The product of two fractions of 53 bits has 106: it is cut into two integers of at most 54 bits, each of which is added
in up to three 32-bit pieces, as `kernels.sums` does with one double.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

I64x2 = np.ndarray[tuple[int, int], np.dtype[np.int64]]

PRODUCT_CHUNKS = 13
PRODUCT_LOWEST = -224
"""Exponent of the lowest chunk's unit: products of doubles from ``2**-60`` to ``2**80`` fit whole into 12 chunks, the
last takes only carries and cannot overflow."""

_LOW27 = (1 << 27) - 1
_LOW32 = 0xFFFFFFFF
_LOW54 = (1 << 54) - 1
_FRACTION = (1 << 52) - 1
_SHIFT = 1075 - 112
_WIDEST = 139
_FULL = 1 << 62


@njit("void(int64[:, ::1], int64)", nogil=True, cache=True)
def carry_products(chunks: I64x2, cell: int) -> None:
    """Bring all chunks of one cell but the last into ``[0, 2**32)``; the sign ends up in the last.

    Parameters
    ----------
    chunks : int64[c, 13]
        Sums in fixed point, changed in place; the exact value stays the same.
    cell : int64
        Which row.
    """
    for c in range(PRODUCT_CHUNKS - 1):
        carry = chunks[cell, c] >> 32
        chunks[cell, c] -= carry << 32
        chunks[cell, c + 1] += carry


@njit("void(int64[::1], int64[:, ::1])", nogil=True, cache=True)
def carry_product_cells(slot: I64, chunks: I64x2) -> None:
    """Bring the chunks of the cells listed into their one canonical form.

    Parameters
    ----------
    slot : int64[m]
        Cells, each at most once.
    chunks : int64[c, 13]
        Changed in place; the exact values stay the same.

    Notes
    -----
    O(m). Oracle: integer arithmetic in ``tests/unit/windows/test_sums.py``.
    """
    for i in range(len(slot)):
        carry_products(chunks, slot[i])


@njit("boolean(int64[:, ::1], int64, int64, int64, int64)", nogil=True, cache=True, inline="always")
def add_part(chunks: I64x2, cell: int, part: int, offset: int, sign: int) -> bool:
    """Add ``sign * part * 2**offset`` to a cell, in units of its lowest chunk.

    Parameters
    ----------
    chunks : int64[c, 13]
        Sums in fixed point, changed in place.
    cell : int64
        Which row.
    part : int64
        In ``[0, 2**54)``.
    offset : int64
        In ``[0, 332]``.
    sign : int64
        1 or -1.

    Returns
    -------
    full : bool
        Whether a chunk must carry before more is added.
    """
    c = offset >> 5
    low = (part & _LOW32) << (offset & 31)
    high = (part >> 32) << (offset & 31)
    chunks[cell, c] += sign * (low & _LOW32)
    chunks[cell, c + 1] += sign * ((low >> 32) + (high & _LOW32))
    full: bool = abs(chunks[cell, c]) > _FULL or abs(chunks[cell, c + 1]) > _FULL
    if high >> 32 != 0:
        chunks[cell, c + 2] += sign * (high >> 32)
        full = full or abs(chunks[cell, c + 2]) > _FULL
    return full


@njit("void(int64[:, ::1], int64, int64, int64, int64)", nogil=True, cache=True, inline="always")
def add_product(chunks: I64x2, cell: int, left: int, right: int, offset: int) -> None:
    """Add the product of two doubles to a cell.

    Parameters
    ----------
    chunks : int64[c, 13]
        Sums in fixed point, changed in place.
    cell : int64
        Which row.
    left, right : int64
        The doubles' bit patterns; normal numbers.
    offset : int64
        How many bits the product's last place lies above the lowest chunk's, in ``[0, 278]``.
    """
    a = (left & _FRACTION) | (1 << 52)
    b = (right & _FRACTION) | (1 << 52)
    middle = (a >> 27) * (b & _LOW27) + (a & _LOW27) * (b >> 27)
    low = (a & _LOW27) * (b & _LOW27) + ((middle & _LOW27) << 27)
    high = (a >> 27) * (b >> 27) + (middle >> 27) + (low >> 54)
    sign = -1 if (left ^ right) < 0 else 1
    full = add_part(chunks, cell, low & _LOW54, offset, sign)
    if add_part(chunks, cell, high, offset + 54, sign) or full:
        carry_products(chunks, cell)


@njit(
    "int64(int64[::1], boolean[::1], int64[::1], int64[::1], int64[:, ::1], int64[::1])",
    nogil=True,
    cache=True,
)
def add_products(slot: I64, valid: Bool, left: I64, right: I64, chunks: I64x2, spilled: I64) -> int:
    """Add products of doubles to their cells exactly; those with a NaN or an infinity add nothing.

    Parameters
    ----------
    slot : int64[n]
        Cell of each row; negative rows are skipped.
    valid : bool[n]
        False for rows to skip.
    left, right : int64[n]
        The doubles' bit patterns.
    chunks : int64[c, 13]
        Sums in fixed point, changed in place.
    spilled : int64[n]
        Output: rows with a factor below ``2**-60`` or from ``2**80`` on; the caller adds them.

    Returns
    -------
    spills : int64
        How many rows of `spilled` were written, ascending.

    Notes
    -----
    O(n). The order of rows never matters. Oracle: ``Fraction``.
    """
    spills = 0
    for i in range(len(slot)):
        cell = slot[i]
        if cell < 0 or not valid[i]:
            continue
        a, b = (left[i] >> 52) & 0x7FF, (right[i] >> 52) & 0x7FF
        if a == 0x7FF or b == 0x7FF:
            continue
        if (left[i] << 1) == 0 or (right[i] << 1) == 0:
            continue
        a, b = a - _SHIFT, b - _SHIFT
        if 0 <= a <= _WIDEST and 0 <= b <= _WIDEST:
            add_product(chunks, cell, left[i], right[i], a + b)
        else:
            spilled[spills] = i
            spills += 1
    return spills


@njit("void(int64[::1], int64[::1], int64[:, ::1])", nogil=True, cache=True)
def merge_products(into: I64, source: I64, chunks: I64x2) -> None:
    """Add the sums of cells to those of others exactly, pair by pair.

    Parameters
    ----------
    into, source : int64[m]
        Cells; one may stand on both sides, and more than once.
    chunks : int64[c, 13]
        Sums in fixed point, changed in place.

    Notes
    -----
    O(m). Oracle: one pass over all values.
    """
    for i in range(len(into)):
        a, b = into[i], source[i]
        # One side carried is enough: the other is half full at most, and stays as it is.
        carry_products(chunks, a)
        for c in range(PRODUCT_CHUNKS):
            chunks[a, c] += chunks[b, c]
