"""Checked sections to a `Pipeline`: the only place that names concrete adapters, each imported where it is used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from arrowflow.config import settings
from arrowflow.config.aggregates import parse_aggregate
from arrowflow.config.secrets import SecretReference
from arrowflow.config.sections import Sections
from arrowflow.errors import ConfigError
from arrowflow.pipeline import Checkpoint, Emit, EventTime, OperatorNode, Pipeline, SinkNode, SourceNode
from arrowflow.protocols import CivilTime, DecoderSpec, SourceSpec, Transform
from arrowflow.stores.gcs.address import is_address, normal

if TYPE_CHECKING:
    import pyarrow as pa

    from arrowflow.calendars import PlantCalendar
    from arrowflow.decoders.schema import Field
    from arrowflow.sinks.kafka.spec import KafkaSinkSpec
    from arrowflow.sinks.parquet import ParquetSpec
    from arrowflow.windows.spec import (
        CalendarWindow,
        Cumulative,
        Hopping,
        Roster,
        Session,
        Sliding,
        Tumbling,
        WindowSpec,
    )

    WindowShape = Tumbling | Hopping | Cumulative | Sliding | Session

SECOND_US = 1_000_000
EMBEDDED = "embedded"


def build_pipeline(sections: Sections, env: Mapping[str, str]) -> Pipeline:
    """Return the pipeline that `sections` describe; they must have passed every check.

    Raises
    ------
    ConfigError
        Where an adapter refuses what the checks let through.
    """
    own, checkpoint, limits = sections.pipeline, sections.checkpoint, sections.limits
    if own is None or checkpoint is None:  # checked before; said again for the type checker
        raise AssertionError("sections were not checked")
    from arrowflow.commitlog.places import log_at

    return Pipeline(
        name=own.name,
        source=build_source(sections, env),
        transforms=tuple(build_transform(step) for step in sections.transform),
        event_time=build_event_time(sections.event_time),
        operator=build_operator(sections),
        emit=build_emit(sections.emit),
        sinks=build_sinks(sections, env),
        checkpoint=Checkpoint(
            log=log_at(located(checkpoint.path)),
            cadence_s=checkpoint.cadence / SECOND_US,
            full_every=checkpoint.full_every,
            discover_every_s=checkpoint.discover_every / SECOND_US,
            max_epoch_rows=limits.max_epoch_rows,
            max_epoch_bytes=limits.shares.epochs,
            max_slice_rows=limits.max_slice_rows,
            max_slice_bytes=limits.shares.slice,
            keep_records=limits.keep_records,
            keep_for_s=limits.keep_for / SECOND_US,
        ),
        labels={} if own.layer is None else {"layer": own.layer},
    )


def absolute(path: str) -> str:
    """Return `path` from the root of the file system, relative ones counted from the current folder; links stay."""
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 (specs hold paths as text)


def located(path: str) -> str:
    """Return where the job writes: an address such as ``gs://bucket/folder`` in its one form, or a folder as `absolute` has it."""
    return normal(path) if is_address(path) else absolute(path)


# ---- source -----------------------------------------------------------------------------------------------


def build_source(sections: Sections, env: Mapping[str, str]) -> SourceNode:
    """Return the source and how its bytes become rows."""
    if sections.source is None:
        raise AssertionError("sections were not checked")
    kafka, replay = sections.source.kafka, sections.source.replay
    on_data_loss: Literal["fail", "skip"] = "fail" if kafka is None else kafka.on_data_loss
    if kafka is not None:
        name, spec, decoder = "kafka", build_kafka(kafka, sections, env), build_decoder(kafka)
    elif replay is not None:
        name, spec, decoder = "replay", build_replay(replay), build_decoder(replay)
    else:
        raise AssertionError("sections were not checked")
    limits = sections.limits
    return SourceNode(name, spec, decoder, limits.max_error_rate, limits.error_sample, on_data_loss)


def build_kafka(section: settings.KafkaSection, sections: Sections, env: Mapping[str, str]) -> SourceSpec:
    """Return the Kafka source; `brokers = "embedded"` brings its broker and the sample that fills it."""
    from arrowflow.sources.kafka.spec import KafkaSpec

    embedded = None
    if section.brokers == EMBEDDED:
        from arrowflow.samples import stream
        from arrowflow.sources.kafka.embedded import EmbeddedSpec

        sample = stream(section.sample, rows=section.sample_rows, seed=section.sample_seed)
        embedded = EmbeddedSpec(embedded_folder(sections), sample, lake_folder(sections))
    return KafkaSpec(
        brokers=section.brokers,
        topics=tuple(section.topics),
        start=section.start,
        group=section.group,
        properties=build_properties(section, env),
        fetch=section.fetch,
        embedded=embedded,
    )


