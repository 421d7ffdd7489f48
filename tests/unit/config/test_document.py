"""Files that are no configuration: YAML, bombs, broken bytes. Row 58 and the syntax half of row 56."""

from __future__ import annotations

import sys

import pytest

from arrowflow.config import InvalidConfig, check
from arrowflow.config.document import MAX_BYTES, read_document


def _only(path, env=None):
    (problem,) = check(path, env or {})
    return problem


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".YAML", ".json"])
def test_row_58_yaml_and_json_files_are_refused_by_their_name(tmp_path, suffix):
    file = tmp_path / f"job{suffix}"
    file.write_text("name: !!python/object/apply:os.system ['touch owned']\n", encoding="utf-8")

    assert "arrowflow reads TOML" in _only(file).sentence
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "text",
    [
        "---\npipeline:\n  name: job\n",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "!!python/object/apply:os.system ['touch owned']\n",
        "source:\n  - kafka\n",
    ],
)
def test_row_58_yaml_in_a_toml_file_is_refused_with_a_hint(tmp_path, text):
    file = tmp_path / "job.toml"
    file.write_text(text, encoding="utf-8")

    problem = _only(file)

    assert "not valid TOML" in problem.sentence
    assert "looks like YAML" in problem.sentence


def test_row_58_no_yaml_reader_is_ever_loaded(tmp_path):
    (tmp_path / "job.toml").write_text("a: b\n", encoding="utf-8")
    before = {"yaml", "ruamel"} & sys.modules.keys()

    check(tmp_path / "job.toml", {})

    assert {"yaml", "ruamel"} & sys.modules.keys() == before


def test_row_58_a_file_that_is_too_large_is_not_read(tmp_path):
    file = tmp_path / "job.toml"
    file.write_bytes(b"#" * (MAX_BYTES + 1))

    assert f"has {MAX_BYTES + 1} bytes" in _only(file).sentence


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "{b = " * 50_000, "[" + "a." * 100_000 + "a]\n"])
def test_row_58_values_nested_without_end_are_refused(tmp_path, text):
    file = tmp_path / "job.toml"
    file.write_text(text, encoding="utf-8")

    assert check(file, {})


def test_a_missing_file_is_told_with_the_verb_that_writes_one(tmp_path):
    problem = _only(tmp_path / "none.toml")

    assert "No such file" in problem.sentence
    assert "arrowflow init" in problem.sentence


def test_a_folder_is_no_file(tmp_path):
    assert "cannot be read" in _only(tmp_path).sentence


def test_bytes_that_are_not_utf8_are_told_with_their_place(tmp_path):
    file = tmp_path / "job.toml"
    file.write_bytes(b'[pipeline]\nname = "a\xff"\n')

    problem = _only(file)

    assert problem.place == (2, 10)
    assert "not UTF-8" in problem.sentence


def test_a_nul_byte_is_a_syntax_error(tmp_path):
    file = tmp_path / "job.toml"
    file.write_bytes(b'name = "a\x00b"\n')

    problem = _only(file)

    assert "not valid TOML" in problem.sentence
    assert "\x00" not in str(problem)


def test_an_empty_file_names_every_section_that_must_be_there(tmp_path):
    file = tmp_path / "job.toml"
    file.write_text("", encoding="utf-8")

    assert {problem.key for problem in check(file, {})} == {"pipeline", "source", "sink", "checkpoint"}


def test_every_key_and_value_has_its_place(tmp_path):
    file = tmp_path / "job.toml"
    file.write_text(
        '[a.b]\nc = 1\n"d e".f = "x"\ng = { h = 1, i.j = [10,\n  20] }\n[[t]]\nf = 1\n[[t]]\nf = 2\n[t.sub]\nk = 3\n',
        encoding="utf-8",
    )

    document = read_document(file)

    assert document.place(("a", "b", "c")) == (2, 5)
    assert document.place(("a", "b", "c"), at_key=True) == (2, 1)
    assert document.place(("a", "b", "d e", "f")) == (3, 11)
    assert document.place(("a", "b", "g", "h")) == (4, 11)
    assert document.place(("a", "b", "g", "i", "j", 1)) == (5, 3)
    assert document.place(("t", 0, "f")) == (7, 5)
    assert document.place(("t", 1, "f")) == (9, 5)
    assert document.place(("t", 1, "sub", "k")) == (11, 5)
    assert document.place(("a", "b"), at_key=True) == (1, 4)
    assert document.place(("a", "b", "missing")) == (1, 4), "what is not there is told at the table around it"


def test_all_keys_that_are_there_twice_are_told_at_once(tmp_path):
    file = tmp_path / "job.toml"
    file.write_text("a = 1\na = 2\n[b]\nc = 1\nc = 2\n[b]\n", encoding="utf-8")

    with pytest.raises(InvalidConfig) as caught:
        read_document(file)

    assert [(problem.key, tuple(problem.place)) for problem in caught.value.problems] == [
        ("a", (2, 1)),
        ("b.c", (5, 1)),
        ("b", (6, 2)),
    ]


def test_a_file_name_with_control_characters_is_escaped(tmp_path):
    problem = _only(tmp_path / "x\x1b[31m\n.toml")

    assert "\x1b" not in str(problem)
    assert "\n" not in str(problem)
