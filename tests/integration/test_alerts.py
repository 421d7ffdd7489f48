"""configs/alerts.toml as a user starts it: the topic on the embedded broker has what the table has, and what the answer says."""

import datetime as dt
import json
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from click.testing import CliRunner
from tests.support.committed import committed_records
from tests.support.sampled import FOLDER

from arrowflow.cli import main
from arrowflow.samples import stream
from arrowflow.samples.answers.judge import Span, judge
from arrowflow.samples.answers.production import RULES
from arrowflow.sources.kafka.embedded import EmbeddedSpec
from arrowflow.testing.answers import read_rows

pytestmark = pytest.mark.embedded
HOUR = dt.timedelta(hours=1)


def hour_of(row, when):
    start = when.replace(minute=0, second=0, microsecond=0)
    return (Span(start, start + HOUR),)


def answer():
    """Per line and hour the units and the least rate, and the places of late rows: a loop over the sample."""
    verdict = judge(stream("production").records(), replace(RULES, windows=hour_of))
    hours = {}
    for key, rows in verdict.groups.items():
        units = [row.row["unidades_producidas"] for row in rows]
        rates = [row.row["tasa_produccion"] for row in rows if row.row["tasa_produccion"] is not None]
        start = verdict.spans[key].start.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        hours[(*key[:2], start)] = (sum(units), min(rates, default=None))
    return hours, Counter((place.partition, place.offset) for place, _ in verdict.late)


@pytest.fixture
def here(embedded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ARROWFLOW_BROKERS", "ARROWFLOW_LAKE", "ARROWFLOW_CADENCE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_topic_the_table_and_the_answer_are_the_same_and_a_second_run_adds_nothing(here):
    run = ["run", str(FOLDER / "alerts.toml"), "--until-caught-up", "--close-open-windows", "--json"]
    for _ in range(2):
        ended = CliRunner().invoke(main, run)
        assert ended.exit_code == 0, ended.output
    broker = EmbeddedSpec(str(here / "lake" / "_embedded" / "alerts_production"), stream("production")).start(())
    try:
        alerts, late = (
            [record for part in committed_records(broker.bootstrap, topic) for record in part]
            for topic in ("gold.production.hourly", "late.production.hourly")
        )
    finally:
        broker.stop()

    hours, late_places = answer()
    told = defaultdict(list)
    for value in (json.loads(record.value) for record in alerts):
        told[value["planta"], value["linea"], value["window_start"]].append((value["unidades"], value["tasa_minima"]))
    assert {name: [figures] for name, figures in hours.items()} == told
    assert (
        Counter((v["_partition"], v["_offset"]) for v in (json.loads(record.value) for record in late)) == late_places
    )
    table = read_rows(here / "lake" / "gold" / "hourly", ["planta", "linea", "window_start", "unidades", "tasa_minima"])
    assert len(table) == len(alerts) == len(hours) > 1_000
    assert json.loads(ended.stdout)["rows_out"] == 0
