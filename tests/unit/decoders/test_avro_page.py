"""The page docs/avro.md says what the decoder does: every reason is listed, and what each column takes is what it takes."""

import json
import re
from pathlib import Path

from tests.oracles.avro import fits

from arrowflow.decoders.avro.dialect import REASONS
from arrowflow.decoders.avro.tree import read_tree
from arrowflow.decoders.avro.values import takes
from arrowflow.decoders.avro.walk import Bounds
from arrowflow.decoders.schema import parse_type

PAGE = (Path(__file__).parents[3] / "docs" / "avro.md").read_text("utf-8")
KINDS = ("boolean", "int", "long", "float", "double", "bytes", "string")
LOGICAL = {
    "int": ("date", "time-millis"),
    "long": ("time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos", "local-timestamp-millis", "local-timestamp-micros"),
    "string": ("uuid",),
    "bytes": ("decimal", "uuid"),
    "fixed": ("decimal", "uuid", "duration"),
}  # fmt: skip
COLUMNS = (
    "string", "bool", "int8", "int64", "uint64", "float32", "float64", "decimal(12, 2)", "date", "timestamp[s]", "timestamp[ns]",
    "timestamp[iso]", "timestamp[iso, UTC]", "json",
)  # fmt: skip


def every_type():
    yield from KINDS
    yield {"type": "enum", "name": "E", "symbols": ["A"]}
    yield {"type": "array", "items": "long"}
    yield {"type": "map", "values": "long"}
    yield {"type": "record", "name": "R", "fields": []}
    for size in (4, 16):
        yield {"type": "fixed", "name": "F", "size": size}
        yield from (
            {"type": "fixed", "name": "F", "size": size, "logicalType": logical, "precision": 9}
            for logical in LOGICAL["fixed"]
            if (logical, size) != ("uuid", 4)
        )
    for kind in KINDS:
        yield from ({"type": kind, "logicalType": logical, "precision": 9} for logical in LOGICAL.get(kind, ()))


def test_the_page_lists_every_reason_and_no_other():
    table = PAGE.split("## Reasons")[1].split("## How records")[0]

    assert re.findall(r"^\| `([a-z0-9_]+)` \|", table, re.MULTILINE) == list(REASONS)


def test_a_column_takes_what_the_page_says_and_nothing_else():
    """The oracle was written from the page; here it is held against the rules for every type there is."""

    for column in COLUMNS:
        for schema in every_type():
            took = takes(parse_type(column), read_tree(json.dumps(schema)))
            assert took == fits(column, schema), (column, schema)


def test_every_column_of_the_page_exists_and_every_avro_type_is_named():
    table = PAGE.split("## Columns")[1].split("A union is read")[0]
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", table, re.MULTILINE)

    assert len(rows) == 9
    for kind in (*KINDS, "enum", "fixed", "uuid", "date", "decimal", "timestamp-millis"):
        assert any(f"`{kind}`" in takes_ for _, takes_ in rows), kind


def test_the_bounds_the_page_names_are_the_defaults():
    assert (Bounds().max_bytes, Bounds().max_depth) == (4 << 20, 64)
    assert "`max_bytes` 4 MiB" in PAGE
    assert re.search(r"`max_depth`\s64", PAGE)
