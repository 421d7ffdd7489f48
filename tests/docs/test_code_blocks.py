"""What the pages tell a reader to type is true: Python runs, files validate, commands exist.

A block that cannot run says why on the line above it: `<!-- not run: needs a cluster of your own -->`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import click
import pytest
from tests.docs.blocks import BLOCKS, PAGES, ROOT

from arrowflow.cli.session import Session
from arrowflow.cli.verbs import VERBS
from arrowflow.config import check

LANGUAGES = {"python", "toml", "console", "sh", "json", "text", "mermaid", ""}
PRINTED = re.compile(r"^\s*print\(.*\)\s+# (.*)$|^# (.*)$")


def of(*languages):
    return [block for block in BLOCKS if block.language in languages and not block.excused]


def told_to_print(code):
    """Return what the comments of a block say it prints: those beside a `print`, and those that end the block."""
    lines = code.rstrip().splitlines()
    last = max((n for n, line in enumerate(lines) if not line.startswith("#")), default=-1)
    found = [match for n, line in enumerate(lines) if (match := PRINTED.match(line)) and (match[1] or n > last)]
    return [match[1] or match[2] for match in found]


def merged(base, other):
    """Return `base` with the tables of `other` put into it."""
    if not (isinstance(base, dict) and isinstance(other, dict)):
        return other
    return base | {key: merged(base.get(key), value) for key, value in other.items()}


def toml_text(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {toml_text(one)}' for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml_text(one) for one in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A folder like a fresh checkout, and nobody's variables."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    for name in ("ARROWFLOW_LAKE", "ARROWFLOW_BROKERS", "ARROWFLOW_CADENCE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_pages_have_blocks_and_every_block_says_what_it_is():
    assert len(PAGES) >= 15
    assert len(of("python")) >= 10
    assert [str(block) for block in BLOCKS if block.language not in LANGUAGES] == []


@pytest.mark.parametrize(
    "page", sorted({block.page for block in of("python")}), ids=lambda page: str(page.relative_to(ROOT))
)
def test_python_runs_and_prints_what_its_comments_say(page, bench, capsys):
    """The blocks of a page run in order and share their names, as a reader would type them."""
    names = {"__name__": "page"}
    for block in of("python"):
        if block.page != page:
            continue
        if "start(load(" in block.code and importlib.util.find_spec("noida_db") is None:
            pytest.skip("the embedded broker's wheel is not installed: pip install 'arrowflow[embedded]'")

        exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), names)

        printed = capsys.readouterr().out.splitlines()
        told = told_to_print(block.code)
        assert not told or "…" in "".join(told) or printed == told, str(block)


def problems_of(code):
    """Return what is wrong with a whole pipeline, or with a part of one put into gold.toml."""
    told = tomllib.loads(code)
    whole = told if "pipeline" in told else merged(tomllib.loads(Path("configs/gold.toml").read_text()), told)
    Path("page.toml").write_text("".join(f"{key} = {toml_text(value)}\n" for key, value in whole.items()))
    return [str(problem) for problem in check("page.toml", {})]


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_toml_is_a_valid_pipeline_by_itself_or_put_into_gold(block, bench):
    assert problems_of(block.code) == []


def test_toml_that_is_no_part_of_a_pipeline_is_noticed(bench):
    assert problems_of("[source.schema]\nplanta = 'string'")
    assert problems_of("[pipeline]\nname = 'alone'")


def commands():
    """Return each line of a console block that calls arrowflow or make, without prompt, variables and comment."""
    for block in of("console", "sh"):
        for number, line in enumerate(block.code.splitlines(), block.line):
            words = shlex.split(line.removeprefix("$ "), comments=True)
            while words and "=" in words[0]:
                words.pop(0)
            if words and words[0].rpartition("/")[2] in ("arrowflow", "make"):
                place = f"{block.page.relative_to(ROOT)}:{number}"
                yield pytest.param(words[0].rpartition("/")[2], words[1:], id=place)


def call(program, args):
    """Read the command line as the program would; raise what it says of a wrong one."""
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(args) <= set(targets)
        return
    verb, *rest = args
    assert verb in VERBS
    importlib.import_module(f"arrowflow.cli.{verb}").command.make_context(verb, rest, obj=Session())


@pytest.mark.parametrize(("program", "args"), list(commands()))
def test_a_command_exists_with_its_options(program, args):
    call(program, args)


@pytest.mark.parametrize(
    ("program", "args", "error"),
    [
        ("make", ["rnu"], AssertionError),
        ("arrowflow", ["rnu", "x.toml"], AssertionError),
        ("arrowflow", ["run", "x.toml", "--until-caughtup"], click.UsageError),
        ("arrowflow", ["run"], click.UsageError),
        ("arrowflow", ["validate", "--last", "3", "x.toml"], click.UsageError),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(program, args, error):
    with pytest.raises(error):
        call(program, args)


def test_what_a_block_says_it_prints_is_read_from_its_comments():
    assert told_to_print("x = 1  # no\nprint(x)  # 1\n# in between\nprint(x + 1)\n# 2\n") == ["1", "2"]
