"""What a bucket must be like for a job's records to be safe in it; reads its metadata, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arrowflow.errors import ConfigError
from arrowflow.stores.gcs.address import Address

_ENDINGS = (".json", ".arrow", ".parquet")
"""Of everything a job keeps in its control prefix."""

_ONLY_OLD_VERSIONS = ("daysSinceNoncurrentTime", "noncurrentTimeBefore", "numNewerVersions")


def check_bucket(facts: Mapping[str, Any], control: Address) -> None:
    """Raise `ConfigError`, which names the bucket and the setting, where its `facts` (as the service tells them) rule it out."""
    bucket = f"gs://{control.bucket}"
    if str(facts.get("locationType", "")).lower() == "zone":
        raise ConfigError(
            f'{bucket} is a zonal bucket (location type "zone"): its writes are not held to preconditions the way a commit '
            "needs; use a bucket in a region, a dual-region or a multi-region"
        )
    if facts.get("retentionPolicy"):
        raise ConfigError(
            f"{bucket} has a retention policy, under which staged files cannot be moved to their final names: keep the "
            "lake in a bucket without one"
        )
    if facts.get("defaultEventBasedHold"):
        raise ConfigError(
            f"{bucket} puts an event-based hold on every new object, so that none can be moved: switch the default hold off"
        )
    rules = facts.get("lifecycle") or {}
    for rule in rules.get("rule", ()):
        if deletes_below(rule, control.folder):
            raise ConfigError(
                f"{bucket} has a lifecycle rule that deletes objects below {control}: {_shown(rule)}. Records and state must "
                "outlive every rule; limit the rule to the tables with matchesPrefix"
            )


def deletes_below(rule: Mapping[str, Any], folder: str) -> bool:
    """Whether a lifecycle rule may ever delete a live object whose name begins with `folder`."""
    if (rule.get("action") or {}).get("type") != "Delete":
        return False
    condition = rule.get("condition") or {}
    if condition.get("isLive") is False or any(name in condition for name in _ONLY_OLD_VERSIONS):
        return False
    prefixes: Sequence[str] = condition.get("matchesPrefix") or ("",)
    suffixes: Sequence[str] = condition.get("matchesSuffix") or ("",)
    met = any(folder.startswith(prefix) or prefix.startswith(folder) for prefix in prefixes)
    return met and any(_share_an_end(suffix, ending) for suffix in suffixes for ending in _ENDINGS)


def _share_an_end(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)


def _shown(rule: Mapping[str, Any]) -> str:
    condition = rule.get("condition") or {}
    return ", ".join(f"{name} {value}" for name, value in sorted(condition.items())) or "always"
