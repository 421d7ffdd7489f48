"""A request that was given up takes effect later, when its sender has long tried something else."""

from random import Random

from arrowflow.testing.simulation.director import CALM
from arrowflow.testing.simulation.history import TO_THE_END, History
from arrowflow.testing.simulation.world import DrawnWorld

RECORD = "/00000000000000000001.json"


class LateRecord(History):
    """The first record of rows is sent three times without an answer; one of them arrives as the next attempt is sent."""

    def play(self):
        while self.world.producing:
            self.world.produce()
        self.sent = 0
        self.director.script = self.fate
        self.writer = self.start(TO_THE_END, CALM)
        while not self.writer.ended:
            self.director.ready()
            self.resume(self.writer)
        self.director.script = None
        if isinstance(self.writer.end, BaseException):
            self.finish()
        self.wake_everybody()

    def fate(self, actor, call):
        if not (call.startswith("create") and call.endswith(RECORD)):
            return "well"
        self.sent += 1
        if self.sent == 4:
            self.director.let_arrive()
        return "late" if self.sent <= 3 else "well"


def test_a_record_of_ones_own_that_arrives_late_is_adopted_and_fences_nobody():
    for seed in (1, 5, 15):
        history = LateRecord(DrawnWorld(Random(f"job {seed}")))
        history.play()

        assert history.sent >= 4
        assert history.verdict(seed).wrong == ()
        assert not isinstance(history.writer.end, BaseException), history.writer.end
