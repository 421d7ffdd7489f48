"""The table of configurations has every one of them, with the columns that come out of it and the samples it reads."""

import re

from tests.docs.blocks import ROOT

from arrowflow.config import build, load, read
from arrowflow.samples import CONFIGS, NAMES, stream

PAGE = (ROOT / "docs" / "samples.md").read_text(encoding="utf-8")
FILES = {file.name: file for file in (ROOT / "configs").glob("*.toml")}


def lines(heading):
    """The cells of each line of the first table under a heading, its own head left out."""
    part = PAGE.partition(f"# {heading}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", part, re.MULTILINE).group()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


def words(cell):
    return re.findall(r"`(\w+(?:\.toml)?)`", cell)


def test_every_configuration_is_listed_with_the_columns_of_its_results():
    listed = {re.search(r"\[(\S+\.toml)\]", cells[0])[1]: words(cells[-1]) for cells in lines("The configurations")}

    results = {name: build.result_schema(read(file, {})).names for name, file in FILES.items()}
    assert listed == {
        name: [column for column in columns if not column.startswith("__af_")] for name, columns in results.items()
    }


def test_every_sample_is_listed_with_its_size_and_the_configurations_that_read_it():
    table = {words(cells[0])[0]: cells for cells in lines("Sample streams and their answers")}

    assert set(table) == {*NAMES, "turbines"}
    for name in NAMES:
        assert table[name][2] == f"{len(list(stream(name).records())):,}"
    readers = {file: name for name, cells in table.items() for file in words(cells[3])}
    assert set(readers) == set(FILES)
    assert all(readers[f"{config}.toml"] == name for config, name in CONFIGS.items())
    for file in set(FILES) - {"turbines.toml"}:
        (topic,) = load(FILES[file], {}).source.spec.embedded.sample.partitions
        assert table[readers[file]][1] == f"`{topic}`"
