"""`arrowflow log`: the records of a pipeline, as they stand in its folder. Writes nothing, takes nothing over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arrowflow.cli.session import Session

if TYPE_CHECKING:
    from arrowflow.protocols import CommitLog
    from arrowflow.types import Manifest


@click.command("log")
@click.argument("where", type=click.Path())
@click.option("--epoch", type=click.IntRange(min=0), help="Show one record whole.")
@click.option("--last", type=click.IntRange(min=1), help="Only the newest N records.")
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON, one a line.")
@click.pass_obj
def command(session: Session, *, where: str, epoch: int | None, last: int | None, as_json: bool) -> None:
    """List the records of a pipeline: WHERE is its configuration or its checkpoint folder."""
    log = _open(session, where)
    epochs = _retained(log)
    if epoch is not None:
        if not epochs or not epochs[0] <= epoch <= epochs[-1]:
            raise click.UsageError(f"there is no record {epoch}; {_extent(epochs)}")
        _show(session, log.read(epoch), as_json=as_json)
        return
    chosen = epochs if last is None else epochs[-last:]
    if not epochs and not as_json:
        click.echo("no records yet: the pipeline has not run", err=True)
    elif not as_json:
        if epochs[0]:
            click.echo(f"records before {epochs[0]} were collected", err=True)
        click.echo(_row("epoch", "kind", "time", "rows", "files", "watermark", "balance"))
    for number in chosen:
        if (record := _read(log, number)) is None:
            continue
        click.echo(json.dumps(_brief(record)) if as_json else session.clean(_line(record)))


def _extent(epochs: list[int]) -> str:
    if not epochs:
        return "the pipeline has not run yet"
    older = "; older ones were collected" if epochs[0] else ""
    return f"the records are {epochs[0]} to {epochs[-1]}{older}"


def _retained(log: CommitLog) -> list[int]:
    """Numbers of the records from the horizon on: what lies below it is on its way out, or came back and means nothing."""
    epochs = log.epochs_after(-1)
    horizon = log.read(epochs[-1]).horizon if epochs else 0
    return [epoch for epoch in epochs if epoch >= horizon]


def _read(log: CommitLog, epoch: int) -> Manifest | None:
    """Return a record; None for one that was collected since it was listed."""
    from arrowflow.errors import ObjectMissing

    try:
        return log.read(epoch)
    except ObjectMissing:
        newest = log.newest()
        if newest is None or epoch >= log.read(newest).horizon:
            raise
        return None


def _open(session: Session, where: str) -> CommitLog:
    """Return the log behind a configuration file or a checkpoint folder, which may be an address in a bucket."""
    from arrowflow.errors import ConfigError
    from arrowflow.failpoints import Failpoints
    from arrowflow.stores.gcs.address import is_address

    if is_address(where):
        from arrowflow.commitlog.gcs import GcsLogSpec

        return GcsLogSpec(where).build(Failpoints())[0]
    if Path(where).is_dir():
        from arrowflow.commitlog.local import LocalLogSpec

        if not (Path(where) / "manifests").is_dir():
            raise ConfigError(
                f"{where} is no checkpoint folder: it has no records in it; give a configuration file instead"
            )
        return LocalLogSpec(str(Path(where).absolute())).build(Failpoints())[0]
    pipeline = session.load(where)
    session.keep_secret(pipeline)
    return pipeline.checkpoint.log.build(Failpoints())[0]


def _show(session: Session, record: Manifest, *, as_json: bool) -> None:
    import msgspec

    plain = msgspec.to_builtins(record)
    text = json.dumps(plain) if as_json else json.dumps(plain, indent=2)
    for line in text.split("\n"):
        click.echo(session.clean(line))


def _brief(record: Manifest) -> dict[str, object]:
    from arrowflow.cli.figures import balance_data, moment

    return {
        "epoch": record.epoch,
        "kind": record.kind,
        "time": moment(record.epoch_time_us),
        "writer": record.writer.id,
        "host": record.writer.host,
        "rows": _rows(record),
        "files": len(record.outputs),
        "outbox": {outbox.sink: outbox.rows for outbox in record.outbox},
        "watermark": None if record.watermark_us is None else moment(record.watermark_us),
        "balance": balance_data(record.balance),
        "gaps": [[part.topic, part.partition, *part.gap] for part in record.inputs if part.gap is not None],
        "sha256": record.sha256,
    }


def _rows(record: Manifest) -> int:
    return sum(file.new_rows for file in record.outputs) + sum(outbox.rows for outbox in record.outbox)


def _line(record: Manifest) -> str:
    from arrowflow.cli.figures import balance_line, moment

    rows = _rows(record)
    balance = balance_line(record.balance) if record.kind == "data" else f"by {record.writer.host}{_deed(record)}"
    balance += "".join(
        f"; gap {part.source_partition} {part.gap.start} to {part.gap.stop}" for part in record.inputs if part.gap
    )
    time, watermark = moment(record.epoch_time_us), moment(record.watermark_us)
    return _row(str(record.epoch), record.kind, time, f"{rows:,}", str(len(record.outputs)), watermark, balance)


def _deed(record: Manifest) -> str:
    """What a record that is neither work nor hand-over did."""
    if record.seals:
        return f": {len(record.seals)} sealed files, {sum(file.rows for file in record.seals):,} rows"
    if record.reset is None:
        return f": {'; '.join(record.changes)}" if record.changes else ""
    if record.reset.how == "positions":
        return ": reads on at other offsets"
    to = "the beginning" if record.reset.to < 0 else f"record {record.reset.to}"
    if record.reset.how == "in_place":
        return f": back to {to}; {len(record.reset.retracted)} files taken back"
    return f": back to {to}, in tables __g{record.generation}"


def _row(epoch: str, kind: str, time: str, rows: str, files: str, watermark: str, balance: str) -> str:
    return f"{epoch:>7}  {kind:<8} {time:<20} {rows:>9} {files:>6}  {watermark:<20}  {balance}"
