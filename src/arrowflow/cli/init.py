"""`arrowflow init`: a commented configuration to start from."""

from __future__ import annotations

import shlex
from typing import IO

import click


@click.command("init")
@click.argument("path", default="pipeline.toml", type=click.Path(dir_okay=False))
@click.option("--force", is_flag=True, help="Write over a file that exists.")
def command(*, path: str, force: bool) -> None:
    """Write a commented configuration to PATH (pipeline.toml).

    It runs as it stands, on an embedded broker with sample data; the comments say what to change.
    """
    import importlib.resources
    from pathlib import Path

    from arrowflow.errors import ConfigError

    text = (importlib.resources.files("arrowflow.cli") / "starter.toml").read_text(encoding="utf-8")
    try:
        with Path(path).open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            _write(file, text, path, keep=force)
    except FileExistsError:
        raise ConfigError(
            f"{path} exists and was left alone; choose another name, or write over it with --force"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    click.echo(f"wrote {path}; next: arrowflow run {shlex.quote(path)} --until-caught-up --close-open-windows")


def _write(file: IO[str], text: str, path: str, *, keep: bool) -> None:
    """Write all of it; half a file of ours would keep the next `init` from writing a whole one."""
    import os

    try:
        file.write(text)
        file.flush()
    except BaseException:
        if not keep:
            os.unlink(path)  # noqa: PTH108
        raise
