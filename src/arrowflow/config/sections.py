"""From plain values to checked sections, each on its own; every complaint becomes a sentence with a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from arrowflow.config import settings
from arrowflow.config.document import Document, Value
from arrowflow.config.keys import choices_at, field_at, forms_at, keys_at, model_fields
from arrowflow.config.problem import Path, Problem, dotted, listed, meant, shown
from arrowflow.config.secrets import REMOVED, looks_secret

LATER: dict[str, tuple[str, ...]] = {
    "sink.kind": ("bigquery", "delta", "iceberg"),
    "source.format": ("protobuf", "debezium"),
    "dead_letter.payload": ("sealed",),
    "source.fetch": ("columnar",),
}
"""Values that are known and not here yet: refused as such, not as typing errors."""

_OTHER_ENGINES = {"slide": "hop", "advance": "hop", "every": "hop", "timeout": "gap", "length": "size"}
"""What a key of [window] is called elsewhere, and here."""
SLIDING_IS_HOPPING = (
    'windows of a fixed length that begin at fixed intervals are called "hopping" here, and "sliding" ones trail each row: '
    'if hopping is what is meant, write type = "hopping" with `size` and `hop`'
)
_SOURCES_LATER = ("debezium", "bigquery")


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections that could be read; those in `broken` were there and could not.

    Outputs that are topics are in `topics`, by the name of their sink, and not among the others.
    """

    pipeline: settings.PipelineSection | None
    source: settings.SourceSection | None
    event_time: settings.EventTimeSection | None
    transform: list[settings.TransformSection]
    window: settings.WindowSection | None
    aggregate: dict[str, str] | None
    calendars: dict[str, settings.CalendarSection]
    completeness: settings.CompletenessSection | None
    emit: settings.EmitSection | None
    sink: dict[str, settings.SinkSection]
    late: settings.LateSection | None
    dead_letter: settings.DeadLetterSection | None
    checkpoint: settings.CheckpointSection | None
    limits: settings.LimitsSection
    topics: dict[str, settings.TopicSection]
    broken: frozenset[str]

    def has(self, output: str) -> bool:
        """Whether there is a place for "late" rows or a "dead_letter", of either form."""
        return output in self.topics or getattr(self, output) is not None

    def whole(self, *names: str) -> bool:
        """Whether none of the sections named is broken, so that a check across them makes sense."""
        return not self.broken.intersection(names)


def read_sections(document: Document) -> tuple[Sections, list[Problem]]:
    """Read each section of `document` for itself and collect what is wrong with any of them."""
    problems = _unknown_sections(document)
    values: dict[str, Any] = {}
    broken: set[str] = set()
    for name, info in settings.Settings.model_fields.items():
        found = _read_section(document, name, info)
        values[name] = found.value
        problems += found.problems
        if found.broken:
            broken.add(name)
    topics = _take_topics(values)
    return Sections(**values, topics=topics, broken=frozenset(broken)), problems


def _take_topics(values: dict[str, Any]) -> dict[str, settings.TopicSection]:
    """Take out of the values read whatever is a topic, sinks first."""
    sinks = values["sink"]
    topics = {name: sink for name, sink in sinks.items() if isinstance(sink, settings.TopicSection)}
    values["sink"] = {name: sink for name, sink in sinks.items() if name not in topics}
    for name in ("late", "dead_letter"):
        if isinstance(values[name], settings.TopicSection):
            topics[name], values[name] = values[name], None
    return topics


def _unknown_sections(document: Document) -> list[Problem]:
    return [
        document.problem((name,), _unknown_key((name,), document), at_key=True)
        for name in document.values
        if name not in settings.Settings.model_fields
    ]


class _Read(NamedTuple):
    value: Any
    problems: list[Problem]
    broken: bool


def _read_section(document: Document, name: str, info: FieldInfo) -> _Read:
    fallback = (
        info.get_default(call_default_factory=True, validated_data={})
        if not info.is_required()
        else {}
        if name == "sink"
        else None
    )
    if name not in document.values:
        missing = [Problem(document.file, document.place(()), name, _missing((name,)))] if info.is_required() else []
        return _Read(fallback, missing, broken=info.is_required())
    # info.metadata holds the length limits that Field() put beside the type
    adapter: TypeAdapter[Any] = TypeAdapter(info.rebuild_annotation())
    value, problems = document.values[name], list[Problem]()
    for _ in range(2):  # once more without the unknown keys, so that the rest can be checked with the other sections
        try:
            return _Read(adapter.validate_python(value, strict=True), problems, broken=False)
        except ValidationError as error:
            errors = error.errors(include_url=False)
        found = (_problem(document, name, one) for one in errors)
        problems += (problem for problem in found if problem is not None and problem not in problems)
        if any(one["type"] != "extra_forbidden" for one in errors):
            break
        value = _without(value, {one["loc"] for one in errors})
    return _Read(fallback, problems, broken=True)


def _without(value: Value, unknown: set[tuple[int | str, ...]], path: tuple[int | str, ...] = ()) -> Value:
    if isinstance(value, dict):
        return {
            key: _without(item, unknown, (*path, key)) for key, item in value.items() if (*path, key) not in unknown
        }
    if isinstance(value, list):
        return [_without(item, unknown, (*path, index)) for index, item in enumerate(value)]
    return value


