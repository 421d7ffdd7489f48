"""Row 57: a raw secret is refused and shown nowhere; a reference is looked up and shown nowhere either."""

from __future__ import annotations

import traceback

import pytest

from arrowflow.config import InvalidConfig, check, load
from arrowflow.config.secrets import SecretReference, SecretText, looks_secret
from arrowflow.errors import ConfigError

CANARY = "canary-7f3d9e"

BASE = """\
[pipeline]
name = "job"
[source.kafka]
brokers = "localhost:9092"
topics = ["events"]
format = "raw"
{slot}
[sink.parquet]
path = "lake/table"
[checkpoint]
path = "lake/_arrowflow/job"
{end}
"""

RAW_SLOTS = [
    f'password = "{CANARY}"',
    f'sasl_password = "{CANARY}"',
    f'token = "{CANARY}"',
    f'credentials = "{CANARY}"',
    f'secret = ["{CANARY}"]',
    f'secret = {{ value = "{CANARY}" }}',
    f'secret = {{ env = "X", file = "{CANARY}" }}',
    f'api_key = "{CANARY}"',
    f'properties = {{ "sasl.password" = "{CANARY}" }}',
    f'properties.sasl.password = "{CANARY}"',
    f'properties.sasl = {{ password = "{CANARY}" }}',
    f'properties = {{ "ssl.key.password" = "{CANARY}" }}',
    f'properties = {{ "ssl.key.pem" = "{CANARY}" }}',
    f'properties = {{ "ssl.keystore.password" = "{CANARY}" }}',
    f'properties = {{ "sasl.oauthbearer.client.secret" = "{CANARY}" }}',
    f'properties = {{ "sasl.jaas.config" = "x required password={CANARY};" }}',
    f'properties = {{ "sasl.oauthbearer.extensions" = "client_secret={CANARY}" }}',
    f'properties = {{ "client.id" = "-----BEGIN PRIVATE KEY-----{CANARY}" }}',
    f'properties = {{ "sasl.password" = 1, "sasl.pasword" = "{CANARY}" }}',
    f'group = "https://user:{CANARY}@host/"',
]


@pytest.mark.parametrize("slot", RAW_SLOTS)
def test_row_57_a_raw_secret_is_refused_at_its_place_and_never_echoed(tmp_path, monkeypatch, slot, caplog, capfd):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "job.toml"
    file.write_text(BASE.format(slot=slot, end=""), encoding="utf-8")

    with pytest.raises(InvalidConfig) as caught:
        load(file, {})

    error = caught.value
    refusals = [problem for problem in error.problems if "which is refused" in problem.sentence]
    assert refusals
    assert all(problem.place.line == 7 for problem in refusals)
    told = [str(error), repr(error), repr(error.problems), caplog.text, *capfd.readouterr()]
    told += traceback.format_exception(error)
    chain = error
    while chain is not None:
        told += [repr(chain), repr(getattr(chain, "__dict__", ""))]
        chain = chain.__cause__ or chain.__context__
    assert not any(CANARY in text for text in told)


def test_row_57_a_raw_secret_beside_a_syntax_error_is_not_echoed(tmp_path):
    file = tmp_path / "job.toml"
    file.write_text(f'password = "{CANARY}"\npassword = "{CANARY}"\n= "{CANARY}\n', encoding="utf-8")

    assert not any(CANARY in str(problem) for problem in check(file, {}))


def test_a_variable_in_the_place_of_a_secret_is_refused_with_the_reference_to_write(tmp_path):
    file = tmp_path / "job.toml"
    slot = 'properties = { "sasl.password" = "${KAFKA_PASSWORD}" }'
    file.write_text(BASE.format(slot=slot, end=""), encoding="utf-8")

    (problem,) = check(file, {"KAFKA_PASSWORD": CANARY})

    assert '{ env = "KAFKA_PASSWORD" }' in problem.sentence
    assert CANARY not in str(problem)


@pytest.mark.parametrize("spelling", ['properties = {{ "sasl.password" = {0} }}', "properties.sasl.password = {0}"])
@pytest.mark.parametrize("kind", ["env", "file"])
def test_a_reference_reaches_the_client_and_no_repr(tmp_path, monkeypatch, spelling, kind):
    monkeypatch.chdir(tmp_path)
    held = tmp_path / "held"
    held.write_text(CANARY + "\n", encoding="utf-8")
    reference = '{ env = "KAFKA_PASSWORD" }' if kind == "env" else f'{{ file = "{held.as_posix()}" }}'
    file = tmp_path / "job.toml"
    file.write_text(BASE.format(slot=spelling.format(reference), end=""), encoding="utf-8")

    pipeline = load(file, {"KAFKA_PASSWORD": CANARY})

    assert pipeline.source.spec.properties["sasl.password"] == CANARY
    assert CANARY not in repr(pipeline)
    assert CANARY not in repr(pipeline.query())
    assert CANARY not in repr(dict(pipeline.source.spec.properties))


def test_columns_and_results_may_be_called_like_secrets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = BASE.replace('format = "raw"\n', "").format(
        slot='[source.kafka.schema]\ntoken = "string"\npassword = "int64"', end=""
    )
    file = tmp_path / "job.toml"
    file.write_text(text, encoding="utf-8")

    assert check(file, {}) == []


@pytest.mark.parametrize(
    "name",
    [
        "sasl.password",
        "PASSWORD",
        "db_passwd",
        "ssl.key.pem",
        "jaas",
        "api-key",
        "access_token",
        "client.secret",
        "pwd",
    ],
)
def test_names_of_secrets_are_known(name):
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "brokers",
        "sasl.oauthbearer.token.endpoint.url",
        "ssl.key.location",
        "key",
        "client.id",
        "path",
        "topics",
        "sasl.username",
    ],
)
def test_names_that_only_sound_like_secrets_are_left_alone(name):
    assert not looks_secret(name)


def test_a_secret_text_is_text_and_shows_nothing():
    secret = SecretText(CANARY)

    assert secret == CANARY
    assert CANARY not in repr({"a": [secret]})


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 100_000])
def test_a_file_that_holds_no_secret_is_refused_without_its_content(tmp_path, content):
    held = tmp_path / "held"
    held.write_bytes(content)

    with pytest.raises(ConfigError, match="should hold a secret") as caught:
        SecretReference("file", str(held)).reveal({})

    assert "xxx" not in str(caught.value)


def test_an_empty_variable_holds_no_secret():
    with pytest.raises(ConfigError, match="is not set or empty"):
        SecretReference("env", "X").reveal({"X": ""})


def test_the_reference_itself_may_be_shown():
    reference = SecretReference("env", "KAFKA_PASSWORD")

    assert repr(reference) == "SecretReference(kind='env', name='KAFKA_PASSWORD')"
