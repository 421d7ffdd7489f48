"""A lake in a bucket is a value of one variable: the file stays as it is."""

import pytest
from tests.unit.config.test_load import CONFIGS

from arrowflow.commitlog.gcs import GcsLogSpec
from arrowflow.config import InvalidConfig, check, load

LAKE = {"ARROWFLOW_LAKE": "gs://plant-lake/af", "ARROWFLOW_BROKERS": "broker:9092"}


def test_gold_with_a_bucket_for_a_lake_keeps_its_records_and_tables_there():
    pipeline = load(CONFIGS / "gold.toml", LAKE)

    assert pipeline.checkpoint.log == GcsLogSpec("gs://plant-lake/af/_arrowflow/gold_production")
    assert [node.spec.location for node in pipeline.sinks] == [
        "gs://plant-lake/af/gold/production",
        "gs://plant-lake/af/_late/gold_production",
        "gs://plant-lake/af/_dead/gold_production",
    ]


def test_a_slash_too_much_at_the_end_of_an_address_changes_nothing(tmp_path):
    text = (CONFIGS / "gold.toml").read_text().replace('/gold/production"', '/gold/production/"')
    (tmp_path / "gold.toml").write_text(text)

    assert load(tmp_path / "gold.toml", LAKE).sinks[0].spec.location == "gs://plant-lake/af/gold/production"


def test_the_embedded_broker_needs_a_lake_on_the_disk():
    with pytest.raises(InvalidConfig, match="set the brokers for a remote lake"):
        load(CONFIGS / "gold.toml", {"ARROWFLOW_LAKE": "gs://plant-lake/af"})


def test_records_in_another_bucket_than_a_table_are_told_at_the_table(tmp_path):
    text = (
        (CONFIGS / "gold.toml")
        .read_text()
        .replace("${ARROWFLOW_LAKE:-./lake}/_arrowflow", "gs://plant-records/_arrowflow")
    )
    (tmp_path / "gold.toml").write_text(text)

    problems = check(tmp_path / "gold.toml", LAKE)

    assert [problem.key for problem in problems] == ["sink.parquet.path", "late.path", "dead_letter.path"]
    assert "is in the bucket plant-lake, and checkpoint.path in the bucket plant-records" in str(problems[0])


def test_without_the_client_each_address_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr("arrowflow.stores.gcs.address.find_spec", lambda name: None)

    problems = check(CONFIGS / "gold.toml", LAKE)

    assert len(problems) == 4
    assert all("pip install 'arrowflow[gcs]'" in str(problem) for problem in problems)
