"""Addresses in a bucket, and lifecycle rules that would reach what they must not."""

import json
import re
from pathlib import Path

import pytest

from arrowflow.errors import ConfigError
from arrowflow.stores.gcs.address import Address, is_address, normal, parse
from arrowflow.stores.gcs.rules import deletes_below

FOLDER = "af/_arrowflow/gold/"


def test_an_address_is_a_bucket_and_a_name():
    assert parse("gs://lake/af/gold") == Address("lake", "af/gold")
    assert parse("gs://lake") == parse("gs://lake/") == Address("lake", "")
    assert normal("gs://lake/af/") == "gs://lake/af"
    assert (parse("gs://lake").folder, parse("gs://lake/a").folder) == ("", "a/")
    assert [is_address(path) for path in ("gs://x", "GS://x", "/gs", "./gs://x")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/lake/gold", "absolute addresses"),
        ("GS://lake", "absolute addresses"),
        ("gs://", "is no bucket"),
        ("gs://ab/x", "is no bucket"),
        ("gs://Lake/x", "is no bucket"),
        ("gs://-lake/x", "is no bucket"),
        ("gs://lake//x", "empty part"),
        ("gs://lake/x//", "empty part"),
        ("gs://lake/../x", "empty part"),
        ("gs://lake/a\nb", "line break"),
        ("gs://lake/" + "x" * 1025, "1025 bytes"),
    ],
)
def test_what_is_no_address_says_why(path, said):
    with pytest.raises(ConfigError, match=said):
        parse(path)


@pytest.mark.parametrize(
    ("action", "condition", "harmful"),
    [
        ("Delete", {"age": 30}, True),
        ("Delete", {}, True),
        ("Delete", {"age": 2555, "matchesPrefix": ["af/gold/"]}, False),
        ("Delete", {"age": 2555, "matchesPrefix": ["af/gold/", "af/_arrow"]}, True),
        ("Delete", {"age": 1, "matchesPrefix": ["af/_arrowflow/gold/staging/"]}, True),
        ("Delete", {"age": 1, "matchesSuffix": [".tmp"]}, False),
        ("Delete", {"age": 1, "matchesSuffix": ["0.parquet"]}, True),
        ("Delete", {"age": 1, "isLive": False}, False),
        ("Delete", {"numNewerVersions": 3}, False),
        ("SetStorageClass", {"age": 30}, False),
        ("AbortIncompleteMultipartUpload", {"age": 1}, False),
    ],
)
def test_only_a_rule_that_may_delete_a_live_object_of_the_job_is_harmful(action, condition, harmful):
    assert deletes_below({"action": {"type": action}, "condition": condition}, FOLDER) is harmful


def test_the_rules_of_the_page_spare_the_control_prefix_and_would_not_without_their_prefixes():
    page = (Path(__file__).parents[3] / "docs" / "gcs.md").read_text()
    rules = json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])["rule"]

    assert [rule["action"]["type"] for rule in rules] == ["SetStorageClass", "SetStorageClass", "Delete"]
    assert not any(deletes_below(rule, "af/_arrowflow/gold_production/") for rule in rules)
    for rule in rules:
        del rule["condition"]["matchesPrefix"]
    assert [deletes_below(rule, "af/_arrowflow/gold_production/") for rule in rules] == [False, False, True]
