"""Every configuration that ships, started as a user starts it: an empty folder, the embedded broker, the whole sample."""

import datetime as dt
import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from tests.support.sampled import FOLDER, SCHEMAS, differences, files, recorded

from arrowflow.cli import main
from arrowflow.config import load, read
from arrowflow.config.explain import explain
from arrowflow.samples import CONFIGS, answer, stream
from arrowflow.testing.answers import read_rows

pytestmark = pytest.mark.embedded


@pytest.fixture
def here(embedded, tmp_path, monkeypatch):
    """An empty folder, where nothing is set."""
    monkeypatch.chdir(tmp_path)
    for name in ("ARROWFLOW_BROKERS", "ARROWFLOW_LAKE", "ARROWFLOW_CADENCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in SCHEMAS.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def arrowflow(*args):
    """What the command says on stdout, as JSON."""
    ended = CliRunner().invoke(main, [*args, "--json"])
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def columns(pipeline):
    """The columns of the results on disk with their types; those that are folders have none."""
    root = Path(pipeline.sinks[0].spec.root)
    (schema,) = {pq.read_schema(path).remove_metadata() for path in root.rglob("*.parquet")}
    written = {f"{field.name}: {field.type}" for field in schema if not field.name.startswith("__af_")}
    return written | {"planta: string"}


def explained(file):
    """The columns of the results that `explain` tells of."""
    told = dict(explain(read(file, SCHEMAS), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).parts)
    return set(told["columns of a result"][:-1])


@pytest.mark.parametrize("config", CONFIGS)
def test_a_configuration_gives_the_answer_and_a_second_run_adds_nothing(config, here):
    file, sheet = str(FOLDER / f"{config}.toml"), answer(CONFIGS[config], config=config)
    run = ("run", file, "--until-caught-up", "--close-open-windows")

    first = arrowflow(*run)
    pipeline = load(file, SCHEMAS)
    before, balance = files(pipeline), recorded(pipeline)
    second = arrowflow(*run)

    assert first["balance"]["read"] == sheet["read"]
    assert first["files"] == len(before)
    assert differences(pipeline, sheet) == []
    assert columns(pipeline) == explained(file)
    assert (second["balance"]["read"], second["rows_out"], second["files"]) == (0, 0, 0)
    assert (files(pipeline), recorded(pipeline)) == (before, balance)


def test_the_starter_runs_as_it_stands(here):
    told = arrowflow("run", str(FOLDER / "starter.toml"), "--until-caught-up", "--close-open-windows")

    rows = read_rows(here / "lake" / "my_pipeline", ["window_start", "planta", "linea", "messages", "total"])
    assert told["rows_out"] == len({(row["window_start"], row["planta"], row["linea"]) for row in rows}) > 1_000
    assert told["balance"]["read"] == 30_000
    assert sum(row["messages"] for row in rows) == told["balance"]["folded"] > 29_000


def test_the_raw_configuration_keeps_every_message_with_its_place(here):
    run = ("run", str(FOLDER / "raw.toml"), "--until-caught-up")
    wanted, tombstones, offsets = [], 0, Counter()
    for record in stream("production").records():
        time = dt.datetime.fromtimestamp(record.timestamp_ms // 1_000, dt.UTC)
        time += dt.timedelta(milliseconds=record.timestamp_ms % 1_000)
        if record.value is None:
            tombstones += 1
        else:
            wanted.append((record.topic, record.partition, offsets[record.partition], time, record.value))
        offsets[record.partition] += 1

    told = arrowflow(*run)

    names = ["_topic", "_partition", "_offset", "_timestamp", "value"]
    kept = [tuple(row[name] for name in names) for row in read_rows(here / "lake" / "raw" / "production", names)]
    assert sorted(kept) == sorted(wanted)
    assert told["balance"]["filtered"] == {"tombstone": tombstones}
    assert arrowflow(*run)["rows_out"] == 0
