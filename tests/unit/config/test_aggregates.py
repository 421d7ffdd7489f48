from __future__ import annotations

import pytest

from arrowflow.config.aggregates import FUNCTIONS, Call, parse_aggregate
from arrowflow.windows import functions


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("count(*)", Call("count", None)),
        ("count()", Call("count", None)),
        (" Sum( amount ) ", Call("sum", "amount")),
        ('max("the (odd), column")', Call("max", "the (odd), column")),
        ("max('say \"so\"')", Call("max", 'say "so"')),
        ("count('*')", Call("count", "*")),
        ("quantile(speed, 0.95)", Call("quantile", "speed", (0.95,))),
        ("quantile(speed, 1)", Call("quantile", "speed", (1,))),
        ("quantile(speed, 5e-1)", Call("quantile", "speed", (0.5,))),
        ("count_distinct(code,100)", Call("count_distinct", "code", (100,))),
        ("sum(units, decimal)", Call("sum", "units", ("decimal",))),
        ("sum(units, 'decimal')", Call("sum", "units", ("decimal",))),
        ("weighted_mean(price, volume)", Call("weighted_mean", "price", ("volume",))),
        ('weighted_mean(price, "my volume")', Call("weighted_mean", "price", ("my volume",))),
        ("time_weighted_mean(level, '1h30m')", Call("time_weighted_mean", "level", ("1h30m",))),
        ("counter_delta(total, 65536, '1h')", Call("counter_delta", "total", (65536, "1h"))),
        ("time_in_state(mode, 'RUNNING')", Call("time_in_state", "mode", ("RUNNING",))),
        ("time_in_state(mode, RUNNING)", Call("time_in_state", "mode", ("RUNNING",))),
        ("time_in_state(on, true)", Call("time_in_state", "on", (True,))),
        ("time_in_state(code, -3)", Call("time_in_state", "code", (-3,))),
        ("time_in_state(code, '3')", Call("time_in_state", "code", ("3",))),
    ],
)
def test_calls_are_read_as_they_are_written(text, call):
    found = parse_aggregate(text)

    assert found == call
    assert [type(each) for each in found.arguments] == [type(each) for each in call.arguments]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sum",
        "sum(",
        "sum(a))",
        "sum((a))",
        "sum(a)b",
        "sum(a, 'b)",
        "sum(a 'b')",
        'sum("a" b)',
        "sum(a,)",
        "sum(,a)",
        "sum(*, 1)",
        "count(*, 1)",
        "quantile(a, 1h)",
        "quantile(a, 0x1)",
        "quantile(a, *)",
        "sum(a\n) -- )",
        "sum('')",
    ],
)
def test_what_is_no_call_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match=r"write|needs|should stand|takes nothing|stands in quotes"):
        parse_aggregate(text)


def test_the_file_knows_the_functions_that_the_window_core_has():
    assert set(FUNCTIONS) == set(functions.FUNCTIONS)


@pytest.mark.parametrize("text", ["9" * 5000, "0." + "9" * 5000, "1e999999", "(" * 5000, ", " * 5000, "'" * 4999])
def test_row_54_a_hostile_argument_is_refused_at_once(text):
    with pytest.raises(ValueError, match=r"."):
        parse_aggregate(f"quantile(a, {text})")
