"""Traces of a test's runs, followed through the model of the commit protocol where SPIN is there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from formal.check import missing_tools
from formal.traces import Followed, Follower

from arrowflow.failpoints import Failpoints

VARIABLE = "ARROWFLOW_TRACE_PROTOCOL"


def follower_in(folder: Path) -> Follower | None:
    """A follower that compiles in `folder`; None without SPIN, unless the environment says that it has to be there."""
    if missing := missing_tools():
        if os.environ.get("ARROWFLOW_REQUIRE_SPIN"):
            pytest.fail(f"ARROWFLOW_REQUIRE_SPIN is set and {' and '.join(missing)} not found")
        return None
    return Follower(folder)


@dataclass(frozen=True)
class Protocol:
    """The trace of all runs over one job."""

    path: Path
    follower: Follower | None

    @property
    def env(self) -> dict[str, str]:
        """For a run that is a process of its own."""
        return {VARIABLE: str(self.path)}

    def failpoints(self, plan: str = "", trace: str | None = None) -> Failpoints:
        """For a run of this process."""
        return Failpoints.parse(plan, trace, str(self.path))

    def must_be_followed(self, lenses: int = 6) -> Followed:
        """Fail unless the model can do what the runs did, seen through some files; without SPIN nothing is asked."""
        if self.follower is None:
            return Followed()
        found = self.follower.follow([self.path], most=lenses)
        assert found.calls, "nothing was traced"
        assert found.refused == []
        return found
