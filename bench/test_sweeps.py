"""The sweeps over rows in memory, small: every point is there by its place, with a checked answer."""

from __future__ import annotations

import pytest
from bench.sweeps import rows
from bench.sweeps.spike import committed, judged
from bench.sweeps.telegrams import telegram


@pytest.mark.parametrize(
    ("sweep", "places"), [(rows.keys, {10, 100, 1_000, 10_000}), (rows.skew, {0, 1, 2}), (rows.disorder, {0, 20, 50})]
)
def test_a_sweep_has_a_line_for_each_of_its_points(sweep, places):
    found = list(sweep(2_000, 1, quick=True))

    assert {line.x for line in found} == places
    assert {line.group for line in found} == {sweep.__name__}
    assert all("equal to polars'" in line.checked for line in found)


@pytest.mark.parametrize("nbytes", [60, 200, 100_000])
def test_a_telegram_is_as_long_as_it_was_asked_for(nbytes):
    assert len(telegram(123_456, nbytes)) == nbytes


def test_what_was_committed_by_a_moment_is_the_last_word_before_it():
    course = [(1.0, 10), (2.0, 30)]

    assert [committed(course, at) for at in (0.5, 1.0, 1.5, 2.0, 9.0)] == [0, 10, 10, 30, 30]


def test_the_lag_of_a_spike_has_a_peak_and_an_end():
    """Ten a second, a hundred from the first second to the second one, committed a second late and never at once."""
    produced = [(float(at), count) for at, count in [(0, 0), (1, 10), (2, 110), (3, 120), (4, 130), (5, 140)]]
    course = [(2.5, 10), (4.5, 120), (6.0, 140)]

    figures, points = judged(produced, course, [(10, 1.0), (100, 1.0), (10, 3.0)])

    assert figures == {"rate_per_s": 10, "reached_rate_per_s": 100, "peak_lag_records": 120, "caught_up_after_s": 2}
    assert points == ((0, 0), (1, 10), (2, 110), (3, 110), (4, 120), (5, 20), (6, 0))


def test_a_job_that_keeps_up_has_caught_up_at_once():
    produced = [(0.0, 0), (1.0, 10), (2.0, 110), (3.0, 120)]

    figures, _ = judged(produced, produced, [(10, 1.0), (100, 1.0), (10, 1.0)])

    assert (figures["peak_lag_records"], figures["caught_up_after_s"]) == (0, 0)
