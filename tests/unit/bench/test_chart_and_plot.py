"""A result as text and as SVG: lengths are rates, groups have scales of their own, nothing breaks the document."""

import re
from xml.etree import ElementTree

import pytest
from tests.unit.bench.made import line, result

from arrowflow.bench.chart import about, bar, table
from arrowflow.bench.plot import Curves, bars_svg, curves_svg

SVG = "{http://www.w3.org/2000/svg}"


def test_a_bar_is_as_long_as_its_share_to_an_eighth():
    assert bar(1.0, 10) == "█" * 10
    assert bar(0.5, 10) == "█" * 5
    assert bar(0.55, 10) == "█" * 5 + "▌"
    assert bar(0.0, 10) == "▏"
    assert bar(7.0, 10) == "█" * 10


def test_the_table_has_every_line_with_rate_time_and_what_its_answer_was_held_against():
    told = "\n".join(
        table(result(line("fast", 1.0), line("slow", 4.0, x=10.0, mb_per_s=2.5), line("other", 8.0, group="h")))
    )

    assert re.search(r"fast +1,000 +1,000,000\.0 +1,000,000\.0 +1  █{28}\n", told)
    assert re.search(r"slow at 10 +250 +4,000,000\.0 +4,000,000\.0 +1  █{7}\n", told)
    assert "slow: 1,000 records; answer: itself; mb_per_s 2.5" in told
    assert re.search(r"other +125 .*█{28}\n", told)  # the longest of its own group


def test_machine_load_and_versions_are_told():
    told = "\n".join(about(result(line())))

    assert told == "a processor, 2 cores, 4,096 MB, Linux 6, load 0.25 at the start\npython 3.12, commit abc"


def widths(svg):
    """Lengths of bars."""
    root = ElementTree.fromstring(svg)
    return [float(each.get("width")) for each in root.iter(f"{SVG}rect") if each.get("class") == "full"]


def test_bars_are_drawn_as_long_as_rates_in_their_group():
    fast, slow, other = widths(bars_svg(result(line("f", 1.0), line("s", 4.0), line("o", 9.0, group="h"))))

    assert fast == other
    assert slow == pytest.approx(fast / 4, abs=0.1)


def test_names_that_look_like_markup_stay_text():
    root = ElementTree.fromstring(bars_svg(result(line("<b> & co"))))

    assert "<b> & co" in [each.text for each in root.iter(f"{SVG}text")]
    curves = ElementTree.fromstring(curves_svg(Curves("<t>", "<n>", "<x>", "<y>", {"<a>": [(1, 1.0)]})))
    assert {"<t>", "<n>", "<x>", "<y>", "<a>"} <= {each.text for each in curves.iter(f"{SVG}text")}


def points(svg):
    root = ElementTree.fromstring(svg)
    found = [each.get("points") for each in root.iter(f"{SVG}polyline")]
    return [[tuple(map(float, point.split(","))) for point in one.split()] for one in found]


def test_a_curve_rises_with_its_values_and_powers_of_ten_are_evenly_apart():
    drawn = curves_svg(Curves("t", "n", "keys", "ns", {"a": [(10, 1.0), (100, 2.0), (1000, 4.0)]}, log_x=True))

    ((first, second, third),) = points(drawn)
    assert first[1] > second[1] > third[1]  # the origin of an SVG is at the top
    assert second[0] - first[0] == pytest.approx(third[0] - second[0], abs=0.2)
    assert (first[1] - second[1]) * 2 == pytest.approx(second[1] - third[1], abs=0.2)


def test_a_curve_over_one_place_and_values_of_zero_are_drawn():
    assert points(curves_svg(Curves("t", "n", "x", "y", {"a": [(5, 0.0)]})))


def test_places_may_have_names():
    svg = curves_svg(Curves("t", "n", "codec", "y", {"a": [(0, 1.0), (1, 2.0)]}, names_of_x={0: "none", 1: "zstd"}))

    root = ElementTree.fromstring(svg)
    assert {"none", "zstd"} <= {each.text for each in root.iter(f"{SVG}text")}
