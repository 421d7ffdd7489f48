"""The JSON and time rows of the bad-input table, by their numbers."""

import time
import tracemalloc
from decimal import Decimal

import pyarrow as pa
import pytest
from tests.support.calls import calls_of

from arrowflow.decoders.dialect import Dialect
from arrowflow.decoders.json import Field, JsonSpec
from arrowflow.decoders.verdict import Refused
from arrowflow.testing.conformance.decoders import raw_batch

GOOD = b'{"v":1}'


def decode(values, *fields, **settings):
    return JsonSpec(fields or (Field("v", "int64"),), **settings).build().decode(raw_batch(values))


def outcome(value, type_="int64", **settings):
    """The value of column v, or the reason why not; decoded between two good records, which must stay good."""
    name = {"type": type_}
    neighbour = b'{"w":7}'
    result = decode([neighbour, value, neighbour], Field("v", **name), Field("w", "int64"), **settings)
    assert result.table.column("w").to_pylist()[::2] == [7, 7]
    assert result.table.num_rows == 3
    if not result.ok[1]:
        (reject,) = result.rejects
        assert reject.row == 1
        return reject.reason
    column = result.table.column("v")
    return (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()[1]


@pytest.mark.parametrize("value", [b"", b" ", b"\n\t\r ", b"\xef\xbb\xbf", b"\xef\xbb\xbf "])
def test_row_01_an_empty_value_is_a_dead_letter_and_keeps_its_row(value):
    assert outcome(value) == "empty"


def test_row_02_a_tombstone_is_neither_ok_nor_rejected():
    result = decode([GOOD, None, GOOD])

    assert result.ok.tolist() == [True, False, True]
    assert result.rejects == ()
    assert result.table.column("v").to_pylist() == [1, None, 1]


def test_row_02_a_batch_of_tombstones_only_decodes():
    assert decode([None] * 5, Field("v", "int64", required=True)).table.num_rows == 5


@pytest.mark.parametrize(
    "value",
    [b'{"v":1}{"v":2}', b'{"v":1}\n{"v":2}', b'{"v":1} x', b'{"v":1}}', b'{"v":1},', b'{"v":1}\x00', b"1 2", b"{}[]"],
)
def test_row_03_two_documents_in_one_message_are_a_dead_letter_never_two_rows(value):
    assert outcome(value) == "trailing_data"


def test_row_03_a_record_in_two_halves_is_never_joined_with_its_neighbour():
    result = decode([b'{"v":1', b"}", b'{"v":"', b'"}'])

    assert [reject.reason for reject in result.rejects] == ["syntax"] * 4


@pytest.mark.parametrize("value", [b'\n{\r\n"v"\t:\n1\n}\n', b'{\n  "v": 1\n}', b'  {"v":1}  '])
def test_row_04_raw_newlines_between_tokens_are_fine(value):
    assert outcome(value) == 1


@pytest.mark.parametrize("space", [b"\x0b", b"\x0c", b"\x00", b"\xc2\xa0", b"\xe2\x80\xa8"])
def test_row_04_only_json_white_space_is_white_space(space):
    assert outcome(b'{"v":' + space + b"1}") == "syntax"


def test_row_05_a_byte_order_mark_is_stripped_once():
    assert outcome(b'\xef\xbb\xbf{"v":1}') == 1
    assert outcome(b'\xef\xbb\xbf\xef\xbb\xbf{"v":1}') == "syntax"
    assert outcome(b'{"v":\xef\xbb\xbf1}') == "syntax"


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff",
        b"\xc3",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xe2\x28\xa1",
        b"\xf8\x88\x80\x80\x80",
    ],
)
@pytest.mark.parametrize(
    "frame", [b'{"v":"%s"}', b'{"unknown":"%s","v":"a"}', b'{"%s":1}', b'{"v":"a"}%s', b'{"u":{"%s":[]}}']
)
def test_row_06_invalid_utf8_anywhere_is_a_dead_letter(frame, bad):
    assert outcome(frame % bad, "string") == "utf8"


def test_row_06_a_character_cut_at_the_border_of_two_records_is_bad_in_both():
    result = decode([b'{"v":"\xc3', b'\xb1"}'], Field("v", "string"))

    assert [reject.reason for reject in result.rejects] == ["utf8", "utf8"]


