"""Rows as JSON: exact, readable by our own source, and refused where there is no form."""

import datetime as dt
import json
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.errors import ConfigError
from arrowflow.sinks.kafka.values import check_types, json_values, keys
from arrowflow.types import RawBatch, SourcePartition

UTC = pa.timestamp("us", "UTC")
KINDS = {
    "string": (pa.string(), st.text(max_size=20)),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "float64": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False).map(lambda v: v + 0.0)),
    "decimal(12, 4)": (pa.decimal128(12, 4), st.decimals(-(10**7), 10**7, places=4).map(lambda v: v + 0)),
    "bool": (pa.bool_(), st.booleans()),
    "timestamp[iso]": (UTC, st.datetimes(timezones=st.just(dt.UTC))),
    "date": (pa.date32(), st.dates()),
}


def one(value, kind):
    (text,) = json_values(pa.table({"x": pa.array([value], kind)}))
    return text


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, pa.int64(), b"null"),
        (True, pa.bool_(), b"true"),
        (-(2**63), pa.int64(), b"-9223372036854775808"),
        (2**64 - 1, pa.uint64(), b"18446744073709551615"),
        (0.1, pa.float64(), b"0.1"),
        (1e300, pa.float64(), b"1e300"),
        (math.nan, pa.float64(), b'"NaN"'),
        (math.inf, pa.float64(), b'"Infinity"'),
        (-math.inf, pa.float64(), b'"-Infinity"'),
        (Decimal("12.30"), pa.decimal128(12, 2), b"12.30"),
        (Decimal("0.00000000"), pa.decimal128(12, 8), b"0.00000000"),
        (Decimal("12345678901234567890123456789012.345"), pa.decimal128(38, 3), b"12345678901234567890123456789012.345"),
        ('a"\n\u00f1\U0001f600', pa.string(), '"a\\"\\n\u00f1\U0001f600"'.encode()),
        (dt.datetime(2025, 11, 2, 8, 0, tzinfo=dt.UTC), UTC, b'"2025-11-02T08:00:00Z"'),
        (dt.datetime(2025, 11, 2, 8, 0, 0, 500, tzinfo=dt.UTC), UTC, b'"2025-11-02T08:00:00.000500Z"'),
        (dt.datetime(1, 1, 1, tzinfo=dt.UTC), UTC, b'"0001-01-01T00:00:00Z"'),
        (1_762_070_400_000_000, pa.timestamp("us"), b'"2025-11-02T08:00:00"'),
        (dt.date(2025, 2, 3), pa.date32(), b'"2025-02-03"'),
        (b"\x00\xff", pa.binary(), b'"AP8="'),
        (["a", None], pa.list_(pa.string()), b'["a",null]'),
        ([1.5, math.inf], pa.list_(pa.float64()), b'[1.5,"Infinity"]'),
        ({"a": Decimal("1.0"), "b": None}, pa.struct([("a", pa.decimal128(3, 1)), ("b", pa.int8())]), b'{"a":1.0,"b":null}'),
    ],
)  # fmt: skip
def test_a_value_is_written_as_the_page_says(value, kind, text):
    assert one(value, kind) == b'{"x":' + text + b"}"


def test_a_dictionary_is_written_as_what_it_stands_for():
    column = pa.array(["b", "a", None, "b"]).dictionary_encode()

    assert [json.loads(text)["x"] for text in json_values(pa.table({"x": column}))] == ["b", "a", None, "b"]


def test_columns_of_ours_are_left_out_and_the_others_keep_their_order():
    table = pa.table({"b": [1], "__af_epoch": [7], "a": ["x"], "__af_kind": ["insert"]})

    assert json_values(table) == [b'{"b":1,"a":"x"}']


@pytest.mark.parametrize("kind", [pa.duration("us"), pa.list_(pa.duration("s")), pa.map_(pa.string(), pa.int64())])
def test_a_type_without_a_form_is_refused_by_name(kind):
    with pytest.raises(ConfigError, match="column 'x' has type"):
        check_types(pa.schema([("x", kind)]), "alerts")


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_our_own_source_reads_back_what_was_written(name, data):
    kind, values = KINDS[name]
    written = pa.array(data.draw(st.lists(st.none() | values, max_size=5)), kind)
    n = len(written)
    texts = pa.array(json_values(pa.table({"x": written})), pa.binary())
    decoder = JsonSpec((Field("x", name),)).build()
    zeros = np.zeros(n, np.int64)
    raw = RawBatch(
        SourcePartition("s", "t", 0), np.arange(n), zeros, zeros.astype(bool), pa.nulls(n, pa.binary()), texts
    )

    read = decoder.decode(raw)

    assert read.rejects == ()
    assert read.table.column("x").combine_chunks().cast(kind).equals(written)


def test_one_key_column_is_its_text_and_several_are_an_object():
    table = pa.table({"p": ["mty", None, ""], "n": [1, 2, None], "v": [0, 0, 0]})

    assert keys(table, ["p"]) == [b"mty", None, b""]
    assert keys(table, ["n"]) == [b"1", b"2", None]
    assert keys(table, ["n", "p"]) == [b'{"n":1,"p":"mty"}', b'{"n":2,"p":null}', b'{"n":null,"p":""}']
    assert keys(table, []) == [None, None, None]
