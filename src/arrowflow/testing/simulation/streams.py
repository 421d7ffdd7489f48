"""Streams drawn from dice, and what must come of them: a loop over the records that shares no code with the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

Deed = tuple[str, int, bytes | None]
"""What a producer does to a partition: its kind, a number, a value. Kinds: row, skip, begin, end (1 commits), elect."""

_LEAST = -40
"""Smaller values, and null, are filtered."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The query of one history, in seconds.

    Parameters
    ----------
    scope : "pipeline" or "partition"
        Whose clock closes windows.
    late : "drop", "side" or "correct"
        The late policy; `correct_s` is how long a window can be corrected.
    real : bool
        The real window operator, or the naive one.
    parquet : bool
        Parquet files in folders by key, or Arrow streams.
    """

    size_s: int
    tolerance_s: int
    lateness_s: int
    scope: Literal["pipeline", "partition"]
    late: Literal["drop", "side", "correct"]
    real: bool
    parquet: bool
    correct_s: int = 0
    least: int = _LEAST


@dataclass(slots=True)
class Expected:
    """What the tables must hold in the end: windows by key and start, records by partition and offset."""

    windows: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    late: list[tuple[int, int]] = field(default_factory=list)
    dead: list[tuple[int, int]] = field(default_factory=list)


def draw_setup(dice: Random) -> Setup:
    """Draw a query."""
    late = dice.choice(("drop", "side", "side", "correct"))
    return Setup(
        size_s=10,
        tolerance_s=dice.choice((0, 3, 6)),
        lateness_s=dice.choice((0, 2)),
        scope=dice.choice(("pipeline", "partition")),
        late=late,  # type: ignore[arg-type]
        real=dice.random() < 0.5,
        parquet=dice.random() < 0.25,
        correct_s=dice.choice((10, 30)) if late == "correct" else 0,
    )


def draw_deeds(dice: Random) -> list[list[Deed]]:
    """Draw what producers do to each of one to three partitions: records, transactions, holes, new leaders."""
    return [_partition(dice, part) for part in range(dice.choice((1, 2, 2, 3)))]


def _partition(dice: Random, part: int) -> list[Deed]:
    deeds: list[Deed] = []
    turn, open_ = dice.randint(0, 3), False
    for _ in range(dice.randint(3, 18)):
        roll = dice.random()
        if roll < 0.10:
            deeds.append(("end", int(dice.random() < 0.6), None) if open_ else ("begin", 0, None))
            open_ = not open_
        elif roll < 0.14 and not open_:
            deeds.append(("skip", dice.randint(1, 3), None))
        elif roll < 0.18:
            deeds.append(("elect", 0, None))
        else:
            turn += dice.choice((1, 2, 4, 9))
            deeds.append(("row", 0, _line(dice, part, turn)))
    if open_:
        deeds.append(("end", int(dice.random() < 0.6), None))
    return deeds


def _line(dice: Random, part: int, turn: int) -> bytes | None:
    if dice.random() < 0.08:
        return dice.choice([None, b"garbage", b""])
    value = dice.choice(["-", *[str(dice.randint(-50, 99))] * 5])
    return f"p{part}-{dice.choice('ab')} {turn - dice.choice((0, 0, 0, 1, 3, 12, 25))} {value}".encode()


def visible(deeds: Sequence[Deed]) -> list[tuple[int, bytes | None]]:
    """Offset and value of every record that a reader of committed data ever sees."""
    seen: list[tuple[int, bytes | None]] = []
    pending: list[tuple[int, bytes | None]] | None = None
    offset = 0
    for kind, number, value in deeds:
        if kind == "row":
            (seen if pending is None else pending).append((offset, value))
            offset += 1
        elif kind == "skip":
            offset += number
        elif kind == "begin":
            pending = []
        elif kind == "end":
            seen += (pending or []) if number else []
            pending, offset = None, offset + 1
    return seen


def expected(setup: Setup, deeds: Sequence[Sequence[Deed]]) -> Expected:
    """One loop over the records: a clock per partition, a dictionary of windows."""
    found = Expected()
    patience = setup.size_s + setup.lateness_s + setup.correct_s
    for part, each in enumerate(deeds):
        newest: int | None = None
        for offset, line in visible(each):
            if line is None:
                continue
            words = line.split()
            if len(words) != 3:
                found.dead.append((part, offset))
                continue
            key, second = words[0].decode(), int(words[1])
            clock = None if newest is None else newest - setup.tolerance_s
            newest = second if newest is None else max(newest, second)
            if words[2] == b"-" or int(words[2]) < setup.least:
                continue  # a filtered row moves the clock and nothing else
            begin = second // setup.size_s * setup.size_s
            if clock is not None and begin + patience <= clock:
                found.late.append((part, offset))
                continue
            n, total = found.windows.get((key, begin), (0, 0))
            found.windows[key, begin] = n + 1, total + int(words[2])
    if setup.late == "drop":
        found.late = []
    return found
