"""Local date and hour of instants, for path columns. Never decides where a window begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from arrowflow.calendars.offsets import DAY_US, FIRST_US, HOUR_US, LAST_US, ZoneOffsets
from arrowflow.calendars.zones import load_offsets
from arrowflow.types import I64


@dataclass(frozen=True, slots=True)
class ZonedCivilTime:
    """Implements `protocols.CivilTime`: the zone is picked by the value of column `key`.

    Parameters
    ----------
    key : str
        Column name.
    zones : mapping of str to str
        Key value to IANA zone; a value not in it, or null, is UTC.
    """

    key: str
    zones: Mapping[str, str]
    _offsets: dict[str, ZoneOffsets] = field(default_factory=dict, init=False, repr=False, compare=False)

    def civil(self, key: str | None, us: I64) -> tuple[np.ndarray, np.ndarray]:
        """Return (days since 1970-01-01, hour 0-23), each int32[n], of each instant in that key's zone.

        Instants before the year 1 or after 9999 are taken as the first or last of that range.
        """
        local = np.clip(np.asarray(us, np.int64), FIRST_US, LAST_US)
        if key is not None and key in self.zones:
            local = local + self._zone(self.zones[key]).at(local)
        return (local // DAY_US).astype(np.int32), (local % DAY_US // HOUR_US).astype(np.int32)

    def fingerprint(self) -> Mapping[str, object]:
        """The column and the zones."""
        return {"key": self.key, "zones": dict(sorted(self.zones.items()))}

    def _zone(self, name: str) -> ZoneOffsets:
        if name not in self._offsets:
            self._offsets[name] = load_offsets(name)
        return self._offsets[name]
