"""`arrowflow seal`: put the small files of a pipeline's tables together, all at once."""

from __future__ import annotations

import json

import click

from arrowflow.cli.session import Session


@click.command("seal")
@click.argument("config", type=click.Path())
@click.option("--take-over", is_flag=True, help="Do not wait for another writer's young record to age.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_obj
def command(session: Session, *, config: str, take_over: bool, as_json: bool) -> None:
    """Put all small files of the tables in CONFIG that say `seal` together, due or not.

    A run does so by itself, a while after each interval is over; this is for jobs that are not running. A run at work
    is fenced: it ends with exit code 7.
    """
    from arrowflow.cli.figures import count
    from arrowflow.cli.lines import Lines
    from arrowflow.cli.run import failpoints
    from arrowflow.phases.alone import opened
    from arrowflow.phases.upkeep import seal_all
    from arrowflow.pipeline import RunOptions
    from arrowflow.protocols import Seals

    pipeline = session.load(config)
    session.keep_secret(pipeline)
    options = RunOptions(take_over=take_over)
    with opened(pipeline, options, observer=Lines(session.clean), failpoints=failpoints()) as job:
        made = seal_all(job)
        where = {name: part.sealed_location for name, part in job.sinks.items() if isinstance(part, Seals)}
    files = [file for record in made for file in record.seals]
    if as_json:
        told = {"records": [record.epoch for record in made], "files": len(files), "rows": sum(f.rows for f in files)}
        click.echo(json.dumps({**told, "folders": where}))
        return
    if not made:
        click.echo(f"{pipeline.name}: nothing to seal")
    for name, folder in where.items():
        own = [file for file in files if file.sink == name]
        if own:
            rows = sum(file.rows for file in own)
            click.echo(session.clean(f"{name}: {count(rows, 'row')} in {count(len(own), 'file')} of {folder}"))
