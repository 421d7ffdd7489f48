"""The sections of a configuration file: their keys, types and defaults; never how one section fits another."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from arrowflow.config.durations import SIZE_PATTERN, parse_duration, parse_size
from arrowflow.config.memory import memory_limit
from arrowflow.config.secrets import SecretReference, is_reference
from arrowflow.config.shares import Shares, shares
from arrowflow.windows.durations import DURATION_PATTERN

_DATE = {"type": "string", "format": "date"}


def _start(value: object) -> object:
    if isinstance(value, dt.datetime):
        value = value.isoformat()
    if value in ("earliest", "latest", "committed"):
        return value
    try:
        moment = dt.datetime.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            'is no start: write "earliest", "latest", "committed" or a time with its offset, such as "2025-10-31T06:00:00Z"'
        )
    return moment.isoformat()


def _column(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


def _property(value: object) -> object:
    if is_reference(value):
        ((kind, name),) = value.items()  # type: ignore[attr-defined]
        return SecretReference(kind, name)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return value
    raise ValueError('is no setting: write text, a number, true or false, or { env = "NAME" } for a secret')


def _holidays(value: object) -> object:
    lists = list(value.values()) if isinstance(value, dict) else [value]
    if not all(isinstance(days, list) and all(type(day) is dt.date for day in days) for days in lists):
        raise ValueError(
            "is no list of holidays: write dates without quotes, such as [2025-12-25], or one such list per value of the key"
        )
    return value


def _roster(value: object) -> object:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and all(_is_key(each) for each in value):
        return value
    if isinstance(value, list) and all(isinstance(each, dict) and all(map(_is_key, each.values())) for each in value):
        return value
    raise ValueError(
        'is no roster: write the name of a file, such as "sensors.csv", a list of keys, such as ["a", "b"], or of tables '
        'with a key per column of `group_by`, such as [{ plant = "mty", sensor = "a" }]'
    )


def _is_key(value: object) -> bool:
    return isinstance(value, (str, int, dt.date))


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["5m"]}),
]
"""Microseconds, written "5m"."""
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": SIZE_PATTERN}]}),
]
"""Bytes, written "64MiB"."""
Text = Annotated[str, Field(min_length=1, max_length=4096)]
Names = Annotated[list[Text], Field(max_length=256)]
Holidays = Annotated[
    Any,
    BeforeValidator(_holidays),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": _DATE},
                {"type": "object", "additionalProperties": {"type": "array", "items": _DATE}},
            ]
        }
    ),
]
Breaks = dict[str, Annotated[list[Text], Field(min_length=1, max_length=96)]]
RosterKeys = Annotated[
    Any,
    BeforeValidator(_roster),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": ["string", "integer", "boolean"]}},
                {"type": "array", "items": {"type": "object"}},
            ]
        }
    ),
]
Start = Annotated[
    str,
    BeforeValidator(_start),
    WithJsonSchema({"type": "string", "examples": ["earliest", "latest", "committed", "2025-10-31T06:00:00Z"]}),
]
Property = Annotated[
    Any,
    BeforeValidator(_property),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "number", "boolean"]},
                {
                    "type": "object",
                    "properties": {"env": {"type": "string"}},
                    "required": ["env"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"file": {"type": "string"}},
                    "required": ["file"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        validate_by_alias=True,
        validate_by_name=False,
    )


class PipelineSection(_Section):
    """What the job is called."""

    name: Text
    """Names the job in records, file names and logs: ASCII letters, digits, `_` and `-`."""
    layer: Literal["raw", "bronze", "silver", "gold", "platinum"] | None = None
    """Where its results stand; a label, nothing depends on it."""


class ColumnSettings(_Section):
    """One column of the messages."""

    type: Text
    """`string`, `int64`, `float64`, `decimal(12, 2)`, `bool`, `timestamp[s|ms|us|ns|iso]` and others: docs/config.md has the table."""
    required: bool = False
    """A message without it goes to the dead letters."""
    path: Text | None = None
    """Where the value is, if not under the column's name: `meta.sensor.id`."""


Columns = dict[str, Annotated[ColumnSettings, BeforeValidator(_column)]]


class AvroSection(_Section):
    """The schemas that Avro records were written by, and how they are framed."""

    schemas: Text
    """A folder of files such as `7.avsc`, each named after its schema's id; with `framing = "none"` the one file."""
    framing: Literal["registry", "none"] = "registry"
    """`registry`: each record stands behind a zero byte and its schema's id of four bytes; `none`: behind nothing."""
    unknown_schema: Literal["stop", "dead_letter"] = "stop"
    """What becomes of a record whose schema's id is in no file: the run stops before it, or it is refused."""


