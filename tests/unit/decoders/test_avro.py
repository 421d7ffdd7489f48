"""Avro records byte by byte: what each Avro type becomes, what is refused and why, and what a spec refuses at once."""

from __future__ import annotations

import io
import json
import struct
import sys
from datetime import date
from decimal import Decimal
from uuid import UUID

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from tests.support.avro import varint
from tests.support.calls import calls_of

from arrowflow.decoders.avro.decoder import AvroDecoder
from arrowflow.decoders.avro.dialect import REASONS
from arrowflow.decoders.avro.spec import AvroSpec, Field, read_writers, texts_by_id
from arrowflow.decoders.avro.walk import Bounds
from arrowflow.decoders.kernels import avro as kernel
from arrowflow.errors import ConfigError, PromiseBroken
from arrowflow.testing.conformance.decoders import raw_batch


def record(*fields, name="R", **more):
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields], **more}


def text(value):
    return varint(len(value)) + value


def outcome(schema, body, column, type_="int64", **settings):
    """The value of a column of one bare record, or the reason why not; the rules alone say the same in the same words."""
    fields = (Field(column.replace(".", "_"), type_, path=column, required=settings.pop("required", False)),)
    spec = AvroSpec(fields, json.dumps(schema), **settings)
    writers = read_writers(texts_by_id(spec.schemas))
    slow = AvroDecoder(fields, writers, Bounds(spec.max_bytes, spec.max_depth), stops=False, fast=False)
    fast, judged = (each.decode(raw_batch([body])) for each in (spec.build(), slow))
    assert fast.rejects == judged.rejects
    assert fast.table.equals(judged.table)
    if fast.rejects:
        assert fast.rejects[0].reason in REASONS
        return fast.rejects[0].reason
    cell = fast.table.column(0)
    return (cell.cast(pa.int64()) if pa.types.is_timestamp(cell.type) else cell).to_pylist()[0]


def one(kind, body, type_="int64", **settings):
    return outcome(record(("v", kind)), body, "v", type_, **settings)


# ---- bytes that are no record --------------------------------------------------------------------------------

LONGEST = b"\xff" * 9 + b"\x01"


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("long", b"\x80", "syntax"),  # cut off in a number
        ("long", b"\xff" * 10, "syntax"),  # no end in ten bytes
        ("long", b"\xff" * 9 + b"\x02", "syntax"),  # more than 64 bits
        ("long", b"\x80" * 10 + b"\x00", "syntax"),
        ("int", varint(2**31), "syntax"),  # more than 32 bits
        ("int", varint(-(2**31) - 1), "syntax"),
        ("boolean", b"\x02", "syntax"),
        ("double", b"\0" * 7, "syntax"),
        ("float", b"\0" * 3, "syntax"),
        ("string", varint(5) + b"abcd", "syntax"),  # a length that leads out of the record
        ("string", varint(-1), "syntax"),
        ("string", varint(2**62), "syntax"),
        ("string", varint(2**63 - 1) + b"abc", "syntax"),
        ("string", text(b"\xff"), "utf8"),
        ("string", text(b"abc\xc3"), "utf8"),
        ("string", text(b"\xed\xa0\x80"), "utf8"),  # half of a surrogate pair
        ("string", text(b"\xc0\x80"), "utf8"),
        ("string", text(b"\xf4\x90\x80\x80"), "utf8"),
        ("string", text(b"0123456789abcdef\x80"), "utf8"),
        ("bytes", varint(3) + b"ab", "syntax"),
        ({"type": "fixed", "name": "F", "size": 4}, b"abc", "syntax"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, varint(2), "syntax"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, varint(-1), "syntax"),
        (["null", "long"], varint(2), "syntax"),
        (["null", "long"], varint(-1), "syntax"),
        (["null", "long", "string"], varint(3) + b"\0", "syntax"),
        ({"type": "array", "items": "long"}, varint(2) + b"\x02", "syntax"),
        ({"type": "array", "items": "long"}, varint(1) + b"\x02", "syntax"),  # no empty block at the end
        ({"type": "array", "items": "long"}, varint(2**62) + b"\x02", "syntax"),
        ({"type": "array", "items": "long"}, varint(-(2**63)) + varint(1) + b"\x02\x00", "syntax"),
        ({"type": "array", "items": "long"}, varint(-1) + varint(2) + b"\x02\x00", "syntax"),  # a block of another size
        ({"type": "array", "items": "long"}, varint(-1) + varint(-1) + b"\x02\x00", "syntax"),
        ({"type": "array", "items": "long"}, varint(-1) + varint(1000) + b"\x02\x00", "syntax"),
        ({"type": "map", "values": "long"}, varint(1) + text(b"\xff") + b"\x02\x00", "utf8"),
        ({"type": "array", "items": "null"}, varint(2**40) + b"\0", "too_large"),  # items without bytes
        ({"type": "array", "items": "null"}, varint(2**62) * 8 + b"\0", "too_large"),
        ({"type": "array", "items": record(name="Empty")}, varint(2**63 - 1), "too_large"),
        ("long", b"\x02\x00", "trailing_data"),
        ("null", b"\x00", "trailing_data"),
        ("long", b"", "empty"),
    ],
)
def test_bytes_that_are_no_record_are_refused_in_a_field_that_is_read_and_in_one_that_is_not(kind, body, reason):
    schema = record(("a", "long"), ("v", kind))
    front = b"" if not body else b"\x02"

    assert outcome(schema, front + body, "a") == reason
    assert outcome(schema, front + body, "v", "json") == reason


