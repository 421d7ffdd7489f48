"""What a run did, once it has ended: the balance with its numbers, and where the files are."""

from __future__ import annotations

from arrowflow.cli.figures import balance_data, balance_line, count
from arrowflow.events import Finished
from arrowflow.pipeline import Pipeline, RunOptions


def summary_data(pipeline: Pipeline, options: RunOptions, finished: Finished, seconds: float) -> dict[str, object]:
    """Return the summary as plain data."""
    return {
        "pipeline": pipeline.name,
        "dry_run": options.dry_run,
        "epochs": finished.epochs,
        "head": finished.head,
        "balance": balance_data(finished.balance),
        "rows_out": finished.rows_out,
        "files": finished.files,
        "seconds": round(seconds, 3),
        "outputs": {node.name: {"stream": node.stream, "path": _root(node.spec)} for node in pipeline.sinks},
    }


def summary_text(pipeline: Pipeline, options: RunOptions, finished: Finished, seconds: float) -> str:
    """Return the summary as lines for a person."""
    rate = finished.balance.read / seconds if seconds > 0 else 0
    lines = [
        f"{pipeline.name}: {count(finished.epochs, 'epoch')} in {seconds:.1f} s, {rate:,.0f} records/s"
        + ("; a dry run: nothing was written" if options.dry_run else f"; newest record {finished.head}"),
        balance_line(finished.balance),
    ]
    if finished.balance.read != finished.balance.accounted:
        lines.append(f"THIS DOES NOT ADD UP: {finished.balance.accounted:,} accounted for; please report it")
    lines.append(f"{count(finished.rows_out, 'result row')}, {count(finished.files, 'file')} in all")
    if not options.dry_run:
        lines += [f"  {node.name:<12} {_root(node.spec)}" for node in pipeline.sinks]
    return "\n".join(lines)


def _root(spec: object) -> str:
    return str(getattr(spec, "location", getattr(spec, "root", "-")))