def _problem(document: Document, section: str, error: ErrorDetails) -> Problem | None:
    path: Path = (section, *(part for part in error["loc"] if part not in ("[key]", settings.FILES, settings.TOPIC)))
    seen, kind, context = error["input"], error["type"], error.get("ctx", {})
    if seen == REMOVED and kind != "extra_forbidden":
        return None  # a raw secret stood here and is reported already
    path = _known_part(document, path, kind)
    if kind == "extra_forbidden":
        return document.problem(path, _unknown_key(path, document), at_key=True)
    if kind == "missing":
        return document.problem(path, _missing(path), at_key=True)
    return document.problem(path, _wrong_value(path, kind, seen, context))


def _known_part(document: Document, path: Path, kind: str) -> Path:
    """Cut what the reader added to the path, such as ``.type`` below a column written as plain text."""
    while kind != "missing" and len(path) > 1 and path not in document.keys and path not in document.entries:
        path = path[:-1]
    return path


# ---- sentences --------------------------------------------------------------------------------------------


def _missing(path: Path) -> str:
    if path == ("window", "late"):
        return (
            'say what becomes of rows that come after their window has closed: "drop" counts them and nothing else; "side" writes them '
            'with the reason to [late]; "correct" reopens the window for `correct_for` and publishes a later revision of its result'
        )
    if len(path) == 1:
        return f"the section [{path[0]}] is missing; `arrowflow init` writes a file with every section"
    return f"is missing{_purpose(path)}"


def _purpose(path: Path) -> str:
    info = field_at(path)
    text = (info.description or "") if info is not None else ""
    return f": {text.splitlines()[0]}" if text else ""


def _unknown_key(path: Path, document: Document) -> str:
    name = str(path[-1])
    if path == ("source", "schema"):
        return "a schema belongs to its source: write [source.kafka.schema] or [source.replay.schema]"
    if path[0] == "window" and name in _OTHER_ENGINES:
        return _called_otherwise(name, document.get("window", "type"))
    if path[0] == "source" and len(path) == 2 and name in _SOURCES_LATER:
        return f'a "{name}" source comes in a later version; this one has kafka and replay'
    allowed = _keys_of_form(path, document) or keys_at(path[:-1])
    return f"unknown key{_home_of(name, path) or meant(name, allowed) or f'; allowed here: {listed(allowed)}'}"


def _keys_of_form(path: Path, document: Document) -> list[str]:
    """The keys of an output of the form it has in this file; none where `path` is in no output."""
    depth = {"sink": 2, "late": 1, "dead_letter": 1}.get(str(path[0]), 0)
    if not depth or len(path) != depth + 1:
        return []
    place: Path = path[:depth]
    return forms_at(place)[settings.form_of(document.get(*map(str, place)))]


def _called_otherwise(name: str, kind: Value) -> str:
    here = _OTHER_ENGINES[name]
    if kind == "sliding" and here == "hop":
        return f"{SLIDING_IS_HOPPING} instead of `{name}`"
    return f"unknown key; it is called `{here}` here"


def _home_of(name: str, path: Path) -> str:
    """Point to the one section that has a key of this name."""
    homes = [
        section
        for section, info in settings.Settings.model_fields.items()
        if section != path[0] and name in model_fields(info.annotation)
    ]
    return f"; `{name}` is a key of [{homes[0]}]" if len(homes) == 1 else ""


_SENTENCES = {
    "string_type": "must be text in quotes, not {seen}",
    "int_type": "must be a whole number, not {seen}",
    "float_type": "must be a number, not {seen}",
    "bool_type": "must be true or false without quotes, not {seen}",
    "list_type": 'must be a list such as ["a", "b"], not {seen}',
    "date_type": "must be a date without quotes, such as 2025-12-25, not {seen}",
    "greater_than": "must be more than {gt}, not {seen}",
    "greater_than_equal": "must be at least {ge}, not {seen}",
    "less_than_equal": "must be at most {le}, not {seen}",
    "string_too_short": "must not be empty",
    "string_too_long": "is longer than {max_length} characters",
    "too_short": "must not be empty",
    "too_long": "has more than {max_length} entries",
}


def _wrong_value(path: Path, kind: str, seen: object, context: dict[str, Any]) -> str:
    quoted = "this value" if any(isinstance(part, str) and looks_secret(part) for part in path) else shown(seen)
    if kind == "value_error":
        sentence = str(context["error"])
        return f"{quoted} {sentence}" if sentence.startswith("is ") else f"{sentence}, not {quoted}"
    if kind == "literal_error":
        return _not_one_of(path, seen, quoted)
    if kind in {"model_type", "dict_type"}:
        return _not_a_table(path, quoted)
    if kind == "list_type" and path == ("transform",):
        return "is a list of steps: write [[transform]] with two brackets"
    template = _SENTENCES.get(kind, "is not what is allowed here: {seen}")
    return template.format(**{**context, "seen": quoted})


def _not_a_table(path: Path, quoted: str) -> str:
    if path[0] == "sink" and len(path) == 2:
        return f"sinks have names: write [sink.parquet] and put `{dotted(path[1:])}` there"
    return f"must be a table with keys of its own, such as [{dotted(path)}], not {quoted}"


def _not_one_of(path: Path, seen: object, quoted: str) -> str:
    allowed = choices_at(path)
    later = LATER.get(f"{path[0]}.{path[-1]}", ())
    if isinstance(seen, str) and seen in later:
        return f"{quoted} comes in a later version; this one has {listed(allowed)}"
    return f"{quoted} is not one of {listed(allowed)}{meant(seen, [*allowed, *later])}"
