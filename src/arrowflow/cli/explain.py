"""`arrowflow explain`: what a pipeline will do, before it does it."""

from __future__ import annotations

import json

import click

from arrowflow.cli.session import Session


@click.command("explain")
@click.argument("config", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def command(session: Session, *, config: str, as_json: bool) -> None:
    """Say what the pipeline in CONFIG will do; connects to nothing.

    Operators, clocks, windows and state; columns of a result; files per day; what each table guarantees; what an outage costs.
    """
    from datetime import UTC, datetime

    from arrowflow.config import read
    from arrowflow.config.explain import explain

    told = explain(read(config), datetime.now(UTC))
    if as_json:
        parts = {title: list(lines) for title, lines in told.parts}
        click.echo(json.dumps({"pipeline": told.name, **parts, "warnings": list(told.warnings)}))
        return
    click.echo(session.clean(told.name))
    for title, lines in told.parts:
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  {session.clean(line)}")
    if told.warnings:
        click.echo("\nworth a second look")
        for line in told.warnings:
            click.echo(f"  {session.clean(line)}")
