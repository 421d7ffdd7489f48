"""Lengths of time and sizes, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrowflow.config.durations import duration_text, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("500ms", 500_000),
        ("30s", 30_000_000),
        ("5m", 300_000_000),
        ("8h", 28_800_000_000),
        ("1d", 86_400_000_000),
        ("1h30m", 5_400_000_000),
        ("1d2h3m4s5ms", 93_784_005_000),
        ("0m", 0),
        ("90m", 5_400_000_000),
        ("5m10ms", 300_010_000),
    ],
)
def test_a_duration_is_microseconds(text, us):
    assert parse_duration(text) == us


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "5 m",
        "m",
        "-5m",
        "5m3h",
        "5m5m",
        "1.5h",
        "5M",
        "５m",
        "5min",
        "1e3s",
        "\n5m",
        "5m\n",
        "9" * 13 + "s",
        6,
        5.0,
        True,
        None,
    ],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"length of time|longer than"):
        parse_duration(text)


@given(st.integers(0, 400 * 365 * 86_400_000))
def test_a_duration_written_and_read_again_is_the_same(ms):
    assert parse_duration(duration_text(ms * 1000)) == ms * 1000


@pytest.mark.parametrize(
    ("value", "size"),
    [(8, 8), ("7", 7), ("7B", 7), ("64MiB", 64 * 2**20), ("1 GB", 10**9), ("2kB", 2000), ("3KiB", 3072)],
)
def test_a_size_is_bytes(value, size):
    assert parse_size(value) == size


@pytest.mark.parametrize("value", ["", "MiB", "1.5GB", "-1", "1TB", "1mb", True, None, 1.5])
def test_what_is_no_size_is_refused(value):
    with pytest.raises(ValueError, match="is no size"):
        parse_size(value)
