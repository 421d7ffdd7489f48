"""Which keys and values the models allow at a place in a file; for hints only, it checks nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from arrowflow.config.problem import Path
from arrowflow.config.settings import Settings

Annotation = Any
"""What stands after the colon of a model's field; the type system has no narrower name for it."""


def field_at(path: Path) -> FieldInfo | None:
    """Return what the models say about the key at `path`; None if it is no key of theirs."""
    model: Annotation = Settings
    info: FieldInfo | None = None
    for part in path:
        fields = model_fields(model)
        if fields:
            info = fields.get(str(part))
            if info is None:
                return None
            model = info.annotation
        else:
            model, info = _inner(model), None
    return info


def keys_at(path: Path) -> list[str]:
    """Return the keys that the table at `path` may have; none if its keys are names users give."""
    model: Annotation = Settings
    for part in path:
        fields = model_fields(model)
        if fields and str(part) not in fields:
            return []
        model = fields[str(part)].annotation if fields else _inner(model)
    return list(model_fields(model))


def forms_at(path: Path) -> dict[str, list[str]]:
    """Return the keys of each form that the output at `path` may have, by the form's tag."""
    model: Annotation = Settings
    for part in path:
        fields = model_fields(model)
        model = fields[str(part)].annotation if fields else _inner(model)
    forms = [get_args(option) for option in _options(model)]
    return {form[1].tag: list(model_fields(form[0])) for form in forms if len(form) == 2 and isinstance(form[1], Tag)}


def choices_at(path: Path) -> list[str]:
    """Return the values allowed at `path`, if it takes one of a few."""
    info = field_at(path)
    return [str(choice) for choice in _literals(info.annotation)] if info is not None else []


def model_fields(annotation: Annotation) -> dict[str, FieldInfo]:
    """Return the keys of a section by the name they have in the file, those of every form it may have."""
    found: dict[str, FieldInfo] = {}
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            found = {info.alias or name: info for name, info in option.model_fields.items()} | found
    return found


def _options(annotation: Annotation) -> Iterator[Annotation]:
    """Yield an annotation and what it is made of, but not what a container holds."""
    yield annotation
    if not _is_container(annotation):
        for option in get_args(annotation):
            yield from _options(option)


def _inner(annotation: Annotation) -> Annotation:
    """Return what a list or a table of named things is made of."""
    for option in (annotation, *get_args(annotation)):
        if _is_container(option):
            item = get_args(option)[-1]
            return get_args(item)[0] if get_origin(item) is Annotated else item
    return None


def _is_container(annotation: Annotation) -> bool:
    origin: object = get_origin(annotation)
    return origin is dict or origin is list


def _literals(annotation: Annotation) -> tuple[object, ...]:
    for option in (annotation, *get_args(annotation)):
        if get_origin(option) is Literal:
            return get_args(option)
    return ()
