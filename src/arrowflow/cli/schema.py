"""`arrowflow schema`: the JSON Schema of a configuration file."""

from __future__ import annotations

import json

import click


@click.command("schema")
@click.option("--out", type=click.Path(dir_okay=False), help="Write it to a file instead.")
def command(*, out: str | None) -> None:
    """Print the JSON Schema of a configuration.

    Editors with a TOML language server complete and check keys with it: put `#:schema ./arrowflow.schema.json` on
    the first line of a configuration.
    """
    from pathlib import Path

    from arrowflow.config import json_schema

    text = json.dumps(json_schema(), indent=2)
    if out is None:
        click.echo(text)
    else:
        Path(out).write_text(text + "\n", encoding="utf-8")
        click.echo(f"wrote {out}", err=True)
