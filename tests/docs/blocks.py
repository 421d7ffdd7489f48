"""The code blocks of the pages, with where they stand. Knows Markdown only as far as fences and comments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "changes").glob("*.md")),
]
EXCUSE = re.compile(r"<!-- not run: .{8,} -->")


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is that of its first line of code."""

    page: Path
    line: int
    language: str
    code: str
    excused: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in order; excused are those right below `<!-- not run: why -->`."""
    found: list[Block] = []
    above, start = "", 0
    language, code = "", None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if code is not None and line.strip() == "```":
            found.append(Block(page, start, language, "\n".join(code) + "\n", EXCUSE.fullmatch(above) is not None))
            code = None
        elif code is not None:
            code.append(line)
        elif line.strip().startswith("```"):
            language, code, start = line.strip().removeprefix("```"), [], number + 1
        else:
            above = line.strip()
    assert code is None, f"{page}: a block is not closed"
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
