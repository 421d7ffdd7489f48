"""Framed Avro to columns, beside fastavro over the same records in turn, every value compared. ``python -m bench.avro``.

Two topics: the readings of the sample `scada_avro` (two schemas), and telegrams of nine fields by one schema. CPU
nanoseconds per record, the least of the rounds.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import fastavro
import numpy as np
import pyarrow as pa
from tests.support.avro import varint

from arrowflow.decoders.avro.decoder import AvroDecoder
from arrowflow.decoders.avro.spec import AvroSpec, Field, read_writers
from arrowflow.decoders.avro.walk import Bounds
from arrowflow.samples import stream
from arrowflow.types import RawBatch, SourcePartition

SCHEMAS = {int(file.stem): file.read_text("utf-8") for file in Path("configs/schemas").glob("*.avsc")}
READINGS = (
    Field("sensor_id", "string"), Field("planta", "string"), Field("timestamp", "timestamp[ms]"), Field("value", "float64"),
    Field("unit", "string"),
)  # fmt: skip
TELEGRAM = json.dumps(
    {
        "type": "record",
        "name": "Telegram",
        "fields": [
            {"name": "plant", "type": "string"},
            {"name": "line", "type": ["null", "string"]},
            {"name": "station", "type": "string"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "units", "type": "int"},
            {"name": "rate", "type": "double"},
            {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["RUN", "STOP"]}},
            {"name": "operator", "type": ["null", "string"]},
            {"name": "order", "type": "string"},
        ],
    }
)
WANTED = (
    Field("plant", "string"), Field("line", "string"), Field("at", "timestamp[ms]"), Field("units", "int64"),
    Field("rate", "float64"), Field("state", "string"),
)  # fmt: skip


def readings(rows: int) -> list[bytes]:
    """Records of the sample that fastavro takes too."""
    values = [record.value for record in stream("scada_avro", rows=rows).records() if record.value]
    return [value for value in values if _parsed(value) is not None]


def telegrams(rows: int) -> list[bytes]:
    """Framed records of nine fields, some 70 bytes each."""
    dice = np.random.default_rng(1)
    rates, units = dice.random(rows) * 100, dice.integers(0, 5_000, rows)
    return [
        b"\0\0\0\0\x07"
        + _text(f"plant-{i % 3}")
        + (b"\x02" + _text(f"L{i % 7}") if i % 20 else b"\x00")
        + _text(f"station-{i % 40:03d}")
        + varint(1_764_064_800_000 + i * 7)
        + varint(int(units[i]))
        + rates[i].tobytes()
        + varint(i % 10 == 0)
        + (b"\x02" + _text("Ana Peña") if i % 3 else b"\x00")
        + _text(f"OF-{i % 900:06d}")
        for i in range(rows)
    ]


def _text(text: str) -> bytes:
    return varint(len(text.encode())) + text.encode()


def _parsed(value: bytes) -> dict[str, object] | None:
    schema = _PARSED.get(int.from_bytes(value[1:5], "big")) if value[:1] == b"\0" else None
    try:
        at = io.BytesIO(value[5:])
        found = None if schema is None else fastavro.schemaless_reader(at, schema)
        return found if at.tell() == len(value) - 5 else None
    except (ValueError, EOFError, IndexError):
        return None


_PARSED = {number: fastavro.parse_schema(json.loads(text)) for number, text in SCHEMAS.items()}


def batch_of(values: list[bytes]) -> RawBatch:
    n = len(values)
    zeros = np.zeros(n, np.int64)
    return RawBatch(
        SourcePartition("bench", "t", 0),
        np.arange(n),
        zeros,
        zeros == 1,
        pa.nulls(n, pa.binary()),
        pa.array(values, pa.binary()),
    )


def compare(values: list[bytes], spec: AvroSpec, parsed: dict[int, object]) -> None:
    """Every cell against what fastavro reads, logical types and all."""
    decoded = spec.build().decode(batch_of(values))
    assert decoded.ok.all()
    rows = [
        fastavro.schemaless_reader(io.BytesIO(value[5:]), parsed[int.from_bytes(value[1:5], "big")]) for value in values
    ]
    for name, column in zip(decoded.table.column_names, decoded.table.columns, strict=True):
        wanted = [row[name] for row in rows]
        found = column.to_pylist()
        if pa.types.is_floating(column.type):
            wanted = [None if value is None else float(value) for value in wanted]
        if pa.types.is_timestamp(column.type):
            found = [None if value is None else value.astimezone(dt.UTC) for value in found]
        assert found == wanted, name


def measure(ways: dict[str, Callable[[], object]], rows: int, rounds: int) -> dict[str, float]:
    """CPU nanoseconds per record, the least of the rounds; ways take turns."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, run in ways.items():
            began = time.process_time()
            run()
            best[name] = min(best[name], (time.process_time() - began) / rows * 1e9)
    return best


def bench(title: str, values: list[bytes], spec: AvroSpec, rounds: int) -> None:
    assert not isinstance(spec.schemas, str)
    parsed = {number: fastavro.parse_schema(json.loads(text)) for number, text in spec.schemas.items()}
    compare(values, spec, parsed)
    batch, decoder = batch_of(values), spec.build()
    slow = AvroDecoder(spec.fields, read_writers(spec.schemas), Bounds(), stops=False, fast=False)
    few = values[: len(values) // 10]
    pairs = [(value[5:], parsed[int.from_bytes(value[1:5], "big")]) for value in few]
    few_batch = batch_of(few)
    found = measure({"arrowflow": lambda: decoder.decode(batch)}, len(values), rounds)
    found |= measure(
        {
            "fastavro, one dict per record": lambda: [
                fastavro.schemaless_reader(io.BytesIO(body), schema) for body, schema in pairs
            ],
            "the rules, one by one": lambda: slow.decode(few_batch),
            "arrowflow again": lambda: decoder.decode(few_batch),
        },
        len(few),
        rounds,
    )
    size = sum(map(len, values)) / len(values)
    print(f"{title}: {len(values):,} records of {size:.0f} bytes, {len(spec.fields)} columns; every cell equal")
    for name, ns in found.items():
        print(f"  {name:32} {ns:8.0f} ns of CPU a record   {found['fastavro, one dict per record'] / ns:6.1f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    print(f"Python {platform.python_version()}, fastavro {fastavro.__version__}, {platform.machine()}")
    bench("readings, two schemas", readings(args.rows), AvroSpec(READINGS, SCHEMAS), args.rounds)
    bench("telegrams, one schema", telegrams(args.rows), AvroSpec(WANTED, {7: TELEGRAM}), args.rounds)


if __name__ == "__main__":
    main()