@pytest.mark.parametrize(
    "escape", [rb"\ud800", rb"\udfff", rb"\udc00\ud800", rb"\ud800x", rb"\ud800\n", rb"\ud800\ud800\udc00", rb"\uD83D"]
)
@pytest.mark.parametrize("frame", [b'{"v":"%s"}', b'{"unknown":"%s"}', b'{"%s":1}', b'{"j":["%s"]}'])
def test_row_07_half_a_surrogate_pair_anywhere_is_a_dead_letter(frame, escape):
    assert outcome(frame % escape, "string") == "surrogate"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb"\u0000", "\0"),
        (rb"\ud83d\ude00", "😀"),
        (rb"\\ud800", r"\ud800"),
        (rb"a\/\b\f\n\r\t\"\\", 'a/\b\f\n\r\t"\\'),
        ("ñ😀\u2028".encode(), "ñ😀\u2028"),
    ],
)
def test_row_07_nul_and_whole_pairs_are_characters(text, value):
    assert outcome(b'{"v":"' + text + b'"}', "string") == value


def test_row_08_every_truncation_of_a_record_is_a_dead_letter():
    record = rb'{"v":-12.5e0,"s":"a\u00f1b","o":{"k":[true,null,{}]}}'
    for size in range(1, len(record)):
        assert outcome(record[:size], "float64") == "syntax", record[:size]


@pytest.mark.jit
def test_row_09_one_bad_record_in_100_000_is_the_only_one_that_is_judged_alone():
    """Counted in calls; the bench times the whole engine. No record but the bad one costs a call."""
    good = [b'{"v":%d,"name":"some text to make it longer","x":1.5}' % row for row in range(100_000)]
    bad = [*good[:50_000], b'{"v":', *good[50_001:]]
    decoder = JsonSpec((Field("v", "int64"), Field("name", "string"))).build()
    decoder.decode(raw_batch(bad[49_990:50_010]))  # the first refusal imports what it needs
    batches, seen = (raw_batch(good), raw_batch(bad)), []
    clean, dirty = (calls_of(lambda batch=batch: seen.append(decoder.decode(batch))) for batch in batches)

    assert [result.ok.sum() for result in seen] == [100_000, 99_999]
    assert clean < 2_000
    assert dirty - clean < 1_000


@pytest.mark.parametrize(
    "bad", [b'{"v":', b'{"v":"x"}', b"", b'{"v":"\xff"}', b'{"v":1e30}', b"\x00\x00\x00\x00\x01abc"]
)
def test_row_10_a_hundred_percent_bad_records_take_linear_time(bad):
    decoder = JsonSpec((Field("v", "int64"),)).build()

    def seconds(rows):
        batch = raw_batch([bad] * rows)
        start = time.process_time()
        assert len(decoder.decode(batch).rejects) == rows
        return time.process_time() - start

    def calls(rows):
        batch = raw_batch([bad] * rows)
        return calls_of(lambda: decoder.decode(batch))

    calls(10)  # the first refusal imports what it needs
    assert calls(3_000) < 11 * calls(300)
    few = min(seconds(300) for _ in range(3))
    assert (
        seconds(30_000) < 1000 * few
    )  # linear would be 100, quadratic 10,000: a factor of ten on either side for the machine


@pytest.mark.parametrize("value", [b"[]", b'[{"v":1}]', b"1", b'"text"', b"true", b"null", b"-0.5", b' "{}" '])
def test_row_11_anything_but_an_object_at_the_top_is_a_dead_letter(value):
    assert outcome(value) == "not_object"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"b":', b"}]")])
def test_row_12_depth_64_is_fine_and_65_a_dead_letter(opening, closing):
    levels = opening.count(b"[") + opening.count(b"{")

    def nested(depth):
        inner = (depth - 1) // levels
        rest = (depth - 1) % levels
        return b'{"v":1,"x":' + b"[" * rest + opening * inner + b"0" + closing * inner + b"]" * rest + b"}"

    assert outcome(nested(64)) == 1
    assert outcome(nested(65)) == "too_deep"
    assert outcome(nested(5), max_depth=4) == "too_deep"