@pytest.mark.parametrize("body", [b"\x02", b"\x82\x00", b"\x82\x80\x80\x00", b"\x82" + b"\x80" * 8 + b"\x00"])
def test_a_number_may_be_longer_than_it_must(body):
    assert one("long", body) == 1


def test_the_ends_of_a_long_are_read():
    assert one("long", LONGEST) == -(2**63)
    assert one("long", b"\xfe" + b"\xff" * 8 + b"\x01") == 2**63 - 1


@pytest.mark.parametrize("size", [1, 3])
def test_every_cut_of_a_record_is_refused(size):
    inner = record(("x", "double"), ("s", "string"), name="In")
    schema = record(
        ("a", "long"),
        ("t", {"type": "array", "items": inner}),
        ("n", ["null", "In"]),
        ("m", {"type": "map", "values": "bytes"}),
    )
    parsed, stream = fastavro.parse_schema(schema), io.BytesIO()
    item = {"x": 1.5, "s": "línea" * size}
    fastavro.schemaless_writer(stream, parsed, {"a": 300, "t": [item] * size, "n": item, "m": {"k": b"v" * size}})
    whole = stream.getvalue()

    assert outcome(schema, whole, "a") == 300
    assert outcome(schema, whole, "n.x", "float64") == 1.5
    for cut in range(1, len(whole)):
        assert outcome(schema, whole[:cut], "a") == "syntax"


def test_a_record_may_be_64_deep_and_no_deeper():
    schema = record(("v", "long"), ("next", ["null", "R"]))

    def chain(length):
        return b"\x02\x02" * (length - 1) + b"\x02\x00"

    assert outcome(schema, chain(64), "v") == 1
    assert outcome(schema, chain(65), "v") == "too_deep"
    assert outcome(schema, chain(100_000), "v") == "too_deep"
    assert outcome(schema, chain(65), "v", max_depth=65) == 1


def test_arrays_and_maps_count_as_deeper_with_or_without_items():
    schema = record(("a", {"type": "array", "items": {"type": "map", "values": "long"}}), ("v", "long"))

    assert outcome(schema, b"\x00\x02", "v", max_depth=2) == 1
    assert outcome(schema, b"\x02\x00\x00\x02", "v", max_depth=2) == "too_deep"
    assert outcome(schema, b"\x02\x00\x00\x02", "v", max_depth=3) == 1
    assert outcome(schema, b"\x00\x02", "v", max_depth=1) == "too_deep"


def test_items_that_take_no_bytes_are_counted_and_others_are_not():
    nulls = record(
        ("a", {"type": "array", "items": ["null"]}),
        ("b", {"type": "array", "items": record(("n", "null"), name="N")}),
        ("v", "long"),
    )

    def body(few, many):
        return varint(len(few)) * (few != b"") + few + b"\0" + (varint(many) if many else b"") + b"\0\x02"

    assert outcome(nulls, body(b"\0" * 3_000, 1_024), "v") == 1
    assert outcome(nulls, body(b"", 1_025), "v") == "too_large"
    assert outcome(nulls, body(b"", 1_025), "b", "json") == "too_large"


