"""`arrowflow reset`: go back to an earlier record, in place or in new tables, or read on at other offsets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arrowflow.cli.session import Session

if TYPE_CHECKING:
    from arrowflow.phases.wish import Plan, Wish
    from arrowflow.pipeline import Pipeline
    from arrowflow.types import Manifest

_ELSEWHERE = ("earliest", "latest")


@click.command("reset")
@click.argument("config", type=click.Path())
@click.option("--to-epoch", type=click.IntRange(min=0), help="Go back to this record.")
@click.option("--to-time", metavar="TIME", help="Go back to the newest record begun by then, 2026-01-31T06:00:00Z.")
@click.option("--to-offsets", type=click.Path(), help='Go back to before these: {"topic": {"0": 120, …}, …} as JSON.')
@click.option("--to-start", is_flag=True, help="Go back to the very beginning; another query may do so too.")
@click.option(
    "--from", "elsewhere", metavar="WHERE", help="Keep everything, read on at: earliest, latest or a JSON file."
)
@click.option("--topic", help="With --from: this topic only.")
@click.option("--in-place", is_flag=True, help="Take back files of the tables as they are, instead of making new ones.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--take-over", is_flag=True, help="Do not wait for another writer's young record to age.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_obj
def command(
    session: Session,
    *,
    config: str,
    to_epoch: int | None,
    to_time: str | None,
    to_offsets: str | None,
    to_start: bool,
    elsewhere: str | None,
    topic: str | None,
    in_place: bool,
    dry_run: bool,
    take_over: bool,
    as_json: bool,
) -> None:
    """Put the pipeline in CONFIG back to where an earlier record stood.

    Results go to tables of a new generation beside the old ones (PATH__gN), which are left as they are: run the
    pipeline until it has caught up, then let readers change over. With --in-place the files of later records are taken back from the
    tables as they are, one after the other. A run at work is fenced: it ends with exit code 7.
    """
    from arrowflow.phases.wish import Wish

    wishes = [to_epoch is not None, to_time is not None, to_offsets is not None, to_start, elsewhere is not None]
    if sum(wishes) != 1:
        raise click.UsageError("say exactly one of --to-epoch, --to-time, --to-offsets, --to-start and --from")
    if topic is not None and elsewhere is None:
        raise click.UsageError("--topic goes with --from: going back is for all topics together")
    if elsewhere is not None and (in_place or dry_run):
        raise click.UsageError(
            "--from touches no table and says what it did: it takes neither --in-place nor --dry-run"
        )
    pipeline = session.load(config)
    session.keep_secret(pipeline)
    if elsewhere is not None:
        made = _read_on(session, pipeline, elsewhere, topic, take_over=take_over)
        _tell_record(session, pipeline, made, as_json=as_json)
        return
    wish = Wish(
        epoch=to_epoch,
        time_us=None if to_time is None else _time_us(to_time),
        offsets=None if to_offsets is None else _offsets(to_offsets),
        start=to_start,
        in_place=in_place,
    )
    if dry_run:
        _rehearse(session, pipeline, wish, as_json=as_json)
        return
    _tell_record(session, pipeline, _go_back(session, pipeline, wish, take_over=take_over), as_json=as_json)


def _go_back(session: Session, pipeline: Pipeline, wish: Wish, *, take_over: bool) -> Manifest:
    from arrowflow.cli.lines import Lines
    from arrowflow.cli.run import failpoints
    from arrowflow.phases.alone import opened
    from arrowflow.phases.reset import go_back
    from arrowflow.pipeline import RunOptions

    options = RunOptions(take_over=take_over)
    with opened(pipeline, options, observer=Lines(session.clean), failpoints=failpoints()) as job:
        return go_back(job, wish)


def _read_on(session: Session, pipeline: Pipeline, where: str, topic: str | None, *, take_over: bool) -> Manifest:
    from arrowflow.cli.lines import Lines
    from arrowflow.cli.run import failpoints
    from arrowflow.phases.alone import opened
    from arrowflow.phases.reset import read_elsewhere
    from arrowflow.pipeline import RunOptions

    offsets = where if where in _ELSEWHERE else _offsets(where)
    options = RunOptions(take_over=take_over)
    with opened(pipeline, options, observer=Lines(session.clean), failpoints=failpoints()) as job:
        return read_elsewhere(job, offsets, topic)


def _rehearse(session: Session, pipeline: Pipeline, wish: Wish, *, as_json: bool) -> None:
    from arrowflow.cli.lines import Lines
    from arrowflow.phases.alone import opened
    from arrowflow.phases.wish import rehearse_reset
    from arrowflow.pipeline import RunOptions

    with opened(pipeline, RunOptions(dry_run=True), observer=Lines(session.clean)) as job:
        plan = rehearse_reset(job, wish)
    if as_json:
        click.echo(json.dumps(_plan_data(plan)))
        return
    for line in _plan_lines(plan, in_place=wish.in_place):
        click.echo(session.clean(line))


def _plan_data(plan: Plan) -> dict[str, object]:
    return {
        "dry_run": True,
        "head": plan.head.epoch,
        "to": plan.to,
        "records_undone": len(plan.undone),
        "files_retracted": [[file.sink, file.dst] for file in plan.files.retracted],
        "files_reverted": [[file.sink, file.dst, revision] for file, revision in plan.files.reverted],
    }


def _plan_lines(plan: Plan, *, in_place: bool) -> list[str]:
    from arrowflow.cli.figures import count, moment

    to = "the beginning" if plan.target is None else f"record {plan.to} of {moment(plan.target.epoch_time_us)}"
    lines = [f"a dry run: would go from record {plan.head.epoch} back to {to}; nothing was written"]
    if plan.target is not None:
        lines += [f"  {part.source_partition} would be read again from {part.stop}" for part in plan.target.inputs]
    if in_place:
        lines.append(f"  {count(len(plan.files.retracted), 'file')} would be taken back")
    else:
        lines.append(
            f"  tables of a new generation would be made; {count(len(plan.files.retracted), 'file')} not copied"
        )
    lines.append(f"  {count(len(plan.files.reverted), 'file')} would be put back to an earlier revision")
    return lines


def _tell_record(session: Session, pipeline: Pipeline, made: Manifest, *, as_json: bool) -> None:
    from arrowflow.cli.summary import root

    reset = made.reset
    assert reset is not None
    paths = {node.name: root(node.spec, made.generation) for node in pipeline.sinks}
    if as_json:
        data = {"record": made.epoch, "how": reset.how, "to": reset.to, "generation": made.generation, "outputs": paths}
        data |= {"files_retracted": len(reset.retracted), "files_reverted": len(made.outputs)}
        click.echo(json.dumps(data))
        return
    to = "the beginning" if reset.to < 0 else f"record {reset.to}"
    if reset.how == "positions":
        click.echo(f"record {made.epoch}: state and results stay; the next run reads on at")
        for part in made.inputs:
            click.echo(session.clean(f"  {part.source_partition} offset {part.start}"))
        return
    click.echo(f"record {made.epoch}: back to {to}")
    if reset.how == "in_place":
        click.echo(f"  {len(reset.retracted)} files taken back, {len(made.outputs)} put back to an earlier revision")
        return
    click.echo("  results go to these tables from now on; the old ones stay as they are:")
    for name, path in paths.items():
        click.echo(session.clean(f"  {name:<12} {path}"))
    click.echo("run the pipeline until it has caught up, then let readers change over (docs/operations.md)")


def _time_us(text: str) -> int:
    from datetime import UTC, datetime, timedelta

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.UsageError(f"--to-time: {text!r} is no time with its offset from UTC, such as 2026-01-31T06:00:00Z")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _offsets(file: str) -> Mapping[tuple[str, int], int]:
    """Read ``{"topic": {"partition": offset}}``."""
    form = 'offsets are written {"topic": {"0": 120, "1": 98}}'
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
        return {
            (topic, int(number)): _offset(offset) for topic, parts in found.items() for number, offset in parts.items()
        }
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None
    except (ValueError, AttributeError, TypeError) as error:
        raise click.UsageError(f"{file}: {error}; {form}") from None


def _offset(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no offset")
    return value
