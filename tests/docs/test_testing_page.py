"""The page for third parties: its examples run, and what it names exists."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

from tests.simulation.weaker import WEAKER

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text()
DECODER, ENGINE, PROXY = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_of_a_suite_is_a_test_file_that_passes(tmp_path):
    (tmp_path / "test_mine.py").write_text(DECODER)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert re.search(r"\d\d passed", done.stdout)


def test_the_example_of_the_engine_runs():
    exec(compile(ENGINE, "docs/testing.md", "exec"), {})


def test_the_example_of_the_proxy_runs():
    exec(compile(PROXY, "docs/testing.md", "exec"), {})


def test_the_page_lists_every_wrong_protocol_that_is_refuted():
    told = re.search(r"(\d+) wrong protocols are planted", PAGE)[1]

    assert int(told) == len(WEAKER)
    for weaker in WEAKER:
        assert f"({weaker.within}" in PAGE, weaker.what


def test_every_suite_and_fake_of_the_table_exists():
    table = PAGE.split("## Use a suite")[0].splitlines()
    rows = [line.split("|") for line in table if line.startswith("| ") and "protocol" not in line]
    assert len(rows) == 11
    for _, _protocol, suites, fake, _ in rows:
        for room, cell in (("arrowflow.testing.conformance", suites), ("arrowflow.testing", fake)):
            for module, name in re.findall(r"`(\w+)\.(\w+)`", cell):
                assert hasattr(importlib.import_module(f"{room}.{module}"), name), name
