"""`arrowflow chaos`: the named points where a run can be made to fail."""

from __future__ import annotations

import json

import click


@click.command("chaos")
@click.option("--list", "listing", is_flag=True, help="List the points.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(*, listing: bool, as_json: bool) -> None:
    """List the points where a run can be made to fail.

    Arm them with ARROWFLOW_FAILPOINTS=name:hit:action,… where action is kill, stop, raise, enospc or, at the
    points marked so, lost. ARROWFLOW_FAILPOINT_TRACE=FILE writes down each point passed.
    """
    from arrowflow.failpoints import REGISTRY

    if not listing:
        raise click.UsageError("say --list: it is all that chaos does in this version")
    if as_json:
        click.echo(json.dumps([{"name": name, "when": when, "lost": lost} for name, (when, lost) in REGISTRY.items()]))
        return
    width = max(map(len, REGISTRY))
    for name, (when, lost) in REGISTRY.items():
        click.echo(f"{name:<{width}}  {'lost' if lost else '    '}  {when}")
