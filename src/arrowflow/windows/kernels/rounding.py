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


@njit("float64(int64[::1], int64)", nogil=True, cache=True)
def round_limbs(limbs: I64, lowest: int) -> float:
    """Round ``sum(limbs[j] * 2**(32 * j)) * 2**lowest`` to the nearest double, ties to even.

    Parameters
    ----------
    limbs : int64[w]
        Each in ``[0, 2**32)``, lowest first; the highest that is not zero is at index 3 or above, or all are zero.
    lowest : int64
        Exponent of the first limb's unit; the result must be a normal double.

    Returns
    -------
    rounded : float64
        Not negative.
    """
    top = len(limbs) - 1
    while top > 0 and limbs[top] == 0:
        top -= 1
    if limbs[top] == 0:
        return 0.0
    width = 0
    while limbs[top] >> width != 0:
        width += 1
    need = 54 - width
    if need <= 32:
        mantissa = (limbs[top] << need) | (limbs[top - 1] >> (32 - need))
        sticky = limbs[top - 1] & ((1 << (32 - need)) - 1) != 0 or limbs[top - 2] != 0
    else:
        need -= 32
        mantissa = (((limbs[top] << 32) | limbs[top - 1]) << need) | (limbs[top - 2] >> (32 - need))
        sticky = limbs[top - 2] & ((1 << (32 - need)) - 1) != 0
    for j in range(top - 2):
        sticky = sticky or limbs[j] != 0
    half = mantissa & 1
    mantissa >>= 1
    if half == 1 and (sticky or mantissa & 1 == 1):
        mantissa += 1
    return math.ldexp(float(mantissa), lowest + 32 * top + width - 53)


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
    O(m * w): long division by 32-bit digits with four digits after the point, so at least 54 bits of the quotient
    are there, and a remainder of at least 1 / 2**31 leaves its mark in the first of them. Oracle: ``float(Fraction)``.
    """
    width = limbs.shape[1]
    quotient = np.zeros(width + _EXTRA, np.int64)
    for i in range(limbs.shape[0]):
        remainder = 0
        if divisor[i] == 1:
            for j in range(width):
                quotient[j + _EXTRA] = limbs[i, j]
            quotient[:_EXTRA] = 0
            rounded = round_limbs(quotient, lowest - 32 * _EXTRA)
            out[i] = -rounded if negative[i] and rounded != 0.0 else rounded
            continue
        for j in range(width + _EXTRA - 1, -1, -1):
            digit = limbs[i, j - _EXTRA] if j >= _EXTRA else 0
            current = (remainder << 32) | digit
            quotient[j] = current // divisor[i]
            remainder = current % divisor[i]
        rounded = round_limbs(quotient, lowest - 32 * _EXTRA)
        out[i] = -rounded if negative[i] and rounded != 0.0 else rounded
