"""The input that all engines get: readings of twenty keys with everything in it that windows trip over. Judges nothing.

Floats of `x` are eighths below 2^20, so that every sum of them is exact in any order; those of `y` are not. `z` has what
floats have beside numbers, `big` integers whose sums leave int64, `d` decimals.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
from tests.oracles.windows import Row

SECOND = 1_000_000
MINUTE = 60 * SECOND
GAP = 5 * MINUTE
DISORDER = 90 * SECOND
LATER = 1_762_000_000 * SECOND
"""Streams begin here: Spark's streaming drops what lies before 1970."""
KEYS = ("site", "line")
SITES = (None, "", "mty", "gdl", "tij")
LINES = (None, -1, 1, 2)
SCHEMA = pa.schema(
    [
        pa.field("site", pa.string()),
        pa.field("line", pa.int64()),
        pa.field("x", pa.float64()),
        pa.field("y", pa.float64()),
        pa.field("i", pa.int64()),
        pa.field("s", pa.string()),
        pa.field("z", pa.float64()),
        pa.field("big", pa.int64()),
        pa.field("d", pa.decimal128(18, 4)),
        pa.field("b", pa.bool_()),
    ]
)
VALUES = tuple(field.name for field in SCHEMA)[2:]
TABLE = pa.schema(
    [
        pa.field("t", pa.timestamp("us", "UTC")),
        pa.field("part", pa.int64()),
        pa.field("place", pa.int64()),
        *SCHEMA,
    ]
)
_STEPS = (0, 0, 1, SECOND, 17 * SECOND, MINUTE, 2 * MINUTE, GAP - 1, GAP, GAP, GAP + 1, 7 * MINUTE, 20 * MINUTE)
"""From one event of a key to the next: equal times, and one gap to the microsecond among them."""
_SPECIALS = (None, math.nan, math.inf, -math.inf, -0.0, 0.0)
_TEXTS = (None, "", "a", "ab", "é", "\ue000", "\U0001f600", "z")


def readings(seed: int, each: int = 150) -> list[Row]:
    """Return `each` rows for every key from three hours before 1970 on, in order of arrival over three partitions.

    A row comes at most `DISORDER` behind a later one.
    """
    rng = random.Random(seed)
    events = []
    for site in SITES:
        for line in LINES:
            event = -3 * 60 * MINUTE + rng.randrange(MINUTE)
            for _ in range(each):
                event += rng.choice(_STEPS)
                events.append((event, (site, line), _values(rng, silent=(site, line) == ("tij", 2))))
    events.sort(key=lambda each: each[0] + rng.choice((0, 0, rng.randrange(DISORDER + 1))))
    places = [0, 0, 0]
    rows = []
    for event, key, values in events:
        partition = rng.randrange(3)
        rows.append(Row("t", partition, places[partition], event, key, values))
        places[partition] += 1
    return rows


def arriving(seed: int, *, session: bool, short: int = 0) -> list[list[Row]]:
    """Files of one partition: fresh rows, a quiet file, a backlog of rows up to an hour old; and again.

    A file of fresh rows ends with its newest, which puts the clock at a whole ten minutes, or `short` milliseconds
    before: Spark's watermark counts in these. The quiet file lets Spark's lateness catch up with it. For sessions no row
    lies less than the gap behind the watermark, since patience differs there; so the clock may not jump ahead.
    """
    rng = random.Random(seed)
    fresh = [(row.event_us + LATER, row.key, row.values) for row in readings(seed, 60)]
    files, newest, whole = [], fresh[0][0], 1000 if session else 10 * MINUTE
    for start in range(0, len(fresh), len(fresh) // 2):
        part = fresh[start : start + len(fresh) // 2]
        newest = max(newest, *(event for event, _, _ in part)) - DISORDER
        newest = -(-newest // whole) * whole - short * 1000 + DISORDER
        beat, clock = (newest, ("mty", 1), _values(rng, silent=False)), newest - DISORDER
        quiet = [(rng.randrange(clock, newest), *rng.choice(part)[1:]) for _ in range(5)]
        ages = [rng.randrange(GAP if session else 1, 60 * MINUTE) for _ in range(60)]
        files += [[*part, beat], quiet, [(clock - age, *rng.choice(part)[1:]) for age in ages]]
    places = iter(range(sum(map(len, files))))
    return [[Row("t", 0, next(places), *event) for event in file] for file in files]


def _values(rng: random.Random, *, silent: bool) -> dict[str, object]:
    """One row's values; a silent key never has an `x`."""
    number = rng.randrange(-(2**22), 2**22) / 8
    return {
        "x": None if silent or rng.random() < 0.1 else number,
        "y": None if rng.random() < 0.1 else rng.random() * 10 ** rng.randrange(-3, 4),
        "i": None if rng.random() < 0.1 else rng.choice((rng.randrange(-9, 10), rng.randrange(-(2**40), 2**40))),
        "s": rng.choice(_TEXTS),
        "z": rng.choice(_SPECIALS) if rng.random() < 0.2 else rng.choice((number, 0.125, 0.25)),
        "big": None if rng.random() < 0.1 else rng.choice((-1, 1)) * (2**63 - rng.randrange(1, 2**60)),
        "d": None if rng.random() < 0.1 else Decimal(rng.randrange(-(10**13), 10**13)).scaleb(-4),
        "b": rng.choice((None, False, True, True)),
    }


def small(*rows: tuple) -> list[Row]:
    """Rows of a small example: (seconds, value), (seconds, value, site) or (seconds, value, site, partition)."""
    made, places = [], {}
    for row in rows:
        seconds, x, site, partition = (*row, *("a", 0)[len(row) - 2 :])
        place = places[partition] = places.get(partition, -1) + 1
        values = dict.fromkeys(VALUES) | {"x": x, "y": x}
        made.append(Row("t", partition, place, round(seconds * SECOND), (site, 1), values))
    return made


def table_of(rows: Sequence[Row]) -> pa.Table:
    """The rows as the other engines get them."""
    columns = {
        "t": [row.event_us for row in rows],
        "part": [row.partition for row in rows],
        "place": [row.offset for row in rows],
        "site": [row.key[0] for row in rows],
        "line": [row.key[1] for row in rows],
        **{name: [row.values[name] for row in rows] for name in VALUES},
    }
    # Not from_pandas: NaN is a value and no null.
    arrays = [pa.array(columns[field.name], pa.int64() if field.name == "t" else field.type) for field in TABLE]
    arrays[0] = arrays[0].view(TABLE.field("t").type)
    return pa.Table.from_arrays(arrays, schema=TABLE)


def write(rows: Sequence[Row], path: str) -> None:
    """One Parquet file of these rows in this order."""
    pq.write_table(table_of(rows), path, row_group_size=max(1, len(rows)))
