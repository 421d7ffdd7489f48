"""The jobs on Flink SQL, streaming mode, a bounded source, parallelism 2. Arguments: BROKERS HOME JARS.

Python only hands over the SQL: no row passes through it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment
from serve import serve

BROKERS, HOME, JARS = sys.argv[1:4]
FIELDS = "id BIGINT, plant STRING, line STRING, sensor STRING, `value` DOUBLE, unit STRING, quality BIGINT, ok BOOLEAN, ts BIGINT"
WINDOWED = "sensor STRING, `value` DOUBLE, ts BIGINT"
NEEDED = ("flink-sql-connector-kafka", "flink-sql-parquet", "hadoop-client-", "commons-logging")
WINDOWS = {
    "tumbling": "TUMBLE(TABLE records, DESCRIPTOR(t), INTERVAL '30' MINUTE)",
    "hopping": "HOP(TABLE records, DESCRIPTOR(t), INTERVAL '5' MINUTE, INTERVAL '30' MINUTE)",
    "session": "SESSION(TABLE records PARTITION BY sensor, DESCRIPTOR(t), INTERVAL '30' SECOND)",
}
SETTINGS = {
    "parallelism.default": "2",
    "taskmanager.numberOfTaskSlots": "2",
    "pipeline.object-reuse": "true",
    "state.backend.type": "hashmap",
    "execution.checkpointing.interval": "10 s",
    "execution.checkpointing.mode": "EXACTLY_ONCE",
    "table.local-time-zone": "UTC",
    "rest.port": "0",
    "io.tmp.dirs": HOME,
}


def environment(scratch: str) -> TableEnvironment:
    """A cluster inside this process's JVM."""
    settings = Configuration()
    for key, value in (SETTINGS | {"execution.checkpointing.dir": f"file://{scratch}/checkpoints"}).items():
        settings.set_string(key, value)
    jars = (jar.as_uri() for jar in sorted(Path(JARS).glob("*.jar")) if jar.name.startswith(NEEDED))
    settings.set_string("pipeline.jars", ";".join(jars))
    return TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(settings).build()
    )


def run(job: str, topic: str, out: str, scratch: str) -> None:
    """Run the job to the end of the topic."""
    table = environment(scratch)
    columns = FIELDS
    if job != "raw":
        columns = f"{WINDOWED}, t AS TO_TIMESTAMP_LTZ(ts, 3), WATERMARK FOR t AS t - INTERVAL '1' MINUTE"
    table.execute_sql(f"""
        CREATE TABLE records ({columns}) WITH (
            'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{BROKERS}',
            'properties.group.id' = 'flink', 'scan.startup.mode' = 'earliest-offset',
            'scan.bounded.mode' = 'latest-offset', 'format' = 'json')""")
    result = "sensor STRING, window_start TIMESTAMP(3), window_end TIMESTAMP(3), n BIGINT, total DOUBLE, low DOUBLE, high DOUBLE"
    table.execute_sql(f"""
        CREATE TABLE answer ({FIELDS if job == "raw" else result}) WITH (
            'connector' = 'filesystem', 'path' = 'file://{out}', 'format' = 'parquet',
            'parquet.compression' = 'SNAPPY', 'parquet.utc-timezone' = 'true')""")
    query = "SELECT * FROM records"
    if job != "raw":
        query = f"""
            SELECT sensor, window_start, window_end, COUNT(*), SUM(`value`), MIN(`value`), MAX(`value`)
            FROM TABLE({WINDOWS[job]}) GROUP BY sensor, window_start, window_end"""
    table.execute_sql(f"INSERT INTO answer {query}").wait()


if __name__ == "__main__":
    serve(run)
