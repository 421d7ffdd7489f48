"""`arrowflow validate`: everything that is wrong with a file, offline."""

from __future__ import annotations

import json

import click

from arrowflow.cli.session import Session


@click.command("validate")
@click.argument("configs", nargs=-1, required=True, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
@click.pass_context
def command(ctx: click.Context, *, configs: tuple[str, ...], as_json: bool) -> None:
    """Say everything that is wrong with CONFIGS; exit code 2 if anything is.

    Nothing is connected to and nothing is written.
    """
    from arrowflow.config import check

    session = ctx.ensure_object(Session)
    found = {config: check(config) for config in configs}
    if as_json:
        problems = [
            {
                "file": one.file,
                "line": one.place.line,
                "column": one.place.column,
                "key": one.key,
                "problem": one.sentence,
            }
            for problems in found.values()
            for one in problems
        ]
        click.echo(json.dumps({"valid": not problems, "problems": problems}))
    else:
        for config, problems_of_one in found.items():
            for problem in problems_of_one:
                click.echo(session.clean(str(problem)), err=True)
            if not problems_of_one:
                click.echo(f"{session.clean(config)}: valid")
    ctx.exit(2 if any(found.values()) else 0)
