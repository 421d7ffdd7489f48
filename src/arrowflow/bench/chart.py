"""A result, and a comparison, as lines of text for a terminal. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from arrowflow.bench.compare import Comparison
from arrowflow.bench.results import Line, Result

_BAR = 28
_EIGHTHS = " ▏▎▍▌▋▊▉"


def about(result: Result) -> Iterator[str]:
    """Machine and versions."""
    machine = result.machine
    yield f"{machine.cpu}, {machine.cores} cores, {machine.memory_mb:,} MB, {machine.kernel}, load {machine.busy:.2f} at the start"
    yield ", ".join(f"{name} {version}" for name, version in result.versions.items())


def table(result: Result) -> Iterator[str]:
    """A line each, a bar as long as its rate beside others of its group, and what the answer was held against."""
    width = max((len(_name(line)) for line in result.lines), default=0)
    for group, lines in grouped(result.lines).items():
        most = max(line.records_per_s for line in lines)
        yield f"{group:{width}}  {lines[0].unit + '/s':>14}  {'ns each':>12}  {'CPU ns':>12}  {'runs':>4}"
        for line in lines:
            figures = (
                f"{line.records_per_s:>14,.0f}  {line.wall_ns:>12,.1f}  {line.cpu_ns:>12,.1f}  {len(line.wall_s):>4}"
            )
            yield f"{_name(line):{width}}  {figures}  {bar(line.records_per_s / most)}"
        for line in lines:
            extra = "".join(f"; {name} {value:,g}" for name, value in line.figures.items())
            yield f"{'':{width}}  {line.name}: {line.records:,} {line.unit}; answer: {line.checked}{extra}"


def grouped(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """Lines by their group, in the order in which groups were met."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.group, []).append(line)
    return found


def _name(line: Line) -> str:
    return f"  {line.name}" if line.x is None else f"  {line.name} at {line.x:,g}"


def bar(share: float, width: int = _BAR) -> str:
    """A bar for a share from 0 to 1, to an eighth of a character; never empty, so that a small one is seen."""
    eighths = max(1, round(max(0.0, min(1.0, share)) * width * 8))
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def beside(comparison: Comparison, name: str) -> Iterator[str]:
    """A comparison, line by line, with what makes it unfair."""
    yield f"beside {name}: rate now / then, and processor time a record then / now (above 1 is better)"
    width = max((len(ratio.name) for ratio in comparison.ratios), default=0)
    for ratio in comparison.ratios:
        cpu = "-" if ratio.cpu is None else f"{ratio.cpu:.2f}"
        size = "" if ratio.same_size else "   other number of records"
        yield f"  {ratio.name:{width}}  {ratio.rate:>6.2f}  {cpu:>6}{size}"
    yield from _only("only now", comparison.only_now)
    yield from _only("only then", comparison.only_then)
    for difference in comparison.differences:
        yield f"  differs: {difference}"


def _only(what: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"  {what}: {', '.join(names)}"
