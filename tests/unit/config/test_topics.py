"""Topics in a file: what they become, and every mistake at its place with what to do."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from arrowflow.api.pipeline import load as try_load
from arrowflow.cli.session import Session
from arrowflow.config import build, check, json_schema, load, read
from arrowflow.config.explain import explain
from arrowflow.errors import ConfigError
from arrowflow.sinks.kafka.spec import KafkaSinkSpec

FILE = """
[pipeline]
name = "gold"
[source.kafka]
brokers = "a:9092"
topics = ["in"]
{source}
[source.kafka.schema]
k = "string"
t = "timestamp[ms]"
v = "int64"
[event_time]
column = "t"
max_out_of_orderness = "1m"
[window]
type = "tumbling"
size = "1m"
group_by = ["k"]
late = "{late}"
{window}
[aggregate]
total = "sum(v)"
[sink.alerts]
kind = "kafka"
topic = "out"
key = ["k"]
{sink}
[late]
{late_keys}
[dead_letter]
kind = "kafka"
topic = "dead"
payload = "none"
[checkpoint]
path = "lake/_log"
"""


def written(tmp_path, *, late="side", late_keys='topic = "late"', file=FILE, **parts):
    path = tmp_path / "p.toml"
    path.write_text(
        file.format(**{"source": "", "window": "", "sink": "", "late": late, "late_keys": late_keys, **parts})
    )
    return path


def told(path, env=None):
    return [
        str(problem).split(": ", 1)[0].split(" ", 1)[1] + ": " + problem.sentence for problem in check(path, env or {})
    ]


def test_a_file_of_topics_only_is_a_pipeline_of_three_streams(tmp_path):
    pipeline = load(written(tmp_path, sink='transaction_timeout = "30s"\nproperties."compression.type" = "lz4"'), {})

    streams = {node.name: (node.stream, node.spec.topic, node.payload) for node in pipeline.sinks}
    assert streams == {
        "alerts": ("rows", "out", "raw"),
        "late": ("late", "late", "raw"),
        "dead_letter": ("dead", "dead", "none"),
    }
    spec = pipeline.sinks[0].spec
    assert spec == KafkaSinkSpec(
        "out", "a:9092", ("k",), transaction_timeout_s=30.0, properties={"compression.type": "lz4"}
    )


def test_the_secret_of_a_topic_is_one_the_command_line_masks(tmp_path):
    sink = 'brokers = "b:9092"\nproperties."sasl.password" = { env = "PW" }'
    session = Session()
    session.keep_secret(load(written(tmp_path, sink=sink), {"PW": "canary-5e1d"}))

    assert session.clean("refused: canary-5e1d") == "refused: ***"


def test_without_brokers_of_its_own_a_topic_is_reached_as_the_source_is(tmp_path):
    source = 'properties."sasl.username" = "ann"\nproperties."sasl.password" = { env = "PW" }\nproperties."fetch.min.bytes" = 1'
    own = 'brokers = "b:9092"\nproperties."sasl.username" = "bob"'
    same, other = (
        load(written(tmp_path, source=source, sink=sink), {"PW": "hunter2"}).sinks[0].spec for sink in ("", own)
    )

    assert (same.brokers, same.properties) == ("a:9092", {"sasl.username": "ann", "sasl.password": "hunter2"})
    assert (other.brokers, other.properties) == ("b:9092", {"sasl.username": "bob"})
    assert "hunter2" not in repr(same)


def test_a_sink_called_kafka_needs_no_kind(tmp_path):
    file = FILE.replace('[sink.alerts]\nkind = "kafka"', "[sink.kafka]")

    assert load(written(tmp_path, file=file), {}).sinks[0].name == "kafka"


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"sink": 'partition_by = ["k"]'}, "sink.alerts.partition_by: unknown key; allowed here: kind, topic, brokers, key"),
        ({"sink": 'tpoic = "x"'}, 'sink.alerts.tpoic: unknown key – did you mean "topic"?'),
        ({"sink": 'format = "avro"'}, 'sink.alerts.format: "avro" is not one of json'),
        ({"sink": 'brokers = "embedded"'}, "sink.alerts.brokers: \"embedded\" is the broker that the source starts"),
        ({"sink": 'brokers = "host 9092"'}, 'sink.alerts.brokers: "host 9092" is no broker'),
        ({"sink": 'transaction_timeout = "16m"'}, "sink.alerts.transaction_timeout: 16m is not between 1s and 15m"),
        ({"sink": "chunk_rows = 0"}, "sink.alerts.chunk_rows: must be at least 1"),
        ({"sink": 'properties.acks = "1"'}, "sink.alerts.properties.acks: 'acks' cannot be set"),
        ({"sink": 'properties."sasl.password" = { env = "NO" }'}, "sink.alerts.properties.sasl.password: the environment variable NO"),
        ({"late_keys": 'topic = "out"'}, 'late.topic: "out" is the topic of sink.alerts already'),
        ({"late_keys": 'topic = "in"'}, 'late.topic: "in" is a topic this job reads'),
        ({"late_keys": 'topic = "a b"'}, 'late.topic: "a b" is no topic name'),
        ({"late_keys": 'topic = "late"\nkey = ["x"]'}, 'late.key[0]: there is no column "x" here, only k, t, v, _topic'),
        ({"late": "drop"}, 'late: nothing would be written here: window.late is "drop"'),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_place(tmp_path, parts, sentence):
    problems = told(written(tmp_path, **parts))

    assert any(problem.startswith(sentence) for problem in problems), problems
    assert len(problems) == 1, problems


UPDATE = (
    FILE.replace('key = ["k"]', 'key = ["k", "window_start", "window_end"]\nmode = "update"') + '[emit]\nearly = "5m"\n'
)


def test_a_topic_can_be_told_what_open_windows_would_give(tmp_path):
    path = written(tmp_path, file=UPDATE)
    parts = dict(explain(read(path, {}), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).parts)

    assert load(path, {}).sinks[0].spec.mode == "update"
    assert any("the newest record of a key counts" in line for line in parts["guarantees"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('[emit]\nearly = "5m"\n', ""), "sink.alerts.mode: would never give an update"),
        (('"k", "window_start", "window_end"', '"k"'), "sink.alerts.key: in mode \"update\" the newest record of a key counts"),
        (('type = "tumbling"\nsize = "1m"', 'type = "session"\ngap = "1m"'), 'sink.alerts.mode: "update" needs windows whose bounds'),
        (('payload = "none"', 'payload = "none"\nmode = "update"'), "dead_letter.mode: is for topics of results"),
        (('\nmode = "update"', ""), "emit: gives interim results"),
    ],
)  # fmt: skip
def test_updates_that_cannot_be_are_told_at_their_place(tmp_path, change, sentence):
    problems = told(written(tmp_path, file=UPDATE.replace(*change)))

    assert len(problems) == 1, problems
    assert problems[0].startswith(sentence)


def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path):
    problems = told(written(tmp_path, sink='properties."sasl.password" = "hunter2"'))

    assert len(problems) == 1
    assert "holds a secret in the file itself" in problems[0]
    assert "hunter2" not in problems[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('key = ["k"]', ""), 'sink.alerts: late = "correct" gives later revisions'),
        (('key = ["k"]', 'key = ["k", "total"]'), "sink.alerts.key: a correction may change total"),
        (('key = ["k"]', 'key = ["z"]'), 'sink.alerts.key[0]: there is no column "z" here'),
    ],
)
def test_corrections_need_a_key_that_no_correction_changes(tmp_path, change, sentence):
    file = written(tmp_path, late="correct", window='correct_for = "1d"', file=FILE.replace(*change))

    assert any(problem.startswith(sentence) for problem in told(file)), told(file)


def test_a_replayed_source_has_no_cluster_a_topic_could_be_in(tmp_path):
    file = FILE.replace('[source.kafka]\nbrokers = "a:9092"\ntopics = ["in"]', '[source.replay]\npaths = ["x.ndjson"]')
    problems = told(written(tmp_path, file=file.replace("source.kafka", "source.replay")))

    assert [problem.split(":")[0] for problem in problems] == ["sink.alerts", "late", "dead_letter"]
    assert all("needs `brokers`" in problem for problem in problems)


def test_a_sink_without_a_kind_and_a_topic_is_told_its_kind(tmp_path):
    problems = told(written(tmp_path, file=FILE.replace('[sink.alerts]\nkind = "kafka"', "[sink.alerts]")))

    assert problems == ['sink.alerts: say its kind: add kind = "kafka"']


def test_explain_tells_what_readers_of_a_topic_may_rely_on(tmp_path):
    parts = dict(explain(read(written(tmp_path), {}), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).parts)

    guarantees = "\n".join(parts["guarantees"])
    assert "alerts: each result row once as a record of topic out at the source's cluster" in guarantees
    assert "records of equal k go to one partition" in guarantees
    assert "late: each late row once as a record of topic late" in guarantees
    assert any("written to the late topic" in line for line in parts["windows"])
    assert any("alerts, late, dead_letter is away" in line for line in parts["what an outage costs"])


def test_the_embedded_broker_of_a_job_with_topics_only_keeps_its_data_beside_the_records_not_among_them(tmp_path):
    file = FILE.replace('brokers = "a:9092"', 'brokers = "embedded"').replace('topics = ["in"]', 'topics = ["scada"]')
    sections = read(written(tmp_path, file=file.replace("scada", "silver.production.events")), {})

    assert build.embedded_folder(sections) == str(Path.cwd() / "lake" / "_embedded" / "gold")


def test_the_schema_for_editors_knows_both_forms_of_an_output():
    definitions = json_schema()["$defs"]

    assert {"SinkSection", "TopicSection", "DeadLetterTopicSection"} <= definitions.keys()


def test_what_an_adapter_refuses_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError):
        load(written(tmp_path, sink='topic2 = "x"'), {})


def test_a_pipeline_with_topics_is_tried_on_rows_in_memory_and_connects_to_nothing(tmp_path):
    pipeline = try_load(written(tmp_path), {})

    trial = pipeline.test([{"k": "a", "t": 1_000, "v": 2}, {"k": "a", "t": 2_000, "v": 3}])

    assert trial.rows.column("total").to_pylist() == [5]
