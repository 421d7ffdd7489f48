"""Every example of docs/peers.md runs, those on Spark too, and prints what the page says."""

from __future__ import annotations

import pytest
from tests.docs.blocks import ROOT, blocks_of
from tests.docs.test_code_blocks import told_to_print

PAGE = ROOT / "docs" / "peers.md"
BLOCKS = [block for block in blocks_of(PAGE) if block.language == "python"]


@pytest.mark.slow
def test_the_page_prints_what_it_says_on_spark_too(spark, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    names = {"__name__": "page", "spark": spark}
    for block in BLOCKS:
        exec(compile("\n" * (block.line - 1) + block.code, str(PAGE), "exec"), names)

        assert capsys.readouterr().out.splitlines() == told_to_print(block.code), str(block)


def test_what_docs_leave_out_is_what_needs_spark():
    """So that each example runs in one of the two places."""
    assert [
        str(block) for block in BLOCKS if block.excused != ("(spark, " in block.code or "spark." in block.code)
    ] == [
        str(BLOCKS[0])  # defines the function that Spark is asked with
    ]
