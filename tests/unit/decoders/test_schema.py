"""Fields and types are refused with the place, the value, what is allowed and a hint."""

import json

import pyarrow as pa
import pytest

from arrowflow.decoders.json import Field, JsonSpec
from arrowflow.decoders.schema import ALLOWED_TYPES, parse_type
from arrowflow.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("int46", "int64"),
        ("strng", "string"),
        ("timestamp[msec]", "timestamp[ms]"),
        ("Int64", "int64"),
        ("boolean", "bool"),
        ("double", None),
    ],
)
def test_an_unknown_type_names_the_column_the_nearest_type_and_all_allowed(text, near):
    with pytest.raises(ConfigError) as refused:
        Field("unidades", text)

    message = str(refused.value)
    assert "'unidades'" in message
    assert repr(text) in message
    assert all(allowed in message for allowed in ALLOWED_TYPES)
    assert (f"did you mean {near!r}?" in message) == (near is not None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "timestamp",
        "timestamp[]",
        "timestamp[iso,]",
        "timestamp[iso, America/Tijuana, earlier, x]",
        "timestamp[ms, UTC]",
        "timestamp[[ms]]",
        "int64 ",
        "list[int64]",
        "decimal",
        "decimal()",
        "decimal(12)",
        "decimal(12, 2",
        "decimal(2, 3)",
        "decimal(0, 0)",
        "decimal(39, 2)",
        "decimal(12, -2)",
        "decimal(12.0, 2)",
        "decimal(99999999999999999999, 2)",
        "decimal128(12, 2)",
    ],
)
def test_what_is_nearly_a_type_is_none(text):
    with pytest.raises(ConfigError, match="type"):
        parse_type(text)


def test_a_decimal_that_cannot_be_says_what_one_looks_like():
    with pytest.raises(ConfigError) as refused:
        Field("costo", "decimal(40, 2)")

    assert str(refused.value) == (
        "column 'costo': type 'decimal(40, 2)' is not known. A decimal says how many digits it has and how many of them "
        "after the point: 'decimal(12, 2)' for amounts up to 9999999999.99. Allowed: 1 to 38 digits, at most all of them "
        "after the point"
    )


@pytest.mark.parametrize(("text", "arrow"), [("decimal(38, 0)", pa.decimal128(38, 0)), ("decimal(4,4)", pa.decimal128(4, 4))])  # fmt: skip
def test_a_decimal_is_arrows_with_its_digits_and_places(text, arrow):
    assert parse_type(text).arrow == arrow
    assert parse_type(text).text == f"decimal({arrow.precision}, {arrow.scale})"
    assert parse_type(text.replace("(", " ( ").replace(",", " , ").replace(")", " )")).text == parse_type(text).text


def test_an_unknown_zone_has_a_hint_and_never_touches_the_file_system():
    with pytest.raises(ConfigError, match="did you mean 'America/Tijuana'"):
        parse_type("timestamp[iso, America/Tiujana]")
    for zone in ("../../etc/passwd", "/etc/localtime", "America", "zones", ""):
        with pytest.raises(ConfigError):
            parse_type(f"timestamp[iso, {zone}]")


def test_an_unknown_fold_names_the_two_there_are():
    with pytest.raises(ConfigError, match=r"did you mean 'later'.*earlier, later"):
        parse_type("timestamp[iso, UTC, latter]")


def test_spellings_of_one_type_are_one_type():
    spellings = [
        "timestamp[iso, America/Tijuana]",
        "timestamp[iso,America/Tijuana,earlier]",
        "timestamp [ iso , America/Tijuana , earlier ]",
    ]

    assert {parse_type(text).text for text in spellings} == {"timestamp[iso, America/Tijuana, earlier]"}


@pytest.mark.parametrize("name", ["_topic", "_partition", "_offset", "_timestamp", "__af_x"])
def test_reserved_names_are_refused_with_the_way_out(name):
    with pytest.raises(ConfigError, match=r"reserved.*path"):
        Field(name, "string")
    assert Field("mine", "string", path=name).keys == (name,)


@pytest.mark.parametrize("name", ["", 'a"b', "a\\b", "a\nb", "\x00", "\ud800"])
def test_unsafe_names_are_refused(name):
    with pytest.raises(ConfigError, match="cannot be a name"):
        Field(name, "string")


@pytest.mark.parametrize(
    ("path", "keys"),
    [("a.b", ("a", "b")), ("/a.b/c", ("a.b", "c")), ("/a~1b/~0", ("a/b", "~")), ("a", ("a",)), ("/~01", ("~1",))],
)
def test_a_path_is_dotted_or_a_json_pointer(path, keys):
    assert Field("x", "string", path=path).keys == keys


@pytest.mark.parametrize("path", ["", ".", "a.", "a..b", "/", "/a/"])
def test_empty_steps_in_a_path_are_refused(path):
    with pytest.raises(ConfigError, match="'x'"):
        Field("x", "string", path=path)


def test_a_name_with_a_dot_is_one_member():
    spec = JsonSpec((Field("a.b", "int64"), Field("c", "int64", path="/d.e")))

    assert spec.build().schema.names == ["a.b", "c"]


def test_equal_names_and_nested_paths_are_refused():
    with pytest.raises(ConfigError, match="'x' is declared 2 times"):
        JsonSpec((Field("x", "int64"), Field("x", "string", path="y")))
    for paths in (("a", "a.b"), ("a.b", "a"), ("a.b", "a.b")):
        with pytest.raises(ConfigError, match="lies in or is"):
            JsonSpec((Field("x", "json", path=paths[0]), Field("y", "int64", path=paths[1])))


def test_a_schema_without_columns_is_refused():
    with pytest.raises(ConfigError, match="raw"):
        JsonSpec(())


@pytest.mark.parametrize(
    "bound", [{"max_bytes": 0}, {"max_depth": 513}, {"max_fields": -1}, {"max_string_bytes": 2**31}]
)
def test_a_bound_out_of_range_names_itself(bound):
    with pytest.raises(ConfigError, match=next(iter(bound))):
        JsonSpec((Field("x", "int64"),), **bound)


def test_columns_come_in_the_order_of_the_fields_with_their_types():
    fields = (Field("z", "timestamp[ns]"), Field("a", "date", path="q.r"), Field("m", "uint8"), Field("j", "json"))

    assert JsonSpec(fields).build().schema == pa.schema(
        [("z", pa.timestamp("us", "UTC")), ("a", pa.date32()), ("m", pa.uint8()), ("j", pa.string())]
    )


def test_the_fingerprint_changes_with_everything_that_changes_a_result():
    base = {"fields": (Field("x", "int64"),)}
    variants = [
        base,
        {"fields": (Field("x", "int32"),)},
        {"fields": (Field("y", "int64"),)},
        {"fields": (Field("x", "int64", required=True),)},
        {"fields": (Field("x", "int64", path="y"),)},
        *(
            {**base, name: value}
            for name, value in [
                ("coerce", True),
                ("max_bytes", 9),
                ("max_depth", 9),
                ("max_fields", 9),
                ("max_string_bytes", 9),
            ]
        ),
    ]

    assert len({json.dumps(JsonSpec(**variant).fingerprint(), sort_keys=True) for variant in variants}) == len(variants)


def test_the_fingerprint_does_not_change_with_the_spelling():
    spelled = [
        JsonSpec((Field("x", text, path=path),)).fingerprint()
        for text, path in [("timestamp[ms]", None), ("timestamp[ ms ]", "x"), ("timestamp[ms]", "/x")]
    ]

    assert spelled[0] == spelled[1] == spelled[2]
