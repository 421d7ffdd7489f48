"""The decoder, fast strategy and dialect alike, never disagrees with the plain-Python oracle: outcome, reason, value."""

import json
import math
import random
import struct
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles import json_dialect as oracle

from arrowflow.decoders.dialect import Dialect
from arrowflow.decoders.json import Field, JsonSpec
from arrowflow.decoders.verdict import REASONS, Refused
from arrowflow.types import RawBatch, SourcePartition

FIELDS = (
    Field("s", "string"),
    Field("b", "bool"),
    Field("i8", "int8"),
    Field("i64", "int64"),
    Field("u8", "uint8"),
    Field("u64", "uint64"),
    Field("f", "float64"),
    Field("f32", "float32"),
    Field("d", "date"),
    Field("ts", "timestamp[s]"),
    Field("tms", "timestamp[ms]"),
    Field("tus", "timestamp[us]"),
    Field("tns", "timestamp[ns]"),
    Field("iso", "timestamp[iso]"),
    Field("loc", "timestamp[iso, America/Tijuana]"),
    Field("loc2", "timestamp[iso, Australia/Lord_Howe, later]"),
    Field("j", "json"),
    Field("m", "decimal(12, 2)"),
    Field("m38", "decimal(38, 10)"),
    Field("m0", "decimal(5, 0)"),
    Field("m33", "decimal(3, 3)"),
    Field("ab", "int64", path="a.b"),
    Field("ac", "string", path="a.c"),
    Field("axy", "json", path="a.x.y"),
    Field("am", "decimal(9, 4)", path="a.m"),
)
FLAT = [field.name for field in FIELDS if field.path is None]
NEEDY = (
    Field("s", "string", required=True),
    Field("j", "json", required=True),
    Field("n", "int32", required=True, path="a.n"),
    Field("m", "decimal(7, 3)", required=True, path="a.m"),
)
LIMITS = {"max_bytes": 900, "max_fields": 25, "max_string_bytes": 120, "max_depth": 6}
CASES = {
    "plain": JsonSpec(FIELDS),
    "coerce": JsonSpec(FIELDS, coerce=True),
    "narrow": JsonSpec(FIELDS, **LIMITS),
    "needy": JsonSpec(NEEDY),
}
NASTY = [
    "1.0", "1e3", "1E+3", "-0", "-0.0", "0e99999999999999999999", "1e400", "-1e400", "1e-400", "-1e-400", "1.5", "1.50e1", "100e-2",
    "127", "128", "-128", "-129", "255", "256", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "-9223372036854775809", "18446744073709551615", "18446744073709551616", "9007199254740993", "9" * 25, "9" * 26, "9" * 400,
    "1" + "0" * 350, "3.4028235677973366e38", "3.4028235e38", "1e38", "1e39", "1e-46", "2.2250738585072011e-308", "4.9e-324", "2.4e-324",
    "0.1", "123456789012345678", "0.30000000000000004", "253402300799", "253402300800", "-62135596800", "-62135596801",
    "253402300799999", "253402300800000", "253402300799999999", "253402300800000000", "-62135596800000001", "1764000000000", "-1", "-1500",
    "1764000000123456789", "01", "+1", ".5", "1.", "1e", "-", "--1", "1e5.5", "0x10", "NaN", "Infinity", "-Infinity", "nan", "nul", "truex", "true1",
    "True", "'a'", "null", "true", "false", '"12"', '"1e2"', '"-0"', '" 12"', '"12 "', '"1.5"', '"true"', '"True"', '"1"', '""', '"null"', '"NaN"',
    '"1e999"', "12345678901.23", "9999999999.99", "10000000000.00", "-9999999999.99", "0.10", "0.100", "0.125", "1.005", "-0.00", "0.0000000000001", "12e-1",
    "0.5", "0.999", "-0.999", "1.000", "99999", "99999.0", "100000", "9" * 28 + "." + "9" * 10, "9" * 28 + "." + "9" * 11, "1" + "0" * 28, "1e27", "1e28", "1e-10",
    "1e-11", "100e-3", "0.001e3", "0e-400", "1e999999999999", "1e-999999999999", "-1.50", '"-1.50"', '"0.1"', '"1.005"', '"1,50"', '"+1"', '"\\u0031"', '"1_0"',
    '"-0.00"', '"""', '"12', '{"m":1.5}', '{"m":"1.5"}', '{"m":null}', '{"m":1.00005}', '{"n":1,"m":2.5}', "[]", "{}", "[1,]", "[,]", "{,}", '{"a":1,}', "[1 2]", "[1}", "{1:2}", '{"a" 1}', "[[[[[[[[1]]]]]]]]", "// c\n1", "/* */1", '{"b":1}',
    '{"b":"x"}', '{"b":1,"b":2.0}', '{"b":1.5,"b":null}', '{"x":{"y":[1, 2 ,{}]}}', '{"x":[]}', '{"c":"q","x":{"y":null}}', '{"x":{"y":1},"x":{}}',
    '{"n":1}', '{"n":null}', '{"n":2147483648}',
    r'"\u0000"', r'"\ud800"', r'"\udc00"', r'"\ud83d\ude00"', r'"\ud83dx"', r'"\ud83d\n"', r'"\ud83d\ud83d\ude00"', r'"\ude00\ud83d"', r'"\\ud800"',
    r'"\u00"', r'"\u12g4"', r'"\x"', r'"\"', '"\t"', '"\x7f"', '"\x00"', '"ñandú"', '"😀"', '"\u2028"', '"\ufeff"', r'"a\/b\b\f\n\r\t\"\\"', '"' + "x" * 121 + '"',
    '"2026-11-25"', '"2026-02-30"', '"2024-02-29"', '"2023-02-29"', '"0000-01-01"', '"0001-01-01"', '"9999-12-31"', '"2026-1-01"', '"２０２６-01-01"',
    '"2026-11-25T10:00:00Z"', '"2026-11-25 10:00:00.5z"', '"2026-11-25t10:00:00,123456789+05:30"', '"2026-11-25T10:00Z"', '"2026-11-25T10:00"',
    '"2026-11-25T10:00:00"', '"2026-11-25T10:00:00-0800"', '"2026-11-25T10:00:00-08"', '"2026-11-25T10:00:00+24:00"', '"2026-11-25T10:00:00+23:59"',
    '"2026-11-25T10:00:00+05:60"', '"2026-11-25T23:59:60Z"', '"2026-11-25T24:00:00Z"', '"2026-02-30T00:00:00Z"', '"0001-01-01T00:00:00+00:01"',
    '"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59.9999999Z"', '"9999-12-31T23:59:59-00:01"', '"1969-12-31T23:59:59.9999999Z"', '"2026-11-25T10:00:00."',
    '"2026-11-25T10:00:00.Z"', '"2026-11-25T10:00:0Z"', '"2026-11-25T1O:00:00Z"', '"2026-11-25T10:00:00 Z"', '"2026-11-25T10:00:00.123456789012345678901Z"',
    '"2026-03-08T02:30:00"', '"2026-03-08T01:59:59.999999"', '"2026-03-08T03:00:00"', '"2026-11-01T01:30:00"', '"2026-11-01T00:59:59"', '"2026-11-01T02:00:00"',
    '"2026-04-05T01:45:00"', '"2026-10-04T02:15:00"', '"2026-10-04T02:29:59.9"', '"2026-10-04T02:30:00"', '"0001-01-01T00:00:00"', '"9999-12-31T23:59:59"',
    '"1900-01-01T00:00:00.000001"', '"0000-01-01T00:00:00Z"', '"2026-11-25T10:00:00Z' + "é" + '"',
]  # fmt: skip
NAMES = [field.keys[0] for field in (*FIELDS, *NEEDY)] + [
    "unknown",
    "x y",
    "",
    "ñ",
    "\\u0073",
    "\\u0069\\u0036\\u0034",
    "s\\u0000",
    "\\ud800",
    "i6",
    "i640",
]