def build_properties(section: settings.KafkaSection, env: Mapping[str, str]) -> dict[str, str]:
    """Return client settings by dotted name, secrets looked up in `env`. Raises `ConfigError` for one that is not there."""
    return revealed(section.properties, env)


def revealed(properties: Mapping[str, object], env: Mapping[str, str]) -> dict[str, str]:
    """Return client settings with the secrets they refer to. Raises `ConfigError` for one that is not there."""
    return {
        name: value.reveal(env) if isinstance(value, SecretReference) else str(value)
        for name, value in properties.items()
    }


def build_replay(section: settings.ReplaySection) -> SourceSpec:
    """Return the source that reads archived files."""
    from arrowflow.sources.replay import ReplaySpec

    return ReplaySpec(tuple(absolute(path) for path in section.paths), topic=section.topic, envelope=section.envelope)


def build_decoder(section: settings.KafkaSection | settings.ReplaySection) -> DecoderSpec:
    """Return how the bytes of one message become one row."""
    if section.format == "raw":
        from arrowflow.decoders.raw import RawSpec

        return RawSpec()
    fields = tuple(build_field(name, column) for name, column in section.columns.items())
    if section.format == "avro":
        from arrowflow.decoders.avro.spec import AvroSpec

        return AvroSpec(fields, *build_schemas(section.avro))
    from arrowflow.decoders.json import JsonSpec

    return JsonSpec(fields, coerce=section.coerce)


def build_schemas(section: settings.AvroSection | None) -> tuple[str | dict[int, str], Literal["stop", "dead_letter"]]:
    """Return the writers' schemas, and what becomes of a record of none; raises `ConfigError` for files that hold none."""
    if section is None:
        raise ConfigError("there are no schemas")
    from arrowflow.decoders.avro.files import read_schema, read_schemas

    path = absolute(section.schemas)
    return (read_schemas(path) if section.framing == "registry" else read_schema(path)), section.unknown_schema


def build_field(name: str, column: settings.ColumnSettings) -> Field:
    """Return one column of a JSON schema; raises `ConfigError` for a type or path that is none, or for old zones."""
    from arrowflow.decoders.schema import Field

    if column.type.startswith("timestamp[iso,"):  # local text: as wrong as its zones are
        from arrowflow.calendars import check_tzdata

        check_tzdata()
    return Field(name, column.type, column.required, column.path)


def lake_folder(sections: Sections) -> str:
    """Return the folder that holds the results and the records of the job."""
    paths = [sink.path for sink in sections.sink.values()]
    if sections.checkpoint is not None:
        paths.append(sections.checkpoint.path)
        if not sections.sink:  # topics only: nothing else belongs inside the control prefix
            paths.append(os.path.dirname(absolute(sections.checkpoint.path)))  # noqa: PTH120 (specs hold paths as text)
    return os.path.commonpath([absolute(path) for path in paths])


def embedded_folder(sections: Sections) -> str:
    """Return where the embedded broker of this job keeps its data."""
    name = "" if sections.pipeline is None else sections.pipeline.name
    return os.path.join(lake_folder(sections), "_embedded", name)  # noqa: PTH118 (specs hold paths as text)


# ---- the way of a row -------------------------------------------------------------------------------------


def build_transform(step: settings.TransformSection) -> Transform:
    """Return one row-wise step."""
    from arrowflow.transforms import Derive, Filter, Select

    if step.filter is not None:
        return Filter(step.filter) if step.reason is None else Filter(step.filter, step.reason)
    if step.derive is not None:
        return Derive(step.derive)
    return Select(tuple(step.select or ()))


def build_event_time(section: settings.EventTimeSection | None) -> EventTime | None:
    """Return how event time is read."""
    if section is None:
        return None
    return EventTime(
        column=section.column,
        max_out_of_orderness_us=section.max_out_of_orderness,
        max_future_skew_us=section.max_future_skew,
        future_clock_reference=section.future_clock_reference,
        scope=section.scope,
        idle_timeout_us=section.idle_timeout,
        when_all_idle=section.when_all_idle,
        close_silent_after_us=section.close_silent_after,
    )


