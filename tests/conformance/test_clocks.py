"""Each clock passes the suite every clock must pass."""

from arrowflow.phases.defaults import SystemClock
from arrowflow.testing.clock import ManualClock
from arrowflow.testing.conformance.clocks import ClockConformance


class TestSystemClock(ClockConformance):
    def clock(self):
        return SystemClock()


class TestManualClock(ClockConformance):
    def clock(self):
        return ManualClock()
