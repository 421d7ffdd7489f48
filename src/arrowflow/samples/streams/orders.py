"""Changes of production orders in three plants, as a database would tell them; never what the right result is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from arrowflow.protocols import SampleRecord
from arrowflow.samples.streams import plants, telegram
from arrowflow.samples.streams.dice import Dice
from arrowflow.samples.streams.draft import Draft, Outage, arranged, delay_ms, merged
from arrowflow.samples.streams.plants import DAY_MS, HOUR_MS, MINUTE_MS, PLANTS, SHIFTS, Plant
from arrowflow.samples.streams.sample import Sample

TOPIC = "silver.sql.orders"
ROWS = 12_000
SEED = 20251102

DISORDER_MS = HOUR_MS
STRAGGLER_MS = 30 * HOUR_MS
BLOCK = 200
OUTAGE = Outage(
    plants.OCT_31_MS + DAY_MS + 11 * HOUR_MS + 15 * MINUTE_MS, plants.OCT_31_MS + DAY_MS + 12 * HOUR_MS + 15 * MINUTE_MS
)
"""Monterrey, an hour over the start of its production day of 1 November."""

STATES = ("creada", "liberada", "en_proceso", "terminada")
BREAKAGES = (
    "empty",
    "truncated",
    "array",
    "two_documents",
    "bad_utf8",
    "text_number",
    "overflow",
    "no_time",
    "bare",
    "wrong_clock",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def orders(rows: int, seed: int) -> Sample:
    """Return exactly `rows` change events over five production days."""
    return Sample({TOPIC: len(PLANTS)}, lambda: _records(rows, seed))


def _records(rows: int, seed: int) -> Iterator[SampleRecord]:
    partitions = {
        plant.partition: arranged(
            _Plant(plant, count, Dice(seed, 20 + plant.partition)).drafts(),
            OUTAGE if plant.name == "monterrey" else None,
        )
        for plant, count in zip(PLANTS, plants.shares(rows), strict=True)
    }
    return merged(TOPIC, partitions)


class _Plant:
    """Everything one plant's database tells, before it is put in order of arrival."""

    def __init__(self, plant: Plant, count: int, dice: Dice) -> None:
        self._plant = plant
        self._count = count
        self._dice = dice
        self._first_ms = plant.shift_start_ms(0)
        self._span_ms = plant.shift_start_ms(SHIFTS) - self._first_ms
        self._open: list[tuple[int, int]] = []
        self._orders = 0

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
        if throw < 50:
            return Draft(self._due_ms(i), None, self._plant.key, None)
        if throw < 100 and before:
            earlier = before[-1 - self._dice.below(min(len(before), 40))]
            return earlier._replace(arrival_ms=earlier.arrival_ms + 1_000 + self._dice.below(20 * MINUTE_MS))
        event_ms = self._due_ms(i)
        arrival_ms = event_ms + delay_ms(self._dice, DISORDER_MS, STRAGGLER_MS, stragglers=150)
        return Draft(arrival_ms, event_ms, self._plant.key, telegram.text(self._fields(event_ms)))

    def _due_ms(self, i: int) -> int:
        return self._first_ms + (i * self._span_ms + self._dice.below(self._span_ms)) // self._count

    def _fields(self, event_ms: int) -> dict[str, object]:
        order, state = self._change()
        cost: float | int | None = self._dice.below(5_000_000) / 100
        if self._dice.chance(200):
            cost = None
        elif self._dice.chance(30):
            cost = float(2**53 + 2 * self._dice.below(100))  # a mistyped price; cents next to it must not vanish
        return {
            "order_id": f"{self._plant.name[:3].upper()}-{order:06d}",
            "planta": self._plant.name,
            "timestamp": self._written(event_ms),
            "estado": state,
            "cantidad": 1 + self._dice.below(500),
            "costo": cost,
        }

    def _change(self) -> tuple[int, str]:
        """The next state of one of the open orders, or a new order; one in fifty is cancelled."""
        if len(self._open) < 20 or self._dice.chance(2_500):
            self._orders += 1
            self._open.append((self._orders, 0))
            return self._orders, STATES[0]
        place = self._dice.below(len(self._open))
        order, state = self._open.pop(place)
        if self._dice.chance(200):
            return order, "cancelada"
        if state + 1 < len(STATES) - 1:
            self._open.append((order, state + 1))
        return order, STATES[state + 1]

    def _written(self, event_ms: int) -> str:
        """ISO text in local time, in UTC with ``Z`` or with ``+00:00``; fractions only where there are any."""
        when = _EPOCH + timedelta(milliseconds=event_ms)
        style = self._dice.below(4)
        if style == 0:
            return when.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        if style == 1:
            return when.isoformat(timespec="milliseconds")
        return when.astimezone(timezone(timedelta(hours=self._hours_behind(event_ms)))).isoformat(
            timespec="milliseconds"
        )

    def _hours_behind(self, event_ms: int) -> int:
        if self._plant.name != "tijuana":
            return -6
        return -7 if event_ms < plants.OCT_31_MS + 2 * DAY_MS + 9 * HOUR_MS else -8

    def _broken(self, i: int) -> Draft:
        how = BREAKAGES[i // BLOCK % len(BREAKAGES)]
        event_ms = self._due_ms(i)
        arrival_ms = event_ms + 200 + self._dice.below(8_000)
        if how == "wrong_clock":
            return Draft(arrival_ms, None, self._plant.key, telegram.text(self._fields(event_ms + DAY_MS)))
        fields = self._fields(event_ms)
        return Draft(arrival_ms, None, self._plant.key, telegram.broken(how, fields, "cantidad", "timestamp"))
