"""A table of mistakes: each is found, at the exact place, in a sentence that says what to do.

The sign ⌖ in a case stands before the character the problem must be placed at; it is taken out of the file.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from arrowflow.config import InvalidConfig, check, load, read
from arrowflow.config.explain import explain
from arrowflow.windows.spec import Cumulative, Hopping, Session, Sliding, Tumbling

MINUTE, HOUR = 60_000_000, 3_600_000_000

BASE = """\
[pipeline]
name = "job"

[source.kafka]
brokers = "localhost:9092"
topics = ["events"]

[source.kafka.schema]
plant = "string"
at = "timestamp[ms]"
units = "int64"
rate = "float64"

[event_time]
column = "at"
max_out_of_orderness = "30m"

[window]
type = "tumbling"
size = "1h"
group_by = ["plant"]
late = "drop"

[aggregate]
total = "sum(units)"

[sink.parquet]
path = "lake/table"
partition_by = ["plant", "date"]

[checkpoint]
path = "lake/_arrowflow/job"
"""

CALENDAR = """type = "calendar"
unit = "shift"
calendar = "plants"
group_by = ["plant"]
late = "drop"
[calendars.plants]
key = "plant"
zones = { north = "America/Monterrey" }
shifts = { T1 = "06:00-14:00", T2 = "14:00-22:00", T3 = "22:00-06:00" }
"""
WINDOW = 'type = "tumbling"\nsize = "1h"\ngroup_by = ["plant"]\nlate = "drop"\n'


def _calendar(old: str, new: str) -> str:
    assert old in CALENDAR
    return CALENDAR.replace(old, new, 1)


# (name, text of BASE, what stands there instead, key of the problem, part of its sentence)
CASES: list[tuple[str, str, str, str, str]] = [
    # unknown keys and sections: row 56
    ("typo of a key", "group_by =", "⌖grup_by =", "window.grup_by", 'did you mean "group_by"?'),
    ("typo of a section", "[checkpoint]", "[⌖checkpiont]", "checkpiont", 'did you mean "checkpoint"?'),
    ("key of another section", 'late = "drop"', 'late = "drop"\n⌖cadence = "5m"', "window.cadence", "`cadence` is a key of [checkpoint]"),
    ("key like no other", 'name = "job"', 'name = "job"\n⌖zzzz = 1', "pipeline.zzzz", "allowed here: name, layer"),
    ("schema beside its source", "[source.kafka.schema]", "[source.⌖schema]", "source.schema", "write [source.kafka.schema]"),
    ("another kind of source", "[source.kafka]", "[source.⌖kafak]", "source.kafak", 'did you mean "kafka"?'),
    ("later source", "[source.kafka]", "[source.⌖debezium]\n[source.kafka]", "source.debezium", "comes in a later version"),
    ("typo of a security key", 'topics = ["events"]', 'topics = ["events"]\nproperties = { ⌖"security.protocl" = "SASL_SSL" }', "source.kafka.properties.security.protocl", "security.protocol"),
    ("property that loads code", 'topics = ["events"]', 'topics = ["events"]\nproperties.⌖"plugin.library.paths" = "x.so"', "source.kafka.properties.plugin.library.paths", "loads code"),
    ("property that is ours", 'topics = ["events"]', 'topics = ["events"]\nproperties.enable.auto.⌖commit = true', "source.kafka.properties.enable.auto.commit", "cannot be set"),
    ("unknown key in a column", 'plant = "string"', 'plant = { type = "string", ⌖requird = true }', "source.kafka.schema.plant.requird", 'did you mean "required"?'),
    ("unknown key in a step", "[window]", '[[transform]]\n⌖fliter = "units > 0"\n[window]', "transform[0].fliter", 'did you mean "filter"?'),
    # wrong types: row 56
    ("number for text", 'name = "job"', "name = ⌖7", "pipeline.name", "must be text in quotes, not 7"),
    ("text for a list", 'topics = ["events"]', 'topics = ⌖"events"', "source.kafka.topics", 'must be a list such as ["a", "b"]'),
    ("number in a list", 'topics = ["events"]', 'topics = ["events", ⌖7]', "source.kafka.topics[1]", "must be text"),
    ("empty list", 'topics = ["events"]', "topics = ⌖[]", "source.kafka.topics", "must not be empty"),
    ("empty text", 'name = "job"', 'name = ⌖""', "pipeline.name", "must not be empty"),
    ("text for a bool", 'topics = ["events"]', 'topics = ["events"]\ncoerce = ⌖"true"', "source.kafka.coerce", "true or false without quotes"),
    ("text for a number", "[checkpoint]", '[checkpoint]\nfull_every = ⌖"20"', "checkpoint.full_every", "must be a whole number"),
    ("fraction for a whole number", "[checkpoint]", "[checkpoint]\nfull_every = ⌖2.5", "checkpoint.full_every", "must be a whole number"),
    ("too small", "[checkpoint]", "[checkpoint]\nfull_every = ⌖0", "checkpoint.full_every", "must be at least 1"),
    ("too large a share", "[checkpoint]", "[limits]\nmax_error_rate = ⌖1.5\n[checkpoint]", "limits.max_error_rate", "must be at most 1"),
    ("not a number", "[checkpoint]", "[limits]\nmax_error_rate = ⌖nan\n[checkpoint]", "limits.max_error_rate", "must be"),
    ("value for a table", '[sink.parquet]\npath = "lake/table"\npartition_by = ["plant", "date"]', '[sink]\npath = ⌖"lake/table"', "sink.path", "write [sink.parquet]"),
    ("one bracket for steps", "[window]", '[⌖transform]\nfilter = "units > 0"\n[window]', "transform", "write [[transform]] with two brackets"),
    ("number for a duration", '"30m"', "⌖30", "event_time.max_out_of_orderness", 'write a length of time with its unit, such as "5m"'),
    ("words for a duration", '"30m"', '⌖"30 minutes"', "event_time.max_out_of_orderness", "is no length of time"),
    ("negative duration", '"30m"', '⌖"-5m"', "event_time.max_out_of_orderness", "is no length of time"),
    ("empty duration", '"30m"', '⌖""', "event_time.max_out_of_orderness", "is no length of time"),
    ("ages", '"30m"', '⌖"900000d"', "event_time.max_out_of_orderness", "longer than 400 years"),
    ("state that fits nothing", "[checkpoint]", '[limits]\nmax_state_bytes = ⌖"64kB"\n[checkpoint]', "limits.max_state_bytes", "must be at least 1048576"),
    ("memory that holds no job", "[checkpoint]", '[limits]\nmemory = ⌖"5MiB"\n[checkpoint]', "limits.memory", "must be at least 67108864"),
    ("words for a size", "[checkpoint]", '[limits]\nmax_epoch_bytes = ⌖"much"\n[checkpoint]', "limits.max_epoch_bytes", "is no size"),
    ("start without offset", 'topics = ["events"]', 'topics = ["events"]\nstart = ⌖"2025-01-01T00:00:00"', "source.kafka.start", "a time with its offset"),
    ("start that is none", 'topics = ["events"]', 'topics = ["events"]\nstart = ⌖"begining"', "source.kafka.start", '"earliest"'),
    # choices
    ("correct without its patience", '"drop"', '⌖"correct"', "window.late", "needs `correct_for`"),
    ("patience without correct", 'late = "drop"', 'late = "drop"\n⌖correct_for = "2d"', "window.correct_for", 'belongs to late = "correct"'),
    ("a correction may move a row", '"drop"\n\n[aggregate]\ntotal = "sum(units)"\n\n[sink.parquet]\npath = "lake/table"\npartition_by = ["plant", "date"]',
     '"correct"\ncorrect_for = "2d"\n\n[aggregate]\ntotal = "sum(units)"\n\n[sink.parquet]\npath = "lake/table"\npartition_by = ⌖["plant", "total"]',
     "sink.parquet.partition_by", "a correction may change total"),
    ("a correction may move a row by its date", '"drop"\n\n[aggregate]\ntotal = "sum(units)"\n\n[sink.parquet]\npath = "lake/table"\npartition_by = ["plant", "date"]',
     '"correct"\ncorrect_for = "2d"\n\n[aggregate]\nnewest = "max(at)"\n\n[sink.parquet]\npath = "lake/table"\ntime_column = "newest"\npartition_by = ⌖["plant", "date"]',
     "sink.parquet.partition_by", "a correction may change newest"),
    ("updates without a keyed sink", "[checkpoint]", '[⌖emit]\nmode = "on_update"\n[checkpoint]', "emit", 'add [sink.open] with kind = "preview"'),
    ("early results without a keyed sink", "[checkpoint]", '[⌖emit]\nearly = "5m"\n[checkpoint]', "emit", "a Parquet table of results keeps each row it is given"),
    ("a preview that is never written", "[checkpoint]", '[sink.⌖open]\nkind = "preview"\npath = "lake/open"\n[checkpoint]', "sink.open", "would never be written"),
    ("a preview with folders", "[checkpoint]", '[emit]\nmode = "on_update"\n[sink.open]\nkind = "preview"\npath = "lake/open"\n⌖partition_by = ["plant"]\n[checkpoint]', "sink.open.partition_by", "a preview is one file"),
    ("always and at most so often", "[checkpoint]", '[emit]\nmode = "on_update"\n⌖early = "5m"\n[sink.preview]\npath = "lake/open"\n[checkpoint]', "emit.early", "keep one of them"),
    ("sealing a preview", "[checkpoint]", '[emit]\nmode = "on_update"\n[sink.open]\nkind = "preview"\npath = "lake/open"\n⌖seal = "1d"\n[checkpoint]', "sink.open.seal", "a preview is one file"),
    ("sealing what is one epoch", 'partition_by = ["plant", "date"]', 'partition_by = ["plant", "date"]\nseal = ⌖"1m"', "sink.parquet.seal", 'is 1m, and an epoch is cut every 1m: there would be nothing to put together; write a longer one, such as "1d"'),
    ("a table where sealed files go", 'partition_by = ["plant", "date"]', 'partition_by = ["plant", "date"]\nseal = ⌖"1d"\n[sink.old]\nkind = "parquet"\npath = "lake/table__sealed"', "sink.parquet.seal", "is the folder of sink.old.path already; each needs its own"),
    ("nothing but a preview", '[sink.parquet]\npath = "lake/table"\npartition_by = ["plant", "date"]', '[emit]\nmode = "on_update"\n[sink.⌖preview]\npath = "lake/open"', "sink.preview", "add a table"),
    ("typo of a choice", '"tumbling"', '⌖"tumblin"', "window.type", '"tumblin" is not one of tumbling, hopping, sliding, session, cumulative, calendar – did you mean "tumbling"?'),
    ("sliding with a slide is hopping", 'type = "tumbling"', 'type = "sliding"\n⌖slide = "5m"', "window.slide", 'write type = "hopping" with `size` and `hop` instead of `slide`'),
    ("sliding with a hop is hopping", 'type = "tumbling"', 'type = "sliding"\n⌖hop = "5m"', "window.hop", 'write type = "hopping"'),
    ("slide of a hopping window", 'type = "tumbling"', 'type = "hopping"\n⌖slide = "5m"', "window.slide", "it is called `hop` here"),
    ("hop of another engine", 'size = "1h"', 'size = "1h"\n⌖every = "5m"', "window.every", "it is called `hop` here"),
    ("hop of a tumbling window", 'size = "1h"', 'size = "1h"\n⌖hop = "5m"', "window.hop", 'write type = "hopping"'),
    ("gap of a tumbling window", 'size = "1h"', 'size = "1h"\n⌖gap = "5m"', "window.gap", "belongs to session windows, and this one is tumbling"),
    ("size of a session", 'type = "tumbling"\nsize = "1h"', 'type = "session"\ngap = "10m"\n⌖size = "1h"', "window.size", "a session has no size"),
    ("timeout of a session", 'type = "tumbling"\nsize = "1h"', 'type = "session"\n⌖timeout = "10m"', "window.timeout", "it is called `gap` here"),
    ("step of a hopping window", 'type = "tumbling"', 'type = "hopping"\n⌖step = "10m"', "window.step", "called `hop`"),
    ("hop of a cumulative window", 'type = "tumbling"', 'type = "cumulative"\n⌖hop = "10m"', "window.hop", "called `step`"),
    ("origin of a sliding window", 'type = "tumbling"', 'type = "sliding"\n⌖origin = "10m"', "window.origin", "belongs to tumbling, hopping, cumulative windows, and this one is sliding"),
    ("closed of a hopping window", 'type = "tumbling"', 'type = "hopping"\nhop = "5m"\n⌖closed = "both"', "window.closed", "belongs to sliding windows"),
    ("closed on a side there is not", 'type = "tumbling"', 'type = "sliding"\nclosed = ⌖"left"', "window.closed", '"left" is not one of right, both'),
    ("no hop", 'type = "tumbling"', 'type = "hopping"', "window.hop", 'a hopping window needs it, such as hop = "5m"'),
    ("no gap", 'type = "tumbling"\nsize = "1h"', 'type = "session"', "window.gap", 'a session window needs it, such as gap = "10m"'),
    ("no step", 'type = "tumbling"', 'type = "cumulative"', "window.step", "a cumulative window needs it"),
    ("no size of a sliding window", 'type = "tumbling"\nsize = "1h"', 'type = "sliding"', "window.size", "a sliding window needs it"),
    ("row 42: no length of a hopping window", 'type = "tumbling"\nsize = "1h"', 'type = "hopping"\nhop = "5m"\nsize = ⌖"0s"', "window.size", "must be longer than nothing"),
    ("row 42: no hop at all", 'type = "tumbling"', 'type = "hopping"\nhop = ⌖"0s"', "window.hop", "must be longer than nothing"),
    ("row 42: negative hop", 'type = "tumbling"', 'type = "hopping"\nhop = ⌖"-5m"', "window.hop", "is no length of time"),
    ("row 42: no gap at all", 'type = "tumbling"\nsize = "1h"', 'type = "session"\ngap = ⌖"0m"', "window.gap", "must be longer than nothing"),
    ("row 42: sessions of no length", 'type = "tumbling"\nsize = "1h"', 'type = "session"\ngap = "1m"\nmax_length = ⌖"0m"', "window.max_length", "must be longer than nothing"),
    ("row 42: no step at all", 'type = "tumbling"', 'type = "cumulative"\nstep = ⌖"0s"', "window.step", "must be longer than nothing"),
    ("row 42: no size of a sliding window", 'type = "tumbling"\nsize = "1h"', 'type = "sliding"\nsize = ⌖"0s"', "window.size", "must be longer than nothing"),
    ("row 42: a row in a billion windows", 'type = "tumbling"\nsize = "1h"', 'type = "hopping"\nsize = "1000000s"\nhop = ⌖"1ms"', "window.hop", "a size of 11d13h46m40s and a hop of 1ms each row lies in 1000000000 windows; at most 10000"),
    ("row 42: a window of a billion panes", 'type = "tumbling"\nsize = "1h"', 'type = "hopping"\nsize = "1000000s"\nhop = ⌖"999999999ms"', "window.hop", "is 1ms, so each window is put together from 1000000000 panes"),
    ("row 42: a billion steps", 'type = "tumbling"\nsize = "1h"', 'type = "cumulative"\nsize = "1000000s"\nstep = ⌖"1ms"', "window.step", "size / step is 1000000000; at most 10000"),
    ("step that does not divide its size", 'type = "tumbling"', 'type = "cumulative"\nstep = ⌖"25m"', "window.step", "a size of 1h is not a whole number of steps of 25m"),
    ("step longer than its size", 'type = "tumbling"', 'type = "cumulative"\nstep = ⌖"2h"', "window.step", "is not a whole number of steps"),
    ("correct for sessions", 'type = "tumbling"\nsize = "1h"\ngroup_by = ["plant"]\nlate = "drop"', 'type = "session"\ngap = "1h"\ngroup_by = ["plant"]\ncorrect_for = "2d"\nlate = ⌖"correct"', "window.late", "not possible for session windows"),
    ("correct for sliding windows", 'type = "tumbling"\nsize = "1h"\ngroup_by = ["plant"]\nlate = "drop"', 'type = "sliding"\nsize = "1h"\ngroup_by = ["plant"]\ncorrect_for = "2d"\nlate = ⌖"correct"', "window.late", "not possible for sliding windows"),
    ("correct for hopping windows", 'type = "tumbling"\nsize = "1h"\ngroup_by = ["plant"]\nlate = "drop"', 'type = "hopping"\nsize = "1h"\nhop = "30m"\ngroup_by = ["plant"]\ncorrect_for = "2d"\nlate = ⌖"correct"', "window.late", "not possible for hopping windows"),
    ("sealed payload comes later", "[checkpoint]", '[dead_letter]\npath = "lake/_dead"\npayload = ⌖"sealed"\n[checkpoint]', "dead_letter.payload", "comes in a later version"),
    ("format comes later", 'topics = ["events"]', 'topics = ["events"]\nformat = ⌖"protobuf"', "source.kafka.format", "comes in a later version"),
    ("sink comes later", '[sink.parquet]', '[sink.gold]\nkind = ⌖"bigquery"', "sink.gold.kind", "comes in a later version"),
    ("unit that is none", WINDOW, _calendar('"shift"', '⌖"weak"'), "window.unit", '"weak" is not one of shift, day, week, month – did you mean "week"?'),
    ("layer", 'name = "job"', 'name = "job"\nlayer = ⌖"golden"', "pipeline.layer", 'did you mean "gold"?'),
    ("compression", "[checkpoint]", "[checkpoint]".replace("[checkpoint]", '[dead_letter]\npath = "lake/_dead"\ncompression = ⌖"snapy"\n[checkpoint]'), "dead_letter.compression", 'did you mean "snappy"?'),
    # things left out
    ("no late policy", '[window]\ntype = "tumbling"\nsize = "1h"\ngroup_by = ["plant"]\nlate = "drop"', '[⌖window]\ntype = "tumbling"\nsize = "1h"\ngroup_by = ["plant"]', "window.late", '"drop" counts them and nothing else; "side" writes them'),
    ("no section at all", '[checkpoint]\npath = "lake/_arrowflow/job"\n', "", "checkpoint", "the section [checkpoint] is missing"),
    ("no name", '[pipeline]\nname = "job"', "[⌖pipeline]", "pipeline.name", "is missing: Names the job"),
    ("no size", 'size = "1h"\n', "", "window.size", 'a tumbling window needs it, such as size = "8h"'),
    ("no source", '[source.kafka]\nbrokers = "localhost:9092"\ntopics = ["events"]\n\n[source.kafka.schema]\nplant = "string"\nat = "timestamp[ms]"\nunits = "int64"\nrate = "float64"', "[⌖source]", "source", "names no source"),
    ("no event time", '[event_time]\ncolumn = "at"\nmax_out_of_orderness = "30m"\n', "", "event_time", "a window needs event time"),
    ("no aggregate", '[aggregate]\ntotal = "sum(units)"\n', "", "aggregate", "a window needs at least one result"),
    ("no schema", '[source.kafka.schema]\nplant = "string"\nat = "timestamp[ms]"\nunits = "int64"\nrate = "float64"', "", "source.kafka.schema", "needs the columns to read"),
    ("no place for late rows", '"drop"', '⌖"side"', "window.late", "write [late] with `path`"),
    ("place for late rows nobody writes", "[checkpoint]", '[⌖late]\npath = "lake/_late"\n[checkpoint]', "late", 'window.late is "drop"'),
    ("sink without a kind", "[sink.parquet]", "[sink.⌖gold]", "sink.gold", 'add kind = "parquet"'),
    # source
    ("two sources", "[source.kafka.schema]", '[source.⌖replay]\npaths = ["a.ndjson"]\nformat = "raw"\n[source.kafka.schema]', "source.replay", "one file has one source"),
    ("bad broker", '"localhost:9092"', '⌖"http//x y"', "source.kafka.brokers", 'write "host:port"'),
    ("typo of embedded", '"localhost:9092"', '⌖"embedded,"', "source.kafka.brokers", "is no broker"),
    ("bad topic", '["events"]', '[⌖"a/b"]', "source.kafka.topics[0]", "is no topic name"),
    ("topic twice", '["events"]', '["events", ⌖"events"]', "source.kafka.topics[1]", "is there twice"),
    ("bad pipeline name", '"job"', '⌖"my job"', "pipeline.name", "is no name"),
    ("unset variable", '"localhost:9092"', '⌖"${NOT_SET}"', "source.kafka.brokers", "NOT_SET is not set and has no default"),
    ("variable with a bad name", '"localhost:9092"', '⌖"${1st}"', "source.kafka.brokers", "is no variable"),
    ("unfinished variable", '"localhost:9092"', '⌖"${BROKERS"', "source.kafka.brokers", "is no variable"),
    ("missing secret", 'topics = ["events"]', 'topics = ["events"]\nproperties = { "sasl.password" = ⌖{ env = "NO_SUCH" } }', "source.kafka.properties.sasl.password", "NO_SUCH that should hold a secret is not set"),
    ("missing secret file", 'topics = ["events"]', 'topics = ["events"]\nproperties = { "sasl.password" = ⌖{ file = "/no/such" } }', "source.kafka.properties.sasl.password", "cannot be read"),
    ("property that is a list", 'topics = ["events"]', 'topics = ["events"]\nproperties = { "client.id" = ⌖["a"] }', "source.kafka.properties.client.id", "is no setting"),
    ("schema of raw messages", 'topics = ["events"]', 'topics = ["events"]\nformat = "raw"', "source.kafka.schema", 'has no meaning with format = "raw"'),
    ("path of another world", '"lake/table"', '⌖"s3://bucket/table"', "sink.parquet.path", "s3:// is not in this version"),
    ("table in a bucket, records on the disk", '"lake/table"', '⌖"gs://bucket/table"', "sink.parquet.path", "is in the bucket bucket, and checkpoint.path on the local disk"),
    ("no bucket", '"lake/table"', '⌖"gs://B/table"', "sink.parquet.path", "'B' is no bucket"),
    ("two slashes in an address", '"lake/table"', '⌖"gs://bucket//table"', "sink.parquet.path", "an empty part"),
    ("file address", '"lake/table"', '⌖"file:///lake/table"', "sink.parquet.path", "write a plain path"),
    # columns
    ("unknown type", '"int64"', '⌖"integr"', "source.kafka.schema.units", "integr"),
    ("type of another language", '"int64"', '⌖"integer"', "source.kafka.schema.units", 'did you mean "int64"?'),
    ("reserved column", "rate =", "⌖_offset =", "source.kafka.schema._offset", "arrowflow uses itself"),
    ("column of our own family", "rate =", "⌖__af_epoch =", "source.kafka.schema.__af_epoch", "arrowflow uses itself"),
    ("hostile column: row 53", "rate =", '⌖"x`;--" =', "source.kafka.schema.x`;--", "is no column name"),
    ("long column: row 53", "rate =", f'⌖"{"x" * 300}" =', f"source.kafka.schema.{'x' * 300}", "has 300 characters"),
    ("event time not in the schema", 'column = "at"', 'column = ⌖"att"', "event_time.column", 'did you mean "at"?'),
    ("event time is no time", 'column = "at"', 'column = ⌖"units"', "event_time.column", 'is "int64", not a time'),
    ("group of nothing", '["plant"]', '["plant", ⌖"plnt"]', "window.group_by[1]", 'did you mean "plant"?'),
    ("group twice", '["plant"]', '["plant", ⌖"plant"]', "window.group_by[1]", "is there twice"),
    ("group of floats", '["plant"]', '⌖["plant", "rate"]', "window.group_by", "rate"),
    ("aggregate of nothing", '"sum(units)"', '⌖"sum(unit)"', "aggregate.total", 'did you mean "units"?'),
    ("aggregate of text", '"sum(units)"', '⌖"sum(plant)"', "aggregate.total", "sum"),
    ("unknown function", '"sum(units)"', '⌖"summ(units)"', "aggregate.total", 'did you mean "sum"?'),
    ("function of another engine", '"sum(units)"', '⌖"avg(units)"', "aggregate.total", 'did you mean "mean"?'),
    ("argument missing", '"sum(units)"', '⌖"quantile(units)"', "aggregate.total", "q is missing: a number from 0 to 1"),
    ("argument out of range", '"sum(units)"', '⌖"quantile(units, 95)"', "aggregate.total", "write quantile(column, q)"),
    ("argument too many", '"sum(units)"', '⌖"max(units, 1)"', "aggregate.total", "the argument 1 has no meaning"),
    ("argument of nothing", '"sum(units)"', '⌖"quantile(units, )"', "aggregate.total", "an argument should stand"),
    ("argument that is no number", '"sum(units)"', '⌖"quantile(units, 0.5.1)"', "aggregate.total", "is no number"),
    ("bare length of time", '"sum(units)"', '⌖"coverage(units, 1h)"', "aggregate.total", "stands in quotes"),
    ("length of time of none", '"sum(units)"', "⌖\"coverage(units, '0s')\"", "aggregate.total", "length of time"),
    ("weights of nothing", '"sum(units)"', '⌖"weighted_mean(units, unit)"', "aggregate.total", "did you mean 'units'?"),
    ("weights of text", '"sum(units)"', '⌖"weighted_mean(units, plant)"', "aggregate.total", "which is string"),
    ("quality of floats", '"sum(units)"', '⌖"quality_mean(units, rate)"', "aggregate.total", "OPC quality codes"),
    ("state of another type", '"sum(units)"', "⌖\"time_in_state(units, 'ON')\"", "aggregate.total", "no value of a column"),
    ("counting rows of something", '"sum(units)"', '⌖"count(*, 1)"', "aggregate.total", "takes nothing beside"),
    ("no call", '"sum(units)"', '⌖"units"', "aggregate.total", "write function(column)"),
    ("code in a call: row 54", '"sum(units)"', "⌖\"sum(units'); DROP TABLE x; --)\"", "aggregate.total", ""),
    ("sum of nothing", '"sum(units)"', '⌖"sum()"', "aggregate.total", "sum needs a column"),
    ("result named like a window's column", "total =", "⌖window_start =", "aggregate.window_start", "window_start"),
    ("result named like a group", "total =", "⌖plant =", "aggregate.plant", "plant"),
    ("folder of nothing", '"date"]', '⌖"datum"]', "sink.parquet.partition_by[1]", 'did you mean "date"?'),
    ("folder of a column that was folded away", '"date"]', '⌖"units"]', "sink.parquet.partition_by[1]", "add it to window.group_by"),
    ("folder twice", '"date"]', '⌖"plant"]', "sink.parquet.partition_by[1]", "is there twice"),
    ("time column of nothing", '"date"]', '"date"]\ntime_column = ⌖"window_stat"', "sink.parquet.time_column", 'did you mean "window_start"?'),
    ("time column for nothing", ', "date"]', ']\n⌖time_column = "window_start"', "sink.parquet.time_column", "has no meaning unless"),
    ("filter on nothing", "[window]", '[[transform]]\nfilter = ⌖"unts > 0"\n[window]', "transform[0].filter", "unts"),
    ("filter over rows", "[window]", '[[transform]]\nfilter = ⌖"units > avg(units)"\n[window]', "transform[0].filter", ""),
    ("step that does two things", "[window]", '[[⌖transform]]\nfilter = "units > 0"\nselect = ["at"]\n[window]', "transform[0]", "a step does one thing"),
    ("step that does nothing", "[window]", "[[⌖transform]]\n[window]", "transform[0]", "a step does one thing"),
    ("column dropped before it is used", "[window]", '[[transform]]\nselect = ["at", "units"]\n[window]', "window.group_by[0]", "plant"),
    ("derived column with a reserved name", "[window]", '[[transform]]\nderive = { ⌖_topic = "units" }\n[window]', "transform[0].derive._topic", "arrowflow uses itself"),
    # windows and time
    ("window of no length", '"1h"', '⌖"0s"', "window.size", "must be longer than nothing"),
    ("key of the other kind", 'size = "1h"', 'size = "1h"\n⌖unit = "shift"', "window.unit", "belongs to calendar windows"),
    ("idleness under partition scope", 'max_out_of_orderness = "30m"', 'max_out_of_orderness = "30m"\nscope = "partition"\n⌖idle_timeout = "1h"', "event_time.idle_timeout", "`close_silent_after` closes those"),
    ("silence under pipeline scope", 'max_out_of_orderness = "30m"', 'max_out_of_orderness = "30m"\n⌖close_silent_after = "1h"', "event_time.close_silent_after", "`idle_timeout` lets"),
    ("advance without idleness", 'max_out_of_orderness = "30m"', 'max_out_of_orderness = "30m"\nwhen_all_idle = ⌖"advance"', "event_time.when_all_idle", "needs `idle_timeout`"),
    ("reference for nothing", 'max_out_of_orderness = "30m"', 'max_out_of_orderness = "30m"\n⌖future_clock_reference = "create"', "event_time.future_clock_reference", "without `max_future_skew`"),
    # calendars
    ("no such calendar", WINDOW, _calendar('"plants"', '⌖"plantas"'), "window.calendar", 'did you mean "plants"?'),
    ("key not grouped by", WINDOW, _calendar('["plant"]', "⌖[]"), "window.group_by", 'must contain "plant", the key of the calendar'),
    ("no such zone", WINDOW, _calendar('"America/Monterrey"', '⌖"America/Monterey"'), "calendars.plants.zones.north", 'did you mean "America/Monterrey"?'),
    ("zone by its offset", WINDOW, _calendar('"America/Monterrey"', '⌖"UTC-6"'), "calendars.plants.zones.north", "is no IANA time zone"),
    ("hours that are none", WINDOW, _calendar('"06:00-14:00"', '⌖"6-14"'), "calendars.plants.shifts.T1", 'write "HH:MM-HH:MM"'),
    ("hours beyond the day", WINDOW, _calendar('"22:00-06:00"', '⌖"22:00-25:00"'), "calendars.plants.shifts.T3", 'write "HH:MM-HH:MM"'),
    ("shifts that overlap", WINDOW, _calendar('"06:00-14:00"', '"06:00-15:00"').replace("[calendars.plants]", "[calendars.⌖plants]"), "calendars.plants", "overlap"),
    ("no unit", WINDOW, _calendar('unit = "shift"\n', ""), "window.unit", 'a calendar window needs it: "shift", "day", "week" or "month"'),
    ("no shifts", WINDOW, _calendar('shifts = { T1 = "06:00-14:00", T2 = "14:00-22:00", T3 = "22:00-06:00" }\n', "").replace("[calendars.plants]", "[calendars.⌖plants]"), "calendars.plants", "needs [shifts]"),
    ("holiday in quotes", WINDOW, CALENDAR + 'holidays = ⌖["2025-12-25"]\n', "calendars.plants.holidays", "dates without quotes"),
    ("weekday that is none", WINDOW, _calendar('"shift"', '"week"\nweek_starts = ⌖"mondy"'), "window.week_starts", 'did you mean "monday"?'),
    ("first weekday of a month", WINDOW, _calendar('"shift"', '"month"\n⌖week_starts = "monday"'), "window.week_starts", 'belongs to unit = "week", and this is "month"'),
    ("first weekday of hours", 'size = "1h"', 'size = "1h"\n⌖week_starts = "monday"', "window.week_starts", "belongs to calendar windows"),
    ("breaks without a shift's name", WINDOW, CALENDAR + 'breaks = ⌖["10:00-10:30"]\n', "calendars.plants.breaks", "must be a table"),
    ("break without brackets", WINDOW, CALENDAR + 'breaks = { T1 = ⌖"10:00-10:30" }\n', "calendars.plants.breaks.T1", 'must be a list such as ["a", "b"]'),
    ("no breaks in a list", WINDOW, CALENDAR + "breaks = { T1 = ⌖[] }\n", "calendars.plants.breaks.T1", "must not be empty"),
    ("break of no shift", WINDOW, CALENDAR + 'breaks = { ⌖T4 = ["10:00-10:30"] }\n', "calendars.plants.breaks.T4", 'there is no shift "T4", only T1, T2, T3'),
    ("hours of a break that are none", WINDOW, CALENDAR + 'breaks = { T1 = ["10:00-10:30", ⌖"12-13"] }\n', "calendars.plants.breaks.T1[1]", 'is no break: write "HH:MM-HH:MM"'),
    ("break outside its shift", WINDOW, CALENDAR + 'breaks = { T1 = ⌖["13:45-14:15"] }\n', "calendars.plants.breaks.T1", "is not inside the shift, which is 06:00-14:00"),
    ("breaks that overlap", WINDOW, CALENDAR + 'breaks = { T3 = ⌖["23:45-00:15", "00:10-00:20"] }\n', "calendars.plants.breaks.T3", "overlap: join them into one"),
    ("break of no length", WINDOW, CALENDAR + 'breaks = { T1 = ⌖["10:00-10:00"] }\n', "calendars.plants.breaks.T1", "has no length"),
    ("breaks that leave nothing", WINDOW, CALENDAR + 'breaks = { T1 = ⌖["06:00-10:00", "10:00-14:00"] }\n', "calendars.plants.breaks.T1", "leave nothing of it"),
    ("break of a later plan", WINDOW, CALENDAR + '[[calendars.plants.revisions]]\nvalid_from = 2026-01-01\nshifts = { D = "08:00-20:00" }\nbreaks = { ⌖T1 = ["10:00-10:30"] }\n', "calendars.plants.revisions[0].breaks.T1", "there is no shift"),
    ("how long a value holds across a break", WINDOW + '\n[aggregate]\ntotal = "sum(units)"', CALENDAR.replace("[calendars.plants]", '[aggregate]\ntotal = ⌖"coverage(units)"\n[calendars.plants]') + 'breaks = { T1 = ["10:00-10:30"] }\n', "aggregate.total", "the calendar has breaks inside shifts"),
    # folders
    ("records inside the table", '"lake/_arrowflow/job"', '⌖"lake/table/_records"', "checkpoint.path", "checkpoint.path is inside sink.parquet.path"),
    ("table inside the records", '"lake/_arrowflow/job"', '⌖"lake"', "checkpoint.path", "sink.parquet.path is inside checkpoint.path"),
    ("same folder twice", '"lake/_arrowflow/job"', '⌖"lake/../lake/table"', "checkpoint.path", "is the folder of sink.parquet.path already"),
    ("dead letters inside the table", "[checkpoint]", '[dead_letter]\npath = ⌖"lake/table/dead"\n[checkpoint]', "dead_letter.path", "is inside sink.parquet.path"),
    ("a share larger than the whole", "[checkpoint]", '[limits]\nmemory = "1GiB"\nmax_epoch_bytes = ⌖"2GiB"\n[checkpoint]', "limits.max_epoch_bytes", "more than limits.memory (1,073,741,824)"),
    ("slices larger than an epoch", "[checkpoint]", '[limits]\nmax_epoch_rows = 10\nmax_slice_rows = ⌖11\n[checkpoint]', "limits.max_slice_rows", "an epoch is made of slices"),
    ("too few records kept", "[checkpoint]", '[limits]\nkeep_records = ⌖9\n[checkpoint]', "limits.keep_records", "must be at least 10, not 9"),
    ("how long, without a unit", "[checkpoint]", '[limits]\nkeep_for = ⌖7\n[checkpoint]', "limits.keep_for", "not 7"),
    ("no cadence", "[checkpoint]", '[checkpoint]\ncadence = ⌖"0s"', "checkpoint.cadence", 'must be at least "1ms"'),
    # the language itself
    ("key twice", 'size = "1h"', 'size = "1h"\n⌖size = "2h"', "window.size", "is already set on line 20"),
    ("table twice", "[checkpoint]", '[⌖window]\n[checkpoint]', "window", "is already set on line 18"),
    ("two keys twice", 'size = "1h"', 'size = "1h"\n⌖size = "2h"\nsize = "3h"', "window.size", "is already set on line 20"),
    ("quote left open", '"1h"', '"1h⌖\n', "", "not valid TOML"),
    ("no value", 'size = "1h"', "size =⌖", "", "not valid TOML"),
]  # fmt: skip


def _write(tmp_path: Path, text: str) -> tuple[Path, str | None]:
    before, mark, after = text.partition("⌖")
    file = tmp_path / "job.toml"
    file.write_text(before + after, encoding="utf-8")
    place = f"{before.count(chr(10)) + 1}:{len(before) - (before.rfind(chr(10)) + 1) + 1}" if mark else None
    return file, place


@pytest.mark.parametrize(
    ("old", "new", "key", "sentence"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_row_56_every_mistake_is_told_at_its_place_with_what_to_do(tmp_path, monkeypatch, old, new, key, sentence):
    monkeypatch.chdir(tmp_path)
    assert old in BASE
    text = BASE.replace(old, new, 1)
    file, place = _write(tmp_path, text)

    problems = check(file, {})

    told = [problem for problem in problems if problem.key == key and sentence in problem.sentence]
    assert told, "\n".join(map(str, problems)) or "nothing was found"
    if place is not None:
        assert f"{told[0].place.line}:{told[0].place.column}" == place
    assert "\n" not in str(told[0])
    with pytest.raises(InvalidConfig):
        load(file, {})


@pytest.mark.parametrize(
    ("edits", "key", "sentence"),
    [
        (
            [('"30m"', '"30m"\nscope = ⌖"partition"'), ('["plant"]', "[]"), ('["plant", "date"]', '["date"]')],
            "event_time.scope",
            "without `window.group_by` there is one group for all",
        ),
        ([('"sum(units)"', '"sum(rate)"'), ('"date"]', '"total"]')], "sink.parquet.partition_by", "total"),
        (
            [
                (WINDOW, ""),
                ("[window]\n", ""),
                ('[aggregate]\ntotal = "sum(units)"', ""),
                ('"30m"', '"30m"\nscope = ⌖"partition"'),
            ],
            "event_time.scope",
            "there is no [window]",
        ),
        (
            [
                (WINDOW, ""),
                ("[window]\n", ""),
                ('[aggregate]\ntotal = "sum(units)"', ""),
                ('"30m"', '"30m"\n⌖idle_timeout = "1m"'),
            ],
            "event_time.idle_timeout",
            "there is no [window]",
        ),
        ([(WINDOW, ""), ("[window]\n", ""), ("[aggregate]", "[⌖aggregate]")], "aggregate", "needs a [window]"),
        (
            [
                (WINDOW, ""),
                ("[window]\n", ""),
                ('[aggregate]\ntotal = "sum(units)"', '[limits]\n⌖max_state_bytes = "1GiB"'),
            ],
            "limits.max_state_bytes",
            "there is no [window]: remove it",
        ),
        (
            [(WINDOW, ""), ("[window]\n", ""), ('[aggregate]\ntotal = "sum(units)"', '[⌖late]\npath = "lake/_late"')],
            "late",
            "there are no late rows without a [window]",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_told(tmp_path, monkeypatch, edits, key, sentence):
    monkeypatch.chdir(tmp_path)
    text = BASE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    file, place = _write(tmp_path, text)

    problems = check(file, {})

    told = [problem for problem in problems if problem.key == key and sentence in problem.sentence]
    assert told, "\n".join(map(str, problems)) or "nothing was found"
    if place is not None:
        assert f"{told[0].place.line}:{told[0].place.column}" == place


def test_the_base_of_the_table_is_valid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, _ = _write(tmp_path, BASE)

    assert check(file, {}) == []
    assert load(file, {}).name == "job"


@pytest.mark.parametrize(
    ("window", "kind"),
    [
        ('type = "tumbling"\nsize = "1h"\norigin = "10m"', Tumbling(HOUR, 10 * MINUTE)),
        ('type = "hopping"\nsize = "30m"\nhop = "5m"\norigin = "1m"', Hopping(30 * MINUTE, 5 * MINUTE, MINUTE)),
        ('type = "hopping"\nsize = "7m"\nhop = "5m"', Hopping(7 * MINUTE, 5 * MINUTE)),  # row 42: panes of the gcd
        ('type = "hopping"\nsize = "5m"\nhop = "7m"', Hopping(5 * MINUTE, 7 * MINUTE)),  # row 42: with room between
        ('type = "sliding"\nsize = "1h"', Sliding(HOUR)),
        ('type = "sliding"\nsize = "1h"\nclosed = "both"', Sliding(HOUR, "both")),
        ('type = "session"\ngap = "10m"', Session(10 * MINUTE)),
        ('type = "session"\ngap = "10m"\nmax_length = "1h"', Session(10 * MINUTE, HOUR)),
        ('type = "cumulative"\nsize = "1h"\nstep = "5m"\norigin = "1m"', Cumulative(HOUR, 5 * MINUTE, MINUTE)),
    ],
)
def test_every_kind_of_window_can_be_written_and_explained(tmp_path, monkeypatch, window, kind):
    monkeypatch.chdir(tmp_path)
    file, _ = _write(tmp_path, BASE.replace('type = "tumbling"\nsize = "1h"', window))

    assert check(file, {}) == []
    assert load(file, {}).operator.spec.window == kind
    told = dict(explain(read(file, {}), datetime(2026, 1, 1, tzinfo=UTC)).parts)
    assert any("for example, a row at 2025-10-31 10:07 UTC" in line for line in told["windows"])
    assert told["state"][0].startswith("one row per group and ")


def test_the_calendar_of_the_table_is_valid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, _ = _write(tmp_path, BASE.replace(WINDOW, CALENDAR))

    assert check(file, {}) == []


def test_a_problem_reads_file_line_column_key_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("gold.toml").write_text(BASE.replace('"tumbling"', '"tumblin"'), encoding="utf-8")

    (problem,) = check("gold.toml", {})

    assert (
        str(problem)
        == 'gold.toml:19:8 window.type: "tumblin" is not one of tumbling, hopping, sliding, session, cumulative, calendar – did you mean "tumbling"?'
    )


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = BASE
    for old, new in [
        ('"job"', '"a job"'),
        ("brokers =", "broker ="),
        ('"30m"', '"half an hour"'),
        ('"tumbling"', '"tumblin"'),
        ('"sum(units)"', '"summ(units)"'),
        ('"lake/_arrowflow/job"', '"lake/table"'),
    ]:
        text = text.replace(old, new, 1)
    file, _ = _write(tmp_path, text)

    problems = check(file, {})

    assert [problem.place.line for problem in problems] == sorted(problem.place.line for problem in problems)
    found = {problem.key for problem in problems}
    assert {
        "pipeline.name",
        "source.kafka.broker",
        "source.kafka.brokers",
        "event_time.max_out_of_orderness",
        "window.type",
        "checkpoint.path",
    } <= found


def test_columns_are_counted_in_characters_not_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, place = _write(
        tmp_path,
        BASE.replace("zones = ", "")
        .replace('["events"]', '["events"] # ñandú 日本', 1)
        .replace('path = "lake/table"', 'kind = "parquet"  # 日本語')
        .replace("[sink.parquet]", '[sink.parquet]\npath = "lake/日本語" # é\n"días" = 1'),
    )

    (problem,) = check(file, {})

    assert problem.key == "sink.parquet.días"
    assert problem.place.column == 1
    file, place = _write(
        tmp_path, BASE.replace('plant = "string"', '"日本" = { type = "string", ⌖x = 1 }\nplant = "string"')
    )
    (problem,) = check(file, {})
    assert f"{problem.place.line}:{problem.place.column}" == place


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "job.toml"
    file.write_bytes(b"\xef\xbb\xbf" + BASE.replace('"tumbling"', '"tumblin"').replace("\n", "\r\n").encode())

    (problem,) = check(file, {})

    assert problem.place == (19, 8)


def test_control_characters_in_a_value_are_escaped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, _ = _write(tmp_path, BASE.replace('"tumbling"', r'"\u001b[2Jx\ny\u202e"'))

    (problem,) = check(file, {})

    assert "\x1b" not in str(problem)
    assert "\n" not in str(problem)
    assert r"\x1b[2Jx\x0ay\u202e" in str(problem)
