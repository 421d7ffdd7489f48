"""The kernels that read by patterns beside plain Python, and which records a pattern is learnt from."""

from __future__ import annotations

import json
import random
import re
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from arrowflow.decoders.compiled import CompiledStrategy
from arrowflow.decoders.grammar import Wanted
from arrowflow.decoders.json import Field, JsonSpec
from arrowflow.decoders.kernels import patterns as kernel
from arrowflow.decoders.pattern import learn
from arrowflow.types import RawBatch, SourcePartition

FIELDS = (Field("v", "int64"), Field("s", "string"), Field("ab", "float64", path="a.b"))
WANTED = Wanted.of([field.keys for field in FIELDS])


def bytes_of(text):
    return np.frombuffer(text.encode("latin-1"), np.uint8).copy()


ESCAPES = re.compile(
    r'\\(?:["\\/bfnrt]|u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}|u(?![Dd][89A-Fa-f])[0-9A-Fa-f]{4})'
)
"""An escape that stands for a character: half of a surrogate pair does not."""
PIECES = [
    *'abc"\\\n\x1f\x7f\x80é', r"\n", r"\"", r"\\", r"\/", r"\x", r"\u00e9", r"\u00E", r"\u20ac", r"\uDBFF\uDFFF",
    r"\ud83d\ude00", r"\ud83d", r"\udead", r"\ud83dA", r"\ud83d\n", r"\u00g0", r"\u0000",
]  # fmt: skip


def ends(text):
    """Where a string ends, whether a byte of it is not ASCII, and whether it has escapes."""
    at, foreign, escaped = 0, False, False
    while at < len(text) and text[at] != '"':
        if found := ESCAPES.match(text, at):
            at, escaped = found.end(), True
        elif text[at] == "\\" or text[at] < " ":
            return -1, foreign, escaped
        else:
            at, foreign = at + 1, foreign or text[at] >= "\x80"
    return (at if at < len(text) else -1), foreign, escaped


@pytest.mark.parametrize("before", range(9))
def test_a_string_ends_where_python_says(before):
    dice, met = random.Random(before), set()
    for _ in range(600):
        text = "".join(dice.choice(PIECES) if dice.random() < 0.2 else "x" for _ in range(20))
        end, foreign, escaped = ends(text)
        found = kernel.string_end(bytes_of("-" * before + text), before, before + len(text))

        assert found[0] == (before + end if end >= 0 else -1), text
        assert end < 0 or found[1:] == (foreign, escaped), text
        met.add((end >= 0, foreign, escaped))
    assert len(met) >= 6


def test_escapes_stand_for_the_characters_python_reads():
    """Three of them are texts of a column: what was read by pattern is what `json.loads` gives."""
    dice = random.Random(3)
    decoder = JsonSpec((Field("s", "string"), Field("t", "string"))).build()
    texts = ["".join(dice.choice('aé€😀\n\t"\\/\x00\x7f\u2028') for _ in range(dice.randrange(30))) for _ in range(500)]
    lines = [json.dumps({"s": text, "other": text, "t": "plain"}, separators=(",", ":")).encode() for text in texts]
    raw = RawBatch(
        SourcePartition("a", "b", 0), np.arange(500), np.zeros(500, np.int64), np.zeros(500, np.bool_),
        pa.nulls(500, pa.binary()), pa.array(lines, pa.binary()),
    )  # fmt: skip
    guess = decoder._strategy.read(raw.value)

    assert not guess.doubt.any()
    assert decoder.decode(raw).table.column("s").to_pylist() == texts
    assert int(decoder._strategy._patterns._hits.sum()) >= 990, "both times by pattern, but the first row"


def test_digits_are_read_eight_at_a_time_as_one_by_one():
    dice = random.Random(1)
    for size in range(20):
        for tail in ("", ",", "x" * 9, "/:" * 5):
            digits = "".join(dice.choice("0123456789") for _ in range(size))
            data = bytes_of(digits + tail)
            want = (size, int(digits or "0"), size) if size <= 18 else (-1, 0, 0)

            assert kernel.read_digits(data, 0, len(data)) == want


@pytest.mark.parametrize("text", ["2024-02-29T23:59:59Z", "2026-11-25 10:00:00.123456-08:00", "0001-01-01t00:00:00,5z"])
def test_instants_equal_pythons(text):
    data = bytes_of(text)
    moment = datetime.fromisoformat(text.upper().replace(",", "."))
    micros = (moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")) // timedelta(microseconds=1)

    assert kernel.read_instant(data, 0, len(data)) == (True, micros)


def test_every_day_of_the_calendar_has_its_number():
    first = date(1970, 1, 1).toordinal()
    for ordinal in range(1, date(9999, 12, 31).toordinal(), 97):
        day = date.fromordinal(ordinal)
        assert kernel.days_of(day.year, day.month, day.day) == ordinal - first
    for year, month, day in ((2023, 2, 29), (1900, 2, 29), (2026, 4, 31), (2026, 12, 32), (2026, 1, 0)):
        assert kernel.days_of(year, month, day) == kernel._NO_DAY


@pytest.mark.parametrize(
    "record",
    [
        b'{"v":1,"v":2}', b'{"\\u0076":1}', b'{"a":null,"v":1}', b'{"a":{"b":1},"a":{"b":2}}', b'\xef\xbb\xbf{"v":1}',
        b'{"l":[' + b"1," * 300 + b"1]}",
    ],
)  # fmt: skip
def test_no_pattern_is_made_of_records_whose_likes_need_judging(record):
    assert learn(record, WANTED, FIELDS) is None


def test_a_pattern_says_what_each_gap_is():
    pattern = learn(b'{"a":{"b":1.5,"c":[2]}, "v":7}', WANTED, FIELDS)

    assert [(gap.text, gap.kind, gap.column) for gap in pattern] == [
        (b"", kernel.ABSENT, 1),
        (b'{"a":{"b":', kernel.FLOAT, 2),
        (b',"c":[', kernel.SCALAR, -1),
        (b']}, "v":', kernel.INTEGER, 0),
        (b"}", kernel.END, -1),
    ]


def test_a_record_at_the_very_end_of_memory_is_read_without_a_look_beyond():
    """Eight bytes are looked at together only where there are eight."""
    spec = JsonSpec(FIELDS)
    strategy = CompiledStrategy(spec.fields, spec.limits, coerce=False)
    whole = b'{"v":12345678,"s":"abcdefgh"}'
    for cut in range(8):
        record = whole[: -2 - cut] + b'"}'
        values = pa.array([record] * 3, pa.binary())
        guess = strategy.read(values)

        assert guess.columns[1].to_pylist() == ["abcdefgh"[: 8 - cut]] * 3
        assert not guess.doubt.any()


def test_an_error_in_one_member_leaves_the_others_of_its_row_to_the_dialect():
    spec = JsonSpec(FIELDS)
    strategy = CompiledStrategy(spec.fields, spec.limits, coerce=False)
    strategy.read(pa.array([b'{"v":1,"s":"x","a":{"b":2.5}}'], pa.binary()))
    guess = strategy.read(pa.array([b'{"v":1,"s":"x","a":{"b":"no"}}', b'{"v":2,"s":"y","a":{"b":3}}'], pa.binary()))

    assert guess.doubt.tolist() == [True, False]
    assert [column.to_pylist() for column in guess.columns] == [[None, 2], [None, "y"], [None, 3.0]]
