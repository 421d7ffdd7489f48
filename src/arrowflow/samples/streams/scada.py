"""Readings of 70 sensors in three plants on a steady cadence; it never says what the right result is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from arrowflow.protocols import SampleRecord
from arrowflow.samples.streams import plants, telegram
from arrowflow.samples.streams.dice import Dice
from arrowflow.samples.streams.draft import Draft, Outage, arranged, delay_ms, merged
from arrowflow.samples.streams.plants import DAY_MS, HOUR_MS, MINUTE_MS, PLANTS, Plant
from arrowflow.samples.streams.sample import Sample

TOPIC = "bronze.scada.sensors"
ROWS = 48_000
SEED = 20251102

DISORDER_MS = 5 * MINUTE_MS
STRAGGLER_MS = 2 * HOUR_MS
BLOCK = 200
FIRST_MS = plants.OCT_31_MS + 2 * DAY_MS + 3 * HOUR_MS
SPAN_MS = 12 * HOUR_MS
"""From 03:00Z on 2 November 2025, 20:00 in Tijuana, over its change of clocks, which UTC windows do not notice."""

OUTAGE = Outage(FIRST_MS + 7 * HOUR_MS - 20 * MINUTE_MS, FIRST_MS + 8 * HOUR_MS - 20 * MINUTE_MS)
"""Tijuana, an hour over two edges of half-hour windows."""

WRONG_CLOCK_SENSOR = "scada-070"
"""Old and slow: it sends one record in each few hundred, every one of them a day ahead."""

BREAKAGES = tuple(how for how in telegram.BREAKAGES if how != "overflow")
"""No integer column, so nothing that only an integer can do."""

UNITS = ("degC", "bar", "rpm", "A", "mm/s")


class Sensor(NamedTuple):
    """A sensor and its quiet level, in tenths of its unit."""

    name: str
    unit: str
    level: int


def sensors(plant: Plant) -> list[Sensor]:
    """The plant's sensors that keep time: 29, 22 and 18; the seventieth is `WRONG_CLOCK_SENSOR`."""
    first, count = ((1, 29), (30, 22), (52, 18))[plant.partition]
    return [Sensor(f"scada-{n:03d}", UNITS[n % len(UNITS)], 200 + 37 * n % 700) for n in range(first, first + count)]


def scada(rows: int, seed: int) -> Sample:
    """Return exactly `rows` records over twelve hours; more rows are a faster cadence."""
    return Sample({TOPIC: len(PLANTS)}, lambda: _records(rows, seed))


def _records(rows: int, seed: int) -> Iterator[SampleRecord]:
    partitions = {
        plant.partition: arranged(
            _Plant(plant, count, Dice(seed, 10 + plant.partition)).drafts(),
            OUTAGE if plant.name == "tijuana" else None,
        )
        for plant, count in zip(PLANTS, plants.shares(rows), strict=True)
    }
    return merged(TOPIC, partitions)


class _Plant:
    """Everything one plant's sensors send, before it is put in order of arrival."""

    def __init__(self, plant: Plant, count: int, dice: Dice) -> None:
        self._plant = plant
        self._count = count
        self._dice = dice
        self._sensors = sensors(plant)
        self._breakages = BREAKAGES
        if plant.name == "tijuana":
            self._breakages = tuple(how for each in BREAKAGES for how in ("wrong_clock", each))

    def drafts(self) -> list[Draft]:
        drafts: list[Draft] = []
        broken = -1
        for i in range(self._count):
            if i % BLOCK == 0:
                broken = i + self._dice.below(BLOCK)
            drafts.append(self._broken(i) if i == broken else self._sent(i, drafts))
        return drafts

    def _sent(self, i: int, before: list[Draft]) -> Draft:
        throw = self._dice.below(10_000)
        if throw < 20:
            return Draft(self._due_ms(i), None, self._plant.key, None)
        if throw < 60 and before:
            earlier = before[-1 - self._dice.below(min(len(before), 40))]
            return earlier._replace(arrival_ms=earlier.arrival_ms + 500 + self._dice.below(2 * MINUTE_MS))
        event_ms = self._due_ms(i)
        if throw < 260:
            event_ms = self._due_ms(max(0, i - len(self._sensors)))  # a second reading for the round before
        arrival_ms = event_ms + delay_ms(self._dice, DISORDER_MS, STRAGGLER_MS)
        return Draft(arrival_ms, event_ms, self._plant.key, telegram.text(self._fields(i, event_ms)))

    def _due_ms(self, i: int) -> int:
        """All sensors of a round are due at the same second."""
        rounds = -(-self._count // len(self._sensors))
        return FIRST_MS + (i // len(self._sensors)) * SPAN_MS // rounds // 1_000 * 1_000

    def _fields(self, i: int, event_ms: int) -> dict[str, object]:
        sensor = self._sensors[i % len(self._sensors)]
        fields: dict[str, object] = {
            "sensor_id": sensor.name,
            "planta": self._plant.name,
            "timestamp": event_ms,
            "value": self._value(sensor, event_ms),
            "unit": sensor.unit,
            "operador": self._dice.pick(plants.PEOPLE),
        }
        if self._dice.chance(50):
            fields["quality"] = {"code": 192, "source": None}
        return fields

    def _value(self, sensor: Sensor, event_ms: int) -> float | int | None:
        """A slow wave with noise; one sensor is dead for an hour, and some read below zero."""
        if sensor.name == "scada-007" and 3 * HOUR_MS <= event_ms - FIRST_MS < 4 * HOUR_MS:
            return None
        if self._dice.chance(100):
            return None
        minute = event_ms // MINUTE_MS
        wave = abs(minute % 120 - 60)
        tenths = sensor.level + wave + self._dice.below(40) - (900 if self._dice.chance(50) else 0)
        return tenths // 10 if self._dice.chance(200) else tenths / 10

    def _broken(self, i: int) -> Draft:
        how = self._breakages[i // BLOCK % len(self._breakages)]
        event_ms = self._due_ms(i)
        fields = self._fields(i, event_ms)
        arrival_ms = event_ms + 200 + self._dice.below(8_000)
        if how == "wrong_clock":
            ahead = {**fields, "sensor_id": WRONG_CLOCK_SENSOR, "timestamp": event_ms + DAY_MS}
            return Draft(arrival_ms, None, self._plant.key, telegram.text(ahead))
        return Draft(arrival_ms, None, self._plant.key, telegram.broken(how, fields, "value", "timestamp"))