def test_row_12_brackets_inside_strings_are_not_depth():
    assert outcome(b'{"v":1,"x":"' + b"[{" * 500 + b'"}') == 1


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_row_12_five_million_levels_are_refused_in_bounded_memory_and_stack(opening):
    value = b'{"x":' + opening * 5_000_000
    dialect = Dialect((Field("v", "int64"),), JsonSpec((Field("v", "int64"),), max_bytes=2**26).limits, coerce=False)
    tracemalloc.start()
    with pytest.raises(Refused) as refused:
        dialect.judge(value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert refused.value.reason == "too_deep"
    assert peak < 2 * len(value)
    assert outcome(value, max_bytes=2**26) == "too_deep"
    assert outcome(value) == "too_large"


def test_row_13_ten_thousand_fields_are_too_large():
    members = b",".join(b'"k%d":%d' % (number, number) for number in range(10_000))

    assert outcome(b"{" + members + b"}") == "too_large"
    assert outcome(b'{"x":[{' + members + b"}]}") == "too_large"


def test_row_13_exactly_as_many_fields_as_allowed_are_fine():
    members = [b'"v":1', *(b'"k%d":0' % number for number in range(1023))]

    assert outcome(b"{" + b",".join(members) + b"}") == 1
    assert outcome(b"{" + b",".join([*members, b'"z":0']) + b"}") == "too_large"


@pytest.mark.parametrize("frame", [b'{"v":"%s"}', b'{"unknown":"%s"}', b'{"%s":1}'])
def test_row_13_a_string_or_name_over_the_limit_is_too_large(frame):
    assert outcome(frame % (b"x" * 1_048_576), "string") in ("x" * 1_048_576, None)
    assert outcome(frame % (b"x" * 1_048_577), "string") == "too_large"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (b"12345678\\n", "12345678\n"),
        (b"12345678x\\n", "too_large"),
        (b"\xc3\xb1" * 5, "ñ" * 5),
        (b"\xc3\xb1" * 5 + b"x", "too_large"),
    ],
)
def test_row_13_the_limit_counts_bytes_as_written(text, seen):
    slow = b'{"n":1.0,"v":"%s"}'  # 1.0 is judged by the dialect
    fields = (Field("n", "int64"), Field("v", "string"))
    result = decode([slow % text, b'{"v":"%s"}' % text], *fields, max_string_bytes=10)

    refused = seen == "too_large"
    assert [reject.reason for reject in result.rejects] == ([seen] * 2 if refused else [])
    assert result.table.column("v").to_pylist() == ([None] * 2 if refused else [seen] * 2)


def test_row_13_fifty_megabytes_are_refused_without_a_copy():
    batch = raw_batch([GOOD, b'{"v":"' + b"x" * 50_000_000 + b'"}', GOOD])
    decoder = JsonSpec((Field("v", "int64"),)).build()
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    result = decoder.decode(batch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert [reject.reason for reject in result.rejects] == ["too_large"]
    assert "50000008 bytes" in result.rejects[0].detail
    assert peak < 2_000_000
    assert pa.total_allocated_bytes() - before < 2_000_000


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (b'{"v":1,"v":2}', 2),
        (b'{"v":"x","v":2}', 2),
        (b'{"v":2,"v":"x"}', "type"),
        (b'{"v":1,"v":null}', None),
        (b'{"v":1,"\\u0076":3}', 3),
        (b'{"u":1,"u":"x","v":4}', 4),
    ],
)
def test_row_14_the_last_of_equal_names_wins(value, seen):
    assert outcome(value) == seen


def test_row_14_a_later_object_replaces_an_earlier_one_whole():
    fields = (Field("b", "int64", path="a.b"), Field("c", "int64", path="a.c"))

    assert decode([b'{"a":{"b":1,"c":1},"a":{"c":2}}'], *fields).table.to_pylist() == [{"b": None, "c": 2}]
    assert decode([b'{"a":{"b":1},"a":null}'], *fields).table.to_pylist() == [{"b": None, "c": None}]
    assert decode([b'{"a":5,"a":{"b":1.0}}'], *fields).table.to_pylist() == [{"b": 1, "c": None}]


LIMITS = [(f"int{bits}", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)]
LIMITS += [(f"uint{bits}", 0, 2**bits - 1) for bits in (8, 16, 32, 64)]


@pytest.mark.parametrize(("type_", "low", "high"), LIMITS)
def test_row_15_integers_at_their_limits_fit_and_one_further_overflows(type_, low, high):
    assert outcome(b'{"v":%d}' % low, type_) == low
    assert outcome(b'{"v":%d}' % high, type_) == high
    assert outcome(b'{"v":%d}' % (low - 1), type_) == "overflow"
    assert outcome(b'{"v":%d}' % (high + 1), type_) == "overflow"


