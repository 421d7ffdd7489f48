"""`arrowflow fsck`: whether records, state and tables of a pipeline are what they promise. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arrowflow.cli.session import Session
from arrowflow.errors import ConfigError, DataLossError, ObjectMissing

if TYPE_CHECKING:
    from arrowflow.audit import Files, Report
    from arrowflow.protocols import Store


@click.command("fsck")
@click.argument("where", type=click.Path())
@click.option("--deep", is_flag=True, help="Read the tables too: every byte, and no row twice.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def command(ctx: click.Context, *, where: str, deep: bool, as_json: bool) -> None:
    """Check records, state and tables of a pipeline; WHERE is its configuration or its checkpoint folder.

    Works beside a run. Exit code 6 says that something is wrong; each line names the invariant and the place.
    """
    from arrowflow.audit import audit

    session = ctx.ensure_object(Session)
    files, prefix, roots = _open(session, where)
    report = audit(files, prefix, roots=roots, deep=deep)
    if as_json:
        click.echo(json.dumps(report.as_data()))
    else:
        for line in _lines(report):
            click.echo(session.clean(line))
    if not report.clean:
        ctx.exit(DataLossError.exit_code)


def _open(session: Session, where: str) -> tuple[Files, str, Mapping[str, str]]:
    """Return the files, the control prefix in them, and the folders of tables that the configuration names."""
    from arrowflow.audit import LocalFiles
    from arrowflow.failpoints import Failpoints

    if Path(where).is_dir():
        if not (Path(where) / "manifests").is_dir():
            raise ConfigError(
                f"{where} is no checkpoint folder: it has no records in it; give a configuration file instead"
            )
        return LocalFiles(), str(Path(where).absolute()), {}
    pipeline = session.load(where)
    session.keep_secret(pipeline)
    _, control = pipeline.checkpoint.log.build(Failpoints())
    places = ((node.name, getattr(node.spec, "location", None)) for node in pipeline.sinks)
    roots = {name: place for name, place in places if isinstance(place, str)}
    local = control.prefix.startswith("/")
    return (LocalFiles() if local else StoreFiles(control.store)), control.prefix, roots


class StoreFiles:
    """What a store lists and reads, for the auditor; it tells no sizes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, folder: str) -> dict[str, int | None]:
        return dict.fromkeys(self._store.list(folder))

    def read(self, path: str) -> bytes:
        try:
            return self._store.read(path)
        except ObjectMissing as error:
            raise FileNotFoundError(str(error)) from error


def _lines(report: Report) -> list[str]:
    """One line per violation, then what was looked at and what merely lies there."""
    if report.head is None and report.clean:
        return ["no records yet: the pipeline has not run"]
    said = [str(finding) for finding in report.findings]
    read = f", {report.rows:,} rows read" if report.deep else ""
    looked = f"records {report.horizon} to {report.head}, {report.state_files:,} state files, {report.table_files:,} table files{read}"
    wrong = f"{len(report.findings)} violations" if report.findings else "in order"
    said.append(f"{report.job or report.prefix}: {looked}: {wrong}")
    if report.in_flight:
        said.append(
            f"in flight: {_some(report.in_flight)}, of a writer at work or one that died; the next start settles it"
        )
    if report.left_over:
        said.append(f"left over: {_some(report.left_over)}, needed by no record; a run collects them in time")
    return said


def _some(paths: list[str]) -> str:
    return f"{len(paths)} files ({paths[0]}{', …' if len(paths) > 1 else ''})"
