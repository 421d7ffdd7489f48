"""One correct rounding of an exact integer quotient to a double. Never rounds twice."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

I64x2 = np.ndarray[tuple[int, int], np.dtype[np.int64]]
F64 = np.ndarray[tuple[int], np.dtype[np.float64]]

_EXTRA = 4
_LOW32 = 0xFFFFFFFF


@njit("float64(int64[::1], float64[::1])", nogil=True, cache=True)
def round_limbs(limbs: I64, unit: F64) -> float:
    """Round ``sum(limbs[j] * unit[j])`` to the nearest double, ties to even.

    Parameters
    ----------
    limbs : int64[w]
        Each in ``[0, 2**32)``, lowest first; the highest that is not zero is at index 2 or above, or all are zero.
    unit : float64[w]
        As `lay_units` writes them.

    Returns
    -------
    rounded : float64
        Not negative.

    Notes
    -----
    The leading bits go into one word, 55 to 63 of them, and whatever follows sets its last bit: converting the word
    rounds once and rightly, and the two factors after it are powers of two.
    """
    top = len(limbs) - 1
    while top > 0 and limbs[top] == 0:
        top -= 1
    if limbs[top] == 0:
        return 0.0
    shift, scale = 31, 2.0**-31
    if limbs[top] < 1 << 23:
        shift, scale = 40, 2.0**-40
    if limbs[top] < 1 << 15:
        shift, scale = 47, 2.0**-47
    if limbs[top] < 1 << 8:
        shift, scale = 55, 2.0**-55
    below = (limbs[top - 1] << 31) | (limbs[top - 2] >> 1)
    rest = (limbs[top - 2] & 1) | (below & ((1 << (63 - shift)) - 1))
    for j in range(top - 2):
        rest |= limbs[j]
    word = (limbs[top] << shift) | (below >> (63 - shift))
    if rest != 0:
        word |= 1
    rounded: float = float(word) * scale * unit[top]
    return rounded


@njit("void(int64, float64[::1])", nogil=True, cache=True)
def lay_units(lowest: int, unit: F64) -> None:
    """Write what each limb counts.

    Parameters
    ----------
    lowest : int64
        Exponent of the first limb's unit.
    unit : float64[w]
        Output: ``2**(lowest + 32 * j)``; all of them must be normal doubles.
    """
    for j in range(len(unit)):
        unit[j] = math.ldexp(1.0, lowest + 32 * j)


@njit("void(int64[::1], int64, int64[::1])", nogil=True, cache=True)
def divide_limbs(limbs: I64, divisor: int, quotient: I64) -> None:
    """Divide a number of 32-bit digits.

    Parameters
    ----------
    limbs : int64[w]
        Each in ``[0, 2**32)``, lowest first; the first `_EXTRA` are 0.
    divisor : int64
        In ``[1, 2**31)``.
    quotient : int64[w]
        Output: rounded down. The zeros below the number give four digits after the point, so at least 54 bits of the
        quotient are there, and a remainder of at least 1 / 2**31 leaves its mark in the first of them.
    """
    remainder = 0
    for j in range(len(limbs) - 1, -1, -1):
        current = (remainder << 32) | limbs[j]
        quotient[j] = 0
        if current != 0:
            quotient[j] = current // divisor
            remainder = current - quotient[j] * divisor


@njit("void(int64[:, ::1], boolean[::1], int64[::1], int64, float64[::1])", nogil=True, cache=True)
def round_quotients(limbs: I64x2, negative: Bool, divisor: I64, lowest: int, out: F64) -> None:
    """Round ``± sum(limbs[i, j] * 2**(32 * j)) * 2**lowest / divisor[i]`` once, to the nearest double, ties to even.

    Parameters
    ----------
    limbs : int64[m, w]
        Magnitudes, each limb in ``[0, 2**32)``, lowest first.
    negative : bool[m]
        Signs.
    divisor : int64[m]
        In ``[1, 2**31)``.
    lowest : int64
        Exponent of the first limb's unit, such that no result is subnormal or overflows.
    out : float64[m]
        Output; an exact zero is +0.0.

    Notes
    -----
    O(m * w). Oracle: ``float(Fraction)``.
    """
    width = limbs.shape[1]
    held, quotient = np.zeros(_EXTRA + width, np.int64), np.empty(_EXTRA + width, np.int64)
    unit = np.empty(_EXTRA + width, np.float64)
    lay_units(lowest - 32 * _EXTRA, unit)
    for i in range(limbs.shape[0]):
        for j in range(width):
            held[_EXTRA + j] = limbs[i, j]
        divide_limbs(held, divisor[i], quotient)
        rounded = round_limbs(quotient, unit)
        out[i] = -rounded if negative[i] and rounded != 0.0 else rounded


@njit("boolean(int64[:, ::1], int64, int64[::1])", nogil=True, cache=True)
def spread_cell(chunks: I64x2, cell: int, limbs: I64) -> bool:
    """Write the magnitude of a sum in fixed point as limbs.

    Parameters
    ----------
    chunks : int64[c, w]
        Sums in units of ``2**(32 * j)``, lowest first, each chunk with a sign of its own.
    cell : int64
        Which row.
    limbs : int64[_EXTRA + w + 1]
        Output: from `_EXTRA` on the limbs, each in ``[0, 2**32)``.

    Returns
    -------
    negative : bool
        The sign.
    """
    top = chunks.shape[1] - 1
    carry = 0
    for j in range(top):
        held = chunks[cell, j] + carry
        carry = held >> 32
        limbs[_EXTRA + j] = held & _LOW32
    last = chunks[cell, top] + carry
    negative: bool = last < 0
    if negative:
        carry = 0
        for j in range(top):
            held = carry - limbs[_EXTRA + j]
            carry = held >> 32
            limbs[_EXTRA + j] = held & _LOW32
        last = carry - last
    limbs[_EXTRA + top] = last & _LOW32
    limbs[_EXTRA + top + 1] = last >> 32
    return negative


@njit("void(int64[::1], int64[:, ::1], int64[::1], int64, float64[::1])", nogil=True, cache=True)
def round_cells(slot: I64, chunks: I64x2, divisor: I64, lowest: int, out: F64) -> None:
    """Round the quotients of sums in fixed point once each, to the nearest double, ties to even.

    Parameters
    ----------
    slot : int64[m]
        Cells, in any order.
    chunks : int64[c, w]
        The sum of a cell is ``sum(chunks[cell, j] * 2**(32 * j)) * 2**lowest``; w is at least 2.
    divisor : int64[m]
        In ``[1, 2**31)``.
    lowest : int64
        Such that no result is subnormal or overflows.
    out : float64[m]
        Output; an exact zero is +0.0.

    Notes
    -----
    O(m * w). Oracle: ``float(Fraction)``.
    """
    limbs = np.zeros(_EXTRA + chunks.shape[1] + 1, np.int64)
    quotient, unit = np.empty_like(limbs), np.empty(len(limbs), np.float64)
    lay_units(lowest - 32 * _EXTRA, unit)
    for i in range(len(slot)):
        negative = spread_cell(chunks, slot[i], limbs)
        if divisor[i] == 1:
            rounded = round_limbs(limbs, unit)
        else:
            divide_limbs(limbs, divisor[i], quotient)
            rounded = round_limbs(quotient, unit)
        out[i] = -rounded if negative and rounded != 0.0 else rounded
