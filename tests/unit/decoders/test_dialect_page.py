"""The page docs/json-dialect.md says what the decoder does: every example is run, every code is listed."""

import ast
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from arrowflow.decoders.json import Field, JsonSpec
from arrowflow.decoders.schema import ALLOWED_TYPES, parse_type
from arrowflow.decoders.verdict import REASONS
from arrowflow.testing.conformance.decoders import raw_batch

PAGE = (Path(__file__).parents[3] / "docs" / "json-dialect.md").read_text("utf-8")
EXAMPLES = re.findall(r"^\| `(.*?)` \| `([^`]*)`( required| with coerce|) \| (`.*`|[a-z0-9_]+) \|$", PAGE, re.MULTILINE)


def test_the_page_has_its_examples():
    table = PAGE.split("## Examples")[1].split("## The text")[0]

    assert len(EXAMPLES) == len([line for line in table.splitlines() if line.startswith("| `")]) > 50


@pytest.mark.parametrize(("record", "type_", "extra", "outcome"), EXAMPLES)
def test_an_example_of_the_page_is_true(record, type_, extra, outcome):
    value = ast.literal_eval(record) if record.startswith("b'") else record.encode()
    spec = JsonSpec((Field("v", type_, required=extra == " required"),), coerce=extra == " with coerce")
    decoded = spec.build().decode(raw_batch([value]))

    if outcome in REASONS:
        assert [reject.reason for reject in decoded.rejects] == [outcome]
    else:
        cell = decoded.table.column("v")[0].as_py()
        expected = json.loads(outcome.strip("`"))
        assert decoded.rejects == ()
        assert shown(cell) == expected
        assert type(expected) in (type(cell), str)


def shown(cell):
    """What the page writes of a value: JSON has neither times nor exact decimals."""
    if hasattr(cell, "isoformat"):
        return cell.isoformat()
    return str(cell) if isinstance(cell, Decimal) else cell


def test_the_page_lists_every_reason_and_no_other():
    table = PAGE.split("## Reasons")[1].split("## Tombstones")[0]

    assert re.findall(r"^\| `([a-z0-9_]+)` \|", table, re.MULTILINE) == list(REASONS)


def test_every_type_the_page_lists_exists():
    table = PAGE.split("## Columns")[1].split("A column reads")[0]
    texts = [text for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for text in re.findall(r"`([^`]+)`", row)]
    texts = [f"timestamp{text}" if text.startswith("[") else text for text in texts]

    assert set(texts) <= set(ALLOWED_TYPES)
    for text in texts:
        for name, example in {"<zone>": "UTC", "<fold>": "later", "<digits>": "12", "<places>": "2"}.items():
            text = text.replace(name, example)
        parse_type(text)


def test_the_defaults_the_page_names_are_the_defaults():
    limits = JsonSpec((Field("v", "int8"),)).limits

    assert (limits.max_bytes, limits.max_depth, limits.max_fields, limits.max_string_bytes) == (
        4 << 20,
        64,
        1024,
        1 << 20,
    )