@pytest.mark.parametrize(
    "number", [b"1" + b"0" * 400, b"-1" + b"0" * 400, b"9" * 100_000, b"1e999999999999999999999", b"1e30"]
)
def test_row_15_huge_integers_overflow_without_being_computed(number):
    assert outcome(b'{"v":' + number + b"}") == "overflow"


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (b"0.1", "0.10"), (b"0.10", "0.10"), (b"0.100", "0.10"), (b"12", "12.00"), (b"-0.00", "0.00"), (b"-12.5", "-12.50"), (b"1e3", "1000.00"),
        (b"1E-2", "0.01"), (b"9999999999.99", "9999999999.99"), (b"-9999999999.99", "-9999999999.99"), (b"0e999999999999", "0.00"),
        (b"9999999999.990000000000000000000000000000000000000000", "9999999999.99"), (b"0.125", "scale"), (b"1e-3", "scale"), (b"1e-999999999999", "scale"),
        (b"0.001e1", "0.01"), (b"10000000000", "overflow"), (b"-10000000000.00", "overflow"), (b"1e10", "overflow"), (b"9" * 100_000, "overflow"),
        (b"1e999999999999", "overflow"), (b"10000000000.001", "scale"), (b'"12.50"', "type"), (b"true", "type"), (b"{}", "type"), (b"null", None),
        (b"1.0.0", "syntax"), (b"01.00", "syntax"), (b"NaN", "syntax"),
    ],
)  # fmt: skip
def test_row_15_a_decimal_is_the_number_as_written_or_a_dead_letter(number, value):
    seen = outcome(b'{"v":' + number + b"}", "decimal(12, 2)")

    assert (str(seen) if isinstance(seen, Decimal) else seen) == value


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (b"1.0", 1), (b"1e3", 1000), (b"1E+3", 1000), (b"1500e-2", 15), (b"-2.50e1", -25), (b"-0", 0), (b"-0.0", 0), (b"0e-99999999999999", 0),
        (b"9223372036854775807.000", 2**63 - 1), (b"1.5", "type"), (b"1e-3", "type"), (b"1e-400", "type"), (b"1.00000000000000000001", "type"),
        (b"9223372036854775807.5", "type"), (b"1e-99999999999999999999", "type"),
    ],
)  # fmt: skip
def test_row_16_a_number_with_point_or_exponent_is_an_integer_only_if_exact(number, value):
    assert outcome(b'{"v":' + number + b"}") == value


@pytest.mark.parametrize("type_", ["int64", "float64", "timestamp[ms]", "bool"])
@pytest.mark.parametrize("text", [b'"12"', b'"true"', b'""'])
def test_row_17_a_string_is_no_number_and_no_boolean(type_, text):
    assert outcome(b'{"v":' + text + b"}", type_) == "type"


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        (b'"12"', "int64", 12), (b'"1e3"', "int64", 1000), (b'"-0.5"', "float64", -0.5), (b'"12"', "timestamp[s]", 12_000_000), (b'"true"', "bool", True),
        (b'"\\u0031"', "int8", 1), (b'" 12"', "int64", "type"), (b'"12 "', "int64", "type"), (b'""', "int64", "type"), (b'"0x1"', "int64", "type"),
        (b'"NaN"', "float64", "type"), (b'"1_000"', "int64", "type"), (b'"True"', "bool", "type"), (b'"1"', "bool", "type"), (b"1", "bool", "type"),
        (b'"128"', "int8", "overflow"), (b'"1.5"', "int64", "type"), (b'"1e999"', "float64", "overflow"), (b"12", "string", "type"), (b"12", "int64", 12),
        ('"１２"'.encode(), "int64", "type"), (b"true", "int64", "type"),
    ],
)  # fmt: skip
def test_row_17_coerce_reads_what_a_string_spells_and_nothing_more(text, type_, value):
    assert outcome(b'{"v":' + text + b"}", type_, coerce=True) == value


