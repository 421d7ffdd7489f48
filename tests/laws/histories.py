"""What may happen to a stream on its way: interleavings, cuts, ends of epochs, crashes. Drawn from dice; judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.laws.runs import Run
from tests.laws.streams import Stream
from tests.oracles.windows import Row
from tests.unit.windows.drive import partition_of


@dataclass(frozen=True)
class Habits:
    """How often things happen after a slice, and how long slices are."""

    longest: int
    close: float = 0.3
    commit: float = 0.0
    full: float = 0.3
    crash: float = 0.0


def draw_habits(dice: Random, *, crashes: bool = False) -> Habits:
    """Long slices or short ones, many ends of epochs or few; slices of one row are dear, so they are rare."""
    longest, close = 1 if dice.random() < 0.05 else dice.choice((4, 8, 40)), dice.choice((0.1, 0.4, 1.0))
    if not crashes:
        return Habits(longest, close)
    return Habits(longest, 0.1, dice.choice((0.2, 0.5)), dice.choice((0.0, 0.4)), dice.choice((0.2, 0.5)))


def interleaved(dice: Random, parts: Sequence[Sequence[Row]]) -> list[Row]:
    """The rows of all partitions in one order of arrival, which keeps each partition's own."""
    waiting, order = [list(part) for part in parts if part], []
    burst = dice.choice((1, 6, 12, 100))
    while waiting:
        part = dice.choice(waiting)
        count = dice.randint(1, burst)
        order += part[:count]
        del part[:count]
        waiting = [part for part in waiting if part]
    return order


def play(dice: Random, run: Run, stream: Stream, habits: Habits, between: Callable[[Run], None] | None = None) -> None:
    """Fold a whole stream; `between` may do more after a slice."""
    order, crashes = interleaved(dice, list(stream.values())), 2
    while run.position < len(order):
        length = dice.randint(1, habits.longest)
        part = [order[run.position]]
        for row in order[run.position + 1 : run.position + length]:
            if partition_of(row) != partition_of(part[0]):
                break
            part.append(row)
        run.fold(part)
        run.position += len(part)
        if dice.random() < habits.close:
            run.close()
        if between is not None:
            between(run)
        if habits.commit and dice.random() < habits.commit:
            run.commit(full=dice.random() < habits.full)
        if habits.crash and crashes and dice.random() < habits.crash:
            crashes -= 1
            run.crash()
            # What was not committed comes again, and need not come in the same order.
            rest: dict[int, list[Row]] = {}
            for row in order[run.position :]:
                rest.setdefault(row.partition, []).append(row)
            order[run.position :] = interleaved(dice, list(rest.values()))
