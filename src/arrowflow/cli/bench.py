"""`arrowflow bench`: the parts and the whole job timed, each with a checked answer; a table, a plot, a file to compare with."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arrowflow.cli.output import say
from arrowflow.errors import ConfigError

if TYPE_CHECKING:
    from arrowflow.bench.results import Result

FELL = 1
"""Exit code of a comparison in which a line fell below ``--fail-below``."""


@click.command("bench")
@click.argument("config", type=click.Path(path_type=Path), default=Path("configs/gold.toml"))
@click.option("--only", "names", multiple=True, metavar="NAME", help="decode, windows, commit or job; may be repeated.")
@click.option("--rows", default=400_000, show_default=True, help="Records of each run.")
@click.option("--runs", default=3, show_default=True, help="How often each is timed, in turn, after one untimed run.")
@click.option("--brokers", help="For the job: a broker without the sample's topics; by default an embedded one.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep the raw result in this file.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the result into this SVG file.")
@click.option("--compare", type=click.Path(path_type=Path), help="Print ratios to a result kept by --out.")
@click.option(
    "--fail-below", type=float, help="With --compare: exit with 1 if a rate fell below this share of what it was."
)
@click.option("--json", "as_json", is_flag=True, help="Print the raw result.")
def command(
    config: Path,
    *,
    names: tuple[str, ...],
    rows: int,
    runs: int,
    brokers: str | None,
    out: Path | None,
    plot: Path | None,
    compare: Path | None,
    fail_below: float | None,
    as_json: bool,
) -> None:
    """Time decoding, windows, commits and the whole job of CONFIG beside a loop that only consumes.

    CONFIG is one of the configurations whose answers are known. Every answer is checked before a figure is printed: a run with a
    wrong one ends with an error and no figures.
    """
    from arrowflow.bench.machine import this_machine
    from arrowflow.bench.results import read
    from arrowflow.bench.roster import Asked, chosen, measured, result_of

    _refuse(compare, fail_below, [("--out", out), ("--plot", plot)])
    earlier = read(compare) if compare else None  # before minutes are spent
    wanted, machine, lines = chosen(names), this_machine(), []
    for name, found in measured(wanted, Asked(rows, runs, config, brokers)):
        lines += found
        say(f"{name}: {len(found)} answers checked")
    words = ["arrowflow", "bench", str(config), *(word for name in names for word in ("--only", name))]
    words += ["--rows", str(rows), "--runs", str(runs), *(["--brokers", "HOST:PORT"] if brokers else [])]
    result = result_of("arrowflow bench", shlex.join(words), lines, machine)
    _keep(result, out, plot)
    _print(result, as_json=as_json)
    if earlier is not None and compare is not None:
        _beside(result, earlier, compare, fail_below, as_json=as_json)


def _refuse(compare: Path | None, fail_below: float | None, files: list[tuple[str, Path | None]]) -> None:
    if fail_below is not None and compare is None:
        raise ConfigError("--fail-below compares with an earlier result: name it with --compare FILE")
    if fail_below is not None and fail_below <= 0:
        raise ConfigError(
            f"--fail-below {fail_below:g} is no share of an earlier rate: give a number above 0, such as 0.9"
        )
    for option, file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise ConfigError(f"{option} {str(file)!r}: there is no folder {str(file.parent)!r}; make it first")


def _keep(result: Result, out: Path | None, plot: Path | None) -> None:
    from arrowflow.bench.plot import bars_svg
    from arrowflow.bench.results import save

    if out is not None:
        save(result, out)
        say(f"the raw result is in {out}")
    if plot is not None:
        plot.write_text(bars_svg(result), encoding="utf-8")
        say(f"the plot is in {plot}")


def _print(result: Result, *, as_json: bool) -> None:
    import msgspec

    from arrowflow.bench.chart import about, table

    if as_json:
        click.echo(msgspec.json.encode(result))
        return
    for line in (*about(result), "", *table(result)):
        click.echo(line)


def _beside(result: Result, earlier: Result, file: Path, floor: float | None, *, as_json: bool) -> None:
    from arrowflow.bench.chart import beside
    from arrowflow.bench.compare import compare

    comparison = compare(result, earlier)
    for line in ("", *beside(comparison, f"{file.name} of {earlier.date}")):
        click.echo(line, err=as_json)
    fallen = comparison.below(floor) if floor is not None else []
    for ratio in fallen:
        say(f"{ratio.name}: {ratio.rate:.2f} of the rate it had, below {floor:g}")
    if fallen:
        click.get_current_context().exit(FELL)
