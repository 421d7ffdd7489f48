"""What results depend on, as data that can be compared field by field. Sizes, intervals and addresses are not in it."""

from __future__ import annotations

import hashlib
import re
from importlib import metadata

import msgspec

from arrowflow.errors import StateRefused
from arrowflow.phases.changes import ABSENT, Difference, duration, told
from arrowflow.pipeline import Pipeline
from arrowflow.types import Fingerprint

_ROSTER = "operator.roster.keys."


def fingerprint_of(pipeline: Pipeline) -> Fingerprint:
    """Compute a pipeline's fingerprint."""
    query = msgspec.json.decode(msgspec.json.encode(pipeline.query(), order="deterministic"))
    digest = hashlib.sha256(msgspec.json.encode(query, order="deterministic")).hexdigest()
    return Fingerprint(
        semantic=digest,
        query=query,
        engine=metadata.version("arrowflow"),
        tzdata=_tzdata_version(),
        tolerances=dict(pipeline.tolerances()),
    )


def _tzdata_version() -> str:
    """The installed zone database; whoever uses a zone has refused a missing one by now."""
    try:
        return metadata.version("tzdata")
    except metadata.PackageNotFoundError:
        return "none"


def refuse_older_zones(old: Fingerprint, new: Fingerprint) -> None:
    """Raise `StateRefused` if the records know a newer zone database: a clock change it told of would be forgotten."""
    if _numbers(new.tzdata) < _numbers(old.tzdata):
        raise StateRefused(
            f"the records were made with time zones of tzdata {old.tzdata}, installed is {new.tzdata}: boundaries of open "
            f"windows may lie elsewhere in it. Install it with: pip install 'tzdata>={old.tzdata}'"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def refuse_other_query(old: Fingerprint, new: Fingerprint) -> None:
    """Raise `StateRefused` with every field that differs, unless the change only adds.

    A new sink, a new optional column and the schema of records that could not be read change no result that exists, and other keys on a roster only those of windows
    that are still to be given out, so they are let through.
    """
    if old.semantic == new.semantic:
        return
    moved = [change for change in differences(old.query, new.query) if not is_additive(change)]
    if moved:
        lines = "\n".join(f"  {line}" for line in told(old.query, new.query, moved))
        raise StateRefused(
            f"the stored state was made by another query:\n{lines}\n"
            "Put the fields back; or make all results anew by the changed query, in tables of a new generation: "
            "`arrowflow reset CONFIG --to-start`; or give the changed pipeline a name, a checkpoint path and table roots of "
            "its own"
        )


def changes(old: Fingerprint, new: Fingerprint) -> list[str]:
    """Say what `new` changes about results or clocks, a line each; empty if it is the same query and patience."""
    lines = [] if old.semantic == new.semantic else told(old.query, new.query, differences(old.query, new.query))
    for name in sorted({*old.tolerances, *new.tolerances}):
        before, after = old.tolerances.get(name, 0), new.tolerances.get(name, 0)
        if before != after:
            section = "window" if name == "allowed_lateness_us" else "event_time"
            lines.append(f"{section}.{name.removesuffix('_us')}: {duration(before)} -> {duration(after)}")
    return lines


def other_keys(old: Fingerprint, new: Fingerprint) -> str | None:
    """Say that the roster lists other keys than it did; None if it does not, or there is none."""
    changed = {path: values for path, *values in differences(old.query, new.query) if path.startswith(_ROSTER)}
    if not changed:
        return None
    counts = changed.get(f"{_ROSTER}count")
    how_many = "as many" if counts is None else f"{counts[1]}, and {counts[0]} then"
    return (
        f"the roster lists other keys than when the newest record was written ({how_many}): windows that have not come out "
        "yet count against the new list"
    )


def is_additive(change: Difference) -> bool:
    """Whether a change leaves every existing result and state as it is."""
    path, before, after = change
    if path.startswith(_ROSTER):
        return True
    if before != ABSENT and after != ABSENT:
        return False
    if path.startswith("sinks.") and path.count(".") == 1:
        return True
    if path.startswith("decoder.schemas.") and path.count(".") == 2 and before == ABSENT:
        return True
    added_field = path.startswith("decoder.fields.") and path.count(".") == 2 and before == ABSENT
    return added_field and isinstance(after, dict) and not after.get("required", True)


def differences(old: object, new: object, path: str = "") -> list[Difference]:
    """List (path, old, new) for every leaf or branch that differs; lists of named things compare by name."""
    old, new = _by_name(old), _by_name(new)
    if isinstance(old, dict) and isinstance(new, dict):
        found: list[Difference] = []
        for key in sorted({*old, *new}):
            found += differences(old.get(key, ABSENT), new.get(key, ABSENT), f"{path}.{key}" if path else key)
        return found
    return [] if old == new else [(path, old, new)]


def _by_name(value: object) -> object:
    if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        return {str(item["name"]): item for item in value}
    return value
