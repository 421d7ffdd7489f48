"""What every `Clock` must keep: integer wall time, a monotonic time that never falls, waits that end soon."""

from __future__ import annotations

import time

from arrowflow.protocols import Clock


class ClockConformance:
    """Subclass it with `clock`."""

    longest_wait_s = 2.0
    """Real seconds the longest sleep may take: 0.2 by the protocol, the rest for a busy machine."""

    def clock(self) -> Clock:
        """Return the clock under test."""
        raise NotImplementedError

    def test_wall_time_is_an_int_of_microseconds_in_this_age(self) -> None:
        now_us = self.clock().now_us()

        assert type(now_us) is int
        assert 1_000_000_000_000_000 < now_us < 10_000_000_000_000_000

    def test_monotonic_time_never_falls(self) -> None:
        clock = self.clock()
        seen = []
        for turn in range(200):
            seen.append(clock.monotonic())
            if turn % 50 == 0:
                clock.sleep(0.001)

        assert seen == sorted(seen)
        assert all(isinstance(each, float) for each in seen)

    def test_a_sleep_passes_the_time_it_was_asked_for(self) -> None:
        clock = self.clock()
        for seconds in (0.0, 0.01, 0.05):
            before = clock.monotonic()
            clock.sleep(seconds)
            assert clock.monotonic() - before >= 0.99 * seconds

    def test_a_long_sleep_ends_soon_so_that_a_stop_is_noticed(self) -> None:
        clock = self.clock()
        before, real = clock.monotonic(), time.monotonic()

        clock.sleep(3600.0)

        assert time.monotonic() - real < self.longest_wait_s
        assert clock.monotonic() > before, "a loop that sleeps until a deadline must get there"
