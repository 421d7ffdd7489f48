"""`${NAME:-default}`: filled in after parsing, in string values only."""

from __future__ import annotations

import pytest

from arrowflow.config.document import Document
from arrowflow.config.variables import fill_in


def _filled(text, env):
    document = Document("f.toml", {"key": text, "list": [text], "table": {"inner": text}, "number": 7})
    problems = fill_in(document, env)
    assert document.values["list"] == [document.values["key"]]
    assert document.values["table"] == {"inner": document.values["key"]}
    assert document.values["number"] == 7
    return document.values["key"], problems


@pytest.mark.parametrize(
    ("text", "env", "expected"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("${A:-d}", {"A": "x"}, "x"),
        ("${A:-d}", {}, "d"),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A}", {"A": ""}, ""),
        ("${A:-}", {}, ""),
        ("${A:-./lake}/gold", {}, "./lake/gold"),
        ("a${A}b${B:-c}d", {"A": "1"}, "a1bcd"),
        ("$${A}", {"A": "x"}, "${A}"),
        ("$A ${A}", {"A": "x"}, "$A x"),
        ("{A} $ }", {}, "{A} $ }"),
        ("${A}", {"A": "${B}", "B": "never"}, "${B}"),
        ("${A:-x:-y}", {}, "x:-y"),
        ("${A:-a\nb}", {}, "a\nb"),
    ],
)
def test_a_variable_is_what_the_environment_or_the_default_says(text, env, expected):
    assert _filled(text, env) == (expected, [])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("${A}", "the environment variable A is not set and has no default"),
        ("${1A}", "is no variable"),
        ("${A-b}", "is no variable"),
        ("${}", "is no variable"),
        ("${A", "is no variable"),
        ("${A B}", "is no variable"),
    ],
)
def test_a_use_that_cannot_be_filled_in_is_told(text, sentence):
    value, problems = _filled(text, {})

    assert value == text
    assert len(problems) == 3
    assert all(sentence in problem.sentence for problem in problems)


def test_a_variable_cannot_add_keys():
    document = Document("f.toml", {"name": "${A}"})

    fill_in(document, {"A": 'x"\n[sink]\npath = "/etc'})

    assert list(document.values) == ["name"]
