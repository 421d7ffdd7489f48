"""Work on production orders in three plants: bursts of events with pauses between; it never says what the right result is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from arrowflow.protocols import SampleRecord
from arrowflow.samples.streams import plants, telegram
from arrowflow.samples.streams.dice import Dice
from arrowflow.samples.streams.draft import Draft, Outage, arranged, delay_ms, merged, pushed
from arrowflow.samples.streams.plants import DAY_MS, HOUR_MS, MINUTE_MS, PLANTS, Plant
from arrowflow.samples.streams.sample import Sample

TOPIC = "silver.mes.order_events"
ROWS = 9_000
SEED = 20251102

GAP_MS = 10 * MINUTE_MS
"""Many pauses are exactly this long, and as many a millisecond longer."""

DISORDER_MS = 15 * MINUTE_MS
STRAGGLER_MS = 3 * HOUR_MS
BLOCK = 200
EVENTS = 40
"""Of one order, from its first to its last."""

FIRST_MS = plants.OCT_31_MS + DAY_MS + 12 * HOUR_MS
START_MS = 9 * HOUR_MS
"""Orders are started from 12:00Z of 1 November 2025 to 21:00Z, and each takes some three hours."""

OUTAGE = Outage(FIRST_MS + 5 * HOUR_MS, FIRST_MS + 6 * HOUR_MS)
"""Guadalajara, an hour in the middle of dozens of orders."""

EDGES = 2
"""Records per plant of which the second is exactly at its partition's clock, or a millisecond behind it."""

STATIONS = ("corte", "prensa", "soldadura", "pintura", "empaque")
BREAKAGES = (*telegram.BREAKAGES, "wrong_clock")


class Event(NamedTuple):
    """One step of an order: when, which order of the plant, and the how-manieth of its events."""

    event_ms: int
    order: int
    n: int


def order_events(rows: int, seed: int) -> Sample:
    """Return exactly `rows` records; more rows are more orders in the same twelve hours."""
    return Sample({TOPIC: len(PLANTS)}, lambda: _records(rows, seed))


def _records(rows: int, seed: int) -> Iterator[SampleRecord]:
    partitions = {
        plant.partition: _partition(plant, count, seed)
        for plant, count in zip(PLANTS, plants.shares(rows), strict=True)
    }
    return merged(TOPIC, partitions)


def _partition(plant: Plant, count: int, seed: int) -> list[Draft]:
    edges = EDGES if count >= 50 * EDGES else 0
    drafts = _Plant(plant, count - edges, Dice(seed, 30 + plant.partition)).drafts()
    ordered = arranged(drafts, OUTAGE if plant.name == "guadalajara" else None)
    return _with_edges(plant, ordered) if edges else ordered


class _Plant:
    """Everything one plant's machines send, before it is put in order of arrival."""

    def __init__(self, plant: Plant, count: int, dice: Dice) -> None:
        self._plant = plant
        self._count = count
        self._dice = dice

    def drafts(self) -> list[Draft]:
        drafts: list[Draft] = []
        broken = -1
        for i, event in enumerate(self._events()):
            if i % BLOCK == 0:
                broken = i + self._dice.below(BLOCK)
            drafts.append(self._broken(i, event) if i == broken else self._sent(event, drafts))
        return drafts

    def _events(self) -> list[Event]:
        """The steps of all orders by time."""
        events: list[Event] = []
        for i in range(self._count):
            order, n = divmod(i, EVENTS)
            event_ms = FIRST_MS + self._dice.below(START_MS) if n == 0 else events[-1].event_ms + self._pause_ms()
            events.append(Event(event_ms, order, n))
        return sorted(events)

    def _pause_ms(self) -> int:
        """Mostly some minutes; else exactly the gap of a session, a millisecond more, or a real break."""
        throw = self._dice.below(10_000)
        if throw < 500:
            return GAP_MS
        if throw < 900:
            return GAP_MS + 1
        if throw < 1_300:
            return GAP_MS + MINUTE_MS + self._dice.below(40 * MINUTE_MS)
        return 20_000 + self._dice.below(4 * MINUTE_MS)

    def _sent(self, event: Event, before: list[Draft]) -> Draft:
        throw = self._dice.below(10_000)
        if throw < 40:
            return Draft(event.event_ms, None, self._plant.key, None)
        if throw < 90 and before:
            earlier = before[-1 - self._dice.below(min(len(before), 40))]
            return earlier._replace(arrival_ms=earlier.arrival_ms + 1_000 + self._dice.below(5 * MINUTE_MS))
        arrival_ms = event.event_ms + delay_ms(self._dice, DISORDER_MS, STRAGGLER_MS, stragglers=70)
        return Draft(arrival_ms, event.event_ms, self._plant.key, telegram.text(self._fields(event)))

    def _fields(self, event: Event) -> dict[str, object]:
        energy: float | None = self._dice.below(90_000) / 1_000
        if self._dice.chance(200):
            energy = None
        return {
            "orden": f"{self._plant.name[:3].upper()}-{event.order:05d}",
            "planta": self._plant.name,
            "timestamp": event.event_ms,
            "estacion": STATIONS[event.n * len(STATIONS) // EVENTS],
            "piezas": self._dice.below(20),
            "energia_kwh": energy,
            "operador": self._dice.pick(plants.PEOPLE),
        }

    def _broken(self, i: int, event: Event) -> Draft:
        how = BREAKAGES[i // BLOCK % len(BREAKAGES)]
        arrival_ms = event.event_ms + 200 + self._dice.below(8_000)
        fields = self._fields(event)
        if how == "wrong_clock":
            ahead = {**fields, "timestamp": event.event_ms + DAY_MS}
            return Draft(arrival_ms, None, self._plant.key, telegram.text(ahead))
        return Draft(arrival_ms, None, self._plant.key, telegram.broken(how, fields, "piezas", "timestamp"))


def _with_edges(plant: Plant, ordered: list[Draft]) -> list[Draft]:
    """Add a row that sets the clock, then one exactly at it; in Monterrey a millisecond behind it."""
    pusher_ms = FIRST_MS + 4 * HOUR_MS + plant.partition
    straggler_ms = pusher_ms - DISORDER_MS - (1 if plant.name == "monterrey" else 0)
    first, second = (_edge(plant, n, event_ms, pusher_ms) for n, event_ms in enumerate((pusher_ms, straggler_ms)))
    return pushed(ordered, first, second)


def _edge(plant: Plant, n: int, event_ms: int, arrival_ms: int) -> Draft:
    fields = {
        "orden": f"{plant.name[:3].upper()}-edge-{n}",
        "planta": plant.name,
        "timestamp": event_ms,
        "estacion": STATIONS[0],
        "piezas": 1,
        "energia_kwh": 0.5,
        "operador": plants.PEOPLE[0],
    }
    return Draft(arrival_ms, event_ms, plant.key, telegram.text(fields))
