"""What a run did, once it has ended: the balance with its numbers, and where the files are."""

from __future__ import annotations

from dataclasses import dataclass

from arrowflow.cli.figures import balance_data, balance_line, count
from arrowflow.events import Finished
from arrowflow.pipeline import Pipeline, RunOptions
from arrowflow.protocols import Generational


@dataclass(frozen=True, slots=True)
class Took:
    """How long a run took, and how much of it to get to work: kernels, broker, the records of earlier runs."""

    seconds: float
    starting_s: float = 0.0

    @property
    def working_s(self) -> float:
        return self.seconds - self.starting_s


def summary_data(pipeline: Pipeline, options: RunOptions, finished: Finished, took: Took) -> dict[str, object]:
    """Return the summary as plain data."""
    return {
        "pipeline": pipeline.name,
        "dry_run": options.dry_run,
        "epochs": finished.epochs,
        "head": finished.head,
        "balance": balance_data(finished.balance),
        "rows_out": finished.rows_out,
        "files": finished.files,
        "seconds": round(took.seconds, 3),
        "starting_seconds": round(took.starting_s, 3),
        "outputs": {
            node.name: {"stream": node.stream, "path": root(node.spec, finished.generation)} for node in pipeline.sinks
        },
    }


def summary_text(pipeline: Pipeline, options: RunOptions, finished: Finished, took: Took) -> str:
    """Return the summary as lines for a person."""
    lines = [
        f"{pipeline.name}: {_work(finished, took)}, after {took.starting_s:.1f} s to start"
        + ("; a dry run: nothing was written" if options.dry_run else f"; newest record {finished.head}"),
        balance_line(finished.balance),
    ]
    if finished.balance.read != finished.balance.accounted:
        lines.append(f"THIS DOES NOT ADD UP: {finished.balance.accounted:,} accounted for; please report it")
    lines.append(f"{count(finished.rows_out, 'result row')}, {count(finished.files, 'file')} in all")
    if not options.dry_run:
        lines += [f"  {node.name:<12} {root(node.spec, finished.generation)}" for node in pipeline.sinks]
    return "\n".join(lines)


def _work(finished: Finished, took: Took) -> str:
    if not finished.epochs:
        return f"nothing new to commit in {took.working_s:.1f} s"
    rate = finished.balance.read / took.working_s if took.working_s > 0 else 0
    return f"{count(finished.epochs, 'epoch')} in {took.working_s:.1f} s, {rate:,.0f} records/s"


def root(spec: object, generation: int) -> str:
    """Where a sink writes, in tables of that generation."""
    if isinstance(spec, Generational):
        spec = spec.in_generation(generation)
    return str(getattr(spec, "location", getattr(spec, "root", "-")))