def raw_batch(values):
    n = len(values)
    zeros = np.zeros(n, np.int64)
    return RawBatch(
        SourcePartition("kafka", "t", 0),
        np.arange(n),
        zeros,
        zeros == 1,
        pa.nulls(n, pa.binary()),
        pa.array(values, pa.binary()),
    )


def plain(value):
    """A comparable form: floats by their bits, so that -0.0 is not 0.0; decimals as fractions, of which none is -0."""
    if isinstance(value, Decimal):
        assert not (value.is_zero() and value.is_signed())
        return Fraction(value)
    return struct.pack("d", value).hex() if isinstance(value, float) else value


def arrow_values(column):
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64()).to_pylist()
    if pa.types.is_date(column.type):
        return column.cast(pa.int32()).to_pylist()
    return [plain(value) for value in column.to_pylist()]


def as_oracle(spec):
    return [oracle.Field(field.keys, field.type, field.required) for field in spec.fields]


def truth(spec, values):
    limits = oracle.Limits(spec.max_bytes, spec.max_depth, spec.max_fields, spec.max_string_bytes)
    verdicts = [oracle.judge(value, as_oracle(spec), spec.coerce, limits) for value in values]
    return [(v[0], [plain(x) for x in v[1]]) if v[0] == "ok" else v for v in verdicts]


