"""Two results side by side: ratios line by line, and what of the machine differs. Measures nothing."""

from __future__ import annotations

from dataclasses import dataclass

from arrowflow.bench.results import Result


@dataclass(frozen=True, slots=True)
class Ratio:
    """A line that both results have. `rate` is records a second now over then, `cpu` processor time a record then over now: above 1 is better."""

    name: str
    rate: float
    cpu: float | None
    same_size: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it; `differences` are sentences about machine and versions."""

    ratios: tuple[Ratio, ...]
    only_now: tuple[str, ...]
    only_then: tuple[str, ...]
    differences: tuple[str, ...]

    def below(self, floor: float) -> list[Ratio]:
        """The lines whose rate has fallen below `floor` times what it was."""
        return [ratio for ratio in self.ratios if ratio.rate < floor]


def compare(now: Result, then: Result) -> Comparison:
    """Compare a result with an earlier one, by the names of their lines and where they stand in a sweep."""
    mine = {line.place: line for line in now.lines}
    theirs = {line.place: line for line in then.lines}
    ratios = [
        Ratio(
            line.label,
            line.records_per_s / theirs[place].records_per_s,
            theirs[place].cpu_ns / line.cpu_ns if line.cpu_ns else None,
            line.records == theirs[place].records,
        )
        for place, line in mine.items()
        if place in theirs
    ]
    return Comparison(
        tuple(ratios),
        tuple(mine[place].label for place in mine if place not in theirs),
        tuple(theirs[place].label for place in theirs if place not in mine),
        tuple(_differences(now, then)),
    )


def _differences(now: Result, then: Result) -> list[str]:
    here, there = now.machine, then.machine
    places = [
        ("processor", here.cpu, there.cpu),
        ("cores", here.cores, there.cores),
        ("memory in MB", here.memory_mb, there.memory_mb),
        ("kernel", here.kernel, there.kernel),
        *((name, now.versions.get(name), then.versions.get(name)) for name in {**now.versions, **then.versions}),
    ]
    return [f"{what}: {mine or '-'} now, {theirs or '-'} then" for what, mine, theirs in places if mine != theirs]
