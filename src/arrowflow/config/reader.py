"""The way of a file: values, secrets out, variables in, sections, checks, pipeline. Reads files; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from arrowflow.config.build import build_pipeline
from arrowflow.config.checks import check_sections
from arrowflow.config.document import Document, read_document
from arrowflow.config.problem import InvalidConfig
from arrowflow.config.secrets import is_reference, take_out_raw
from arrowflow.config.sections import Sections, read_sections
from arrowflow.config.settings import Settings
from arrowflow.config.variables import fill_in
from arrowflow.errors import ConfigError
from arrowflow.pipeline import Pipeline


def load_pipeline(path: str | FilePath, env: Mapping[str, str]) -> Pipeline:
    """Return the pipeline of a file; raises `InvalidConfig`, also where an adapter refuses a setting."""
    sections = read_checked(path, env)
    try:
        return build_pipeline(sections, env)
    except InvalidConfig:
        raise
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_checked(path: str | FilePath, env: Mapping[str, str]) -> Sections:
    """Return the sections of a file; raises `InvalidConfig` with everything that is wrong."""
    document = read_document(path)
    problems = take_out_raw(document)
    problems += fill_in(document, env)
    flatten_properties(document)
    sections, wrong = read_sections(document)
    problems += wrong
    problems += check_sections(sections, document, env)
    if problems:
        raise InvalidConfig(sorted(dict.fromkeys(problems), key=lambda problem: problem.place))
    return sections


def flatten_properties(document: Document) -> None:
    """Give client settings their dotted names again: unquoted ``a.b = 1`` is a table within a table in TOML."""
    sinks = document.get("sink")
    tables: list[tuple[str, ...]] = [("source", source) for source in ("kafka", "replay")] + [
        ("late",),
        ("dead_letter",),
    ]
    tables += [("sink", name) for name in (sinks if isinstance(sinks, dict) else {})]
    for place in tables:
        above = document.get(*place)
        table = above.get("properties") if isinstance(above, dict) else None
        if not isinstance(table, dict):
            continue
        path = (*place, "properties")
        flat = dict(_leaves(table, ()))
        for parts in flat:
            for places in (document.keys, document.entries):
                found = places.get((*path, *parts))
                if found is not None:
                    places.setdefault((*path, ".".join(parts)), found)
        above["properties"] = {".".join(parts): value for parts, value in flat.items()}


def _leaves(table: dict[str, Any], above: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in table.items():
        if isinstance(value, dict) and value and not is_reference(value):
            found += _leaves(value, (*above, key))
        else:
            found.append(((*above, key), value))
    return found


def file_schema() -> dict[str, object]:
    """Return the JSON Schema of a file."""
    schema = Settings.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "arrowflow pipeline"}
