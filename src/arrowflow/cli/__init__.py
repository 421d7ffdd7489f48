"""The command line: one file per verb, loaded when it is called. Nothing below imports it."""

from __future__ import annotations

import click

from arrowflow.cli.session import Session
from arrowflow.cli.verbs import Verbs

__all__ = ["main"]


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.version_option(package_name="arrowflow", message="arrowflow %(version)s")
@click.option(
    "--traceback", is_flag=True, envvar="ARROWFLOW_TRACEBACK", help="Show where in the program an error arose."
)
@click.pass_context
def main(ctx: click.Context, *, traceback: bool) -> None:
    """Kafka to Arrow micro-batches: shifts and exact windows, committed to Parquet once.

    Start with `arrowflow run configs/gold.toml --until-caught-up --close-open-windows`, or with `arrowflow init`.

    Exit codes: 0 done, also after an orderly stop; 1 a bug; 2 usage or configuration; 3 a service cannot be reached;
    4 too many bad records; 6 data lost or changed; 7 another writer took over; 8 state refused; 130 interrupted.
    """
    session = ctx.ensure_object(Session)
    session.traceback = traceback