class _Format(_Section):
    format: Literal["json", "avro", "raw"] = "json"
    """`json` and `avro` read typed columns; `raw` keeps each message as it is."""
    columns: Columns = Field(default_factory=dict, alias="schema")
    """The columns to read, by name; needed for `json` and `avro`."""
    avro: AvroSection | None = None
    """Needed for `avro`."""
    coerce: bool = False
    """Accept text where the schema wants a number, if it is one."""


class KafkaSection(_Format):
    """Records from Kafka topics."""

    brokers: Text
    """`host:port` pairs separated by commas, or `embedded` for a local broker filled with a sample."""
    topics: Annotated[Names, Field(min_length=1)]
    start: Start = "earliest"
    """Where the very first run begins; afterwards the records of the job say where to go on."""
    group: Text | None = None
    """Consumer group whose offsets are set for lag tools; they are never read back."""
    fetch: Literal["auto", "client", "columnar"] = "auto"
    """`auto` takes the fastest way that gives the same records; `client` insists on the ordinary client, `columnar` on doing without it."""
    on_data_loss: Literal["fail", "skip"] = "fail"
    """`skip`: where retention has removed offsets that were not read yet, go on behind them and record the gap."""
    properties: dict[str, Property] = Field(default_factory=dict)
    """Settings of librdkafka, from an allow-list."""
    sample: Text = "production"
    """Which sample fills the embedded broker; ignored with a real one."""
    sample_rows: Annotated[int, Field(gt=0)] | None = None
    sample_seed: int | None = None


class ReplaySection(_Format):
    """Records from archived files, with the offsets they had."""

    paths: Annotated[Names, Field(min_length=1)]
    """NDJSON or Parquet files, or patterns such as `archive/*.ndjson`."""
    topic: Text | None = None
    """Take records of this topic only; names the topic of files that do not say it."""
    envelope: bool = True
    """Each line holds topic, partition, offset and value; false if a line is the message itself."""


class SourceSection(_Section):
    """Where records come from: exactly one of the tables."""

    kafka: KafkaSection | None = None
    replay: ReplaySection | None = None


class EventTimeSection(_Section):
    """Which column says when something happened, and how late it may be told."""

    column: Text
    max_out_of_orderness: Duration
    """How far rows of one partition may be out of order and still count as on time."""
    max_future_skew: Duration | None = None
    """A row further ahead than this goes to the dead letters and moves no clock."""
    future_clock_reference: Literal["broker", "create"] = "broker"
    """Ahead of what: the broker's time, or the create time the producer wrote."""
    scope: Literal["pipeline", "partition"] = "pipeline"
    """`partition`: a window waits only for the partitions that fed it."""
    idle_timeout: Duration | None = None
    """A partition read to its end and silent this long holds nothing back (scope `pipeline`)."""
    when_all_idle: Literal["hold", "advance"] = "hold"
    close_silent_after: Duration | None = None
    """Close the windows of a silent partition after this long (scope `partition`)."""


class TransformSection(_Section):
    """One row-wise step: exactly one of filter, derive and select."""

    filter: Text | None = None
    """SQL condition; rows for which it is not true are counted and left out."""
    reason: Text | None = None
    """The name those rows are counted under."""
    derive: Annotated[dict[str, Text], Field(min_length=1)] | None = None
    """New columns: name = SQL expression over the same row."""
    select: Annotated[Names, Field(min_length=1)] | None = None
    """Columns to keep, in this order."""


class WindowSection(_Section):
    """How rows are grouped in event time. Leave the section out to pass rows through."""

    type: Literal["tumbling", "hopping", "sliding", "session", "cumulative", "calendar"]
    size: Duration | None = None
    """Length (tumbling, hopping, sliding, cumulative)."""
    hop: Duration | None = None
    """A window begins so often (hopping)."""
    step: Duration | None = None
    """A window grows by so much until it has its size (cumulative)."""
    origin: Duration | None = None
    """Shift of all boundaries from Unix time zero, UTC (tumbling, hopping, cumulative)."""
    gap: Duration | None = None
    """Rows at most so far apart are one session (session)."""
    max_length: Duration | None = None
    """A session lasts no longer than this (session)."""
    closed: Literal["right", "both"] | None = None
    """Whether a window holds rows exactly `size` older than its own: `right` (the default) does not, `both` does (sliding)."""
    unit: Literal["shift", "day", "week", "month"] | None = None
    """What a window is (calendar)."""
    week_starts: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] | None = None
    """The weekday of a week's first production day, monday unless said otherwise (calendar, unit `week`)."""
    calendar: Text | None = None
    """Name of a table under [calendars] (calendar)."""
    off: Literal["window", "dead_letter"] | None = None
    """What becomes of rows between shifts, in breaks and on holidays: a window of their own, or dead letters (calendar)."""
    group_by: Names = Field(default_factory=list)
    allowed_lateness: Duration = 0
    """How long a window stays open for stragglers after its end has passed."""
    late: Literal["drop", "side", "correct"]
    """What becomes of rows whose windows are closed; there is no default."""
    correct_for: Duration | None = None
    """How long after a window's end rows can still correct it (`late = "correct"`)."""


