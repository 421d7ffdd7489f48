"""Exact sums of products per slot: of doubles in a kernel, of other numbers one by one. Knows no function."""

from __future__ import annotations

import numpy as np

from arrowflow.types import I64, Bool
from arrowflow.windows.aggregates.factors import Factors
from arrowflow.windows.aggregates.fixed import FixedPoint
from arrowflow.windows.aggregates.sums import TINY
from arrowflow.windows.kernels.products import (
    PRODUCT_CHUNKS,
    PRODUCT_LOWEST,
    add_products,
    carry_product_cells,
    merge_products,
)


class ProductSum:
    """Exact sums of products per slot; `name` begins its columns' names."""

    def __init__(self, name: str) -> None:
        self.number = FixedPoint(name, PRODUCT_CHUNKS, -PRODUCT_LOWEST, 2 * TINY, carry_product_cells)
        self.lanes, self.fields = self.number.lanes, self.number.fields
        self.dump, self.load = self.number.dump, self.number.load

    def add(self, slot: I64, valid: Bool, left: Factors, right: Factors) -> None:
        """Add the products of rows where `valid` and the factors are finite."""
        whole = left.whole & right.whole
        spilled = np.empty(len(slot), np.int64)
        spills = add_products(slot, valid & whole, left.bits, right.bits, self.number.chunks.values, spilled)
        others = np.flatnonzero(valid & ~whole & (slot >= 0) & left.finite & right.finite)
        for row in [*spilled[:spills].tolist(), *others.tolist()]:
            self.number.add(int(slot[row]), left.units(row) * right.units(row))

    def merge(self, into: I64, source: I64) -> None:
        """Add slots to others, pair by pair."""
        merge_products(into, source, self.number.chunks.values)
        self.number.merge_spills(into, source)
