"""The command line on a lake in a bucket: it runs, its records are listed, and what is wrong is said with its exit code."""

import pytest
from click.testing import CliRunner
from tests.chaos.replay_job import write_archive, wrong
from tests.support.buckets import BUCKET, strict_fake
from tests.support.cli import write_config

from arrowflow.cli import main
from arrowflow.stores.gcs.patience import Patience
from arrowflow.testing.gcs import Fault

LAKE = f"gs://{BUCKET}/af"
TO_THE_END = ("--until-caught-up", "--close-open-windows")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "production.ndjson"
    return path, write_archive(path, rows=300)


@pytest.fixture
def config(tmp_path, archive):
    file = write_config(tmp_path, archive[0])
    file.write_text(file.read_text().replace(str(tmp_path / "lake"), LAKE))
    return str(file)


def arrowflow(*args):
    return CliRunner().invoke(main, list(args))


def test_a_job_runs_in_a_bucket_and_its_records_are_listed_by_configuration_and_by_address(config, archive, tmp_path):
    with strict_fake() as fake:
        done = arrowflow("run", config, *TO_THE_END)
        assert done.exit_code == 0, done.output
        by_config = arrowflow("log", config)
        by_address = arrowflow("log", f"{LAKE}/_arrowflow/gold_production")

        assert by_config.exit_code == 0
        assert by_config.stdout == by_address.stdout
        assert [line.split()[1] for line in by_config.stdout.splitlines()[1:]] == ["open", "data", "close"]
        assert wrong(archive[1], fake.dump(BUCKET, tmp_path / "dump") / "af") == []


def test_a_second_run_goes_on_where_the_first_one_ended(config):
    with strict_fake() as fake:
        assert arrowflow("run", config, *TO_THE_END).exit_code == 0
        before = {name: data for name, data in fake.snapshot(BUCKET).items() if name.endswith(".parquet")}

        assert arrowflow("run", config, *TO_THE_END).exit_code == 0
        assert {name: data for name, data in fake.snapshot(BUCKET).items() if name.endswith(".parquet")} == before


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (Fault("refuse", every=1, status=403, reason="forbidden"), 2, "docs/gcs.md lists all that are needed"),
        (Fault("refuse", every=1), 3, "The service is made to fail. (503)"),
        (Fault("drop", every=1), 3, "the service was not reached"),
    ],
    ids=["forbidden", "failing", "gone"],
)
def test_row_79_a_run_that_cannot_start_says_why_with_its_exit_code(config, monkeypatch, fault, code, said):
    monkeypatch.setattr(Patience, "repeat", lambda self, step: step())  # no patience: the test would wait for its end
    with strict_fake() as fake:
        fake.arrange(fault)
        done = arrowflow("run", config, *TO_THE_END)

    assert done.exit_code == code, done.output
    assert said in done.stderr


def test_a_run_in_a_zonal_bucket_is_refused_before_anything_is_written(config):
    with strict_fake(facts={"locationType": "zone"}) as fake:
        done = arrowflow("run", config, *TO_THE_END)

        assert done.exit_code == 2
        assert "gs://lake is a zonal bucket" in done.stderr
        assert list(fake.snapshot(BUCKET)) == []


def test_a_run_without_credentials_ends_with_2_and_says_what_to_do(config, monkeypatch, tmp_path):
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")

    done = arrowflow("run", config, *TO_THE_END)

    assert done.exit_code == 2
    assert "gcloud auth application-default login" in done.stderr
