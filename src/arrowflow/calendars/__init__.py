"""Zones, shifts and production days as sorted boundary arrays; the window core sees only those arrays."""

from arrowflow.calendars.digest import boundary_digest
from arrowflow.calendars.plant import PlantCalendar, UnitCalendar
from arrowflow.calendars.shifts import ShiftPlan
from arrowflow.calendars.zones import MINIMUM_TZDATA, check_tzdata, tzdata_version

__all__ = [
    "MINIMUM_TZDATA",
    "PlantCalendar",
    "ShiftPlan",
    "UnitCalendar",
    "boundary_digest",
    "check_tzdata",
    "tzdata_version",
]
