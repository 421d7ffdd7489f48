"""Numbers of any type as exact factors: doubles for the kernels, integers where no double is exact. Adds nothing up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arrowflow.types import I64, Bool
from arrowflow.windows.aggregates.accumulator import Slice
from arrowflow.windows.aggregates.fixed import units_of
from arrowflow.windows.aggregates.sums import TINY


@dataclass(frozen=True, slots=True)
class Factors:
    """Values of n rows, decimals without their scale.

    Parameters
    ----------
    bits : int64[n]
        As doubles' bit patterns; anything where null.
    whole : bool[n]
        Where the double is the exact value.
    integers : dict of int to int
        By row, the exact value where it is not; only rows that are not null and go to a pane.
    """

    bits: I64
    whole: Bool
    integers: dict[int, int]

    @property
    def finite(self) -> Bool:
        """bool[n]: neither NaN nor infinite."""
        return np.asarray(np.isfinite(self.bits.view(np.float64)))

    def units(self, row: int) -> int:
        """The exact value in multiples of ``2**-1074``."""
        if row in self.integers:
            return self.integers[row] << TINY
        return units_of(float(self.bits[row : row + 1].view(np.float64)[0]), TINY)


def read_factors(rows: Slice, column: str) -> Factors:
    """The values of one column."""
    bits, whole = rows.columns.doubles(column)
    odd = np.flatnonzero(~whole & rows.columns.valid(column) & (rows.slot >= 0))
    integers = dict(zip(odd.tolist(), rows.columns.integers(column, odd), strict=True)) if len(odd) else {}
    return Factors(bits, whole, integers)
