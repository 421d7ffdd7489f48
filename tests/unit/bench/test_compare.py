"""Two results side by side: ratios above 1 are better, and what makes a comparison unfair is said."""

from tests.unit.bench.made import HERE, Versions, line, result

from arrowflow.bench.chart import beside
from arrowflow.bench.compare import compare
from arrowflow.bench.results import Machine


def test_twice_as_fast_with_half_the_processor_is_two_both_times():
    found = compare(result(line("a", 1.0, cpu=0.5)), result(line("a", 2.0, cpu=1.0)))

    assert [(ratio.name, ratio.rate, ratio.cpu, ratio.same_size) for ratio in found.ratios] == [
        ("g: a", 2.0, 2.0, True)
    ]
    assert (found.only_now, found.only_then, found.differences) == ((), (), ())


def test_runs_of_other_sizes_are_compared_by_the_record_and_marked():
    (ratio,) = compare(result(line(seconds=1.0, records=100)), result(line(seconds=1.0, records=200))).ratios

    assert ratio.rate == 0.5
    assert not ratio.same_size


def test_lines_meet_by_group_name_and_place_in_the_sweep():
    now = result(line("a", x=10.0), line("a", x=100.0), line("b"))
    then = result(line("a", x=10.0), line("b", group="h"))

    found = compare(now, then)

    assert [ratio.name for ratio in found.ratios] == ["g: a at 10"]
    assert found.only_now == ("g: a at 100", "g: b")
    assert found.only_then == ("h: b",)


def test_another_machine_and_other_versions_are_told():
    there = Machine("another", 8, 4096, "Linux 7", busy=9.0)
    now, then = result(line(), versions=Versions("3.13", {"numba": "1"})), result(line(), machine=there)

    assert compare(now, then).differences == (
        "processor: a processor now, another then",
        "cores: 2 now, 8 then",
        "kernel: Linux 6 now, Linux 7 then",
        "python: 3.13 now, 3.12 then",
        "numba: 1 now, - then",
    )


def test_what_fell_below_the_floor_is_named_and_what_stands_on_it_is_not():
    now = result(line("on it", 1.0), line("below", 1.0), line("above", 1.0))
    then = result(line("on it", 0.5), line("below", 0.49), line("above", 2.0))

    assert [ratio.name for ratio in compare(now, then).below(0.5)] == ["g: below"]


def test_a_line_that_took_no_processor_has_no_ratio_of_it():
    found = compare(result(line(cpu=0.0)), result(line(cpu=1.0)))

    assert found.ratios[0].cpu is None
    assert any("  1.00       -" in text for text in beside(found, "x"))


def test_a_comparison_as_text_says_all_of_it():
    now, then = result(line("a", records=5), line("b"), machine=HERE), result(line("a"), line("c"))

    told = "\n".join(beside(compare(now, then), "old.json"))

    assert "beside old.json" in told
    assert "other number of records" in told
    assert "only now: g: b" in told
    assert "only then: g: c" in told
