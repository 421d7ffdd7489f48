"""librdkafka's errors become ours once, with what to do."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from arrowflow.errors import ConfigError, DataLossError, RetryableError, Unreachable
from arrowflow.sources.kafka.translate import Complaints, translated


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        (KafkaError._AUTHENTICATION, ConfigError),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, ConfigError),
        (KafkaError._INVALID_ARG, ConfigError),
        (KafkaError.MSG_SIZE_TOO_LARGE, ConfigError),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, DataLossError),
        (KafkaError._ALL_BROKERS_DOWN, Unreachable),
        (KafkaError._TRANSPORT, Unreachable),
        (KafkaError._TIMED_OUT, Unreachable),
        (KafkaError.NOT_LEADER_FOR_PARTITION, RetryableError),
        (KafkaError.LEADER_NOT_AVAILABLE, RetryableError),
    ],
)
def test_the_class_says_what_to_do_and_the_message_where(code, ours):
    for raised in (KafkaError(code), KafkaException(KafkaError(code))):
        error = translated(raised, "t[3]: offset 7 at b:1", Complaints())
        assert type(error) is ours
        assert str(error).startswith("t[3]: offset 7 at b:1: ")


def test_a_time_out_after_a_refused_password_is_about_the_password():
    complaints = Complaints()
    complaints(KafkaError(KafkaError._AUTHENTICATION, "SASL authentication error"))
    complaints(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))

    error = translated(KafkaError(KafkaError._TIMED_OUT), "topic 't'", complaints)

    assert isinstance(error, ConfigError)
    assert "SASL authentication error" in str(error)


def test_a_time_out_tells_what_the_client_saw_last():
    complaints = Complaints()
    complaints(KafkaError(KafkaError._TRANSPORT, "Connection refused"))

    assert "last seen: Connection refused" in str(translated(TimeoutError(), "topic 't'", complaints))


def test_row_25_a_too_large_response_names_the_setting():
    complaints = Complaints()
    said = "Receive failed: Invalid response size 4000100 (0..1100000): increase receive.message.max.bytes"
    complaints(KafkaError(KafkaError._TRANSPORT, said))

    error = translated(KafkaError(KafkaError._TIMED_OUT), "t[0]", complaints)

    assert isinstance(error, ConfigError)
    assert "Raise 'receive.message.max.bytes'" in str(error)
