"""Whole columns of ISO text come out as one by one, or are left to the rule; zones change their clock as assumed."""

import random
import struct
from importlib import resources

import numpy as np
import pyarrow as pa
import pytest

from arrowflow.decoders.civil import LocalTime, read_date, read_instant, zone_names
from arrowflow.decoders.iso import read_dates, read_instants
from arrowflow.decoders.verdict import Refused

SHAPES = [
    "%sZ",
    "%s.5Z",
    "%s.123456z",
    "%s.1234567890+05:45",
    "%s-11:30",
    "%s",
    "%s,25",
    "%s+0100",
    "%sX",
    "%s+24:00",
    "%s. Z",
]


def instants(seed, rows):
    rng = random.Random(seed)
    for _ in range(rows):
        stamp = str(np.datetime64(rng.randrange(-62_135_596_800, 253_402_300_800), "s"))
        if rng.random() < 0.2:
            at = rng.randrange(len(stamp))
            stamp = stamp[:at] + rng.choice("0123456789-:T x/") + stamp[at + 1 :]
        yield rng.choice(SHAPES) % stamp


def by_rule(rule, text):
    try:
        return rule(text)
    except Refused:
        return None


@pytest.mark.parametrize(
    "zone", [None, ("America/Tijuana", 0), ("America/Tijuana", 1), ("Australia/Lord_Howe", 0), ("Africa/Monrovia", 1)]
)
def test_a_column_of_instants_is_what_the_rule_says_of_each(zone):
    local = LocalTime(*zone) if zone else None
    texts = list(instants(7, 4_000))
    us, sure = read_instants(pa.array(texts, pa.string()), local)

    for row, text in enumerate(texts):
        if sure[row]:
            assert by_rule(lambda text: read_instant(text, local), text) == us[row], text
    assert 0.15 < sure.mean() < 0.9


def test_a_column_of_dates_is_what_the_rule_says_of_each():
    texts = [text[:10] for text in instants(8, 4_000)]
    days, sure = read_dates(pa.array(texts, pa.string()))
    expected = [by_rule(read_date, text) for text in texts]

    assert [int(day) if ok else None for day, ok in zip(days, sure, strict=True)] == expected


def test_nulls_and_a_slice_are_read_at_their_places():
    texts = pa.array(["x", None, "1970-01-02", "1970-01-03", None], pa.string()).slice(1, 3)
    days, sure = read_dates(texts)

    assert sure.tolist() == [False, True, True]
    assert days[1:].tolist() == [1, 2]


def transitions(name):
    """Unix seconds at which a zone's offset changes, from the 64-bit block of its TZif file."""
    data = resources.files("tzdata").joinpath("zoneinfo", name).read_bytes()
    header = struct.Struct(">4sc15x6l")
    *_, isut, isstd, leap, times, types, chars = header.unpack_from(data)
    start = header.size + times * 5 + types * 6 + chars + leap * 8 + isstd + isut
    *_, isut, isstd, leap, times, types, chars = header.unpack_from(data, start)
    at = start + header.size
    when = struct.unpack_from(f">{times}q", data, at)
    offsets = [
        struct.unpack_from(">l", data, at + times * 9 + index * 6)[0] for index in data[at + times * 8 : at + times * 9]
    ]
    return [moment for number, moment in enumerate(when) if number and offsets[number] != offsets[number - 1]]


def test_no_zone_changes_its_clock_twice_within_a_day():
    """What lets a whole hour take the offset that holds at both its ends."""
    gaps = {name: np.diff(transitions(name)).min() for name in zone_names() if len(transitions(name)) > 1}

    assert len(gaps) > 300
    assert min(gaps.values()) > 86_400, sorted(gaps.items(), key=lambda item: item[1])[:5]


def test_every_zone_of_the_wheel_loads():
    assert len(zone_names()) > 400
    for name in sorted(zone_names()):
        assert LocalTime(name, 0).offset_us(1_500_000_000_000_000) is not None, name