def decoded(spec, values, decoder=None):
    """The decoder's answers in the oracle's words; a new one's unless one is given."""
    result = (decoder or spec.build()).decode(raw_batch(values))
    assert result.table.num_rows == len(values) == len(result.ok)
    columns = [arrow_values(column) for column in result.table.columns]
    reasons = {reject.row: reject.reason for reject in result.rejects}
    assert sorted(reasons) == [reject.row for reject in result.rejects]
    answers = []
    for row, value in enumerate(values):
        cells = [column[row] for column in columns]
        if not result.ok[row]:
            assert cells == [None] * len(cells), "a row that is not ok is null everywhere"
            answers.append(("tombstone",) if value is None else ("bad", reasons[row]))
        else:
            assert row not in reasons
            answers.append(("ok", cells))
    return answers


def judged(spec, values):
    """The dialect's answers alone, in the oracle's words."""
    dialect = Dialect(spec.fields, spec.limits, coerce=spec.coerce)
    answers = []
    for value in values:
        try:
            answers.append(
                ("ok", [plain(cell) for cell in dialect.judge(value)]) if value is not None else ("tombstone",)
            )
        except Refused as refusal:
            answers.append(("bad", refusal.reason))
    return answers


def check(spec, values):
    expected = truth(spec, values)
    for way in (judged, decoded):
        for value, wanted, got in zip(values, expected, way(spec, values), strict=True):
            assert got == wanted, f"{way.__name__} says {got}, the oracle {wanted}, of {value!r}"
    return expected


# ---- documents ---------------------------------------------------------------------------------------------


def document(rng, needy=False):
    """A record text: mostly valid members, some nasty, odd spacing, sometimes something around it."""
    space = rng.choice(["", "", " ", "\n", "\t\r\n "])
    members = []
    for _ in range(rng.choice([0, 1, 2, 3, 5, 9, 30])):
        name = rng.choice(NAMES)
        value = rng.choice(NASTY) if rng.random() < 0.3 else good_value(rng, name)
        members.append(f'{space}"{name}"{space}:{space}{value}{space}')
    if needy:
        members += [f'"{name}":{good_value(rng, name)}' for name in ("s", "j", "a")]
    text = "{" + ",".join(members) + "}"
    return (
        rng.choice(["", "", "", "\ufeff", " "])
        + text
        + rng.choice([""] * 8 + [" ", "\n", "{}", " x", "\x00", "}", ","])
    )


def good_value(rng, name):
    kind = {
        "s": "text",
        "j": "any",
        "a": "object",
        "d": "date",
        "iso": "iso",
        "loc": "local",
        "loc2": "local",
        "b": "bool",
    }.get(name, "number")
    second = rng.randrange(-(10**10), 10**10)
    stamp = str(
        np.datetime64(second, "s")
        if rng.random() < 0.5
        else np.datetime64(1_772_000_000 + rng.randrange(35_000_000), "s")
    )
    fraction = rng.choice(["", ".5", ".123456", ".1234567"])
    match kind:
        case "text":
            return json.dumps(
                "".join(rng.choice('ab "\\ñ😀\n\u0000') for _ in range(rng.randrange(9))),
                ensure_ascii=rng.random() < 0.5,
            )
        case "object":
            return json.dumps(
                {key: rng.choice([1, 1, 2.0, 2.5, None, "q", {"y": [1, "x"]}]) for key in rng.sample("bcxnm", 4)}
            )
        case "any":
            return json.dumps(rng.choice([None, 1, [1, {"k": [None, True]}], {"s": 1}, "t"]))
        case "date":
            return f'"{stamp[:10]}"'
        case "iso":
            return f'"{stamp}{fraction}{rng.choice(["Z", "+05:30", "-08:00"])}"'
        case "local":
            return f'"{stamp}{fraction}"'
        case "bool":
            return rng.choice(["true", "false"])
    return rng.choice(
        [
            f"{rng.randrange(-(10**7), 10**7) / 100:.{rng.randrange(5)}f}",
            str(rng.randrange(-5, 300)),
            str(rng.getrandbits(rng.randrange(1, 70))),
            repr(rng.gauss(0, 1e3)),
            repr(rng.random() * 10 ** rng.randrange(-30, 30)),
        ]
    )


