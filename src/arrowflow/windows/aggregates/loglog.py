"""HyperLogLog over 64-bit hashes with 2**14 registers: equal sets have equal registers. Standard error 0.8 %.

Flajolet, Fusy, Gandouet, Meunier, HyperLogLog, 2007; the estimate is that of Ertl, New cardinality estimation
algorithms for HyperLogLog sketches, 2017, section 4 (improved raw estimator), which needs no table of corrections.
"""

from __future__ import annotations

import math

import numpy as np

from arrowflow.windows.arrays import U64
from arrowflow.windows.kernels.loglog import REST, raise_registers, raises_registers

REGISTERS = 1 << 14

U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]


def blank_registers() -> U8:
    """Registers of the empty set."""
    return np.zeros(REGISTERS, np.uint8)


def add_hashes(registers: U8, hashes: U64) -> U8:
    """Registers with the hashes in: new ones, or the same where they change nothing."""
    if not raises_registers(registers, hashes):
        return registers
    out = registers.copy()
    raise_registers(out, hashes)
    return out


def estimate(registers: U8) -> int:
    """The number of distinct hashes, to the nearest integer."""
    counts = np.bincount(registers, minlength=REST + 2).tolist()
    z = REGISTERS * _tau(1 - counts[REST + 1] / REGISTERS)
    for rank in range(REST, 0, -1):
        z = 0.5 * (z + counts[rank])
    z += REGISTERS * _sigma(counts[0] / REGISTERS)
    return round(REGISTERS * REGISTERS / (2 * math.log(2) * z)) if math.isfinite(z) else 0


def _sigma(x: float) -> float:
    if x == 1:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) ** 2 * y
    return z / 3