def test_a_record_that_holds_something_in_the_end_is_not_without_bytes():
    outer = record(("b", {"type": "array", "items": record(("a", "R"), name="B")}), ("x", "long"))

    assert outcome(outer, b"\x02\x00\x04\x00\x06", "x") == 3
    assert outcome(outer, varint(1_025) + b"\x00\x04" * 1_025 + b"\x00\x06", "x") == 3


def test_a_record_inside_itself_without_an_end_is_too_deep():
    schema = record(("v", "long"), ("r", record(("r", "Loop"), name="Loop")))

    assert outcome(schema, b"\x02", "v") == "too_deep"


def test_a_value_over_max_bytes_is_not_looked_at():
    assert one("string", text(b"x" * 50), "string", max_bytes=20) == "too_large"


def test_text_is_what_python_takes_for_utf8():
    """Every lead byte with followers on both sides of each bound."""
    followers = (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF)
    for lead in range(0x80, 0x100):
        for second in followers:
            for tail in (b"", b"\x80", b"\xbf\x80", b"\x80\xc0", b"\x80\x80\x80", b"a"):
                written = bytes([lead, second]) + tail
                try:
                    written.decode()
                    good = True
                except UnicodeDecodeError:
                    good = False
                for data in (written, b"0123456789" + written + b"0123456789"):
                    assert kernel.is_text(np.frombuffer(data, np.uint8).copy(), 0, len(data)) == good, data


def test_records_beside_each_other_are_no_deeper_than_one():
    inner = record(("x", "long"), name="In")
    schema = record(("a", inner), *((f"f{n}", "In") for n in range(100)), ("v", "long"))
    decoder = AvroSpec((Field("v", "int64"),), json.dumps(schema), max_depth=2).build()

    doubt = decoder._kernel.read(pa.array([b"\x02" * 102], pa.binary())).doubt

    assert not doubt.any()


# ---- what each type becomes ----------------------------------------------------------------------------------

MILLIS, MICROS, NANOS = ({"type": "long", "logicalType": f"timestamp-{unit}"} for unit in ("millis", "micros", "nanos"))
DAY = {"type": "int", "logicalType": "date"}
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
COIN = {"type": "fixed", "name": "Coin", "size": 5, "logicalType": "decimal", "precision": 11, "scale": 2}
ID = {"type": "fixed", "name": "Id", "size": 16, "logicalType": "uuid"}


