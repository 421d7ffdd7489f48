"""`arrowflow drop`: retire a pipeline, then delete what it holds."""

from __future__ import annotations

import json

import click

from arrowflow.cli.session import Session


@click.command("drop")
@click.argument("config", type=click.Path())
@click.option("--tables", is_flag=True, help="Delete the tables too, of every generation.")
@click.option("--forget", is_flag=True, help="Delete the last record as well; only when no run can still be alive.")
@click.option("--yes", is_flag=True, help="Do it; without, say what would be done.")
@click.option("--take-over", is_flag=True, help="Do not wait for another writer's young record to age.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_obj
def command(
    session: Session, *, config: str, tables: bool, forget: bool, yes: bool, take_over: bool, as_json: bool
) -> None:
    """Retire the pipeline in CONFIG and delete its records, staged files and state.

    Its last record says that it is retired, which fences a run at work, and stays behind with job.json: a run that
    was frozen all along finds it and ends. Called again, it goes on where it was cut off.
    """
    from arrowflow.cli.figures import count
    from arrowflow.cli.lines import Lines
    from arrowflow.cli.run import failpoints
    from arrowflow.phases.alone import opened
    from arrowflow.phases.drop import delete, retire
    from arrowflow.pipeline import RunOptions

    pipeline = session.load(config)
    session.keep_secret(pipeline)
    if not yes:
        raise click.UsageError(
            f"say --yes to retire {pipeline.name!r} and delete its records and state"
            + (", and every file of its tables" if tables else "; its tables stay (--tables deletes them)")
        )
    options = RunOptions(take_over=take_over)
    with opened(pipeline, options, observer=Lines(session.clean), failpoints=failpoints()) as job:
        last = retire(job)
        gone = delete(job, last, tables=tables, forget=forget)
    if as_json:
        click.echo(json.dumps({"retired_by": last.epoch, "files": gone.files, "objects": gone.objects}))
        return
    click.echo(
        f"{pipeline.name} is retired by record {last.epoch}; deleted {count(gone.files, 'file')} of tables and "
        f"{count(gone.objects, 'object')} of the checkpoint folder"
    )