@pytest.mark.parametrize("word", [b"NaN", b"nan", b"Infinity", b"-Infinity", b"inf", b"None", b"undefined", b"True"])
def test_row_18_what_is_not_a_json_number_is_refused(word):
    assert outcome(b'{"v":' + word + b"}", "float64") == "syntax"
    assert outcome(b'{"unknown":' + word + b',"v":1}', "float64") == "syntax"


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (b"1e400", "overflow"), (b"-1e400", "overflow"), (b"1" + b"0" * 310, "overflow"), (b"1e-400", 0.0), (b"-1e-400", 0.0), (b"-0", 0.0), (b"-0.0", 0.0),
        (b"4.9e-324", 5e-324), (b"2.2250738585072011e-308", 2.225073858507201e-308), (b"9007199254740993", 9007199254740992.0), (b"0.1", 0.1),
        (b"0.30000000000000004", 0.1 + 0.2), (b"1.7976931348623157e308", 1.7976931348623157e308), (b"1.7976931348623159e308", "overflow"),
        (b"123456789012345678901234567890", 1.2345678901234568e29),
    ],
)  # fmt: skip
def test_row_18_floats_are_the_nearest_double_and_zero_has_no_sign(number, value):
    seen = outcome(b'{"v":' + number + b"}", "float64")

    assert repr(seen) == repr(value)


def test_row_18_float32_is_rounded_once_more_and_overflows_for_itself():
    assert outcome(b'{"v":0.1}', "float32") == 0.10000000149011612
    assert outcome(b'{"v":3.4028235e38}', "float32") == 3.4028234663852886e38
    assert outcome(b'{"v":3.5e38}', "float32") == "overflow"
    assert repr(outcome(b'{"v":-1e-60}', "float32")) == "0.0"


@pytest.mark.parametrize(
    "text",
    [
        b'{"v":01}', b'{"v":-01}', b'{"v":00}', b'{"v":+1}', b'{"v":.5}', b'{"v":1.}', b'{"v":1e}', b'{"v":-}', b'{"v":1,}', b'{,"v":1}', b'{"u":[1,]}', b'{"u":[,1]}',
        b'{"v":1 /* c */}', b'{"v":1 // c\n}', b"{'v':1}", b"{v:1}", b'{"v"=1}', b'{"v" 1}', b'{"v":}', b'{"v":1 "w":2}', b'{"v":1:2}', b'{"v":0x10}',
        b'{"v":1_000}', b'{"u":"\t"}', b'{"u":"\n"}', b'{"u":"\x00"}', b'{"u":"\\x41"}', b"{\"u\":\"\\'\"}", b'{"u":"\\u12g4"}', b'{"u":"\\u+123"}', b'{"u":[1}', b'{"u":{]}',
        b'{"v":tru}', b'{"v":truex}', b'{"v":1a}', b'{"v":"a""b"}', b"{}}"[:1], b'{"v":1;}', b"nope", b"[1,", b"01",
    ],
)  # fmt: skip
def test_row_19_what_the_json_grammar_does_not_have_is_a_syntax_error(text):
    assert outcome(text) == "syntax"


def test_row_20_missing_and_null_are_null_and_unknown_is_ignored():
    assert outcome(b"{}") is None
    assert outcome(b'{"v":null}') is None
    assert outcome(b'{"v":1,"nested":{"v":"no"},"w":5}') == 1


@pytest.mark.parametrize("type_", ["int64", "string", "json", "bool", "timestamp[iso]"])
@pytest.mark.parametrize("value", [b"{}", b'{"v":null}', b'{"v":1,"v":null}'])
def test_row_20_required_refuses_missing_and_null(type_, value):
    result = decode([value], Field("v", type_, required=True))

    assert result.rejects[0].reason == "required"
    assert "'v'" in result.rejects[0].detail


def test_row_20_required_columns_may_come_behind_others_and_along_the_same_path():
    fields = (
        Field("s", "string"),
        Field("x", "int64", path="a.x"),
        Field("y", "string", path="a.y", required=True),
        Field("v", "int64", required=True),
    )
    result = decode(
        [b'{"v":1,"a":{"y":"q"}}', b'{"v":1,"a":{"x":3}}', b'{"s":"t","a":{"x":3,"y":"r"},"v":2}', b'{"a":{"y":"q"}}'],
        *fields,
    )

    assert [(reject.row, reject.reason) for reject in result.rejects] == [(1, "required"), (3, "required")]
    assert result.table.slice(2, 1).to_pylist() == [{"s": "t", "x": 3, "y": "r", "v": 2}]


