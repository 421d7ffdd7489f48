"""The page that draws the code must name files and functions that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PACKAGE = ROOT / "src" / "arrowflow"


def test_every_file_named_on_the_page_exists():
    named = set(re.findall(r"[\w/]+\.py", PAGE))

    missing = [name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()]
    assert len(named) > 15
    assert missing == []


def test_every_function_named_on_the_page_is_in_its_file():
    named = re.findall(r"([\w/]+\.py): (\w+)\(\)", PAGE)

    missing = [(file, function) for file, function in named if f"def {function}(" not in (PACKAGE / file).read_text()]
    assert len(named) >= 10
    assert missing == []


def test_step_says_its_words_in_the_order_of_the_page():
    words = ["read", "decode", "transform", "fold", "advance", "stage", "commit", "check", "publish", "acknowledge"]
    source = (PACKAGE / "engine.py").read_text()
    body = source[source.index("def step(") : source.index("def run(")]

    places = [body.index(f"{word}(job") for word in words]
    assert places == sorted(places)


def test_the_engine_reads_in_one_screen():
    """Imports apart, what there is to read fits a screen."""
    lines = (PACKAGE / "engine.py").read_text().splitlines()

    body = [line for line in lines if line.strip() and not line.startswith(("from ", "import "))]
    assert len(body) <= 80
