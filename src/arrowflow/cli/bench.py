"""`arrowflow bench`: the whole job beside a loop that only consumes, with a checked answer."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("bench")
@click.argument("config", type=click.Path(path_type=Path), default=Path("configs/gold.toml"))
@click.option(
    "--rows", default=400_000, show_default=True, help="Records of the production sample to put in the topic."
)
@click.option("--runs", default=3, show_default=True, help="How often each of the two is timed, in turn.")
@click.option("--brokers", help="A broker that does not have the sample's topics yet; by default an embedded one.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(config: Path, *, rows: int, runs: int, brokers: str | None, as_json: bool) -> None:
    """Time the whole job of CONFIG beside a loop that only consumes, on one broker.

    CONFIG is a pipeline over the production sample. Both run in turn in this process; every run's rows are compared
    with the sample's answer before a figure is printed.
    """
    from arrowflow.bench import measure

    report = measure(config, rows=rows, runs=runs, brokers=brokers)
    if as_json:
        click.echo(json.dumps(report.as_dict()))
        return
    click.echo(f"{report.records:,} records, median of {report.runs} runs each, in turn; {report.machine}")
    click.echo(
        f"  only consume   {report.consume_records_per_s:>12,.0f} records/s  {report.consume_cpu_ns_per_record:>8,.0f} CPU ns/record"
    )
    click.echo(
        f"  the whole job  {report.job_records_per_s:>12,.0f} records/s  {report.job_cpu_ns_per_record:>8,.0f} CPU ns/record"
    )
    click.echo(
        f"  ratio          {report.ratio:>12.2f}  of the bare loop's rate; {report.rows_checked} result rows checked"
    )
