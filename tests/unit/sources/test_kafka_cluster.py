"""What the broker's answers about offsets are taken for."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from confluent_kafka import OFFSET_INVALID

from arrowflow.errors import RetryableError
from arrowflow.sources.kafka.cluster import Cluster
from arrowflow.types import SourcePartition

PART = SourcePartition("kafka", "t", 0)


def cluster_that_answers(offset):
    def list_offsets(asked, **_):
        futures = {place: Future() for place in asked}
        for future in futures.values():
            future.set_result(SimpleNamespace(offset=offset, leader_epoch=None))
        return futures

    cluster = Cluster.__new__(Cluster)
    cluster._admin = SimpleNamespace(list_offsets=list_offsets)
    cluster._brokers = "b:9092"
    cluster._complaints = SimpleNamespace(forget=lambda: None)
    return cluster


def test_an_answer_without_an_offset_is_no_loss_of_data_but_asked_again():
    """Found behind a half-open connection: -1001 was taken for the end of the log, and the job stopped with exit code 6."""
    with pytest.raises(RetryableError, match=r"offsets of t\[0\] at b:9092: the answer holds no offset"):
        cluster_that_answers(OFFSET_INVALID).check({PART: 5})


def test_an_answer_with_offsets_is_taken():
    assert cluster_that_answers(7).ranges([PART]) == {PART: (7, 7)}
