"""The zone database: the pinned wheel and nothing else."""

import importlib.resources
import sys
import tomllib
from pathlib import Path

import pytest

from arrowflow.calendars import MINIMUM_TZDATA, PlantCalendar, check_tzdata, tzdata_version, zones
from arrowflow.errors import ConfigError


@pytest.fixture
def old_database(tmp_path, monkeypatch):
    """A package like tzdata whose Mexico City still follows Chicago's clock, as it would had nobody updated it."""
    chicago = importlib.resources.files("tzdata").joinpath("zoneinfo", "America", "Chicago").read_bytes()

    def make(name, version):
        folder = tmp_path / name / "zoneinfo" / "America"
        folder.mkdir(parents=True)
        (folder / "Mexico_City").write_bytes(chicago)
        (tmp_path / name / "zones").write_text("America/Mexico_City\n")
        (tmp_path / name / "__init__.py").write_text(f"__version__ = {version!r}\n")
        monkeypatch.syspath_prepend(tmp_path)
        return name

    return make


def test_row_32_a_missing_database_stops_the_start_and_names_the_version_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tzdata", None)

    with pytest.raises(ConfigError, match=rf"is missing: arrowflow needs {MINIMUM_TZDATA} or newer.*pip install"):
        PlantCalendar("planta", {"tijuana": "America/Tijuana"})


def test_row_32_a_database_with_an_old_version_number_is_refused(old_database):
    with pytest.raises(ConfigError, match=rf"tzdata 2022\.1 is too old: arrowflow needs {MINIMUM_TZDATA} or newer"):
        check_tzdata(package=old_database("tzdata_of_2022", "2022.1"))


def test_row_32_a_database_that_does_not_know_mexicos_abolition_is_refused_whatever_it_says(old_database):
    with pytest.raises(ConfigError, match="America/Mexico_City still has daylight saving time in 2023"):
        check_tzdata(package=old_database("tzdata_that_lies", "2099.1"))


def test_row_32_the_installed_database_is_accepted():
    assert check_tzdata() == tzdata_version()


def test_the_minimum_is_the_one_the_project_asks_for():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]

    assert f"tzdata>={MINIMUM_TZDATA}" in project["dependencies"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("America/Tijuanna", "did you mean 'America/Tijuana'"),
        ("america/tijuana", "did you mean"),
        ("/etc/passwd", "names look like"),
        ("../zones", "is not in tzdata"),
        ("America/../Europe/Berlin", "is not in tzdata"),
        ("", "names look like"),
        ("CST6CDT\0", "is not in tzdata"),
    ],
)
def test_a_name_that_is_not_listed_is_never_opened(name, hint):
    with pytest.raises(ConfigError, match=hint):
        zones.load(name)


def test_the_machines_own_zone_files_are_not_read(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONTZPATH", str(tmp_path))
    import zoneinfo

    zoneinfo.reset_tzpath([str(tmp_path)])
    try:
        assert zones.load("America/Tijuana").key == "America/Tijuana"
    finally:
        zoneinfo.reset_tzpath()


def test_every_zone_of_the_database_loads():
    assert len(zones.zone_names()) > 400
    for name in zones.zone_names():
        assert zones.load_offsets(name).zone.key == name