@pytest.mark.parametrize("value", [b"{}", b'{"a":null}', b'{"a":{}}', b'{"a":{"b":null}}'])
def test_row_20_required_looks_down_its_path(value):
    result = decode([value, b'{"a":{"b":1}}'], Field("v", "int64", required=True, path="a.b"))

    assert [reject.reason for reject in result.rejects] == ["required"]


@pytest.mark.parametrize("value", [b'"text"', b"true", b"[1]", b'{"x":1}', b"1.5"])
def test_row_21_a_field_that_changes_its_type_is_a_dead_letter_that_names_it(value):
    result = decode([GOOD, b'{"v":' + value + b"}", GOOD])

    assert result.table.column("v").to_pylist() == [1, None, 1]
    assert result.rejects[0].reason == "type"
    assert result.rejects[0].detail.startswith("field 'v': expected int64, got ")


def test_row_21_a_value_where_an_object_was_is_a_dead_letter_not_a_null():
    result = decode([b'{"a":5}', b'{"a":[{"b":1}]}'], Field("v", "int64", path="a.b"))

    assert [reject.reason for reject in result.rejects] == ["type", "type"]


def test_row_22_confluent_framing_is_named():
    result = decode([b"\x00\x00\x01\x86\xa0\x02binary\xff"])

    assert result.rejects[0].reason == "confluent_framing"
    for word in ("100000", "Avro", "registry"):
        assert word in result.rejects[0].detail


def test_row_22_a_nul_byte_alone_is_no_framing():
    assert outcome(b"\x00{}") == "syntax"


US = 1_000_000


@pytest.mark.parametrize(
    ("number", "type_", "value"),
    [
        (b"1764064800", "timestamp[s]", 1_764_064_800 * US), (b"-1", "timestamp[s]", -US), (b"1764064800123", "timestamp[ms]", 1_764_064_800_123_000),
        (b"1764064800123456", "timestamp[us]", 1_764_064_800_123_456), (b"1764064800123456789", "timestamp[ns]", 1_764_064_800_123_456),
        (b"-1", "timestamp[ns]", -1), (b"-1000", "timestamp[ns]", -1), (b"-1001", "timestamp[ns]", -2), (b"1.764e12", "timestamp[ms]", 1_764_000_000_000_000),
        (b"1764064800.5", "timestamp[s]", "type"), (b'"1764064800"', "timestamp[s]", "type"),
        (b"253402300799", "timestamp[s]", 253_402_300_799 * US), (b"253402300800", "timestamp[s]", "timestamp_range"),
        (b"-62135596800", "timestamp[s]", -62_135_596_800 * US), (b"-62135596801", "timestamp[s]", "timestamp_range"),
        (b"253402300799999", "timestamp[ms]", 253_402_300_799_999_000), (b"253402300800000", "timestamp[ms]", "timestamp_range"),
        (b"253402300799999999", "timestamp[us]", 253_402_300_799_999_999), (b"253402300800000000", "timestamp[us]", "timestamp_range"),
        (b"-62135596800000001", "timestamp[us]", "timestamp_range"), (b"9223372036854775807", "timestamp[ns]", 9_223_372_036_854_775),
        (b"9223372036854775808", "timestamp[ns]", 9_223_372_036_854_775), (b"253402300799999999999", "timestamp[ns]", 253_402_300_799_999_999),
        (b"253402300800000000000", "timestamp[ns]", "timestamp_range"), (b"9223372036854775807", "timestamp[s]", "timestamp_range"),
        (b"1e30", "timestamp[us]", "timestamp_range"), (b"1" * 500, "timestamp[us]", "timestamp_range"),
    ],
)  # fmt: skip
def test_row_29_counts_since_unix_time_zero(number, type_, value):
    assert outcome(b'{"v":' + number + b"}", type_) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.000001Z", 1), ("1970-01-01 00:00:00z", 0), ("1970-01-01t00:00:00+00:00", 0), ("1970-01-01T00:00:00-00:00", 0),
        ("1970-01-01T01:00:00+01:00", 0), ("1969-12-31T16:30-0730", 0), ("1970-01-01T05+05", "timestamp"), ("1970-01-01T05:00+05", 0), ("1970-01-01T00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1), ("1969-12-31T23:59:59.9999999Z", -1), ("1970-01-01T00:00:00.1234567891234567891234Z", 123_456), ("1970-01-01T00:00:00,5Z", 500_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800 * US), ("0001-01-01T00:00:00+00:01", "timestamp_range"), ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ("9999-12-31T23:59:59-00:01", "timestamp_range"), ("0000-01-01T00:00:00Z", "timestamp"), ("10000-01-01T00:00:00Z", "timestamp"),
        ("2262-04-12T00:00:00Z", 9_223_372_800 * US), ("1970-01-01T00:00:00", "timestamp"), ("1970-01-01", "timestamp"), ("", "timestamp"), ("0", "timestamp"),
        ("1970-01-01T00:00:00 Z", "timestamp"), (" 1970-01-01T00:00:00Z", "timestamp"), ("1970-01-01T00:00:00.Z", "timestamp"), ("1970-1-1T00:00:00Z", "timestamp"),
        ("1970-01-01T00:00:00+24:00", "timestamp"), ("1970-01-01T00:00:00+00:60", "timestamp"), ("1970-01-01T00:00:00+0:00", "timestamp"), ("19700101T000000Z", "timestamp"),
        ("1970-W01-4T00:00:00Z", "timestamp"), ("1970-01-01T00:00:00Z[UTC]", "timestamp"), ("１970-01-01T00:00:00Z", "timestamp"), ("-001-01-01T00:00:00Z", "timestamp"),
    ],
)  # fmt: skip
def test_row_29_iso_text_with_an_offset(text, value):
    assert outcome(f'{{"v":"{text}"}}'.encode(), "timestamp[iso]") == value


