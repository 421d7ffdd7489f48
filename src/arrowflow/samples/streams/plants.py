"""The three plants as the generators see them: name, partition and the starts of their shifts; never a zone database."""

from __future__ import annotations

from typing import NamedTuple

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS

OCT_31_MS = 1_761_868_800_000
"""2025-10-31T00:00Z."""

SHIFTS = 15
"""Three shifts on each of five production days, 31 October to 4 November 2025."""


class Plant(NamedTuple):
    """A plant and its partition; `long_night` is the shift (counted from 0) that lasts 9 h, if any."""

    name: str
    partition: int
    dawn_utc_h: int
    long_night: int | None
    lines: tuple[str, ...]

    @property
    def key(self) -> bytes:
        return self.name.encode()

    def shift_start_ms(self, n: int) -> int:
        """When shift `n` starts; shift 0 is T1 of 31 October, `n` may be one past the last."""
        later = self.long_night is not None and n > self.long_night
        return OCT_31_MS + (self.dawn_utc_h + 8 * n + later) * HOUR_MS


PLANTS = (
    Plant("monterrey", 0, 12, None, ("L1", "L2", "L3", "L4")),
    Plant("guadalajara", 1, 12, None, ("L1", "L2", "L3")),
    # 06:00 is 13:00Z in summer; the night of 1 November is an hour longer, and 06:00 is 14:00Z from then on.
    Plant("tijuana", 2, 13, 5, ("L1", "L2", "L3")),
)

PEOPLE = ("Ana Peña", "José Ibarra", "María Núñez", "Luis Ávila", "Sofía Güemes", "Raúl Ochoa", "Inés Zúñiga")


def shares(rows: int) -> tuple[int, int, int]:
    """How many of `rows` records each plant sends; the largest plant takes what rounding leaves."""
    second, third = rows * 32 // 100, rows * 28 // 100
    return rows - second - third, second, third
