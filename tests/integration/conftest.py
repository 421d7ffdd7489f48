"""Tests against brokers, each kind where it can do what is asked."""

import pytest


@pytest.fixture(
    params=[
        pytest.param(("kafka", "client"), marks=pytest.mark.kafka, id="kafka"),
        pytest.param(("kafka", "columnar"), marks=pytest.mark.kafka, id="kafka-columnar"),
        pytest.param(("embedded", "client"), marks=pytest.mark.embedded, id="embedded"),
    ]
)
def way(request):
    """A broker and a way to fetch from it. The embedded broker tells no leader epochs, so it has the ordinary one only."""
    return request.param


@pytest.fixture
def topics(request, way):
    """Either broker, for what both can do."""
    return request.getfixturevalue(way[0])


@pytest.fixture
def fetch(way):
    """How bytes are fetched."""
    return way[1]
