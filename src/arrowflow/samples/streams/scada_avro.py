"""The readings of the SCADA sample as Avro, by gateways that get a second version half way; it never says what is right."""

from __future__ import annotations

import json
from collections.abc import Iterator

from arrowflow.protocols import SampleRecord
from arrowflow.samples.streams import framed, scada
from arrowflow.samples.streams.plants import HOUR_MS, PLANTS, Plant
from arrowflow.samples.streams.sample import Sample

TOPIC = "bronze.scada.readings"
ROWS = 24_000
SEED = 20251103

SECOND_VERSION_MS = scada.FIRST_MS + 6 * HOUR_MS
"""When the gateways get their second version: after one in three hours of which both are in use."""


def scada_avro(rows: int, seed: int) -> Sample:
    """Return exactly `rows` records over twelve hours; more rows are a faster cadence."""
    return Sample({TOPIC: len(PLANTS)}, lambda: _records(rows, seed))


def _records(rows: int, seed: int) -> Iterator[SampleRecord]:
    spoilt = 0
    last = {plant.partition: _quiet(plant) for plant in PLANTS}
    for record in scada.scada(rows, seed).records():
        fields = _whole(record.value)
        if record.value is None:
            value = None
        elif fields is None:
            value = framed.broken(framed.BREAKAGES[spoilt % len(framed.BREAKAGES)], last[record.partition])
            spoilt += 1
        else:
            sequence = _sequence(fields)
            last[record.partition] = fields
            value = framed.second(fields, sequence) if _is_new(record, sequence) else framed.first(fields)
        yield SampleRecord(TOPIC, record.partition, record.timestamp_ms, record.key, value)


def _quiet(plant: Plant) -> dict[str, object]:
    """A reading of nothing, before a plant's first."""
    named: dict[str, object] = {"sensor_id": "scada-001", "planta": plant.name, "unit": "bar"}
    return {**named, "timestamp": scada.FIRST_MS, "value": None, "operador": None}


def _sequence(fields: dict[str, object]) -> int:
    """A number that a record sent twice has twice."""
    time, sensor = fields["timestamp"], str(fields["sensor_id"])
    assert isinstance(time, int)
    return time // 1_000 + 7 * int(sensor[-3:])


def _is_new(record: SampleRecord, sequence: int) -> bool:
    """Whether a gateway has its second version: from a time on all, in the three hours before it every other reading."""
    left = SECOND_VERSION_MS - record.timestamp_ms
    return left <= 0 or (left <= 3 * HOUR_MS and sequence % 2 == 0)


def _whole(value: bytes | None) -> dict[str, object] | None:
    """The fields of a good reading, None for any other."""
    try:
        fields = json.loads(value or b"")
    except ValueError:
        return None
    whole = isinstance(fields, dict) and isinstance(fields.get("timestamp"), int)
    return fields if whole and not isinstance(fields["value"], str) and fields["value"] == fields["value"] else None
