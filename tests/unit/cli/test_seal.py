"""`arrowflow seal` and `arrowflow lifecycle` as they are typed, and what giving up and going back make of sealed files."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from tests.support.buckets import BUCKET, strict_fake
from tests.support.small import pipeline
from tests.unit.phases.test_recovery import RIGHT, STREAM, TO_THE_END, records

import arrowflow as af
from arrowflow.cli import main
from arrowflow.cli.session import Session
from arrowflow.commitlog.gcs import GcsLogSpec
from arrowflow.engine import start
from arrowflow.errors import ConfigError
from arrowflow.phases.alone import opened
from arrowflow.phases.drop import delete, retire
from arrowflow.pipeline import RunOptions
from arrowflow.stores.gcs.address import parse
from arrowflow.stores.gcs.lifecycle import Ages, lifecycle
from arrowflow.stores.gcs.rules import check_bucket

DAY_US = 86_400_000_000


def sealed(job, seal_us=DAY_US):
    spec = replace(job.sinks[0].spec, seal_us=seal_us)
    return replace(job, sinks=(replace(job.sinks[0], spec=spec), *job.sinks[1:]))


def command(job, *args):
    return CliRunner().invoke(main, [args[0], "small.toml", *args[1:]], obj=Session(load=lambda _: job))


@pytest.fixture
def ran(tmp_path):
    """A job of several epochs whose day is not over, and its folder."""
    job = sealed(pipeline(tmp_path, STREAM, max_epoch_rows=8, max_slice_rows=8))
    start(job, TO_THE_END).result()
    assert not list((tmp_path / "small" / "out__sealed").rglob("*.parquet"))
    return job, tmp_path


def rows_of(folder):
    table = af.scan(folder / "small" / "_log", "out").to_table(columns=["k", "window_start", "n", "total"])
    return sorted((r["k"], int(r["window_start"].timestamp()), r["n"], r["total"]) for r in table.to_pylist())


def test_all_small_files_are_put_together_at_once_and_the_second_time_there_is_nothing_to_do(ran):
    job, folder = ran

    done = command(job, "seal", "--take-over")
    again = command(job, "seal", "--take-over", "--json")
    listed = command(job, "log")

    assert done.exit_code == 0, done.output
    assert f"out: {len(RIGHT)} rows in 1 file of {folder}/small/out__sealed" in done.stdout
    assert (again.exit_code, json.loads(again.stdout)["records"]) == (0, [])
    assert f": 1 sealed files, {len(RIGHT)} rows" in listed.stdout
    assert rows_of(folder) == RIGHT
    assert records(folder)[-1]["kind"] == "close"
    assert command(job, "fsck", "--deep").exit_code == 0


def test_a_pipeline_that_seals_nothing_is_told_what_to_write(tmp_path):
    refused = command(pipeline(tmp_path, STREAM), "seal")

    assert refused.exit_code == 2
    assert 'small: no table says `seal`; write seal = "1d" into the [sink.NAME]' in refused.stderr
    assert not (tmp_path / "small").exists()


def test_what_was_before_sealed_files_cannot_be_gone_back_to(ran):
    job, folder = ran
    before = records(folder)[-1]["epoch"]
    assert command(job, "seal", "--take-over").exit_code == 0

    refused = command(job, "reset", "--to-epoch", str(before), "--take-over")

    assert refused.exit_code == 2
    assert "put small files together" in refused.stderr


def test_the_beginning_in_new_tables_can(ran):
    job, folder = ran
    assert command(job, "seal", "--take-over").exit_code == 0

    assert command(job, "reset", "--to-start", "--take-over").exit_code == 0
    start(job, TO_THE_END).result()

    assert rows_of(folder) == RIGHT
    assert command(job, "fsck", "--deep").exit_code == 0


def test_giving_up_takes_sealed_files_with_the_tables(ran):
    job, folder = ran
    assert command(job, "seal", "--take-over").exit_code == 0

    with opened(job, RunOptions(take_over=True)) as parts:
        delete(parts, retire(parts), tables=True, forget=False)

    assert not list((folder / "small").rglob("*.parquet"))


# ---- lifecycle --------------------------------------------------------------------------------------------------


def in_bucket(job):
    lake = f"gs://{BUCKET}/af"
    sinks = tuple(replace(node, spec=replace(node.spec, root=f"{lake}/{node.name}")) for node in job.sinks)
    return replace(job, sinks=sinks, checkpoint=replace(job.checkpoint, log=GcsLogSpec(f"{lake}/_arrowflow/small")))


def struck(rules, age):
    """What rules do to an object of that age, by its name, as the service applies them."""

    def on(name):
        found = [
            rule["action"]
            for rule in rules["rule"]
            if age >= rule["condition"]["age"]
            and any(name.startswith(prefix) for prefix in rule["condition"]["matchesPrefix"])
        ]
        return "Delete" if any(action["type"] == "Delete" for action in found) else [a["storageClass"] for a in found]

    return on


def test_the_rules_reach_every_file_of_every_table_and_nothing_that_a_start_or_a_reader_through_the_log_needs(tmp_path):
    job = in_bucket(sealed(pipeline(tmp_path, STREAM, max_epoch_rows=8, max_slice_rows=8), 1))
    printed = command(job, "lifecycle")
    rules = json.loads(printed.stdout)
    with strict_fake(facts={"lifecycle": rules}) as fake:
        start(job, TO_THE_END).result()  # a run looks at the rules, and refuses those that reach its records
        names = list(fake.snapshot(BUCKET))
        tables = [name for name in names if name.endswith(".parquet")]
        control = [name for name in names if not name.endswith(".parquet")]

        assert printed.exit_code == 0
        assert any("/out__sealed/" in name for name in tables)
        assert control
        for age, wanted in ((29, []), (30, ["COLDLINE"]), (365, ["COLDLINE", "ARCHIVE"]), (2555, "Delete")):
            on = struck(rules, age)
            assert {str(on(name)) for name in tables} == {str(wanted)}
            assert {str(on(name)) for name in control} == {"[]"}


def test_what_must_never_be_done_is_said_beside_the_rules_and_not_among_them(tmp_path):
    printed = command(in_bucket(pipeline(tmp_path, STREAM)), "lifecycle", "--cold", "7", "--archive", "90", "--keep")

    assert [rule["condition"]["age"] for rule in json.loads(printed.stdout)["rule"]] == [7, 90]
    assert f"never give a rule to gs://{BUCKET}/af/_arrowflow/small" in printed.stderr
    assert "these rules take the place of all the bucket has" in printed.stderr


def correcting(job):
    window = replace(job.operator.spec, correct_for_us=40 * DAY_US)
    return replace(job, operator=replace(job.operator, spec=window, late="correct"))


def test_corrections_of_cold_files_are_warned_of_and_of_deleted_ones_refused(tmp_path):
    job = correcting(in_bucket(pipeline(tmp_path, STREAM)))

    warned = command(job, "lifecycle")
    refused = command(job, "lifecycle", "--cold", "1", "--archive", "2", "--delete", "40")

    assert (warned.exit_code, refused.exit_code) == (0, 2)
    assert "windows can be corrected for 40 days" in warned.stderr
    assert "from day 30 on that is paid as retrieval" in warned.stderr
    assert "--delete 40: windows can be corrected for 40 days" in refused.stderr


def test_a_lake_on_the_disk_has_no_lifecycle(tmp_path):
    refused = command(pipeline(tmp_path, STREAM), "lifecycle")

    assert refused.exit_code == 2
    assert "lifecycle rules are settings of a bucket, and its lake is on the local disk" in refused.stderr


@pytest.mark.parametrize("ages", [("--cold", "400"), ("--archive", "30"), ("--delete", "365")])
def test_ages_that_do_not_grow_are_refused(ages, tmp_path):
    refused = command(in_bucket(pipeline(tmp_path, STREAM)), "lifecycle", *ages)

    assert refused.exit_code == 2
    assert "say ages in days that grow" in refused.stderr


def test_no_rule_is_made_from_which_records_could_be_reached():
    control = parse("gs://lake/af/_arrowflow/gold")
    for table in ("gs://lake", "gs://lake/af"):
        with pytest.raises(ConfigError, match="would reach gs://lake/af/_arrowflow/gold"):
            lifecycle([parse(table)], control, Ages(delete=None))
    rules = lifecycle([parse("gs://lake/af/gold")], control, Ages())
    check_bucket({"lifecycle": rules}, control)
