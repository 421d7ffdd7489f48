"""Row 90: what records hold cannot write lines of its own anywhere, and no secret comes out of any slot that takes one."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.kept import TO_THE_END
from tests.support.small import pipeline, rows

from arrowflow.cli import main
from arrowflow.cli.session import Session
from arrowflow.config.secrets import looks_secret
from arrowflow.engine import start
from arrowflow.failpoints import Failpoints

CANARY = "canary-5b81c2f0"
EVIL = (
    "plain",
    "two\nlines",
    "\x1b[2J\x1b[31mred",
    "tab\tcr\rnul",
    "\u202ereversed",
    "2026-01-31T06:00:00Z info epoch 9 committed",
)
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]")

CONFIG = """\
[pipeline]
name = "job"
[source.kafka]
brokers = "127.0.0.1:1"
topics = ["events"]
format = "raw"
{slots}
[sink.parquet]
path = "{lake}/table"
[sink.kafka]
topic = "out"
{more}
[checkpoint]
path = "{lake}/_arrowflow/job"
"""
SLOTS = ("sasl.username", "sasl.password", "ssl.key.password")


def written(folder: Path) -> str:
    """Everything under a folder, names too."""
    return "\n".join(f"{path}\n{path.read_bytes()!r}" for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("where", ["env", "file"])
@pytest.mark.parametrize("verb", ["validate", "explain", "run", "log", "fsck", "lifecycle", "seal"])
def test_row_90_a_secret_in_every_slot_is_in_no_output_no_log_no_trace_and_no_file(verb, where, tmp_path, monkeypatch):
    (tmp_path / "secret").write_text(f"{CANARY}\n")
    monkeypatch.setenv("CANARY", CANARY)
    monkeypatch.setenv("ARROWFLOW_TRACE_PROTOCOL", str(tmp_path / "trace"))
    monkeypatch.setenv("ARROWFLOW_FAILPOINT_TRACE", str(tmp_path / "points"))
    reference = '{ env = "CANARY" }' if where == "env" else f'{{ file = "{tmp_path}/secret" }}'
    slots = [f'properties."{name}" = {reference}' for name in SLOTS if looks_secret(name) or name == "sasl.username"]
    slots += ['properties."security.protocol" = "SASL_PLAINTEXT"', 'properties."sasl.mechanism" = "PLAIN"']
    file = tmp_path / "job.toml"
    more = "\n".join(['brokers = "127.0.0.1:2"', *slots])
    file.write_text(CONFIG.format(slots="\n".join(slots), more=more, lake=tmp_path / "lake"))
    monkeypatch.setattr("arrowflow.sources.kafka.cluster.PATIENCE_S", 0.2)

    done = CliRunner().invoke(main, ["--traceback", verb, str(file)])

    assert CANARY not in done.output + done.stderr + repr(done.exception)
    (tmp_path / "secret").unlink()
    assert CANARY not in written(tmp_path)


@pytest.fixture
def evil(tmp_path):
    """A job whose keys, dead letters and late rows hold all that could forge a line."""
    stream = [*rows(*((key, second, 1.0) for second in range(0, 60, 5) for key in EVIL))]
    stream += [record._replace(value=text.encode()) for record, text in zip(stream, EVIL, strict=False)]
    stream += rows(*((key, 1, 1.0) for key in EVIL))
    job = pipeline(tmp_path, stream, max_epoch_rows=16, max_slice_rows=16)
    return job, tmp_path


def test_row_90_keys_and_values_write_no_line_and_no_colour_into_what_verbs_print(evil, tmp_path):
    job, folder = evil
    table = replace(job.sinks[0], spec=replace(job.sinks[0].spec, partition_by=("k",)))
    job = replace(job, source=replace(job.source, max_error_rate=1.0), sinks=(table, *job.sinks[1:]))
    session = Session(load=lambda _: job)
    monitored = Failpoints.parse("", str(tmp_path / "points"), str(tmp_path / "trace"))

    run = CliRunner().invoke(main, ["run", "x.toml", "--until-caught-up", "--close-open-windows"], obj=session)
    start(job, TO_THE_END, failpoints=monitored).result()
    printed = run.output + run.stderr
    for args in (["log"], ["log", "--json"], ["log", "--epoch", "1"], ["fsck", "--deep"], ["seal"]):
        done = CliRunner().invoke(main, [args[0], "x.toml", *args[1:]], obj=session)
        printed += done.output + done.stderr

    assert run.exit_code == 0, run.output
    assert CONTROL.findall(printed) == []
    assert not [
        line for line in printed.splitlines() if line.startswith(("lines", "2026-01-31T06:00:00Z info epoch 9"))
    ]
    # One JSON object a line, whatever the keys hold.
    assert all(json.loads(line) for line in (tmp_path / "trace").read_text().splitlines())
    assert CONTROL.findall((tmp_path / "trace").read_text() + (tmp_path / "points").read_text()) == []
    names = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    assert CONTROL.findall("".join(names)) == []
    assert len([name for name in names if name.endswith(".parquet") and "/out/" in f"/{name}"]) >= len(EVIL)
