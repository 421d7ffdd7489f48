"""Writers' schemas from files: what is taken, and what a file or folder that holds none is told."""

import pytest

from arrowflow.decoders.avro.files import read_schema, read_schemas
from arrowflow.errors import ConfigError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "7.avsc").write_text('"long"', encoding="utf-8")
    (tmp_path / "12.avsc").write_bytes(b'\xef\xbb\xbf"int"')
    (tmp_path / "README.md").write_text("not a schema", encoding="utf-8")
    return tmp_path


def test_a_folder_gives_its_schemas_by_id_and_other_files_are_left_aside(folder):
    assert read_schemas(str(folder)) == {7: '"long"', 12: '"int"'}


def test_a_file_gives_the_one_schema_of_its_id(folder):
    assert read_schemas(str(folder / "7.avsc")) == {7: '"long"'}


def test_records_without_framing_have_the_schema_of_one_file_of_any_name(folder):
    (folder / "any.json").write_text('"long"', encoding="utf-8")

    assert read_schema(str(folder / "any.json")) == '"long"'


@pytest.mark.parametrize("name", ["v1.avsc", "-1.avsc", "07.avsc", "4294967296.avsc", "١.avsc", "1.0.avsc", ".avsc"])
def test_a_file_whose_name_is_no_id_is_refused(folder, name):
    (folder / name).write_text('"long"', encoding="utf-8")
    if name == ".avsc":
        assert read_schemas(str(folder)) == {7: '"long"', 12: '"int"'}
        return
    with pytest.raises(ConfigError, match=r'named after its id, such as 7\.avsc.* framing = "none"'):
        read_schemas(str(folder))


@pytest.mark.parametrize(
    ("read", "path", "sentence"),
    [
        (read_schemas, "none", "is not there: write a folder with a file <id>.avsc for each schema"),
        (read_schemas, "empty", "holds no schema: put a file <id>.avsc there"),
        (read_schemas, "README.md", "named after its id"),
        (read_schema, "", "is a folder, and records without framing do not say"),
        (read_schema, "none", "cannot be read: No such file"),
        (read_schema, "latin.avsc", "is not UTF-8"),
    ],
)
def test_a_path_without_schemas_is_refused_with_what_to_do(folder, read, path, sentence):
    (folder / "empty").mkdir()
    (folder / "latin.avsc").write_bytes(b'"\xe9"')
    if path == "empty":
        (folder / "empty" / "7.json").write_text('"long"', encoding="utf-8")
    with pytest.raises(ConfigError, match=sentence):
        read(str(folder / path))
