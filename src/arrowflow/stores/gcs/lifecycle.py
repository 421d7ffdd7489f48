"""Lifecycle rules for the tables of a bucket, as the service takes them; pure data, nothing is asked or changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arrowflow.errors import ConfigError
from arrowflow.stores.gcs.address import Address
from arrowflow.stores.gcs.rules import deletes_below

Rules = dict[str, list[dict[str, dict[str, object]]]]


@dataclass(frozen=True, slots=True)
class Ages:
    """Days after its publication at which an object becomes cold, is archived and is deleted; None for never."""

    cold: int | None = 30
    archive: int | None = 365
    delete: int | None = 2555


def lifecycle(tables: Sequence[Address], control: Address, ages: Ages) -> Rules:
    """Return the rules for `tables` alone, which leave everything below `control` as it is.

    Raises
    ------
    ConfigError
        For ages that do not grow, for no age at all, and for a table from which the control prefix could be reached.
    """
    steps = [
        ({"type": "SetStorageClass", "storageClass": "COLDLINE"}, ages.cold),
        ({"type": "SetStorageClass", "storageClass": "ARCHIVE"}, ages.archive),
        ({"type": "Delete"}, ages.delete),
    ]
    given = [age for _, age in steps if age is not None]
    if not given or given != sorted(set(given)) or given[0] < 1:
        raise ConfigError("say ages in days that grow, from 1 on: --cold, then --archive, then --delete")
    prefixes = sorted(table.folder for table in tables)
    rules: Rules = {
        "rule": [
            {"action": dict(action), "condition": {"age": age, "matchesPrefix": list(prefixes)}}
            for action, age in steps
            if age is not None
        ]
    }
    for rule in rules["rule"]:
        if "" in prefixes or deletes_below({**rule, "action": {"type": "Delete"}}, control.folder):
            raise ConfigError(
                f"a rule for {prefixes} would reach {control}, where records and state must outlive every rule"
            )
    return rules
