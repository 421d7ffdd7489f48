"""docs/benchmarks.md and its pictures say what the raw results say, and every result is on the page."""

from __future__ import annotations

from bench.page import IMAGES, ORDER, PAGE, RESULTS, TEXTS, TITLES, kept, pages
from msgspec.structs import replace


def test_the_page_and_its_pictures_are_those_of_the_results():
    text, pictures = pages(kept())

    assert PAGE.read_text(encoding="utf-8") == text, "run `python -m bench.page`"
    found = {name: (IMAGES / name).read_text(encoding="utf-8") for name in pictures}
    assert found == pictures, "run `python -m bench.page`"


def test_every_result_is_on_the_page_and_small_enough_to_keep():
    files = sorted(file for file in RESULTS.glob("*.json") if file.stem != "peers")  # a page of its own

    assert {file.stem for file in files} == set(ORDER) == set(TITLES) == set(TEXTS)
    assert [file.name for file in files if file.stat().st_size > 100_000] == []


def test_a_changed_figure_changes_page_and_picture():
    results = kept()
    slower = replace(
        results["keys"],
        lines=tuple(replace(line, wall_s=(9.0,), cpu_s=(9.0 + line.x,)) for line in results["keys"].lines),
    )

    text, pictures = pages(results)
    other, drawn = pages({**results, "keys": slower})

    assert other != text
    assert [name for name in pictures if drawn[name] != pictures[name]] == ["keys.svg"]


def test_a_result_of_a_busy_machine_says_so():
    parts = kept()["parts"]

    def told(busy):
        return pages({"parts": replace(parts, machine=replace(parts.machine, busy=busy))})[0]

    assert "**Measured while the machine had other work to do.**" in told(0.6)
    assert "**Measured while the machine had other work to do.**" not in told(0.4)
