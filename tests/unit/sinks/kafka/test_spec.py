"""What a topic sink may be described as, and what it never shows."""

import pyarrow as pa
import pytest

from arrowflow.errors import ConfigError
from arrowflow.failpoints import Failpoints
from arrowflow.protocols import Control
from arrowflow.sinks.kafka.spec import KafkaSinkSpec
from arrowflow.testing.conformance.sinks import a_context
from arrowflow.testing.stores import MemoryStore


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"topic": "a b"}, "is no topic name"),
        ({"topic": ".."}, "is no topic name"),
        ({"brokers": " "}, "brokers: empty"),
        ({"format": "avro"}, 'only "json"'),
        ({"key": ("a", "a")}, "listed twice"),
        ({"transaction_timeout_s": 0.5}, "not between 1 s and 15 min"),
        ({"transaction_timeout_s": 901}, "not between 1 s and 15 min"),
        ({"chunk_rows": 0}, "chunk_rows: must be at least 1"),
        ({"properties": {"transactional.id": "x"}}, "whoever runs the job next must fence this run"),
        ({"properties": {"acks": "1"}}, "exactly-once depend"),
        ({"properties": {"linger": "1"}}, "did you mean 'linger.ms'"),
        ({"properties": {"group.id": "x"}}, "is not a setting arrowflow passes"),
    ],
)
def test_what_cannot_work_is_refused_by_name(change, message):
    with pytest.raises(ConfigError, match=message):
        KafkaSinkSpec(**{"topic": "alerts", "brokers": "b:9092", **change})


def test_secrets_are_not_shown():
    spec = KafkaSinkSpec("alerts", "b:9092", properties={"sasl.password": "hunter2", "sasl.username": "ann"})

    assert "hunter2" not in repr(spec)
    assert "ann" in repr(spec)


@pytest.mark.parametrize("column", ["nowhere", "__af_epoch"])
def test_a_key_that_is_no_column_is_refused_with_those_there_are(column):
    context = a_context(Control(MemoryStore(), "/c"), Failpoints())
    schema = pa.schema([("k", pa.string()), ("__af_epoch", pa.int64())])

    with pytest.raises(ConfigError, match=r"they have \['k'\]"):
        KafkaSinkSpec("alerts", "b:9092", key=(column,)).build("alerts", schema, context)


def test_addresses_and_bounds_are_not_in_the_fingerprint():
    one = KafkaSinkSpec("alerts", "a:9092", key=("k",))
    other = KafkaSinkSpec("alerts", "b:9092", key=("k",), chunk_rows=7, properties={"linger.ms": "1"})

    assert one.fingerprint() == other.fingerprint()
    assert one.fingerprint() != KafkaSinkSpec("alerts", "a:9092").fingerprint()