@pytest.mark.parametrize(
    ("text", "fold", "value"),
    [
        ("2026-01-15T12:00:00", "earlier", 1_768_507_200 * US), ("2026-07-15T12:00:00.5", "earlier", 1_784_142_000 * US + 500_000),
        ("2026-11-01T01:30:00", "earlier", 1_793_521_800 * US), ("2026-11-01T01:30:00", "later", 1_793_525_400 * US), ("2026-11-01T00:59:59", "later", 1_793_519_999 * US),
        ("2026-11-01T02:00:00", "earlier", 1_793_527_200 * US), ("2026-03-08T01:59:59", "later", 1_772_963_999 * US), ("2026-03-08T02:00:00", "earlier", "timestamp_nonexistent"),
        ("2026-03-08T02:59:59.999999", "later", "timestamp_nonexistent"), ("2026-03-08T03:00:00", "later", 1_772_964_000 * US), ("2026-01-15T12:00:00Z", "earlier", "timestamp"),
        ("2026-01-15T12:00:00-08:00", "earlier", "timestamp"), ("2026-01-15", "earlier", "timestamp"), ("9999-12-31T23:59:59", "earlier", "timestamp_range"),
    ],
)  # fmt: skip
def test_row_29_naive_text_in_a_zone_takes_the_named_fold(text, fold, value):
    assert outcome(f'{{"v":"{text}"}}'.encode(), f"timestamp[iso, America/Tijuana, {fold}]") == value


@pytest.mark.parametrize("type_", ["timestamp[iso]", "timestamp[iso, America/Tijuana]"])
@pytest.mark.parametrize(
    "text",
    ["2016-12-31T23:59:60", "2026-11-25T24:00:00", "2026-11-25T24:00:01", "2026-02-30T00:00:00", "2026-02-29T00:00:00", "2026-04-31T00:00:00", "2026-13-01T00:00:00", "2026-00-01T00:00:00", "2026-01-00T00:00:00", "2026-01-01T00:60:00"],
)  # fmt: skip
def test_row_30_times_the_calendar_does_not_have_are_dead_letters(text, type_):
    suffix = "Z" if type_ == "timestamp[iso]" else ""

    assert outcome(f'{{"v":"{text}{suffix}"}}'.encode(), type_) == "timestamp"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-02-30", "date"),
        ("2026-1-1", "date"),
        ("20260101", "date"),
        ("0000-01-01", "date"),
        ("10000-01-01", "date"),
        ("2026-01-01T00:00", "date"),
        ("", "date"),
        ("2026-13-01", "date"),
    ],
)
def test_row_30_dates_the_calendar_does_not_have_are_dead_letters(text, reason):
    assert outcome(f'{{"v":"{text}"}}'.encode(), "date") == reason
