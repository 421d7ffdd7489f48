"""`arrowflow run`: start a pipeline, show it, end it in order, sum it up."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import click

from arrowflow.cli.output import let_go, on_terminal
from arrowflow.cli.session import Session

if TYPE_CHECKING:
    from arrowflow.cli.lines import Lines
    from arrowflow.cli.live import LiveView
    from arrowflow.cli.opening import Opening
    from arrowflow.cli.session import Handle
    from arrowflow.events import Finished
    from arrowflow.failpoints import Failpoints

_WAIT_S = 0.2
_SWITCH_S = 0.0005
"""A helper that comes back from a kernel waits at most so long for the thread that runs Python; a tenth of the usual."""
_TRACES = ("ARROWFLOW_FAILPOINT_TRACE", "ARROWFLOW_TRACE_PROTOCOL")


@click.command("run")
@click.argument("config", type=click.Path())
@click.option("--until-caught-up", is_flag=True, help="Stop at the ends the topics have now.")
@click.option("--close-open-windows", is_flag=True, help="Then close what is open; needs --until-caught-up.")
@click.option("--once", is_flag=True, help="Stop after one committed epoch.")
@click.option("--dry-run", is_flag=True, help="Read and fold; write and commit nothing.")
@click.option("--take-over", is_flag=True, help="Do not wait for another writer's young record to age.")
@click.option(
    "--assume-delivered", is_flag=True, help="A topic lost its marker: take all committed rows for delivered."
)
@click.option("--redeliver", is_flag=True, help="A topic lost its marker: send rows again that may be there already.")
@click.option("--adopt", is_flag=True, help="Begin a log although tables or group offsets tell of one that is gone.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_obj
def command(
    session: Session,
    *,
    config: str,
    until_caught_up: bool,
    close_open_windows: bool,
    once: bool,
    dry_run: bool,
    take_over: bool,
    assume_delivered: bool,
    redeliver: bool,
    adopt: bool,
    as_json: bool,
) -> None:
    """Run the pipeline in CONFIG.

    Without options it follows the topics until it is stopped. Ctrl-C, SIGTERM and SIGHUP commit what was read and
    end with exit code 0; a second Ctrl-C ends at once with 130, and the next run goes on from the newest record.
    """
    from arrowflow.cli.opening import Opening
    from arrowflow.cli.summary import Took, summary_data, summary_text
    from arrowflow.pipeline import RunOptions

    if close_open_windows and not until_caught_up:
        raise click.UsageError(
            "--close-open-windows needs --until-caught-up: a window can only be closed early at an end"
        )
    if assume_delivered and redeliver:
        raise click.UsageError("--assume-delivered and --redeliver say the opposite of each other: choose one")
    pipeline = session.load(config)
    session.keep_secret(pipeline)
    options = RunOptions(
        until_caught_up=until_caught_up,
        close_open_windows=close_open_windows,
        once=once,
        dry_run=dry_run,
        take_over=take_over,
        undecided="assume_delivered" if assume_delivered else "redeliver" if redeliver else "stop",
        adopt=adopt,
    )
    armed = failpoints()
    began = time.monotonic()
    sys.setswitchinterval(_SWITCH_S)  # of the whole interpreter, so it is for programs to decide, and this is one
    with _observer(session, pipeline.name) as observer:
        opening = Opening(observer)
        run = session.start(pipeline, options, observer=opening, failpoints=armed)
        finished = _wait(run, observer, opening)
    took = Took(time.monotonic() - began, opening.seconds)
    if as_json:
        _print(json.dumps(summary_data(pipeline, options, finished, took)))
    else:
        told = summary_text(pipeline, options, finished, took).split("\n")
        _print("\n".join(session.clean(line) for line in told))


def _print(summary: str) -> None:
    """Print what was done; it is done and recorded, so a stream that takes nothing changes no exit code."""
    try:
        click.echo(summary)
    except OSError:
        let_go(sys.stdout)


def _wait(run: Handle, observer: Lines | LiveView, opening: Opening) -> Finished:
    from arrowflow.cli.signals import Draining

    with Draining(run, lambda message: observer.say("warning", message)):
        while not run.wait(_WAIT_S):
            opening.look()
    return run.result()


def _observer(session: Session, name: str) -> Lines | LiveView:
    """Return the live view on a terminal, plain lines everywhere else."""
    if on_terminal():
        from rich.console import Console

        from arrowflow.cli.live import LiveView

        return LiveView(name, session.clean, Console(stderr=True))
    from arrowflow.cli.lines import Lines

    return Lines(session.clean)


def failpoints() -> Failpoints:
    """What the environment arms in this process."""
    from arrowflow.errors import ConfigError
    from arrowflow.failpoints import Failpoints

    plan = os.environ.get("ARROWFLOW_FAILPOINTS", "")
    try:
        return Failpoints.parse(plan, *map(os.environ.get, _TRACES))
    except ValueError:
        raise ConfigError(f"ARROWFLOW_FAILPOINTS: {plan!r} is no list of name:hit:action") from None
    except OSError as error:
        variable = next(name for name in _TRACES if os.environ.get(name) == error.filename)
        raise ConfigError(f"{variable}: {error.filename}: {error.strerror}") from None
