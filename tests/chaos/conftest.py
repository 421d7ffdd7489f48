"""Every run of a chaos test can write a protocol trace, and the traces of a job must be a behaviour of the model."""

from __future__ import annotations

import pytest
from tests.support.followed import Protocol, follower_in

__all__ = ["follower", "protocol"]


@pytest.fixture(scope="session")
def follower(tmp_path_factory):
    """The model, compiled when it is first asked; None where SPIN is not installed."""
    return follower_in(tmp_path_factory.mktemp("followed"))


@pytest.fixture
def protocol(follower, tmp_path):
    """Where this test's runs write their trace, and the question whether the model can do the same."""
    return Protocol(tmp_path / "protocol", follower)
