"""The decoder's own mechanics: chunks, strategies, layouts of the input, what details say."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from arrowflow.decoders.chunks import Guess
from arrowflow.decoders.json import Field, JsonDecoder, JsonSpec
from arrowflow.decoders.strategy import MsgspecStrategy
from arrowflow.decoders.verdict import snippet
from arrowflow.testing.conformance.decoders import raw_batch

SPEC = JsonSpec((Field("v", "int64"), Field("s", "string")))


class Unsure:
    """A strategy that is sure of nothing: everything goes to the dialect."""

    def read(self, values):
        nulls = (pa.nulls(len(values), pa.int64()), pa.nulls(len(values), pa.string()))
        return Guess(nulls, np.ones(len(values), np.bool_))


def test_rows_keep_their_places_over_many_chunks():
    values = [b'{"v":%d}' % row if row % 7_001 else b"bad" for row in range(35_000)]
    values[12_345] = None
    result = SPEC.build().decode(raw_batch(values))

    expected = [row if row % 7_001 and row != 12_345 else None for row in range(35_000)]
    assert result.table.column("v").to_pylist() == expected
    assert [reject.row for reject in result.rejects] == [0, 7_001, 14_002, 21_003, 28_004]
    assert np.flatnonzero(~result.ok).tolist() == [0, 7_001, 12_345, 14_002, 21_003, 28_004]


def test_a_strategy_that_is_sure_of_nothing_changes_no_answer():
    values = [b'{"v":1,"s":"a"}', b"", None, b'{"v":"x"}', b'{"s":"\\u00e9"}']
    careful = JsonDecoder(SPEC, Unsure()).decode(raw_batch(values))
    fast = SPEC.build().decode(raw_batch(values))

    assert careful.table.equals(fast.table)
    assert careful.rejects == fast.rejects
    assert careful.ok.tolist() == fast.ok.tolist()


def test_ordinary_records_do_not_leave_the_fast_way():
    """Speed hangs on this: records of any usual shape must not be in doubt."""
    fields = (
        Field("v", "int64"),
        Field("f", "float32"),
        Field("t", "timestamp[iso]"),
        Field("l", "timestamp[iso, America/Tijuana]"),
        Field("d", "date"),
        Field("j", "json", path="a.j"),
    )
    usual = [
        b'{"v":1,"f":0.5,"t":"2026-11-25T10:00:00.123Z","l":"2026-11-25 10:00:00","d":"2026-11-25"}',
        b'\xef\xbb\xbf{ "t" : "2026-11-25T10:00:00+05:30", "a": {"j":[{}]}, "unknown":"\\ud83d\\ude00"}',
        b'{"a":null,"v":null}\n',
        b'{"x":[[[[{}]]]]}',
    ] * 40
    guess = MsgspecStrategy(fields, JsonSpec(fields).limits, coerce=False).read(pa.array(usual, pa.binary()))

    assert not guess.doubt.any()


def test_coerced_records_do_not_leave_the_fast_way_either():
    fields = (Field("v", "int64"), Field("f", "float64"), Field("t", "timestamp[ms]"), Field("b", "bool"))
    usual = pa.array(
        [b'{"v":"12","f":"0.5","t":"1764064800123","b":"true"}', b'{"v":12,"f":1,"t":1,"b":true}'], pa.binary()
    )
    guess = MsgspecStrategy(fields, JsonSpec(fields).limits, coerce=True).read(usual)

    assert not guess.doubt.any()
    assert [column.to_pylist() for column in guess.columns[:2]] == [[12, 12], [0.5, 1.0]]


@pytest.mark.parametrize("type_", [pa.large_binary(), pa.binary_view(), pa.string()])
def test_values_may_come_in_any_binary_layout(type_):
    array = pa.array(['{"v":1}', None, "x", '{"v":2}'], type_)
    result = SPEC.build().decode(raw_batch([b""] * 4, array))

    assert result.table.column("v").to_pylist() == [1, None, None, 2]
    assert [reject.row for reject in result.rejects] == [2]


def test_what_lies_behind_a_null_is_never_read():
    offsets, data = pa.array([0, 7, 14], pa.int32()), b'{"v":1}{"v":2}'
    array = pa.Array.from_buffers(pa.binary(), 2, [pa.py_buffer(b"\x02"), offsets.buffers()[1], pa.py_buffer(data)])
    result = SPEC.build().decode(raw_batch([None, b""], array))

    assert result.table.column("v").to_pylist() == [None, 2]
    assert result.ok.tolist() == [False, True]


def test_two_thousand_columns_decode():
    fields = tuple(Field(f"c{number}", "int64") for number in range(2_000))
    record = b"{" + b",".join(b'"c%d":%d' % (number, number) for number in range(2_000)) + b"}"
    result = JsonSpec(fields, max_fields=2_000).build().decode(raw_batch([record]))

    assert result.table.num_columns == 2_000
    assert result.table.column("c1999").to_pylist() == [1999]


@pytest.mark.parametrize(
    ("value", "reason", "part"),
    [
        (b'{"v":1.5}', "type", "field 'v': expected int64, got '1.5', which is not a whole number"),
        (b'{"v":1e30}', "overflow", "-9223372036854775808 to 9223372036854775807"),
        (b'{"v":tru}', "syntax", "'tru' at byte 5"),
        (b'{"v":1', "syntax", "ends at byte 6"),
        (b'{"v":1}{', "trailing_data", "byte 7"),
        (b'{"v":"\x1b[31m"}', "syntax", "\\x1b"),
    ],
)
def test_a_detail_says_where_and_what(value, reason, part):
    (reject,) = SPEC.build().decode(raw_batch([value])).rejects

    assert reject.reason == reason
    assert part in reject.detail


@pytest.mark.parametrize(
    "secret",
    [
        b'{"v":"%s"}',
        b'{"s":1,"%s',
        b'{"v":1}%s',
        b"%s",
        b'["%s"]',
        b'{"v":{"k":"%s"}}',
        b'{"s":"\xff%s"}',
        b'{"%s":"\\ud800"}',
    ],
)
def test_a_detail_never_holds_more_than_a_short_piece_of_the_payload(secret):
    (reject,) = SPEC.build().decode(raw_batch([secret.replace(b"%s", b"S" * 1_000)])).rejects

    assert reject.detail.count("S") < 45


def test_a_snippet_is_escaped_and_cut():
    assert snippet("a\n\x1bñ") == r"'a\n\x1b\xf1'"
    assert snippet(b"\xff\x00") == r"'\xff\x00'"
    assert snippet("x" * 41) == "'" + "x" * 40 + "'..."
    assert snippet("x" * 40) == "'" + "x" * 40 + "'"


def test_a_decimal_written_in_another_way_needs_no_second_look_and_one_that_does_not_fit_does():
    fields = (Field("v", "decimal(12, 2)"),)
    texts = [
        b'{"v":12.5000}',
        b'{"v":1.25E7}',
        b'{"v":12.5}',
        b'{"v":null}',
        b'{"v":1.005}',
        b'{"v":"12.5"}',
        b'{"v":[1]}',
    ]

    guess = MsgspecStrategy(fields, JsonSpec(fields).limits, coerce=False).read(pa.array(texts, pa.binary()))

    assert guess.doubt.tolist() == [False, False, False, False, True, True, True]
    assert guess.columns[0].to_pylist()[:4] == [Decimal("12.50"), Decimal("12500000.00"), Decimal("12.50"), None]
