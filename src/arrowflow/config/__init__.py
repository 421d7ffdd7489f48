"""TOML files to pipelines: every mistake at once, each with its place. The only room that names concrete adapters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from arrowflow.config.problem import InvalidConfig, Problem

if TYPE_CHECKING:
    from arrowflow.config.sections import Sections
    from arrowflow.pipeline import Pipeline

__all__ = ["InvalidConfig", "Problem", "check", "json_schema", "load", "read"]


def load(path: str | Path, env: Mapping[str, str] | None = None) -> Pipeline:
    """Return the pipeline a TOML file describes.

    Parameters
    ----------
    path : str or Path
        The file. Relative paths inside it count from the current folder.
    env : Mapping or None
        Where ``${NAME}`` and secrets are looked up; the process's environment for None.

    Raises
    ------
    InvalidConfig
        With everything that is wrong, in the order of the file.
    """
    from arrowflow.config.reader import load_pipeline

    return load_pipeline(path, _environment(env))


def check(path: str | Path, env: Mapping[str, str] | None = None) -> list[Problem]:
    """Return everything that is wrong with a file, in its order; empty if it can run. Connects to nothing."""
    try:
        read(path, env)
    except InvalidConfig as error:
        return list(error.problems)
    return []


def read(path: str | Path, env: Mapping[str, str] | None = None) -> Sections:
    """Return the checked sections of a file, for tools that explain them. Raises `InvalidConfig`."""
    from arrowflow.config.reader import read_checked

    return read_checked(path, _environment(env))


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of a configuration file, for editors."""
    from arrowflow.config.reader import file_schema

    return file_schema()


def _environment(env: Mapping[str, str] | None) -> Mapping[str, str]:
    if env is not None:
        return env
    import os

    return os.environ