def build_operator(sections: Sections) -> OperatorNode:
    """Return the window, or the pass-through of a pipeline without one."""
    window = sections.window
    if window is None:
        from arrowflow.windows.spec import PassThroughSpec

        return OperatorNode("rows", PassThroughSpec())
    spec = build_window(window, sections, sections.aggregate or {}, build_roster(sections))
    return OperatorNode("window", spec, late=window.late)


def build_roster(sections: Sections) -> Roster | None:
    """Return the keys that are expected; raises `ConfigError` for a file that cannot be read or holds no keys."""
    window, completeness = sections.window, sections.completeness
    if window is None or completeness is None:
        return None
    from arrowflow.config.roster import keys_of
    from arrowflow.windows.spec import Roster

    given = completeness.roster
    keys = keys_of(absolute(given) if isinstance(given, str) else given, window.group_by)
    per = None if completeness.per is None else tuple(completeness.per)
    return Roster(keys, per, completeness.max_silence)


def build_window(
    window: settings.WindowSection, sections: Sections, aggregates: Mapping[str, str], roster: Roster | None = None
) -> WindowSpec:
    """Return the window of `sections` with the aggregates given, by result column, and a roster that was read before."""
    from arrowflow.windows.spec import Aggregate, WindowSpec

    calls = {name: parse_aggregate(text) for name, text in aggregates.items()}
    return WindowSpec(
        window=build_calendar_window(window, sections) if window.type == "calendar" else build_shape(window),
        group_by=tuple(window.group_by),
        aggregates=tuple(Aggregate(name, call.function, call.column, call.arguments) for name, call in calls.items()),
        allowed_lateness_us=window.allowed_lateness,
        scope="pipeline" if sections.event_time is None else sections.event_time.scope,
        correct_for_us=window.correct_for if window.late == "correct" else None,
        max_state_bytes=sections.limits.shares.state,
        roster=roster,
    )


def build_shape(window: settings.WindowSection) -> WindowShape:
    """Return a window whose bounds come from arithmetic; raises `ConfigError` for lengths that do not go together."""
    from arrowflow.windows.spec import Cumulative, Hopping, Session, Sliding, Tumbling

    size, origin = window.size or 0, window.origin or 0
    match window.type:
        case "tumbling":
            return Tumbling(size, origin)
        case "hopping":
            return Hopping(size, window.hop or 0, origin)
        case "cumulative":
            return Cumulative(size, window.step or 0, origin)
        case "sliding":
            return Sliding(size, window.closed or "right")
        case "session":
            return Session(window.gap or 0, window.max_length)
        case "calendar":
            raise AssertionError("calendar windows are built by their calendar")


def build_calendar_window(window: settings.WindowSection, sections: Sections) -> CalendarWindow:
    """Return a window whose bounds come from a calendar; raises `ConfigError` for rules that contradict each other."""
    from arrowflow.windows.spec import CalendarWindow

    plants, unit = build_calendar(sections.calendars[window.calendar or ""]), window.unit or "shift"
    bounds = plants.for_unit(unit, week_starts=window.week_starts)
    return CalendarWindow(bounds, key=plants.key, unit=unit, off=window.off or "window")


def output_schema(
    sections: Sections, rows: pa.Schema, aggregates: Mapping[str, str], roster: Roster | None = None
) -> pa.Schema:
    """Return the result columns over `rows`; raises `ConfigError` where the operator refuses them."""
    if sections.window is not None:
        return build_window(sections.window, sections, aggregates, roster).output_schema(rows)
    from arrowflow.windows.spec import PassThroughSpec

    return PassThroughSpec().output_schema(rows)


def result_schema(sections: Sections) -> pa.Schema:
    """Return the columns of a result row: the message's, through every step and the window. Sections must be checked."""
    source = sections.source
    one = None if source is None else source.kafka or source.replay
    if one is None:
        raise AssertionError("sections were not checked")
    rows = build_decoder(one).build().schema
    for step in sections.transform:
        rows = build_transform(step).output_schema(rows)
    return output_schema(sections, rows, sections.aggregate or {}, build_roster(sections))


def build_calendar(section: settings.CalendarSection) -> PlantCalendar:
    """Return the shifts of one calendar; raises `ConfigError` for rules that contradict each other."""
    from arrowflow.calendars import PlantCalendar, ShiftPlan

    holidays = section.holidays
    by_key = {key: tuple(days) for key, days in holidays.items()} if isinstance(holidays, dict) else tuple(holidays)
    return PlantCalendar(
        key=section.key,
        zones=section.zones,
        shifts=section.shifts,
        holidays=by_key,
        revisions=tuple(ShiftPlan(plan.valid_from, plan.shifts, plan.breaks) for plan in section.revisions),
        breaks=section.breaks,
    )


