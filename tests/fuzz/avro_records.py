"""One input of the fuzzer as an Avro record: the kernel and the rules must say the same of it.

The first byte picks the schema, the second whether the frame is ours or part of the input.
"""

from __future__ import annotations

import json
import random
from functools import cache

from tests.property.test_avro_equals_oracle import answers, spoilt
from tests.support.avro import draw, encode

from arrowflow.decoders.avro.decoder import AvroDecoder
from arrowflow.decoders.avro.spec import AvroSpec, Field, read_writers
from arrowflow.decoders.avro.walk import Bounds
from arrowflow.testing.conformance.decoders import raw_batch

LARGEST = 400
ID = 7
BOUNDS = Bounds(max_bytes=LARGEST, max_depth=6)


def _record(name, **fields):
    return {"type": "record", "name": name, "fields": [{"name": key, "type": kind} for key, kind in fields.items()]}


_DECIMAL = {"logicalType": "decimal", "precision": 18, "scale": 2}
SCHEMAS = (
    (
        _record("A", i="int", l="long", b="boolean", f="float", d="double", s="string", y="bytes", n="null"),
        (Field("i", "int8"), Field("l", "int64"), Field("b", "bool"), Field("f", "float32"), Field("d", "float32"), Field("s", "string"), Field("y", "string")),
    ),
    (
        _record(
            "B",
            m={"type": "bytes", **_DECIMAL},
            x={"type": "fixed", "name": "X", "size": 9, **_DECIMAL},
            t={"type": "long", "logicalType": "timestamp-micros"},
            n={"type": "long", "logicalType": "timestamp-nanos"},
            d={"type": "int", "logicalType": "date"},
            e={"type": "enum", "name": "E", "symbols": ["A", "B", "C"]},
        ),
        (Field("m", "decimal(20, 4)"), Field("x", "decimal(38, 2)"), Field("t", "timestamp[us]"), Field("n", "timestamp[us]"), Field("d", "date"), Field("e", "string")),
    ),
    (
        _record(
            "C",
            u=["null", "long", "string", _record("In", v="int", w=["string", "null"])],
            a={"type": "array", "items": ["null", "In"]},
            m={"type": "map", "values": {"type": "array", "items": "null"}},
            z=["null", "C"],
        ),
        (Field("v", "int64", path="u.v"), Field("w", "string", path="u.w"), Field("zv", "int32", path="z.u.v")),
    ),
    (
        _record("D", s="string", t=["string", "null"], q={"type": "array", "items": {"type": "map", "values": "double"}}, r="long"),
        (Field("s", "timestamp[iso]"), Field("t", "date"), Field("q", "json"), Field("r", "float64", required=True)),
    ),
    (
        _record("F", o=["null", _record("P", k=["null", "int"], h={"type": "fixed", "name": "H", "size": 16, "logicalType": "uuid"})], y="bytes"),
        (Field("k", "uint8", path="o.k", required=True), Field("h", "string", path="o.h"), Field("y", "string")),
    ),
)  # fmt: skip


@cache
def _decoders(number):
    schema, fields = SCHEMAS[number]
    texts = {ID: json.dumps(schema)}
    spec = AvroSpec(fields, texts, "dead_letter", max_bytes=BOUNDS.max_bytes, max_depth=BOUNDS.max_depth)
    return spec.build(), AvroDecoder(fields, read_writers(texts), BOUNDS, stops=False, fast=False)


def check(data: bytes) -> None:
    """Decode the record of an input in both ways; raises `AssertionError` where they differ."""
    if len(data) < 2 or len(data) > LARGEST + 50:
        return
    fast, slow = _decoders(data[0] % len(SCHEMAS))
    frame = b"" if data[1] % 8 == 7 else b"\0" + ID.to_bytes(4, "big")
    records = [frame + data[2:], b"\0\0\0\0\x07", frame + data[2:]]  # a neighbour that could be read over the end
    first, second = (answers(decoder.decode(raw_batch(records)), 3) for decoder in (fast, slow))
    assert first == second, (first, second)


def seeds() -> list[bytes]:
    """Inputs to begin with: whole records and spoilt ones."""
    found = []
    for number in range(80):
        dice = random.Random(number)
        schema, _ = SCHEMAS[number % len(SCHEMAS)]
        named = _named(schema)
        body = encode(dice, schema, named, draw(dice, schema, named, depth=4))
        found.append(bytes([number % len(SCHEMAS), number // 40]) + (spoilt(dice, body) if number % 2 else body))
    return found


def _named(schema):
    """Every named type of a schema by its name."""
    found = {}
    if isinstance(schema, list):
        for branch in schema:
            found |= _named(branch)
    elif isinstance(schema, dict):
        if "name" in schema:
            found[schema["name"]] = schema
        for inner in (
            *(field["type"] for field in schema.get("fields", ())),
            schema.get("items"),
            schema.get("values"),
        ):
            found |= _named(inner)
    return found