class CompletenessSection(_Section):
    """Which keys are expected in every window: silent ones have rows too, marked `no_data`."""

    roster: RosterKeys
    """The keys: a CSV or Parquet file with a column per column of `group_by`, a list of keys, or a list of tables."""
    per: Names | None = None
    """Columns of `group_by` within whose values keys are counted; all keys of a window together unless it is given."""
    max_silence: Duration | None = None
    """How long windows in which nobody at all is heard go on to have rows: a thousand windows, or 366 days of a calendar, but
    no more than 250,000 rows, unless it is given."""


class RevisionSection(_Section):
    """A later plan of shifts."""

    valid_from: dt.date
    """The first production day of these shifts."""
    shifts: Annotated[dict[str, Text], Field(min_length=1)]
    breaks: Breaks = Field(default_factory=dict)
    """The breaks of these shifts; those of the plan before do not go on."""


class CalendarSection(_Section):
    """Shifts in civil time, with a zone for each value of one column."""

    key: Text
    """The column whose value picks the zone."""
    zones: Annotated[dict[str, Text], Field(min_length=1)]
    """IANA time zone of each value."""
    shifts: dict[str, Text] = Field(default_factory=dict)
    """Named shifts, `"06:00-14:00"`; one may cross midnight. Needed for the unit `shift`."""
    breaks: Breaks = Field(default_factory=dict)
    """Times inside a shift that are off, by its name: `T1 = ["10:00-10:30"]`."""
    holidays: Holidays = Field(default_factory=list)
    """Production days without shifts: a list of dates, or one list per value of the key."""
    revisions: list[RevisionSection] = Field(default_factory=list)
    """Later plans of shifts, ascending by their first day."""


class EmitSection(_Section):
    """Interim results of windows that are still open, for a sink of the kind `preview`."""

    mode: Literal["on_close", "on_update"] = "on_close"
    """`on_update`: with every record. Results themselves come when their window closes, in either mode."""
    early: Duration | None = None
    """At most so often in processing time, with a record."""


class SinkSection(_Section):
    """Result rows as Parquet files in a folder, or a preview of the windows open now in one file."""

    kind: Literal["parquet", "preview", "kafka"] | None = None
    """Needed if the table has another name than its kind."""
    path: Text
    """The folder; it holds nothing but committed files."""
    partition_by: Names = Field(default_factory=list)
    """Folder levels: columns of the result, and `date` or `hour`."""
    time_column: Text | None = None
    """What `date` and `hour` derive from: `window_start` unless said otherwise."""
    max_partitions_per_epoch: Annotated[int, Field(ge=1, le=100_000)] = 2000
    """Stop before an epoch would write more folders than this."""
    compression: Literal["snappy", "zstd", "lz4", "gzip", "none"] = "snappy"
    seal: Duration | None = None
    """Put small files together beside the table once each such interval of processing time is over, such as "1d"."""


class TopicSection(_Section):
    """Rows as records of a Kafka topic, each visible once to readers of committed records."""

    kind: Literal["kafka"] | None = None
    """Needed if the table has another name than its kind."""
    topic: Text
    """It must exist, but on the embedded broker."""
    brokers: Text | None = None
    """`host:port` pairs separated by commas; the source's cluster, with its settings of a connection, unless it is given."""
    key: Names = Field(default_factory=list)
    """Columns that make the key of a record: it decides the partition."""
    mode: Literal["append", "update"] = "append"
    """`update`: also what open windows would give, as [emit] says; the newest record of a window counts."""
    format: Literal["json"] = "json"
    """How a row becomes a value."""
    properties: dict[str, Property] = Field(default_factory=dict)
    """Settings of librdkafka, from an allow-list."""
    transaction_timeout: Duration = 60_000_000
    """The cluster aborts a transaction that is open for longer."""
    chunk_rows: Annotated[int, Field(ge=1)] = 50_000
    """A transaction holds no more rows of an epoch than this."""
    chunk_bytes: Annotated[Size, Field(ge=1024)] = 16 * 1024**2
    max_message_bytes: Annotated[Size, Field(ge=1024)] = 1_000_000
    """The largest record; the topic's own limit must not be smaller."""


