"""The small verbs: validate, explain, schema, init, sample, log, chaos."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from arrowflow.cli import main
from arrowflow.failpoints import REGISTRY, Failpoints
from arrowflow.types import Balance, Fingerprint, Input, Manifest, StagedFile, Writer

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ARROWFLOW_BROKERS", "ARROWFLOW_LAKE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def _run(*args):
    return CliRunner().invoke(main, list(args))


@pytest.mark.parametrize("name", sorted(file.name for file in CONFIGS.glob("*.toml")))
def test_the_configurations_that_ship_are_valid(here, name, monkeypatch):
    monkeypatch.setenv("ARROWFLOW_ROSTER", str(CONFIGS / "scada_sensors.csv"))  # its own path counts from the checkout
    monkeypatch.setenv("ARROWFLOW_SCHEMAS", str(CONFIGS / "schemas"))
    result = _run("validate", str(CONFIGS / name))

    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(": valid\n")


def test_validate_prints_every_problem_of_every_file_and_exits_with_2(here):
    Path("a.toml").write_text("[pipeline]\nnam = 'x'\n", encoding="utf-8")

    result = _run("validate", "a.toml", str(CONFIGS / "raw.toml"), "none.toml")

    assert result.exit_code == 2
    assert 'a.toml:2:1 pipeline.nam: unknown key – did you mean "name"?' in result.stderr
    assert "none.toml:1:1 cannot be read" in result.stderr
    assert "raw.toml: valid" in result.stdout


def test_validate_tells_problems_as_json(here):
    Path("a.toml").write_text("[pipeline]\nname = 7\n", encoding="utf-8")

    result = _run("validate", "--json", "a.toml")

    told = json.loads(result.stdout)
    assert result.exit_code == 2
    assert told["valid"] is False
    assert {
        "file": "a.toml",
        "line": 2,
        "column": 8,
        "key": "pipeline.name",
        "problem": "must be text in quotes, not 7",
    } in told["problems"]


def test_validate_writes_nothing(here):
    _run("validate", str(CONFIGS / "gold.toml"))

    assert list(here.iterdir()) == []


def test_run_of_a_bad_file_exits_with_2_and_its_problems(here):
    Path("a.toml").write_text("[pipeline]\nnam = 'x'\n", encoding="utf-8")

    result = _run("run", "a.toml")

    assert result.exit_code == 2
    assert "a.toml:2:1 pipeline.nam" in result.stderr


def test_explain_says_what_the_gold_pipeline_will_do(here):
    result = _run("explain", str(CONFIGS / "gold.toml"))

    assert result.exit_code == 0, result.output
    for part in ("source", "clocks", "windows", "state", "files per day", "guarantees", "what an outage costs"):
        assert f"\n{part}\n" in result.stdout
    assert "a result appears once event time is 30m past the window's end, then within 5m" in result.stdout
    assert "parquet: at most about 9 (windows close 3 times a day, 3 zones)" in result.stdout
    assert "tijuana T3 of" in result.stdout, "two nights a year are not 8 hours long"
    assert "monterrey T3 of" not in result.stdout
    assert list(here.iterdir()) == []


def _explain_gold(*changes):
    text = (CONFIGS / "gold.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    Path("a.toml").write_text(text, encoding="utf-8")
    result = _run("explain", "a.toml")
    assert result.exit_code == 0, result.output
    return result.stdout


SHIFTS = 'shifts = { T1 = "06:00-14:00", T2 = "14:00-22:00", T3 = "22:00-06:00" }'


def test_explain_says_what_breaks_do(here):
    breaks = 'breaks = { T1 = ["10:00-10:30"], T3 = ["23:45-00:15", "02:00-02:30"] }'
    later = '[[calendars.plants.revisions]]\nvalid_from = 2026-01-01\nshifts = { D = "07:00-19:00" }'
    told = _explain_gold((SHIFTS, f"{SHIFTS}\n{breaks}\n{later}"))
    refused = _explain_gold((SHIFTS, f"{SHIFTS}\n{breaks}"), ('unit = "shift"', 'unit = "shift"\noff = "dead_letter"'))

    assert "    T1 06:00-14:00, without 10:00-10:30\n    T2 14:00-22:00\n" in told
    assert "    T3 22:00-06:00, without 23:45-00:15, 02:00-02:30\n" in told
    assert "    from production day 2026-01-01 on\n    D 07:00-19:00\n" in told
    assert "    rows between shifts, in breaks are in windows of their own, called off, one per interval\n" in told
    assert "parquet: at most about 18 (windows close 6 times a day, 3 zones)" in told
    assert "    rows in breaks are dead letters: off\n" in refused
    assert "parquet: at most about 9 (windows close 3 times a day, 3 zones)" in refused
    assert "off" not in _explain_gold()
    day = _explain_gold((SHIFTS, f"{SHIFTS}\n{breaks}"), ('unit = "shift"', 'unit = "day"'))
    assert "    breaks count in their day: they are off only where a window is a shift\n" in day


def test_explain_says_what_weeks_and_months_are(here):
    week = _explain_gold(
        ('unit = "shift"', 'unit = "week"\nweek_starts = "sunday"'), (SHIFTS, f"{SHIFTS}\nholidays = [2026-12-25]")
    )
    month = _explain_gold(('unit = "shift"', 'unit = "month"'), (SHIFTS, ""))

    assert "    a production day begins at 06:00\n    a week begins with the production day of a sunday\n" in week
    assert "rows on holidays are not in their week but in windows of their own, one per day, with off = true" in week
    assert "parquet: at most about 3 (windows close once a week and after each holiday, 3 zones)" in week
    assert "unusual weeks in the coming year" in week
    assert re.search(r"tijuana week of \S+: 167 h instead of 168 h", week)
    assert (
        "    a production day begins at midnight\n    a month is the production days whose dates are in it\n" in month
    )
    assert "parquet: at most about 3 (windows close once a month, 3 zones)" in month
    assert re.search(r"tijuana month of \d{4}-03-01: 743 h instead of 744 h", month)
    assert re.search(r"tijuana month of \d{4}-11-01: 721 h instead of 720 h", month)
    assert month.count(" h instead of ") == 2


def test_explain_says_when_a_production_day_begins(here):
    told = _run("explain", str(CONFIGS / "kpis.toml")).stdout

    assert "    a production day begins at 06:00\n" in told
    assert "a production day begins" not in _run("explain", str(CONFIGS / "gold.toml")).stdout


def test_explain_says_what_corrections_and_previews_do(here):
    text = (
        (CONFIGS / "gold.toml")
        .read_text(encoding="utf-8")
        .replace('late = "side"', 'late = "correct"\ncorrect_for = "2d"')
    )
    text += '\n[emit]\nmode = "on_update"\n[sink.open]\nkind = "preview"\npath = "lake/open"\n'
    Path("a.toml").write_text(text, encoding="utf-8")

    told = _run("explain", "a.toml").stdout

    assert "rows that come later, by up to 2d, correct their window" in told
    assert "rows that come later still are written to the late table: beyond_correction" in told
    assert "about 6 more per group" in told
    assert "what open windows would give is shown with every record" in told
    assert "parquet: each window once, as its newest revision" in told
    assert "open: one file, replaced again and again" in told
    assert "open: the open windows of one record, whole" in told


def test_explain_warns_of_values_that_readers_take_for_numbers(here):
    text = (CONFIGS / "gold.toml").read_text(encoding="utf-8")
    Path("a.toml").write_text(text.replace("monterrey =", '"007" ='), encoding="utf-8")

    plain, numbered = _run("explain", str(CONFIGS / "gold.toml")), _run("explain", "a.toml")

    assert "readers guess types" not in plain.stdout
    assert "readers guess types" in numbered.stdout


def test_explain_is_the_same_as_json(here):
    told = json.loads(_run("explain", "--json", str(CONFIGS / "raw.toml")).stdout)

    assert told["pipeline"] == "raw_production"
    assert told["windows"] == ["none"]
    assert any("go by UTC" in warning for warning in told["warnings"])


def test_schema_is_a_json_schema_that_names_every_section(here):
    result = _run("schema")

    schema = json.loads(result.stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"pipeline", "source", "event_time", "window", "aggregate", "calendars", "sink", "checkpoint"} <= set(
        schema["properties"]
    )
    assert schema["additionalProperties"] is False
    assert "schema" in schema["$defs"]["KafkaSection"]["properties"]


def test_schema_may_go_to_a_file(here):
    assert _run("schema", "--out", "schema.json").exit_code == 0

    assert json.loads(Path("schema.json").read_text())["title"]


def test_init_writes_a_configuration_that_is_valid(here):
    assert _run("init").exit_code == 0

    result = _run("validate", "pipeline.toml")
    assert result.exit_code == 0, result.output


def test_init_writes_the_starter_that_lies_with_the_other_configurations(here):
    assert _run("init", "mine.toml").exit_code == 0

    assert Path("mine.toml").read_bytes() == (CONFIGS / "starter.toml").read_bytes()


def test_every_key_of_the_starter_is_explained_on_its_line():
    lines = (CONFIGS / "starter.toml").read_text(encoding="utf-8").splitlines()
    keys = [line for line in lines if re.match(r"\w+ = ", line)]

    assert len(keys) >= 20
    assert [line for line in keys if "  # " not in line] == []


def test_init_leaves_a_file_that_exists_alone(here):
    Path("pipeline.toml").write_text("mine", encoding="utf-8")

    refused = _run("init")

    assert refused.exit_code == 2
    assert "exists and was left alone" in refused.stderr
    assert Path("pipeline.toml").read_text() == "mine"
    assert _run("init", "--force").exit_code == 0
    assert "[pipeline]" in Path("pipeline.toml").read_text()


def test_init_says_where_it_cannot_write(here):
    result = _run("init", "no/such/folder.toml")

    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_sample_writes_the_same_bytes_twice_and_its_answer(here):
    for name in ("a", "b"):
        args = ("--rows", "300", "--seed", "5", "--answer", f"{name}.json")
        assert _run("sample", "production", "--out", f"{name}.ndjson", *args).exit_code == 0

    assert Path("a.ndjson").read_bytes() == Path("b.ndjson").read_bytes()
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()
    assert len(Path("a.ndjson").read_text().splitlines()) == 300
    assert json.loads(Path("a.json").read_text())["sample"] == "production"


def test_sample_goes_to_stdout_by_default(here):
    result = _run("sample", "production", "--rows", "10")

    assert len(result.stdout.splitlines()) == 10
    assert "10 records" in result.stderr


@pytest.mark.parametrize(
    "args", [("productoin",), ("production", "--rows", "-1"), ("production", "--rows", "1", "--out", "no/such/file")]
)
def test_a_sample_that_cannot_be_written_exits_with_2(here, args):
    result = _run("sample", *args)

    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_chaos_lists_every_failpoint():
    result = _run("chaos", "--list")

    assert [line.split()[0] for line in result.stdout.splitlines()] == list(REGISTRY)
    assert {entry["name"] for entry in json.loads(_run("chaos", "--list", "--json").stdout)} == set(REGISTRY)
    assert _run("chaos").exit_code == 2


def _records(folder: Path):
    from arrowflow.commitlog.local import LocalLogSpec

    log, _ = LocalLogSpec(str(folder)).build(Failpoints())
    prev = ""
    for epoch, kind in enumerate(["open", "data", "close"]):
        record = Manifest(
            kind=kind,
            job="job",
            incarnation="i",
            epoch=epoch,
            prev=prev,
            writer=Writer(id="writer-id", host="host\x1b[2J", pid=1, fence=0),
            fingerprint=Fingerprint(semantic="", query={}, engine="0", tzdata=""),
            epoch_time_us=1_761_890_400_000_000,
            inputs=[
                Input(
                    source="kafka",
                    topic="t",
                    partition=0,
                    start=0,
                    stop=7,
                    balance=Balance(read=7, folded=6, late={"behind_clock": 1}),
                )
            ]
            if kind == "data"
            else [],
            watermark_us=1_761_888_590_000_000,
            outputs=[StagedFile(sink="parquet", src="s", dst="d", rows=4, bytes=1, crc32c="", sha256="")]
            if kind == "data"
            else [],
        )
        prev = log.append(record).sha256


def test_log_lists_the_records_of_a_folder(here):
    _records(here / "records")

    result = _run("log", "records")

    assert result.exit_code == 0, result.output
    header, opened, data, closed = result.stdout.splitlines()
    assert header.split() == ["epoch", "kind", "time", "rows", "files", "watermark", "balance"]
    assert "7 read = 6 folded + 0 filtered + 0 duplicate + 1 late (behind_clock 1) + 0 dead_lettered" in data
    assert "2025-10-31T06:00:00Z" in data
    assert r"by host\x1b[2J" in opened
    assert closed.split()[:2] == ["2", "close"]
    assert _run("log", "records", "--last", "1").stdout.splitlines()[1:] == [closed]


def test_log_tells_records_as_json_one_a_line(here):
    _records(here / "records")

    lines = [json.loads(line) for line in _run("log", "records", "--json").stdout.splitlines()]

    assert [line["kind"] for line in lines] == ["open", "data", "close"]
    assert lines[1]["balance"]["adds_up"] is True
    assert lines[1]["rows"] == 4


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_log_shows_one_record_whole(here, flags):
    _records(here / "records")

    result = _run("log", "records", "--epoch", "1", *flags)

    assert json.loads(result.stdout)["outputs"][0]["dst"] == "d"
    assert "\x1b" not in result.stdout


def test_log_finds_the_records_of_a_configuration(here):
    _records(here / "lake" / "_arrowflow" / "raw_production")

    assert len(_run("log", str(CONFIGS / "raw.toml")).stdout.splitlines()) == 4


def test_log_of_a_record_that_is_gone_exits_with_6_and_of_one_that_never_was_with_2(here):
    _records(here / "records")
    next((here / "records" / "manifests").rglob(f"{1:020d}.json")).unlink()

    assert _run("log", "records", "--epoch", "1").exit_code == 6
    never = _run("log", "records", "--epoch", "9")
    assert never.exit_code == 2
    assert "there is no record 9; the records are 0 to 2" in never.stderr


def test_log_of_a_folder_without_records_exits_with_2(here):
    (here / "empty").mkdir()

    result = _run("log", "empty")

    assert result.exit_code == 2
    assert "is no checkpoint folder" in result.stderr


def test_log_before_the_first_run_says_so(here):
    result = _run("log", str(CONFIGS / "gold.toml"))

    assert result.exit_code == 0, result.output
    assert "no records yet" in result.stderr


def test_every_command_that_a_message_names_exists():
    from arrowflow.cli.verbs import VERBS

    sources = Path(__file__).parents[3] / "src" / "arrowflow"
    named = {
        (file.name, verb)
        for file in sources.rglob("*.py")
        for verb in re.findall(r"`arrowflow ([a-z]+)", file.read_text(encoding="utf-8"))
    }

    assert len(named) > 5
    assert [(file, verb) for file, verb in named if verb not in VERBS] == []
