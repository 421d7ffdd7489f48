"""A Kafka source's description refuses what cannot work, and never shows a secret."""

import dataclasses
import subprocess
import sys

import pytest

from arrowflow.errors import ConfigError
from arrowflow.sources.kafka.properties import ALLOWED, CONNECTION, REFUSED, SECRET, problems
from arrowflow.sources.kafka.spec import KafkaSpec


def test_an_unknown_property_is_refused_by_name_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"'sasl\.pasword' is not a setting.*did you mean 'sasl\.password'"):
        KafkaSpec("b:1", ("t",), properties={"sasl.pasword": "canary-secret"})


def test_row_56_all_refused_properties_are_named_at_once_and_no_value_is():
    with pytest.raises(ConfigError) as caught:
        KafkaSpec("b:1", ("t",), properties={"group.id": "canary", "debug": "canary", "fetch_max_bytes": "canary"})

    message = str(caught.value)
    assert all(word in message for word in ("'group.id'", "'debug'", "did you mean 'fetch.max.bytes'"))
    assert "canary" not in message


@pytest.mark.parametrize(
    "key",
    [
        "enable.auto.commit",
        "auto.offset.reset",
        "isolation.level",
        "check.crcs",
        "allow.auto.create.topics",
        "plugin.library.paths",
        "ssl.engine.location",
        "sasl.kerberos.kinit.cmd",
        "enable.ssl.certificate.verification",
        "ssl.endpoint.identification.algorithm",
        "debug",
    ],
)
def test_settings_that_break_exactly_once_or_safety_are_refused_with_a_reason(key):
    assert problems({key: "x"}) == {key: f"{key!r} cannot be set: {REFUSED[key]}"}


def test_no_setting_is_both_allowed_and_refused():
    assert not ALLOWED & REFUSED.keys()
    assert SECRET <= CONNECTION


def test_every_allowed_setting_exists_in_this_librdkafka():
    from confluent_kafka import Consumer, KafkaException

    unknown = []
    for key in ALLOWED:
        try:
            Consumer({"group.id": "g", "log_level": 0, key: "1"}).close()
        except KafkaException as error:
            if "No such configuration property" in str(error):
                unknown.append(key)

    assert unknown == []


def test_secrets_are_never_echoed():
    spec = KafkaSpec(
        "b:1", ("t",), properties={"sasl.username": "alice", "sasl.password": "canary-1", "ssl.key.pem": "canary-2"}
    )

    for shown in (repr(spec), str(spec), f"{spec}", repr([spec])):
        assert "canary" not in shown
        assert "alice" in shown


@pytest.mark.parametrize(
    "start", ["earliest", "latest", "committed", "2025-11-02T06:00:00-08:00", "2025-11-02T06:00:00Z"]
)
def test_known_starts_are_taken(start):
    assert KafkaSpec("b:1", ("t",), start=start).start == start


def test_a_start_time_is_milliseconds_since_unix_time_zero():
    assert KafkaSpec("b:1", ("t",), start="2023-11-14T16:13:20-06:00").start_ms() == 1_700_000_000_000


@pytest.mark.parametrize("start", ["", "earlyest", "2025-11-02T06:00:00", "2025-13-40T00:00:00Z", "yesterday"])
def test_a_start_that_is_no_time_with_an_offset_is_refused(start):
    with pytest.raises(ConfigError, match=r"source\.kafka\.start"):
        KafkaSpec("b:1", ("t",), start=start)


@pytest.mark.parametrize("topics", [(), ("",), ("a b",), ("..",), ("a/b",), ("t" * 250,), ("t", "t")])
def test_topics_that_kafka_would_not_take_are_refused(topics):
    with pytest.raises(ConfigError, match=r"source\.kafka\.topics"):
        KafkaSpec("b:1", topics)


def test_empty_brokers_and_unknown_fetch_are_refused():
    with pytest.raises(ConfigError, match="brokers"):
        KafkaSpec(" ", ("t",))
    with pytest.raises(ConfigError, match=r"source\.kafka\.fetch"):
        KafkaSpec("b:1", ("t",), fetch="fast")


def test_the_fingerprint_is_what_results_depend_on():
    spec = KafkaSpec("b:1", ("t", "a"))

    assert spec.fingerprint() == {"kind": "kafka", "topics": ["a", "t"]}
    moved = dataclasses.replace(spec, brokers="c:2", topics=("a", "t"), start="latest", group="g", fetch="client")
    assert moved.fingerprint() == spec.fingerprint()
    assert dataclasses.replace(spec, topics=("t",)).fingerprint() != spec.fingerprint()


def test_describing_a_source_does_not_load_the_client():
    code = "import sys, arrowflow.sources.kafka.spec; print('confluent_kafka' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": "src"}, check=True
    )

    assert done.stdout.strip() == "False"
