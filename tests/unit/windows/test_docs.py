from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", ["windows.md", "state.md"])
def test_the_examples_of_the_page_are_true(page):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks

    for block in blocks:
        exec(compile(block, page, "exec"), {})
