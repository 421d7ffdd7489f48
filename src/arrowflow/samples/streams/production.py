"""Production events of three plants over five days with one clock change; it never says what the right result is."""

from __future__ import annotations

from collections.abc import Iterator

from arrowflow.protocols import SampleRecord
from arrowflow.samples.streams import plants, telegram
from arrowflow.samples.streams.dice import Dice
from arrowflow.samples.streams.draft import Draft, Outage, arranged, delay_ms, merged, pushed
from arrowflow.samples.streams.plants import DAY_MS, HOUR_MS, MINUTE_MS, PLANTS, SHIFTS, Plant
from arrowflow.samples.streams.sample import Sample

TOPIC = "silver.production.events"
ROWS = 30_000
SEED = 20251102

DISORDER_MS = 30 * MINUTE_MS
STRAGGLER_MS = 10 * HOUR_MS
SKEW_MS = 5 * MINUTE_MS
BLOCK = 200
"""One record in each block of this many goes to the dead letters: 0.5 %, evenly spread, under any breaker of 1 %."""

WRONG_CLOCK_LINE = "L9"
OUTAGE = Outage(
    plants.OCT_31_MS + 3 * DAY_MS + 19 * HOUR_MS + 30 * MINUTE_MS,
    plants.OCT_31_MS + 3 * DAY_MS + 20 * HOUR_MS + 30 * MINUTE_MS,
)
"""Guadalajara, 13:30 to 14:30 local on 3 November: the backlog spans the change from T1 to T2."""

EDGES = 4
"""Records per plant that sit exactly on a limit; only streams with room for them have them."""

BREAKAGES = {
    "monterrey": (*telegram.BREAKAGES, "no_zone", "no_plant"),
    "guadalajara": telegram.BREAKAGES,
    "tijuana": tuple(how for breakage in telegram.BREAKAGES for how in ("wrong_clock", breakage)),
}


def production(rows: int, seed: int) -> Sample:
    """Return exactly `rows` records; more rows make the same five days denser."""
    return Sample({TOPIC: len(PLANTS)}, lambda: _records(rows, seed))


def _records(rows: int, seed: int) -> Iterator[SampleRecord]:
    partitions = {
        plant.partition: _partition(plant, count, seed)
        for plant, count in zip(PLANTS, plants.shares(rows), strict=True)
    }
    return merged(TOPIC, partitions)


def _partition(plant: Plant, count: int, seed: int) -> list[Draft]:
    edges = EDGES if count >= 50 * EDGES else 0
    drafts = _Line(plant, count - edges, Dice(seed, plant.partition)).drafts()
    ordered = arranged(drafts, OUTAGE if plant.name == "guadalajara" else None)
    return _with_edges(plant, ordered) if edges else ordered