# ---- sinks ------------------------------------------------------------------------------------------------


def build_sinks(sections: Sections, env: Mapping[str, str]) -> tuple[SinkNode, ...]:
    """Return the tables of results and previews, then late rows, dead letters, and topics of all three."""
    from arrowflow.sinks.parquet import ParquetSpec

    nodes = [build_sink(name, sink, sections) for name, sink in sections.sink.items()]
    if sections.late is not None:
        late = ParquetSpec(located(sections.late.path), compression=sections.late.compression)
        nodes.append(SinkNode("late", late, "late"))
    dead = sections.dead_letter
    if dead is not None:
        letters = ParquetSpec(located(dead.path), compression=dead.compression)
        nodes.append(SinkNode("dead_letter", letters, "dead", dead.payload))
    nodes += [build_topic_node(name, topic, sections, env) for name, topic in sections.topics.items()]
    return tuple(nodes)


def build_topic_node(name: str, topic: settings.TopicSection, sections: Sections, env: Mapping[str, str]) -> SinkNode:
    """Return one topic and the stream it takes, which its name says."""
    spec = build_topic(topic, sections, env)
    if isinstance(topic, settings.DeadLetterTopicSection):
        return SinkNode(name, spec, "dead", topic.payload)
    return SinkNode(name, spec, "late" if name == "late" else "rows")


def build_topic(topic: settings.TopicSection, sections: Sections, env: Mapping[str, str]) -> KafkaSinkSpec:
    """Return a topic that takes rows; without brokers of its own it is in the source's cluster, reached the same way."""
    from arrowflow.connection import CONNECTION
    from arrowflow.sinks.kafka.spec import KafkaSinkSpec

    kafka = None if sections.source is None else sections.source.kafka
    properties = {} if kafka is None or topic.brokers is not None else dict(kafka.properties)
    shared = {name: value for name, value in properties.items() if name in CONNECTION}
    brokers = topic.brokers or ("" if kafka is None else kafka.brokers)
    return KafkaSinkSpec(
        topic=topic.topic,
        brokers=brokers,
        key=tuple(topic.key),
        format=topic.format,
        mode=topic.mode,
        properties=revealed({**shared, **topic.properties}, env),
        transaction_timeout_s=topic.transaction_timeout / SECOND_US,
        chunk_rows=topic.chunk_rows,
        chunk_bytes=topic.chunk_bytes,
        max_message_bytes=topic.max_message_bytes,
    )


def is_preview(name: str, sink: settings.SinkSection) -> bool:
    """Whether a sink shows open windows; a sink without a kind is of the kind it is named by."""
    return (sink.kind or name) == "preview"


def build_sink(name: str, sink: settings.SinkSection, sections: Sections) -> SinkNode:
    """Return one sink of the file and the stream it takes."""
    if not is_preview(name, sink):
        return SinkNode(name, build_table(sink, sections))
    from arrowflow.sinks.preview import PreviewSpec

    return SinkNode(name, PreviewSpec(located(sink.path), sink.compression), "open")


def build_emit(section: settings.EmitSection | None) -> Emit:
    """Return when interim results are given out."""
    return Emit() if section is None else Emit(section.mode, section.early)


def build_table(sink: settings.SinkSection, sections: Sections) -> ParquetSpec:
    """Return a table of results."""
    from arrowflow.sinks.parquet import ParquetSpec

    return ParquetSpec(
        root=located(sink.path),
        partition_by=tuple(sink.partition_by),
        compression=sink.compression,
        civil=_civil_time(sections),
        time_column=time_column(sink, sections),
        max_partitions_per_epoch=sink.max_partitions_per_epoch,
        seal_us=sink.seal,
    )


def check_folders(sink: settings.SinkSection, sections: Sections, result: pa.Schema) -> None:
    """Raise `ConfigError` if results cannot be split into folders as asked."""
    build_table(sink, sections).partitioning.check(result)


def time_column(sink: settings.SinkSection, sections: Sections) -> str:
    """Return the column that `date` and `hour` of a path derive from."""
    if sink.time_column is not None:
        return sink.time_column
    if sections.window is not None:
        return "window_start"
    return "_timestamp" if sections.event_time is None else sections.event_time.column


def _civil_time(sections: Sections) -> CivilTime | None:
    window = sections.window
    if window is None or window.type != "calendar":
        return None
    return build_calendar(sections.calendars[window.calendar or ""]).civil_time()
