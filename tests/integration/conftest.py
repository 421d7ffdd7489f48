"""Tests against brokers, each kind where it can do what is asked."""

import pytest


@pytest.fixture(
    params=[pytest.param("kafka", marks=pytest.mark.kafka), pytest.param("embedded", marks=pytest.mark.embedded)]
)
def topics(request):
    """Either broker, for what both can do."""
    return request.getfixturevalue(request.param)
