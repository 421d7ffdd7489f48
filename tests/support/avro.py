"""Schemas, values and records of Avro by the throw of dice: written here by hand, with blocks in every form there is.

A value of a union is the pair (branch, value), so that what was meant is never guessed.
"""

from __future__ import annotations

import math
import struct

WHOLE = {"int": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
LOGICAL = {
    "int": ("date", "time-millis", "nonsense"),
    "long": ("timestamp-millis", "timestamp-micros", "timestamp-nanos", "time-micros", "local-timestamp-millis"),
    "string": ("uuid", "nonsense"),
    "bytes": ("decimal",),
}
TEXTS = (
    "",
    "a",
    "Monterrey",
    "línea ñ",
    "😀",
    "\u0000",
    "2026-11-25",
    "2026-11-25T10:00:00Z",
    "2026-11-25T10:00:00.5-08:00",
    "x" * 70,
)


class Maker:
    """Makes one schema; every named type once, referred to by name later."""

    def __init__(self, dice) -> None:
        self.dice = dice
        self.named: dict[str, object] = {}
        self.count = 0

    def record(self, depth):
        name = self.name("R")
        schema = {"type": "record", "name": name, "fields": []}
        self.named[name] = schema
        for place in range(self.dice.randint(1, 5)):
            inside_itself = depth > 0 and self.dice.random() < 0.08
            kind = ["null", name] if inside_itself else self.type(depth - 1)
            schema["fields"].append({"name": f"f{place}", "type": kind})
        return schema

    def name(self, letter):
        self.count += 1
        return f"{letter}{self.count}"

    def type(self, depth, *, union=True):
        choice = self.dice.random()
        if choice < 0.5 or depth <= 0:
            return self.simple()
        if choice < 0.6:
            return {"type": "array", "items": self.type(depth - 1)}
        if choice < 0.68:
            return {"type": "map", "values": self.type(depth - 1)}
        if choice < 0.85 and union:
            return self.union(depth)
        done = [name for name, schema in self.named.items() if schema["type"] != "record"]
        if done and choice > 0.95:
            return self.dice.choice(done)
        return self.record(depth)

    def simple(self):
        kind = self.dice.choice(
            ["null", "boolean", "int", "long", "float", "double", "bytes", "string", "enum", "fixed"]
        )
        if kind == "enum":
            name = self.name("E")
            symbols = [f"S{n}" for n in range(self.dice.randint(1, 4))]
            self.named[name] = {"type": "enum", "name": name, "symbols": symbols}
            return self.named[name]
        if kind == "fixed":
            name = self.name("F")
            schema = {"type": "fixed", "name": name, "size": self.dice.choice([0, 1, 4, 9, 16])}
            if schema["size"] and self.dice.random() < 0.5:
                schema |= {"logicalType": "decimal", "precision": schema["size"] * 2, "scale": self.dice.randint(0, 2)}
            elif schema["size"] == 16:
                schema["logicalType"] = "uuid"
            self.named[name] = schema
            return schema
        if kind in LOGICAL and self.dice.random() < 0.4:
            schema = {"type": kind, "logicalType": self.dice.choice(LOGICAL[kind])}
            return schema | ({"precision": 12, "scale": self.dice.randint(0, 4)} if kind == "bytes" else {})
        return kind

    def union(self, depth):
        branches, seen = [], set()
        for _ in range(self.dice.randint(1, 4)):
            before = dict(self.named)
            branch = "null" if self.dice.random() < 0.3 else self.type(depth - 1, union=False)
            kind = kind_of(branch) if kind_of(branch) not in ("record", "enum", "fixed") else name_of(branch)
            if kind not in seen:
                branches.append(branch)
                seen.add(kind)
            else:
                self.named = before
        return branches


def kind_of(schema):
    if isinstance(schema, str):
        return schema
    return "union" if isinstance(schema, list) else schema["type"]


def name_of(schema):
    return schema if isinstance(schema, str) else schema["name"]


def resolved(schema, named):
    return named.get(schema, schema) if isinstance(schema, str) else schema


def draw(dice, schema, named, depth=0):
    """A value of a schema; what lies deep is short."""
    schema = resolved(schema, named)
    if isinstance(schema, list):
        branch = schema.index("null") if depth > 8 and "null" in schema else dice.randrange(len(schema))
        return branch, draw(dice, schema[branch], named, depth + 1)
    kind = kind_of(schema)
    size = dice.choice([0, 0, 1, 2, 3]) if depth < 6 else 0
    match kind:
        case "null":
            return None
        case "boolean":
            return dice.random() < 0.5
        case "int" | "long":
            low, high = WHOLE[kind]
            usual = [0, 1, -1, 63, 64, -65, 20_000, 1_764_064_800_123, low, high, dice.randint(low, high)]
            return max(low, min(high, dice.choice(usual)))
        case "float":
            return struct.unpack("<f", struct.pack("<f", dice.choice([0.0, -0.0, 1.5, 1e30, math.inf, dice.random()])))[
                0
            ]
        case "double":
            return dice.choice([0.0, -0.0, 1.5, 1e300, -1e-300, math.nan, -math.inf, dice.random()])
        case "bytes":
            return bytes(dice.choice([0, 1, 127, 128, 255]) for _ in range(dice.choice([0, 1, 2, 5, 8, 9, 12])))
        case "fixed":
            return bytes(dice.choice([0, 0, 1, 128, 255]) for _ in range(schema["size"]))
        case "string":
            return dice.choice(TEXTS)
        case "enum":
            return dice.choice(schema["symbols"])
        case "array":
            return [draw(dice, schema["items"], named, depth + 1) for _ in range(size)]
        case "map":
            return {f"k{n}é": draw(dice, schema["values"], named, depth + 1) for n in range(size)}
    return {field["name"]: draw(dice, field["type"], named, depth + 1) for field in schema["fields"]}


def varint(value):
    word, out = (value << 1) ^ (value >> 63), bytearray()
    while word > 0x7F:
        out.append(word & 0x7F | 0x80)
        word >>= 7
    return bytes([*out, word])


def encode(dice, schema, named, value):
    """The bytes of a value; arrays and maps in one block or more, with sizes or without."""
    schema = resolved(schema, named)
    if isinstance(schema, list):
        return varint(value[0]) + encode(dice, schema[value[0]], named, value[1])
    match kind_of(schema):
        case "null":
            return b""
        case "boolean":
            return bytes([value])
        case "int" | "long":
            return varint(value)
        case "float":
            return struct.pack("<f", value)
        case "double":
            return struct.pack("<d", value)
        case "bytes":
            return varint(len(value)) + value
        case "fixed":
            return value
        case "string":
            return varint(len(value.encode())) + value.encode()
        case "enum":
            return varint(schema["symbols"].index(value))
        case "array":
            return _blocks(dice, [encode(dice, schema["items"], named, item) for item in value])
        case "map":
            return _blocks(
                dice,
                [
                    encode(dice, "string", named, key) + encode(dice, schema["values"], named, item)
                    for key, item in value.items()
                ],
            )
    return b"".join(encode(dice, field["type"], named, value[field["name"]]) for field in schema["fields"])


def _blocks(dice, items):
    out = b""
    while items:
        count = dice.randint(1, len(items))
        body = b"".join(items[:count])
        out += varint(-count) + varint(len(body)) + body if dice.random() < 0.5 else varint(count) + body
        items = items[count:]
    return out + varint(0)


def paths(schema, named, depth=3):
    """Every path of names that leads through records and unions, with the type at its end."""
    schema = resolved(schema, named)
    if isinstance(schema, list):
        for branch in schema:
            yield from paths(branch, named, depth)
    elif kind_of(schema) == "record" and depth:
        for field in schema["fields"]:
            yield (field["name"],), field["type"]
            for path, end in paths(field["type"], named, depth - 1):
                yield (field["name"], *path), end


def leaf(schema, named, value, path):
    """The type and the value at the end of a path; None where there is none, or a null."""
    schema = resolved(schema, named)
    if isinstance(schema, list):
        return leaf(schema[value[0]], named, value[1], path)
    if path:
        if kind_of(schema) != "record" or path[0] not in value:
            return None
        kind = next(field["type"] for field in schema["fields"] if field["name"] == path[0])
        return leaf(kind, named, value[path[0]], path[1:])
    return None if kind_of(schema) == "null" else (schema, value)


def bare(schema, named, value):
    """A value without the branches of its unions, as a reader gives it."""
    schema = resolved(schema, named)
    if isinstance(schema, list):
        return bare(schema[value[0]], named, value[1])
    match kind_of(schema):
        case "array":
            return [bare(schema["items"], named, item) for item in value]
        case "map":
            return {key: bare(schema["values"], named, item) for key, item in value.items()}
        case "record":
            return {field["name"]: bare(field["type"], named, value[field["name"]]) for field in schema["fields"]}
    return value