def mutate(rng, data):
    """Damage a few bytes: flip, delete, double, insert, swap, cut."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.choice([1, 1, 3])]
            case 2:
                data[at:at] = data[at : at + rng.choice([1, 5, 20])]
            case 3:
                data[at:at] = rng.choice(
                    [
                        b'"',
                        b"\\",
                        b"{",
                        b"}",
                        b"[",
                        b"]",
                        b",",
                        b":",
                        b"0",
                        b"-",
                        b"e",
                        b".",
                        b"\x00",
                        b"\xff",
                        b"\xc3",
                        b"\xed\xa0\x80",
                        b"\\ud800",
                        b"\n",
                    ]
                )
            case 4:
                data[at:] = b""
            case 5:
                other = rng.randrange(len(data) + 1)
                data[at : at + 1], data[other : other + 1] = data[other : other + 1], data[at : at + 1]
    return bytes(data)


def campaign(case, seed, documents):
    rng = random.Random(seed)
    values = []
    for _ in range(documents):
        value = document(rng, needy=case == "needy").encode("utf-8", "surrogatepass")
        values.append(rng.choices([value, mutate(rng, value), None], [5, 6, 0.1])[0])
    return Counter(verdict[-1] if verdict[0] == "bad" else verdict[0] for verdict in check(CASES[case], values))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_random_and_damaged_documents_are_judged_alike(case, seed):
    seen = campaign(case, seed, 1_500)

    assert seen["ok"] > 20
    assert seen["syntax"] > 20


@pytest.mark.parametrize("case", ["plain", "coerce", "narrow"])
def test_every_nasty_value_in_every_column_is_judged_alike(case):
    names = [*FLAT, "a", "unknown"]
    check(CASES[case], [f'{{"{name}": {value} }}'.encode() for name in names for value in NASTY])


def test_the_campaign_reaches_every_reason():
    """A fuzzer that never meets a rule proves nothing about it."""
    seen = campaign("narrow", 77, 3_000) + campaign("needy", 78, 800)
    seen += Counter(
        v[-1]
        for v in check(CASES["plain"], [f'{{"{name}":{v}}}'.encode() for name in FLAT for v in NASTY])
        if v[0] == "bad"
    )
    seen += Counter(v[-1] for v in check(CASES["plain"], [b"", b"\x00\x00\x00\x00\x01{}", b"[1]"]))

    assert set(REASONS) - set(seen) == set()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from([*FLAT, "a", "zz"]), JSON, max_size=6),
        max_size=4,
    )
)
def test_any_json_value_in_any_column_is_judged_alike(records):
    check(CASES["plain"], [json.dumps(record).encode() for record in records])
    check(CASES["coerce"], [json.dumps(record, ensure_ascii=False, indent=1).encode() for record in records])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_are_judged_alike(values):
    check(CASES["plain"], values)


@settings(max_examples=300, deadline=None)
@given(
    st.floats(allow_nan=False, allow_infinity=False) | st.integers().map(float),
    st.sampled_from(["r", ".17e", ".40f", ".3e"]),
)
def test_every_double_written_any_way_is_the_nearest_double(number, style):
    text = repr(number) if style == "r" else format(number, style)
    check(
        JsonSpec((Field("f", "float64"), Field("g", "float32"))),
        [f'{{"f":{text}}}'.encode(), f'{{"g":{text}}}'.encode()],
    )
    assert not math.isnan(number)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_where_a_batch_is_cut_changes_nothing(data):
    """The law in small: records decode alike alone and in any company."""
    values = [
        document(random.Random(seed)).encode("utf-8", "surrogatepass")
        for seed in data.draw(st.lists(st.integers(0, 10**6), min_size=2, max_size=12))
    ]
    cut = data.draw(st.integers(0, len(values)))

    assert decoded(CASES["plain"], values) == decoded(CASES["plain"], values[:cut]) + decoded(
        CASES["plain"], values[cut:]
    )


DECIMAL_TYPES = st.integers(1, 38).flatmap(lambda digits: st.tuples(st.just(digits), st.integers(0, digits)))


@settings(max_examples=300, deadline=None)
@given(DECIMAL_TYPES, st.booleans(), st.data())
def test_every_decimal_written_any_way_is_itself_or_refused(type_, coerce, data):
    """Never through a float, never rounded: what is read is the number that is written, digit by digit."""
    digits, places = type_
    spec = JsonSpec((Field("v", f"decimal({digits}, {places})"),), coerce=coerce)
    texts = []
    for _ in range(4):
        unscaled = data.draw(st.integers(-(10**digits) - 1, 10**digits + 1))
        shift = places + data.draw(st.sampled_from([0, 0, 0, -1, 1]))
        exact = Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -shift))
        texts += [f"{exact:f}", f"{exact:E}", f"{unscaled}e{-shift}", f'"{exact:f}"']

    check(spec, [f'{{"v":{text}}}'.encode() for text in texts])
