"""librdkafka's errors in our words, once; it raises nothing itself."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from arrowflow.errors import ArrowflowError, ConfigError, DataLossError, RetryableError, Unreachable

_ACCESS = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - a public constant whose name starts with an underscore
        KafkaError._SSL,  # noqa: SLF001
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
_AWAY = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
    }
)
_NO_TOPIC = frozenset(
    {
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
    }
)
_SETTING = frozenset({KafkaError._CONFLICT, KafkaError._INVALID_ARG, KafkaError.TOPIC_EXCEPTION})  # noqa: SLF001
OUT_OF_RANGE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001
CORRUPT = frozenset({KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION, KafkaError.INVALID_MSG})  # noqa: SLF001


class Complaints:
    """What a client's background threads said last; the client calls it, we read it when a request fails."""

    def __init__(self) -> None:
        self.last: KafkaError | None = None
        self.telling: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        self.last = error
        if error.code() in _ACCESS or _too_large(error):
            self.telling = error

    def forget(self) -> None:
        """The cluster answered: older complaints explain nothing any more."""
        self.last = None


def error_of(raised: BaseException | KafkaError) -> KafkaError | None:
    """The `KafkaError` inside whatever the client gave us, if there is one."""
    if isinstance(raised, KafkaError):
        return raised
    inner = raised.args[0] if isinstance(raised, KafkaException) and raised.args else None
    return inner if isinstance(inner, KafkaError) else None


def truncated(error: KafkaError) -> bool:
    """Whether the broker knows no log in which the record before ours had the epoch we saw.

    With ``auto.offset.reset = error`` it comes under the code of an offset out of range; only the text tells.
    """
    return error.code() == KafkaError._LOG_TRUNCATION or "log truncation" in error.str()  # noqa: SLF001


def translated(raised: BaseException | KafkaError, place: str, complaints: Complaints) -> ArrowflowError:
    """Return the error of ours that tells the caller what to do.

    Parameters
    ----------
    raised : exception or KafkaError
        What the client raised or delivered.
    place : str
        What was being read or asked, and of whom.
    complaints : Complaints
        Of the same client: a time-out says nothing, the refused password before it does.
    """
    error = error_of(raised)
    if complaints.telling is not None and (error is None or error.code() in _AWAY):
        error = complaints.telling
    if error is None:
        return Unreachable(
            f"{place}: no answer in time{_because(complaints)}; is the cluster up and the address right?"
        )
    code, said = error.code(), f"{error.name()}: {error.str()}"
    if _too_large(error):
        return ConfigError(f"{place}: {said}. Raise 'receive.message.max.bytes' in source.kafka.properties")
    if code in _ACCESS:
        return ConfigError(f"{place}: {said}. Check the credentials, certificates and ACLs of source.kafka.properties")
    if code in _SETTING:
        return ConfigError(f"{place}: {said}. Check source.kafka")
    if code in _NO_TOPIC:
        return DataLossError(
            f"{place}: the topic or partition does not exist ({said}). Check source.kafka.topics and brokers"
        )
    if code in _AWAY:
        return Unreachable(f"{place}: {said}{_because(complaints)}")
    return RetryableError(f"{place}: {said}")


def _because(complaints: Complaints) -> str:
    return "" if complaints.last is None else f" (last seen: {complaints.last.str()})"


def _too_large(error: KafkaError) -> bool:
    return error.code() == KafkaError.MSG_SIZE_TOO_LARGE or "receive.message.max.bytes" in error.str()
