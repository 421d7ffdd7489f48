"""What a pipeline will do, in sentences: from its sections alone, before anything is connected to."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass

from arrowflow.config import build, settings, tables
from arrowflow.config.durations import duration_text
from arrowflow.config.meaning import closing, held, lateness, meaning, misses
from arrowflow.config.problem import listed
from arrowflow.config.secrets import SecretReference
from arrowflow.config.sections import Sections
from arrowflow.config.timetable import timetable, unusual

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Explanation:
    """Headed paragraphs in the order of the flow, and what deserves a second look."""

    name: str
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    warnings: tuple[str, ...]


def explain(sections: Sections, now: dt.datetime) -> Explanation:
    """Explain checked sections; `now` is only used to name the unusual shifts of the coming year."""
    parts = (
        ("source", tuple(_source(sections))),
        ("steps", tuple(_steps(sections))),
        ("clocks", tuple(_clocks(sections))),
        ("windows", tuple(_windows(sections))),
        (f"unusual {_unit(sections)}s in the coming year", tuple(_unusual(sections, now))),
        ("state", tuple(_state(sections))),
        ("columns of a result", tuple(tables.columns(sections))),
        ("files per day", tuple(tables.files_per_day(sections))),
        ("guarantees", tuple(_guarantees(sections))),
        ("what an outage costs", tuple(_outages(sections))),
    )
    name = "" if sections.pipeline is None else sections.pipeline.name
    return Explanation(name, tuple(part for part in parts if part[1]), tuple(_warnings(sections)))


def _unit(sections: Sections) -> str:
    return "shift" if sections.window is None else sections.window.unit or "shift"


def _source(sections: Sections) -> Iterator[str]:
    source = sections.source
    if source is None:
        return
    if source.kafka is not None:
        kafka = source.kafka
        embedded = kafka.brokers == build.EMBEDDED
        where = f"an embedded broker, filled once with the sample {kafka.sample}" if embedded else kafka.brokers
        yield f"Kafka topics {listed(kafka.topics)} from {where}"
        yield f"the very first run starts at {kafka.start}; later ones go on where the newest record says"
        yield from (
            f"{name} is looked up in the {value.kind} {value.name} when a run starts"
            for name, value in kafka.properties.items()
            if isinstance(value, SecretReference)
        )
    if source.replay is not None:
        yield f"archived files {listed(source.replay.paths)}"
    one = source.kafka or source.replay
    if one is not None and one.format == "json":
        yield f"each message is one JSON object; {listed(one.columns)} are read from it"
    elif one is not None and one.avro is not None:
        yield from _avro(one.columns, one.avro)
    elif one is not None:
        yield "the value of each message is kept as it is, and its key is not; one without a value is counted as filtered: tombstone"


def _avro(columns: settings.Columns, avro: settings.AvroSection) -> Iterator[str]:
    """Say by which schemas records are read, and what comes of one by another."""
    if avro.framing == "none":
        yield f"each message is one Avro record without framing, written by the schema in {avro.schemas}; {listed(columns)} are read from it"
        return
    yield f"each message is one Avro record behind its schema's id, by the schemas in {avro.schemas}; {listed(columns)} are read from it"
    if avro.unknown_schema == "stop":
        yield "a record of a schema that is not there stops the run before it (exit code 4): add the schema's file and start again"
    else:
        yield "a record of a schema that is not there is a dead letter: unknown_schema"


def _steps(sections: Sections) -> Iterator[str]:
    for step in sections.transform:
        if step.filter is not None:
            yield f"keep rows where {step.filter}; others are counted as filtered: {step.reason or 'filter'}"
        for name, expression in (step.derive or {}).items():
            yield f"add {name} = {expression}"
        if step.select is not None:
            yield f"keep the columns {listed(step.select)}"


def _clocks(sections: Sections) -> Iterator[str]:
    event = sections.event_time
    if event is None:
        yield "none: rows pass through in the order they are read"
        return
    yield f"event time is {event.column}; a partition's clock is its largest time so far minus {duration_text(event.max_out_of_orderness)}"
    if event.scope == "partition":
        yield "a window waits only for the partitions that fed it; a group found in two partitions stops the run"
    else:
        yield "a window waits for the slowest partition"
    if event.max_future_skew is not None:
        reference = "the broker's time" if event.future_clock_reference == "broker" else "the producer's create time"
        yield f"a row more than {duration_text(event.max_future_skew)} ahead of {reference} is a dead letter and moves no clock"
    if event.idle_timeout is not None:
        yield f"a partition read to its end and silent for {duration_text(event.idle_timeout)} holds nothing back"
    if event.close_silent_after is not None:
        yield f"windows of a partition silent for {duration_text(event.close_silent_after)} are closed, labelled silence"


def _windows(sections: Sections) -> Iterator[str]:
    window, event = sections.window, sections.event_time
    if window is None:
        yield "none"
        return
    wait = window.allowed_lateness + (0 if event is None else event.max_out_of_orderness)
    if window.type != "calendar":
        yield from meaning(window, wait)
    else:
        yield from timetable(window, sections.calendars[window.calendar or ""])
    yield from (f"{name} = {text}" for name, text in (sections.aggregate or {}).items())
    cadence = 0 if sections.checkpoint is None else sections.checkpoint.cadence
    yield f"{closing(window, wait)}, then within {duration_text(cadence)}"
    if (rule := lateness(window, wait)) is not None:
        yield rule
    yield from _completeness(sections)
    yield from _late(window, sections)
    yield from _interim(sections)


def _completeness(sections: Sections) -> Iterator[str]:
    """Say who is expected, and what comes of those that are silent."""
    roster, completeness = build.build_roster(sections), sections.completeness
    if roster is None or completeness is None:
        return
    where = f" listed in {completeness.roster}" if isinstance(completeness.roster, str) else ""
    each = f", counted per {listed(roster.per)}" if roster.per else ""
    yield f"{roster.keys.num_rows:,} keys{where} are expected in every window{each}: a silent one has a row marked no_data, without values"
    longest = "366 days" if sections.window is not None and sections.window.type == "calendar" else "a thousand windows"
    default = f"{longest}, but for no more than 250,000 rows,"
    length = default if roster.max_silence_us is None else duration_text(roster.max_silence_us)
    yield f"when nobody at all is heard, windows go on to have such rows for {length}, as far as the watermark has passed them"


def _late(window: settings.WindowSection, sections: Sections) -> Iterator[str]:
    if window.late == "drop":
        yield "rows that come later are counted and nothing else"
    elif window.late == "side":
        some = ", and so are rows that missed some of their windows: missed_windows" if misses(window) else ""
        yield f"rows that come later are written to {_late_place(sections)} with the reason{some}"
    else:
        patience = duration_text(window.correct_for or 0)
        yield f"rows that come later, by up to {patience}, correct their window: its file is replaced by one with the next revision"
        kept = f"are written to {_late_place(sections)}" if sections.has("late") else "are counted and nothing else"
        yield f"rows that come later still {kept}: beyond_correction"


def _late_place(sections: Sections) -> str:
    return "the late topic" if "late" in sections.topics else "the late table"


def _interim(sections: Sections) -> Iterator[str]:
    emit = build.build_emit(sections.emit)
    if emit.early_us is not None:
        yield f"what open windows would give is shown with a record, at most every {duration_text(emit.early_us)}"
    elif emit.gives_interim:
        yield "what open windows would give is shown with every record"


def _unusual(sections: Sections, now: dt.datetime) -> Iterator[str]:
    """Name the windows that a clock change makes longer or shorter than their hours say."""
    window = sections.window
    if window is not None and window.type == "calendar":
        yield from unusual(window, sections.calendars[window.calendar or ""], now)


def _state(sections: Sections) -> Iterator[str]:
    window, event, checkpoint = sections.window, sections.event_time, sections.checkpoint
    if window is None:
        yield "none but offsets"
    else:
        wait = window.allowed_lateness + (0 if event is None else event.max_out_of_orderness)
        size = tables.window_us(sections)
        if window.type == "calendar":
            yield f"one row per group and open window: about {1 + math.ceil(wait / size)} windows open per group"
        else:
            yield from held(window, wait)
        if window.correct_for:
            yield f"and one per window that can still be corrected: about {math.ceil(window.correct_for / size)} more per group"
        if sections.completeness is not None:
            yield "and one row that says how far the roster was called"
        if event is not None and event.scope == "pipeline":
            yield "a silent partition keeps every window open behind it until it speaks or counts as idle"
        limits = sections.limits
        given = limits.max_state_bytes or limits.memory
        most = "half of the memory it finds" if given is None else f"{limits.shares.state:,} bytes of memory"
        yield f"the job stops (exit code 4) before open windows take more than {most} (limits.max_state_bytes)"
    if checkpoint is not None:
        yield f"kept under {checkpoint.path}: changes with each record, the whole after {checkpoint.full_every} of them"
        kept = f"{duration_text(sections.limits.keep_for)} and {sections.limits.keep_records:,} records"
        yield f"older records, and what only they need, are removed: {kept} are kept"


def _guarantees(sections: Sections) -> Iterator[str]:
    corrects = sections.window is not None and sections.window.late == "correct"
    for name, sink in sections.sink.items():
        if build.is_preview(name, sink):
            yield f"{name}: the open windows of one record, whole; interim, so no result and kept nowhere"
            continue
        if corrects:
            yield f"{name}: each window once, as its newest revision, also after crashes, for every reader of {sink.path}/**/*.parquet"
            yield "  corrections of several files appear one after the other; what they replace stays under revisions/ of the checkpoint"
            continue
        yield f"{name}: each result row once, also after crashes, for every reader of {sink.path}/**/*.parquet; files of one record appear one after the other"
    for name, topic in sections.topics.items():
        yield from _topic(name, topic, sections)
    if sections.late is not None:
        yield f"late: each late row once, with {_missed(sections.window)}"
    if sections.dead_letter is not None:
        kept = "with the message itself" if sections.dead_letter.payload == "raw" else "without the message"
        yield f"dead_letter: each refused record once, {kept}"
    yield "read = folded + filtered + duplicate + late + dead_lettered is checked before every commit"


def _topic(name: str, topic: settings.TopicSection, sections: Sections) -> Iterator[str]:
    """What readers of a topic may rely on."""
    what = {"late": "late row", "dead_letter": "refused record"}.get(name, "result row")
    where = "the source's cluster" if topic.brokers in (None, build.EMBEDDED) else topic.brokers
    yield (
        f"{name}: each {what} once as a record of topic {topic.topic} at {where}, also after crashes, for readers with "
        "isolation.level = read_committed"
    )
    yield f"  of one epoch all become visible or none does, {topic.chunk_rows:,} at a time if there are more"
    if topic.key:
        yield f"  records of equal {listed(topic.key)} go to one partition, in their order"
    else:
        yield "  they have no key and take turns over the partitions"
    if topic.mode == "update":
        yield "  and records of what open windows would give, af-kind interim: the newest record of a key counts, the last is the result"
    if sections.window is not None and sections.window.late == "correct" and name not in ("late", "dead_letter"):
        yield "  a correction is a later record of the same key: its header af-revision counts"


def _missed(window: settings.WindowSection | None) -> str:
    """What the late table says a row was too late for."""
    if window is not None and window.type == "session":
        return "the session it would have been alone"
    if window is not None and misses(window):
        return "what it missed, from the start of the first window to the end of the last"
    return "the window it missed"


def _outages(sections: Sections) -> Iterator[str]:
    event = sections.event_time
    yield "the process is killed: nothing; the next run reads again what no record holds"
    yield "the broker is away: results wait; nothing is lost while the topic keeps its records"
    yield "the disk is full or away: the run stops before its next record and goes on from the last one"
    if sections.topics:
        yield f"a cluster with a topic of {listed(sections.topics)} is away: the epoch waits for it, and so does all that comes after"
    if event is None or sections.window is None:
        return
    if event.scope == "partition":
        yield "one partition falls silent: its own windows wait, nobody else's, and nothing is lost"
        if event.close_silent_after is not None:
            yield f"  but after {duration_text(event.close_silent_after)} its windows close, and what it sends for them later is late"
    elif event.idle_timeout is None:
        yield "one partition falls silent: every window waits for it, and nothing is lost"
    else:
        yield f"one partition falls silent: after {duration_text(event.idle_timeout)} windows close without it, and what it sends for them later is late"


def _warnings(sections: Sections) -> Iterator[str]:
    if not sections.has("dead_letter"):
        yield "there is no [dead_letter]: refused records are counted and their content is not kept"
    if sections.event_time is not None and sections.event_time.max_future_skew is None:
        yield "there is no max_future_skew: one message with a wrong clock closes windows that are still filling"
    kafka = None if sections.source is None else sections.source.kafka
    properties = [
        ({} if kafka is None else kafka.properties),
        *(topic.properties for topic in sections.topics.values()),
    ]
    for name, value in (item for settings_ in properties for item in settings_.items()):
        if isinstance(value, SecretReference) and value.readable_by_others():
            yield f"{name}: the file {value.name} can be read by others; chmod 600 keeps it yours"
    yield from tables.warnings(sections)
