"""`arrowflow lifecycle`: print the lifecycle rules that fit a pipeline's bucket. Connects to nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from arrowflow.cli.output import say
from arrowflow.cli.session import Session

if TYPE_CHECKING:
    from arrowflow.pipeline import Pipeline
    from arrowflow.stores.gcs.address import Address

_DAYS = click.IntRange(min=1)


@click.command("lifecycle")
@click.argument("config", type=click.Path())
@click.option("--cold", type=_DAYS, default=30, show_default=True, help="Days until a file is cold (COLDLINE).")
@click.option("--archive", type=_DAYS, default=365, show_default=True, help="Days until it is archived (ARCHIVE).")
@click.option("--delete", type=_DAYS, default=2555, show_default=True, help="Days until it is deleted.")
@click.option("--keep", is_flag=True, help="Delete nothing.")
@click.pass_obj
def command(session: Session, *, config: str, cold: int, archive: int, delete: int, keep: bool) -> None:
    """Print lifecycle rules for the tables of CONFIG as JSON, for `gcloud storage buckets update --lifecycle-file`.

    They name the folders of the tables and nothing else: a rule that reaches the checkpoint folder takes away records
    and state that are old and needed, and a run refuses a bucket that has one.
    """
    from arrowflow.errors import ConfigError
    from arrowflow.stores.gcs.address import parse
    from arrowflow.stores.gcs.lifecycle import Ages, lifecycle

    pipeline = session.load(config)
    session.keep_secret(pipeline)
    control, tables = _places(pipeline)
    correct_days = _correct_days(pipeline)
    if not keep and delete <= correct_days:
        raise ConfigError(
            f"--delete {delete}: windows can be corrected for {correct_days} days, and a file that is gone cannot be; say more days"
        )
    rules = lifecycle(tables, parse(control), Ages(cold, archive, None if keep else delete))
    click.echo(json.dumps(rules, indent=2))
    say(f"arrowflow: never give a rule to {control}: it holds records and state, old and needed")
    say("arrowflow: these rules take the place of all the bucket has: put in rules of other jobs before you set them")
    if cold <= correct_days:
        say(
            f"arrowflow: windows can be corrected for {correct_days} days, and a correction reads its whole file: from day "
            f"{cold} on that is paid as retrieval"
        )


def _places(pipeline: Pipeline) -> tuple[str, list[Address]]:
    """The control prefix, and the folders of all tables, sealed ones included."""
    from arrowflow.errors import ConfigError
    from arrowflow.stores.gcs.address import is_address, parse

    control = str(getattr(pipeline.checkpoint.log, "path", ""))
    if not is_address(control):
        raise ConfigError(
            f"{pipeline.name}: lifecycle rules are settings of a bucket, and its lake is on the local disk; with paths such as "
            '"gs://bucket/lake/…" this prints the rules'
        )
    found: list[object] = []
    for node in pipeline.sinks:
        if node.stream != "open":  # a preview is never older than the last epoch
            found.append(getattr(node.spec, "location", None))
        if getattr(node.spec, "seal_us", None) is not None:
            found.append(getattr(node.spec, "sealed_location", None))
    return control, [parse(str(place)) for place in found if place]


def _correct_days(pipeline: Pipeline) -> int:
    """For how many days, begun ones included, windows can be corrected; 0 where they never are."""
    if pipeline.operator.late != "correct":
        return 0
    return -(-int(getattr(pipeline.operator.spec, "correct_for_us", 0)) // 86_400_000_000)
