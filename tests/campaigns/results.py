"""Raw results of campaigns: one JSON object a line, each with its kind, the commit and the day; only ever appended to."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results.jsonl"
"""What the page of faults is made from."""


def append(file: Path | None, kind: str, **line: object) -> None:
    """Add a line; nowhere, if there is no file."""
    if file is not None:
        whole = {"kind": kind, "commit": revision(), "day": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", **line}
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(whole, separators=(",", ":")) + "\n")


def read(file: Path = RESULTS) -> list[dict]:
    """All lines; those that `arrowflow chaos --json` wrote are of the kind "chaos"."""
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines()) if file.exists() else ()
    return [{"kind": "chaos", **line} for line in lines]


def revision() -> str:
    """The commit of the tree, with a + if the package was changed since."""
    git = ["git", "-C", str(ROOT)]
    found = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "src"], capture_output=True, check=False)
    return found.stdout.strip() + "+" * (changed.returncode == 1) or "unknown"
