"""`arrowflow sample`: a deterministic stream as an archive, and its right answer."""

from __future__ import annotations

import errno
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

import click


@click.command("sample")
@click.argument("name")
@click.option(
    "--out", default="-", type=click.Path(allow_dash=True), help="NDJSON file, stdout by default; turbines: a folder."
)
@click.option("--rows", type=click.IntRange(min=0), help="How many records; each sample has its own default.")
@click.option("--seed", type=int, help="Another seed is another stream of the same kind.")
@click.option("--answer", "answer_file", type=click.Path(dir_okay=False), help="Also write the right result, as JSON.")
@click.option("--config", help="The config the answer is for, such as temperature; each sample has its own default.")
@click.option("--wheel", default="openoa", help="turbines: the openoa wheel file, or the installed distribution.")
def command(
    *, name: str, out: str, rows: int | None, seed: int | None, answer_file: str | None, config: str | None, wheel: str
) -> None:
    """Write the sample NAME (production, scada, orders, order_events, scada_avro): one record a line, with its topic, partition and offset.

    [source.replay] reads such a file. The same name, rows and seed give the same bytes everywhere.
    NAME turbines takes real wind-turbine data out of the openoa wheel into the folder --out.
    """
    if name == "turbines":
        _write_turbines(wheel, "archive/turbines" if out == "-" else out, answer_file)
        return
    from arrowflow.errors import ConfigError
    from arrowflow.samples import answer, stream, write_ndjson

    records = stream(name, rows=rows, seed=seed)
    try:
        with _text(out) as file:
            lines = write_ndjson(records, file)
            file.flush()
        click.echo(f"{lines:,} records to {'stdout' if out == '-' else out}", err=True)
        if answer_file is not None:
            with _text(answer_file) as file:
                json.dump(
                    answer(name, rows=rows, seed=seed, config=config), file, indent=1, ensure_ascii=False, default=str
                )
                file.write("\n")
            click.echo(f"answer to {answer_file}", err=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        place = error.filename or ("stdout" if out == "-" else out)
        raise ConfigError(f"{place} cannot be written: {error.strerror}") from None


def _text(path: str) -> AbstractContextManager[IO[str]]:
    if path == "-":
        if sys.stdout is None:
            raise OSError(errno.EBADF, "it is closed", "stdout")
        return nullcontext(sys.stdout)
    return Path(path).open("w", encoding="utf-8", newline="\n")


def _write_turbines(wheel: str, folder: str, answer_file: str | None) -> None:
    from arrowflow.samples.turbines import turbines_answer, write_turbines

    archive = write_turbines(wheel, folder)
    click.echo(f"{archive.rows:,} records to {folder}", err=True)
    if answer_file is not None:
        with _text(answer_file) as file:
            json.dump(turbines_answer(wheel), file, indent=1)
            file.write("\n")
        click.echo(f"answer to {answer_file}", err=True)
