"""Results to compare and draw, made up."""

from dataclasses import dataclass, field

from arrowflow.bench.results import Line, Machine, Result

HERE = Machine("a processor", 2, 4096, "Linux 6", busy=0.25)


@dataclass
class Versions:
    python: str = "3.12"
    others: dict = field(default_factory=dict)

    def told(self):
        return {"python": self.python, "commit": "abc", **self.others}


def line(name="a", seconds=1.0, *, group="g", records=1000, cpu=None, x=None, **figures):
    """A line of one run."""
    return Line(group, name, records, (seconds,), (seconds if cpu is None else cpu,), "itself", x=x, figures=figures)


def result(*lines, machine=HERE, versions=None):
    """Lines measured here."""
    told = (versions or Versions()).told()
    return Result("made up", "arrowflow bench", "2026-01-31T06:00:00+00:00", machine, told, lines)
