"""`arrowflow chaos`: attack a configuration of the user's own in a scratch folder, or list the points of attack."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arrowflow.cli.session import Session

if TYPE_CHECKING:
    from arrowflow.testing.chaos.rehearsal import Rehearsal

_WRONG = 1
_SHOWN = 10


@click.command("chaos")
@click.argument("config", type=click.Path(), required=False)
@click.option("--histories", type=click.IntRange(min=0), default=25, show_default=True, help="Simulated histories.")
@click.option("--kills", type=click.IntRange(min=0), default=8, show_default=True, help="Real processes to kill.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="What the dice begin with.")
@click.option("--rows", type=click.IntRange(min=1), default=1000, show_default=True, help="Records to read, at most.")
@click.option("--archive", type=click.Path(), multiple=True, help="Records of your own, as [source.replay] reads them.")
@click.option("--list", "listing", is_flag=True, help="List the points where a run can be made to fail.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def command(
    session: Session,
    *,
    config: str | None,
    histories: int,
    kills: int,
    seed: int,
    rows: int,
    archive: tuple[str, ...],
    listing: bool,
    as_json: bool,
) -> None:
    """Attack the pipeline in CONFIG, and compare its tables with those of a run to which nothing happens.

    The pipeline reads its sample, or an --archive; log and tables lie in a scratch folder that is deleted afterwards.
    No broker is asked and your lake is not touched. Some of --kills processes are killed (SIGKILL) at points the dice
    choose, one in three is frozen (SIGSTOP) until another has taken over. Then --histories are simulated: several
    writers that die, sleep and contend, over a store and a source that fail. Exit code 1 if a row was lost, doubled
    or changed; the seed that is printed does it again.

    With --list: the points. Arm them with ARROWFLOW_FAILPOINTS=name:hit:action,… where action is kill, stop, raise,
    delay, enospc; lost or duplicate at the points marked lost; torn at those marked torn.
    ARROWFLOW_FAILPOINT_TRACE=FILE writes down each point passed.
    """
    if listing:
        _list(as_json=as_json)
        return
    if config is None:
        raise click.UsageError("name a configuration to attack, or say --list")
    from arrowflow.testing.chaos.rehearsal import rehearse

    pipeline = session.load(config)
    session.keep_secret(pipeline)
    report = Report(config, seed)
    attack_all(rehearse(pipeline, archive, rows), report, kills=kills, histories=histories)
    click.echo(json.dumps(report.data()) if as_json else session.clean(report.text()))
    for line in report.wrong[:_SHOWN]:
        click.echo(session.clean(line), err=True)
    if report.wrong:
        raise click.exceptions.Exit(_WRONG)


@dataclass(slots=True)
class Report:
    """What was tried, and what was found."""

    config: str
    seed: int
    records: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def data(self) -> dict[str, object]:
        """As plain values."""
        return {"config": self.config, "seed": self.seed, "records": self.records, **self.counts, "wrong": self.wrong}

    def text(self) -> str:
        """In a line."""
        told = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in self.counts.items())
        found = f"{len(self.wrong)} wrong" if self.wrong else "no row lost, doubled or changed"
        return f"{self.config}, {self.records:,} records, seed {self.seed}: {told}: {found}"


def attack_all(rehearsal: Rehearsal, report: Report, *, kills: int, histories: int) -> None:
    """Kill, then simulate; everything goes into `report`."""
    from arrowflow.testing.chaos.histories import attack, reference
    from arrowflow.testing.chaos.killing import campaign

    report.records = len(rehearsal.records)
    again = f"again: arrowflow chaos {report.config} --rows {len(rehearsal.records)}"
    if kills:
        with tempfile.TemporaryDirectory(prefix="arrowflow-chaos-") as scratch:
            tell = lambda line: click.echo(line, err=True)  # noqa: E731 - progress, one line a victim
            done = campaign(rehearsal, report.config, Path(scratch), kills, report.seed, tell)
        report.counts |= {"killed": done.killed, "frozen_and_fenced": done.fenced, "ended_before": done.unharmed}
        report.wrong += [f"{line}; {again} --seed {report.seed} --kills {kills} --histories 0" for line in done.wrong]
    if not histories:
        return
    judge = reference(rehearsal)
    report.counts |= dict.fromkeys(("histories", "crashes", "freezes", "faults"), 0)
    for seed in range(report.seed, report.seed + histories):
        verdict = attack(rehearsal, judge, seed)
        report.counts["histories"] += 1
        for name in ("crashes", "freezes", "faults"):
            report.counts[name] += getattr(verdict, name)
        report.wrong += [
            f"seed {seed}: {line}; {again} --seed {seed} --histories 1 --kills 0" for line in verdict.wrong
        ]


def _list(*, as_json: bool) -> None:
    from arrowflow.failpoints import REGISTRY, UPLOADS

    if as_json:
        rows = [
            {"name": name, "when": when, "lost": lost, "torn": name in UPLOADS}
            for name, (when, lost) in REGISTRY.items()
        ]
        click.echo(json.dumps(rows))
        return
    width = max(map(len, REGISTRY))
    for name, (when, lost) in REGISTRY.items():
        marks = f"{'lost' if lost else '':<4} {'torn' if name in UPLOADS else '':<4}"
        click.echo(f"{name:<{width}}  {marks}  {when}")