class _Line:
    """Everything one plant sends, before it is put in order of arrival."""

    def __init__(self, plant: Plant, count: int, dice: Dice) -> None:
        self._plant = plant
        self._count = count
        self._dice = dice
        self._breakages = BREAKAGES[plant.name]
        self._first_ms = plant.shift_start_ms(0)
        self._span_ms = plant.shift_start_ms(SHIFTS) - self._first_ms
        self._glitches = 0

    def drafts(self) -> list[Draft]:
        drafts: list[Draft] = []
        broken = -1
        for i in range(self._count):
            if i % BLOCK == 0:
                broken = i + self._dice.below(BLOCK)
            drafts.append(self._broken(i) if i == broken else self._sent(i, drafts))
        return drafts

    def _sent(self, i: int, before: list[Draft]) -> Draft:
        """One record that decodes, or a tombstone, or an earlier record sent again."""
        throw = self._dice.below(10_000)
        if throw < 30:
            return Draft(self._due_ms(i), None, self._plant.key, None)
        if throw < 80 and before:
            return self._again(before[-1 - self._dice.below(min(len(before), 40))])
        if throw < 110:
            return self._on_a_boundary(i)
        event_ms = self._due_ms(i)
        return self._draft(i, event_ms, event_ms + delay_ms(self._dice, DISORDER_MS, STRAGGLER_MS))

    def _due_ms(self, i: int) -> int:
        return self._first_ms + (i * self._span_ms + self._dice.below(self._span_ms)) // self._count

    def _again(self, earlier: Draft) -> Draft:
        """A gateway that missed the acknowledgement sends the same bytes once more, within twenty minutes."""
        return earlier._replace(arrival_ms=earlier.arrival_ms + 1_000 + self._dice.below(20 * MINUTE_MS))

    def _on_a_boundary(self, i: int) -> Draft:
        """An event at the first or the last millisecond of a shift."""
        start = self._plant.shift_start_ms(1 + self._dice.below(SHIFTS - 1))
        event_ms = start - self._dice.below(2)
        return self._draft(i, event_ms, event_ms + 200 + self._dice.below(8_000))

    def _draft(self, i: int, event_ms: int, arrival_ms: int) -> Draft:
        fields = self._fields(i, event_ms)
        throw = self._dice.below(10_000)
        if throw < 100:
            fields["unidades_producidas"] = -1 - self._dice.below(5)
        elif throw < 120:
            fields["unidades_producidas"] = None
        elif throw < 320:
            fields["tasa_produccion"] = None
        elif throw < 340 and self._plant.name == "guadalajara":
            del fields["linea"]
        elif throw < 440:
            fields["firmware"] = {"version": [4, 2], "beta": False}
        encode = telegram.ascii_text if self._dice.chance(500) else telegram.text
        return Draft(arrival_ms, event_ms, self._plant.key, encode(fields))

    def _fields(self, i: int, event_ms: int) -> dict[str, object]:
        units: object = self._dice.below(12)
        if self._dice.chance(20):
            units = float(self._dice.below(12))  # an old gateway writes 7.0; it is an integer all the same
        line = self._dice.pick(self._plant.lines)
        return {
            "evento_id": f"{self._plant.name}-{i:07d}",
            "planta": self._plant.name,
            "linea": line,
            "timestamp": event_ms,
            "unidades_producidas": units,
            "tasa_produccion": self._rate(i, line),
            "operador": self._dice.pick(plants.PEOPLE),
        }

    def _rate(self, i: int, line: str) -> float | int:
        """Units an hour; one line's counter glitches on 3 November, and its huge values cancel in pairs."""
        if line == "L4" and 62 * self._count <= 100 * i < 63 * self._count:
            self._glitches += 1
            return (2.0**60, 0.5, -(2.0**60), 1.5)[self._glitches % 4]
        if self._dice.chance(300):
            return 30 + self._dice.below(60)
        return (300 + self._dice.below(600)) / 10

    def _broken(self, i: int) -> Draft:
        how = self._breakages[i // BLOCK % len(self._breakages)]
        event_ms = self._due_ms(i)
        arrival_ms = event_ms + 200 + self._dice.below(8_000)
        fields = self._fields(i, event_ms)
        key = self._plant.key
        if how == "wrong_clock":
            ahead = {**fields, "linea": WRONG_CLOCK_LINE, "timestamp": event_ms + DAY_MS}
            return Draft(arrival_ms, None, key, telegram.text(ahead))
        if how == "no_zone":
            return Draft(arrival_ms, event_ms, b"saltillo", telegram.text({**fields, "planta": "saltillo"}))
        if how == "no_plant":
            return Draft(arrival_ms, event_ms, None, telegram.text({**fields, "planta": None}))
        return Draft(arrival_ms, None, key, telegram.broken(how, fields, "unidades_producidas", "timestamp"))


def _with_edges(plant: Plant, ordered: list[Draft]) -> list[Draft]:
    """Add a pair around the end of shift 7 and a pair around the limit for wrong clocks.

    In Monterrey the clock stands exactly at the end of the shift, so the row before it is late; elsewhere it is a
    millisecond short, and the same row is on time.
    """
    end_ms = plant.shift_start_ms(8)
    pusher_ms = end_ms + DISORDER_MS - (0 if plant.name == "monterrey" else 1)
    pair = [_edge(plant, n, event_ms, pusher_ms) for n, event_ms in enumerate((pusher_ms, end_ms - 1))]
    ordered = pushed(ordered, pair[0], pair[1])
    middle = len(ordered) // 2
    sent_ms = ordered[middle].arrival_ms
    refused = _edge(plant, 2, sent_ms + SKEW_MS + 1, sent_ms)._replace(event_ms=None)
    allowed = _edge(plant, 3, sent_ms + SKEW_MS, sent_ms)
    return [*ordered[:middle], refused, allowed, *ordered[middle:]]


def _edge(plant: Plant, n: int, event_ms: int, arrival_ms: int) -> Draft:
    fields = {
        "evento_id": f"{plant.name}-edge-{n}",
        "planta": plant.name,
        "linea": plant.lines[0],
        "timestamp": event_ms,
        "unidades_producidas": 1,
        "tasa_produccion": 0.5,
        "operador": plants.PEOPLE[0],
    }
    return Draft(arrival_ms, event_ms, plant.key, telegram.text(fields))
