"""A result is a value, and the file it is kept in gives it back or says what is wrong with it."""

import json

import pytest
from tests.unit.bench.made import line, result

from arrowflow.bench.results import Line, read, save
from arrowflow.errors import ConfigError


def test_a_result_is_read_as_it_was_saved(tmp_path):
    kept = result(line("a", 2.0, x=10.0, mb_per_s=3.5), line("b", group="h"))

    save(kept, tmp_path / "r.json")

    assert read(tmp_path / "r.json") == kept


def test_rates_and_times_are_those_of_the_median_run():
    timed = Line("g", "a", 1000, (1.0, 4.0, 2.0), (0.5, 3.0, 1.5), "itself")

    assert timed.records_per_s == 500
    assert timed.wall_ns == 2e6
    assert timed.cpu_ns == 1.5e6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory): name a file that `arrowflow bench --out FILE` wrote"),
        (b"{", "is no result of a benchmark"),
        (b"\xff", "is no result of a benchmark"),
        (b'{"some": "thing"}', "is no result of a benchmark"),
        (b"[]", "is no result of a benchmark"),
        (b'{"format": "pytest-benchmark", "version": 1}', '"pytest-benchmark" of version 1, this arrowflow reads'),
        (b'{"format": "arrowflow-bench", "version": 2}', '"arrowflow-bench" of version 2, this arrowflow reads'),
        (b'{"format": "arrowflow-bench", "version": 1}', "is damaged: Object missing required field"),
    ],
)
def test_a_file_that_is_no_result_is_refused_with_what_it_is(tmp_path, content, said):
    file = tmp_path / "r.json"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError) as refused:
        read(file)

    assert str(file) in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "spoilt",
    [{"wall_s": []}, {"wall_s": [1.0, 2.0]}, {"wall_s": [0.0]}, {"cpu_s": [-1.0]}, {"records": 0}, {"records": "many"}],
)
def test_a_line_without_a_measurement_is_damage(tmp_path, spoilt):
    save(result(line()), tmp_path / "r.json")
    whole = json.loads((tmp_path / "r.json").read_text())
    whole["lines"][0] |= spoilt
    (tmp_path / "r.json").write_text(json.dumps(whole))

    with pytest.raises(ConfigError, match="is damaged"):
        read(tmp_path / "r.json")
