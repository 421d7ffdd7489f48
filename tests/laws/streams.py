"""Small streams of rows drawn from dice: one to three partitions with holes, disorder, nulls and far-out times. Judges nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from tests.laws.columns import COLUMNS
from tests.laws.setups import KEYS, SITES, Setup
from tests.oracles.windows import MAX_US, MIN_US, Row

Stream = dict[int, list[Row]]
SPREAD = 120
"""Times lie in [0, SPREAD] units from the base, unless a law says otherwise."""
CROWD, CROWDED = 1_100, 9
"""So many panes gone make the state move the others together; the partition of a crowd."""
NEAR = (0, 0, 0, -1, -37, -1_000_000_007, 1_762_000_000_000_000)
FAR = (MIN_US, MIN_US + 3, MAX_US - 200, MAX_US - 60)


def draw_rows(
    dice: Random,
    setup: Setup,
    *,
    unique: bool = False,
    far: bool = False,
    base: int | None = None,
    limits: bool = True,
    rows: int | None = None,
) -> Stream:
    """Rows of each partition in offset order; `unique` gives no two rows of a partition the same time."""
    if setup.kind == "calendar":
        base = dice.choice((0, 0, -37, 60))
    elif base is None:
        base = dice.choice(FAR) if far and dice.random() < 0.15 else dice.choice(NEAR)
    partitions = dice.choice((1, 1, 2, 3))
    if rows is None:
        rows = dice.randint(1, 10) if dice.random() < 0.85 else dice.randint(10, 40)
    draws = {name: _drawer(dice, name) for name in setup.schema.names if name not in KEYS}
    room = dice.randint(SPREAD // 2, SPREAD) if limits and dice.random() < 0.1 else 0
    stream: Stream = {}
    for partition in range(partitions):
        count = (rows + partition) // partitions
        offset, stream[partition] = dice.randint(0, 2**40), []
        for time in _times(dice, count, unique=unique):
            event = max(MIN_US, min(MAX_US, base + time * setup.unit))
            limit = min(MAX_US, base + room * setup.unit) if room else None
            key = tuple(_key(dice, name, setup, partition) for name in setup.spec.group_by)
            values = {name: draw() for name, draw in draws.items()}
            stream[partition].append(Row("t", partition, offset, event, key, values, limit))
            offset += dice.choice((1, 1, 2, 3))
    return stream


def crowd_of(dice: Random, setup: Setup, stream: Stream, after_us: int, first_offset: int) -> list[Row]:
    """Rows of a partition of its own, each of a key of its own, and one long after `after_us` that lets all windows close."""
    site, some = setup.spec.group_by.index("site"), [row for rows in stream.values() for row in rows]
    found = []
    for number in range(CROWD):
        key = [None] * len(setup.spec.group_by)
        key[site] = f"{CROWDED}{number}"
        # Nulls cost the oracle little.
        values = some[0].values if number % 10 == 0 else dict.fromkeys(some[0].values)
        event = after_us + dice.randint(0, 5) * setup.unit
        found.append(Row("t", CROWDED, first_offset + number, event, tuple(key), values))
    return [*found, replace(found[0], offset=first_offset + CROWD, event_us=after_us + 1000 * setup.unit)]


def moved(stream: Stream, by_us: int) -> Stream:
    """The same rows at other times."""
    return {p: [replace(row, event_us=row.event_us + by_us) for row in rows] for p, rows in stream.items()}


def shuffled(dice: Random, stream: Stream) -> Stream:
    """The same rows of each partition in another order; places stay ascending."""
    found = {}
    for partition, rows in stream.items():
        others = dice.sample(rows, len(rows))
        found[partition] = [replace(row, offset=at.offset) for row, at in zip(others, rows, strict=True)]
    return found


def apart(stream: Stream, gap_us: int) -> Stream:
    """Rows in two halves that lie far apart, bridged at last by rows in between: sessions of `gap_us` have to merge."""
    found = {}
    for partition, rows in stream.items():
        middle = rows[0].event_us if rows else 0
        near = [replace(row, event_us=middle + (i % 2) * 2 * gap_us) for i, row in enumerate(rows[:-1])]
        found[partition] = [*near, *(replace(row, event_us=middle + gap_us) for row in rows[-1:])]
    return found


def _drawer(dice: Random, name: str) -> Callable[[], object]:
    """Values of one column: some null, some columns with only a few values."""
    draw, nulls = COLUMNS[name].draw, dice.choice((0.0, 0.2, 0.2, 0.7))
    if dice.random() < 0.4:
        few = [draw(dice) for _ in range(3)]
        return lambda: None if dice.random() < nulls else dice.choice(few)
    return lambda: None if dice.random() < nulls else draw(dice)


def _times(dice: Random, count: int, *, unique: bool) -> list[int]:
    if unique:
        return dice.sample(range(SPREAD + 1), count)
    mood = dice.random()
    if mood < 0.3:
        return [dice.randint(0, SPREAD) for _ in range(count)]
    if mood < 0.45:
        few = [dice.randint(0, SPREAD) for _ in range(4)]
        return [dice.choice(few) for _ in range(count)]
    jitter = dice.choice((0, 3, 10, 30))
    pace = dice.choice((1, 3, SPREAD // max(1, count)))
    return [max(0, min(SPREAD, i * pace + dice.randint(-jitter, jitter))) for i in range(count)]


def _key(dice: Random, name: str, setup: Setup, partition: int) -> object:
    if name == "site":
        # Few rows of a key the calendars do not know: they only become dead letters.
        site = dice.choice(SITES[:-1]) if dice.random() < 0.95 else SITES[-1]
        return f"{partition}{site or ''}" if setup.spec.scope == "partition" else site
    if name == "flag":
        return dice.choice((None, True, False))
    return dice.choice((None, 1, 2, -5))