@pytest.mark.parametrize(
    ("kind", "body", "type_", "value"),
    [
        ("int", varint(-5), "int64", -5),
        ("long", varint(300), "uint8", "overflow"),
        ("long", varint(-1), "uint64", "overflow"),
        ("long", varint(127), "int8", 127),
        ("long", varint(128), "int8", "overflow"),
        ("long", varint(2**53 + 1), "float64", float(2**53)),
        ("int", varint(7), "float32", 7.0),
        ("float", struct.pack("<f", 0.1), "float64", struct.unpack("<f", struct.pack("<f", 0.1))[0]),
        ("double", struct.pack("<d", 0.1), "float64", 0.1),
        ("double", struct.pack("<d", 1e39), "float32", "overflow"),
        ("double", struct.pack("<d", 1e-46), "float32", 0.0),
        ("double", struct.pack("<d", float("-inf")), "float32", float("-inf")),
        ("boolean", b"\x01", "bool", True),
        ("boolean", b"\x00", "bool", False),
        ("string", text("ñandú 😀\0".encode()), "string", "ñandú 😀\0"),
        ("bytes", text(b"abc"), "string", "abc"),
        ("bytes", text(b"\xff"), "string", "utf8"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B2"]}, b"\x02", "string", "B2"),
        ({"type": "string", "logicalType": "uuid"}, text(b"not checked"), "string", "not checked"),
        (ID, UUID(int=7).bytes, "string", str(UUID(int=7))),
        (MILLIS, varint(1_764_064_800_123), "timestamp[ms]", 1_764_064_800_123_000),
        (MICROS, varint(-1), "timestamp[ms]", -1),
        (NANOS, varint(-1), "timestamp[us]", -1),
        (NANOS, varint(1_999), "timestamp[ms]", 1),
        ("long", varint(5), "timestamp[s]", 5_000_000),
        ("int", varint(-5), "timestamp[s]", -5_000_000),
        (MILLIS, varint(253_402_300_800_000), "timestamp[ms]", "timestamp_range"),
        (MILLIS, varint(-62_135_596_800_001), "timestamp[ms]", "timestamp_range"),
        (MILLIS, varint(-62_135_596_800_000), "timestamp[ms]", -62_135_596_800_000_000),
        (NANOS, varint(-(2**63)), "timestamp[ns]", -9_223_372_036_854_776),
        (MILLIS, varint(253_402_300_799_999), "timestamp[ms]", 253_402_300_799_999_000),
        (DAY, varint(-1), "date", date(1969, 12, 31)),
        (DAY, varint(2_932_896), "date", date(9999, 12, 31)),
        (DAY, varint(2_932_897), "date", "date"),
        (DAY, varint(-1), "int32", -1),
        ("string", text(b"2026-02-28"), "date", date(2026, 2, 28)),
        ("string", text(b"2026-02-30"), "date", "date"),
        ("string", text(b"2026-11-25T10:00:00Z"), "timestamp[iso]", 1_795_600_800_000_000),
        ("string", text(b"2026-11-25T10:00:00"), "timestamp[iso]", "timestamp"),
        ("string", text(b"2026-03-08T02:30:00"), "timestamp[iso, America/Tijuana]", "timestamp_nonexistent"),
        (MONEY, text(b"\xff"), "decimal(12, 2)", Decimal("-0.01")),
        (MONEY, text(b""), "decimal(12, 2)", Decimal("0.00")),
        (MONEY, text(b"\0" * 20 + b"\x01\x00"), "decimal(12, 2)", Decimal("2.56")),
        (MONEY, text(b"\xff" * 20 + b"\x00"), "decimal(12, 2)", Decimal("-2.56")),
        (MONEY, text((2**63).to_bytes(9, "big")), "decimal(38, 2)", Decimal(2**63).scaleb(-2)),
        (MONEY, text((2**64 + 5).to_bytes(9, "big")), "decimal(38, 2)", Decimal(2**64 + 5).scaleb(-2)),
        (MONEY, text((-(2**64) + 5).to_bytes(9, "big", signed=True)), "decimal(38, 2)", Decimal(-(2**64) + 5).scaleb(-2)),
        (MONEY, text((-(2**63)).to_bytes(8, "big", signed=True)), "decimal(38, 2)", Decimal(-(2**63)).scaleb(-2)),
        (MONEY, text((10**12).to_bytes(6, "big")), "decimal(12, 2)", "overflow"),
        (MONEY, text((10**12 - 1).to_bytes(6, "big")), "decimal(12, 2)", Decimal("9999999999.99")),
        (MONEY, text(b"\x05"), "decimal(12, 1)", "scale"),
        (MONEY, text(b"\x0a"), "decimal(12, 1)", Decimal("0.1")),
        (MONEY, text(b"\x0a"), "decimal(12, 4)", Decimal("0.1000")),
        (COIN, (-5).to_bytes(5, "big", signed=True), "decimal(12, 2)", Decimal("-0.05")),
        ("long", varint(12), "decimal(5, 2)", Decimal("12.00")),
        ("long", varint(1_000), "decimal(5, 2)", "overflow"),
        ("null", b"", "int64", None),
        (["null", "long"], b"\x00", "int64", None),
        (["long", "null"], b"\x02", "int64", None),
        (["null", "long"], b"\x02\x0a", "int64", 5),
        (["null", "long", "string"], b"\x04" + text(b"x"), "int64", "type"),
        (["null", "long", "string"], b"\x02\x0a", "int64", 5),
        (["long"], b"\x00\x0a", "int64", 5),
        ({"type": "array", "items": "long"}, b"\x04\x02\x04\x00", "json", "[1,2]"),
        ({"type": "array", "items": "long"}, b"\x03\x04\x02\x04\x02\x06\x00", "json", "[1,2,3]"),
        ({"type": "map", "values": ["null", "bytes"]}, b"\x04\x02a\x02\x02\xe9\x02b\x00\x00", "json", '{"a":"é","b":null}'),
        ({"type": "array", "items": "double"}, b"\x02" + struct.pack("<d", float("nan")) + b"\x00", "json", "type"),
        ("string", text('"é'.encode()), "json", '"\\"é"'),
    ],
)  # fmt: skip
def test_a_value_becomes_what_its_column_says(kind, body, type_, value):
    front, behind = text(b"before"), text("línea".encode())
    schema = record(("a", "string"), ("v", kind), ("z", "string"))

    assert outcome(schema, front + body + behind, "v", type_) == value


@pytest.mark.parametrize(
    ("kind", "body", "type_"),
    [
        ("double", struct.pack("<d", 1.5), "float64"),
        ("float", struct.pack("<f", 1.5), "float32"),
        ("boolean", b"\x01", "bool"),
        ("string", text(b"abcdefghij"), "string"),
        (MONEY, text(b"\x01\x02\x03"), "decimal(12, 2)"),
        (COIN, b"\0\0\0\x01\x02", "decimal(12, 2)"),
        (MILLIS, varint(1_764_064_800_123), "timestamp[ms]"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, b"\x02", "string"),
        (["null", "double"], b"\x02" + struct.pack("<d", 1.5), "float64"),
    ],
)
def test_a_value_that_is_cut_off_is_never_read_from_what_lies_behind_it(kind, body, type_):
    """Neither at the end of all bytes, where nothing is, nor where the next record lies."""
    schema = record(("a", "long"), ("v", kind))
    decoder = AvroSpec((Field("v", type_),), json.dumps(schema)).build()
    for cut in range(len(body)):
        short = b"\x02" + body[:cut]
        rejects = decoder.decode(raw_batch([short, b"\x02" + body, short])).rejects
        assert [(reject.row, reject.reason) for reject in rejects] == [(0, "syntax"), (2, "syntax")]


def test_floats_keep_every_bit():
    values = [0.0, -0.0, 5e-324, float("inf"), 0.1 + 0.2, float("nan")]
    decoded = (
        AvroSpec((Field("v", "float64"),), json.dumps(record(("v", "double"))))
        .build()
        .decode(raw_batch([struct.pack("<d", value) for value in values]))
    )

    assert decoded.table.column("v").to_numpy().tobytes() == np.array(values).tobytes()


def test_paths_lead_through_records_and_unions_as_in_an_envelope_of_debezium():
    row = record(("id", "long"), ("name", ["null", "string"]), name="Value")
    schema = record(("before", ["null", row]), ("after", ["null", "Value"]), ("op", "string"), name="Envelope")
    body = b"\x00\x02" + varint(42) + b"\x02" + text(b"ana") + text(b"c")

    assert outcome(schema, body, "after.id") == 42
    assert outcome(schema, body, "after.name", "string") == "ana"
    assert outcome(schema, body, "before.id") is None
    assert outcome(schema, body, "before.id", required=True) == "required"
    assert outcome(schema, body, "/after/id") == 42
    assert outcome(schema, body, "after", "json") == '{"id":42,"name":"ana"}'


def test_a_field_that_another_branch_lacks_is_null_there():
    schema = record(("v", [record(("x", "long"), name="A"), record(("y", "long"), name="B"), "string"]))

    assert outcome(schema, b"\x00\x0a", "v.x") == 5
    assert outcome(schema, b"\x02\x0a", "v.x") is None
    assert outcome(schema, b"\x04" + text(b"s"), "v.x") is None


# ---- framing and schemas ---------------------------------------------------------------------------------------

FIRST = json.dumps(record(("v", "long"), ("s", "string")))
SECOND = json.dumps(record(("s", "string"), ("w", "double"), ("v", ["null", "int"])))


def framed(number, body):
    return b"\0" + number.to_bytes(4, "big") + body


def test_records_of_several_schemas_come_out_in_their_order():
    spec = AvroSpec((Field("v", "int64"), Field("s", "string"), Field("w", "float64")), {7: FIRST, 2**31: SECOND})
    records = [
        framed(7, varint(1) + text(b"a")),
        framed(2**31, text(b"b") + struct.pack("<d", 2.5) + b"\x02\x04"),
        None,
        framed(7, varint(3) + text(b"c")),
        framed(2**31, text(b"d") + struct.pack("<d", 4.5) + b"\x00"),
    ]

    decoded = spec.build().decode(raw_batch(records))

    assert decoded.rejects == ()
    assert decoded.table.to_pydict() == {
        "v": [1, 2, None, 3, None],
        "s": ["a", "b", None, "c", "d"],
        "w": [None, 2.5, None, None, 4.5],
    }


@pytest.mark.parametrize("value", [b"\0", b"\0\0\0\0", b"\x01\0\0\0\x07\x02\x02a", b'{"v":1}', b"\xff" * 9])
def test_a_value_without_framing_is_refused_with_what_to_write(value):
    decoded = AvroSpec((Field("v", "int64"),), {7: FIRST}).build().decode(raw_batch([value]))

    assert [reject.reason for reject in decoded.rejects] == ["framing"]
    assert 'framing = "none"' in decoded.rejects[0].detail


def test_an_unknown_schema_stops_the_run_with_the_place_and_what_to_do():
    decoder = AvroSpec((Field("v", "int64"),), {7: FIRST}).build()
    good = framed(7, varint(1) + text(b"a"))

    with pytest.raises(
        PromiseBroken, match=r"topic topic, partition 0, offset 101: .*schema 12, .*only 7\. .*12\.avsc"
    ):
        decoder.decode(raw_batch([good, framed(12, b"\x02\x02a"), good]))


def test_an_unknown_schema_is_a_dead_letter_where_that_is_wanted():
    decoder = AvroSpec((Field("v", "int64"),), {7: FIRST}, unknown="dead_letter").build()
    good = framed(7, varint(1) + text(b"a"))

    decoded = decoder.decode(raw_batch([good, framed(12, b"\x02\x02a"), good]))

    assert [(reject.row, reject.reason) for reject in decoded.rejects] == [(1, "unknown_schema")]
    assert decoded.table.column("v").to_pylist() == [1, None, 1]


@pytest.mark.parametrize("form", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_values_may_come_in_any_form_of_bytes(form):
    values = [framed(7, varint(n) + text(b"a" * n)) for n in range(5)] + [None]
    decoder = AvroSpec((Field("v", "int64"),), {7: FIRST}).build()

    decoded = decoder.decode(raw_batch(values, pa.array(values, form)))

    assert decoded.table.column("v").to_pylist() == [0, 1, 2, 3, 4, None]


@pytest.mark.jit
def test_one_bad_record_in_many_is_the_only_one_that_is_judged_alone():
    good = [framed(7, varint(row) + text(b"some text")) for row in range(50_000)]
    bad = [*good[:25_000], good[0][:-1], *good[25_001:]]
    decoder = AvroSpec((Field("v", "int64"), Field("s", "string")), {7: FIRST}).build()
    decoder.decode(raw_batch(bad[24_990:25_010]))
    batches, seen = (raw_batch(good), raw_batch(bad)), []
    clean, dirty = (calls_of(lambda batch=batch: seen.append(decoder.decode(batch))) for batch in batches)

    assert [result.ok.sum() for result in seen] == [50_000, 49_999]
    assert clean < 2_000
    assert dirty < clean + 500


# ---- what a spec refuses ---------------------------------------------------------------------------------------

NESTED = record(
    ("a", record(("b", "long"), name="A")), ("l", {"type": "array", "items": "A"}), ("u", ["null", "string"])
)


@pytest.mark.parametrize(
    ("fields", "schema", "sentence"),
    [
        ((), NESTED, "the schema has no columns"),
        ((Field("x", "int64"), Field("x", "int64", path="a.b")), NESTED, "declared 2 times"),
        ((Field("x", "json", path="a"), Field("y", "int64", path="a.b")), NESTED, "lies in or is what column"),
        ((Field("bb", "int64", path="a.bb"),), NESTED, r"no such field in 'a' of the schema, only b; did you mean 'b'\?"),
        ((Field("uu", "string"),), NESTED, r"no such field in the schema, only a, l, u; did you mean 'u'\?"),
        ((Field("x", "int64", path="l.b"),), NESTED, "is a array|is an array"),
        ((Field("u", "int64"),), NESTED, 'column \'u\' is int64, and \'u\' of the schema is string: write "string"'),
        ((Field("a", "int64"),), NESTED, 'is record A: write "json"'),
        ((Field("v", "date"),), record(("v", MILLIS)), r'is long \(timestamp-millis\): write "timestamp\[ms\]"'),
        ((Field("v", "float64"),), record(("v", MONEY)), r'decimal with 2 places\): write "decimal\(38, 2\)"'),
        ((Field("v", "int64"),), "long", "the schema is long, and columns are fields of a record"),
        ((Field("v", "int64"),), record(("v", "Other")), "'Other' is not defined before it is used"),
        ((Field("v", "int64"),), {"type": "record", "fields": []}, "no name of a type"),
        ((Field("v", "int64"),), record(("v", "long"), ("v", "long")), "the field 'v' is there twice"),
        ((Field("v", "int64"),), record(("v", [])), "a union of nothing"),
        ((Field("v", "int64"),), record(("v", ["null", ["long"]])), "a union directly in a union"),
        ((Field("v", "int64"),), record(("v", {"type": "array"})), "does not say its items"),
        ((Field("v", "int64"),), record(("v", {"type": "enum", "name": "E", "symbols": []})), "needs a list of symbols"),
        ((Field("v", "int64"),), record(("v", {"type": "fixed", "name": "F", "size": -1})), "no size"),
        ((Field("v", "int64"),), record(("v", 7)), "7 is no type"),
        ((Field("v", "int64"),), record(("v", record(name="R"))), "'R' is defined twice"),
    ],
)  # fmt: skip
def test_a_column_or_schema_that_cannot_work_is_refused_at_once(fields, schema, sentence):
    with pytest.raises(ConfigError, match=sentence):
        AvroSpec(fields, json.dumps(schema))


@pytest.mark.parametrize(
    ("schemas", "settings", "sentence"),
    [
        ({}, {}, "there are no schemas"),
        ({-2: FIRST}, {}, "schema id -2: allowed are 0"),
        ({2**32: FIRST}, {}, "schema id 4294967296"),
        ({7: "{"}, {}, "schema 7: this is no JSON"),
        ({7: "[" * 100_000}, {}, "schema 7: this is no JSON"),
        ({7: FIRST}, {"unknown": "skip"}, "unknown = 'skip': write 'stop' or 'dead_letter'"),
        ({7: FIRST}, {"max_depth": 0}, "max_depth = 0: allowed are 1 to 512"),
        ({7: FIRST}, {"max_bytes": 2**31}, "max_bytes = 2147483648"),
    ],
)
def test_schemas_and_settings_that_cannot_work_are_refused_at_once(schemas, settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        AvroSpec((Field("v", "int64"),), schemas, **settings)


def test_without_fastavro_the_spec_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastavro", None)

    with pytest.raises(ConfigError, match=r"needs fastavro: pip install 'arrowflow\[avro\]'"):
        AvroSpec((Field("v", "int64"),), {7: FIRST})


def test_a_column_that_one_schema_lacks_is_none_to_complain_of():
    AvroSpec((Field("w", "float64"),), {7: FIRST, 8: SECOND})
    with pytest.raises(ConfigError, match="no such field in schema 7"):
        AvroSpec((Field("x", "float64"),), {7: FIRST, 8: SECOND})


def test_the_fingerprint_knows_each_schema_by_what_decoding_hangs_on():
    def schemas(text, **more):
        return AvroSpec((Field("v", "int64"),), {7: text}, **more).fingerprint()["schemas"]

    said = {
        "type": "record",
        "name": "R",
        "doc": "other words",
        "fields": [{"name": "v", "type": "long", "doc": "x", "default": 0}, {"name": "s", "type": "string"}],
    }

    assert schemas(FIRST) == schemas(json.dumps(said, indent=3)) == schemas(FIRST, unknown="dead_letter")
    assert schemas(FIRST) != schemas(SECOND)
    assert schemas(FIRST) != schemas(FIRST.replace('"long"', '{"type": "long", "logicalType": "timestamp-millis"}'))


def test_a_schema_may_be_of_names_in_namespaces():
    inner = {"type": "enum", "name": "E", "symbols": ["A"]}
    schema = record(
        ("a", inner),
        ("b", "E"),
        ("c", "n.E"),
        ("d", {"type": "fixed", "name": "m.F", "size": 1}),
        ("v", "m.F"),
        namespace="n",
    )

    assert outcome(schema, b"\0\0\0xy", "b", "string") == "A"