class LateSection(_Section):
    """Where late rows are written under `late = "side"`, and those beyond correction under `late = "correct"`."""

    path: Text
    compression: Literal["snappy", "zstd", "lz4", "gzip", "none"] = "snappy"


class DeadLetterSection(_Section):
    """Where records that cannot be used are written, with the reason."""

    path: Text
    payload: Literal["raw", "none"] = "raw"
    """Keep the message itself, or only where it was."""
    compression: Literal["snappy", "zstd", "lz4", "gzip", "none"] = "snappy"


class DeadLetterTopicSection(TopicSection):
    """A topic for records that cannot be used, with the reason."""

    payload: Literal["raw", "none"] = "raw"
    """Keep the message itself, or only where it was."""


FILES, TOPIC = "<files>", "<topic>"
"""Tags of the two forms of an output; no key of a file can be called so."""


def form_of(value: object) -> str:
    """Which form an output has, by its keys; also for one that is not yet checked."""
    if not isinstance(value, dict) or value.get("kind") not in (None, "kafka"):
        return FILES
    return TOPIC if value.get("kind") == "kafka" or "topic" in value else FILES


Output = Annotated[Annotated[SinkSection, Tag(FILES)] | Annotated[TopicSection, Tag(TOPIC)], Discriminator(form_of)]
LateOutput = Annotated[Annotated[LateSection, Tag(FILES)] | Annotated[TopicSection, Tag(TOPIC)], Discriminator(form_of)]
DeadLetterOutput = Annotated[
    Annotated[DeadLetterSection, Tag(FILES)] | Annotated[DeadLetterTopicSection, Tag(TOPIC)], Discriminator(form_of)
]


class CheckpointSection(_Section):
    """Where the records of the job live and how often one is written."""

    path: Text
    cadence: Duration = 60_000_000
    full_every: Annotated[int, Field(ge=1, le=1000)] = 20
    """A whole snapshot of the state after so many changes to it."""
    discover_every: Duration = 30_000_000
    """How often new partitions are looked for."""


class LimitsSection(_Section):
    """When to stop, and how much to hold at once."""

    max_error_rate: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Stop when more than this share of records are dead letters."""
    error_sample: Annotated[int, Field(ge=1)] = 1000
    """Judge no fewer records than this."""
    max_epoch_rows: Annotated[int, Field(ge=1)] = 10_000_000
    max_epoch_bytes: Annotated[Size, Field(ge=1024)] | None = None
    """Of rows that wait to be written; a share of `memory` where it is not given."""
    max_slice_rows: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    max_slice_bytes: Annotated[Size, Field(ge=1024)] | None = None
    """Of records read at once; a share of `memory` where it is not given."""
    keep_for: Duration = 7 * 86_400_000_000
    """No record of the log is removed before it is so old."""
    keep_records: Annotated[int, Field(ge=10)] = 1000
    """So many of the newest records are never removed."""
    memory: Annotated[Size, Field(ge=64 * 1024**2)] | None = None
    """What all of the job may take; what the process may take where it is not given. The three `_bytes` are shares of it."""
    max_state_bytes: Annotated[Size, Field(ge=1024**2)] | None = None
    """Stop before open windows take more memory; half of `memory` where it is not given."""

    @property
    def shares(self) -> Shares:
        """What each part may hold."""
        found = shares(self.memory or memory_limit())
        epochs = self.max_epoch_bytes or found.epochs
        return Shares(self.max_state_bytes or found.state, epochs, self.max_slice_bytes or min(found.slice, epochs))


class Settings(_Section):
    """A whole file. Each section is checked alone first, then against the others."""

    pipeline: PipelineSection
    source: SourceSection
    event_time: EventTimeSection | None = None
    transform: list[TransformSection] = Field(default_factory=list)
    window: WindowSection | None = None
    aggregate: dict[str, Text] | None = None
    """Result columns: name = "function(column)"."""
    calendars: dict[str, CalendarSection] = Field(default_factory=dict)
    completeness: CompletenessSection | None = None
    emit: EmitSection | None = None
    sink: Annotated[dict[str, Output], Field(min_length=1)]
    late: LateOutput | None = None
    dead_letter: DeadLetterOutput | None = None
    checkpoint: CheckpointSection
    limits: LimitsSection = Field(default_factory=LimitsSection)
