"""The pictures of docs/what-falls-where.md, made by the code on the page. ``python -m tests.docs.pictures`` writes them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.blocks import BLOCKS, ROOT

PAGE = ROOT / "docs" / "what-falls-where.md"
IMAGES = ROOT / "docs" / "images"


def pictures() -> dict[str, str]:
    """Each picture the page shows, by name: what the variable of that name holds after its code has run."""
    names: dict[str, object] = {"__name__": "page"}
    for block in BLOCKS:
        if block.page == PAGE and block.language == "python":
            exec(compile(block.code, str(PAGE), "exec"), names)
    return {name: str(names[name]) for name in shown()}


def shown() -> list[str]:
    """The names of the images on the page, in order."""
    return re.findall(r"^!\[[^\]]+\]\(images/(\w+)\.svg\)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def write(folder: Path = IMAGES) -> None:
    """Write every picture."""
    folder.mkdir(exist_ok=True)
    for name, svg in pictures().items():
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    write()
