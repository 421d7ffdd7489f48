"""The jobs on Spark Structured Streaming, `availableNow`, two cores. Arguments: BROKERS HOME JARS."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from serve import serve

BROKERS, HOME, JARS = sys.argv[1:4]
FIELDS = "id BIGINT, plant STRING, line STRING, sensor STRING, value DOUBLE, unit STRING, quality BIGINT, ok BOOLEAN, ts BIGINT"
WINDOWED = "sensor STRING, value DOUBLE, ts BIGINT"
# What the connector needs beside the jars of pyspark itself.
NEEDED = ("spark-sql-kafka", "spark-token-provider-kafka", "kafka-clients", "commons-pool2")
SETTINGS = {
    "spark.driver.memory": "4g",
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    # As many shuffle partitions as cores: the default of 200 is for clusters, and each one is a state store.
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.parquet.compression.codec": "snappy",
    "spark.local.dir": f"{HOME}/local",
    "spark.sql.warehouse.dir": f"{HOME}/warehouse",
}
PER_BATCH = 500_000


def session() -> SparkSession:
    """Two cores in one JVM."""
    jars = ",".join(str(jar) for jar in Path(JARS).glob("*.jar") if jar.name.startswith(NEEDED))
    builder = SparkSession.builder.master("local[2]").appName("peers").config("spark.jars", jars)
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def ask(spark: SparkSession, job: str, topic: str, out: str, scratch: str) -> None:
    """Run the job to the end of the topic."""
    source = spark.readStream.format("kafka").option("kafka.bootstrap.servers", BROKERS).option("subscribe", topic)
    source = source.option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", PER_BATCH)
    text = source.load().select(f.col("value").cast("string").alias("text"))
    rows = text.select(f.from_json("text", FIELDS if job == "raw" else WINDOWED).alias("row")).select("row.*")
    if job == "raw":
        result = rows
    else:
        timed = rows.withColumn("t", f.timestamp_millis("ts")).withWatermark("t", "1 minute")
        window = {
            "tumbling": f.window("t", "30 minutes"),
            "hopping": f.window("t", "30 minutes", "5 minutes"),
            "session": f.session_window("t", "30 seconds"),
        }[job]
        measures = [
            f.count("*").alias("n"), f.sum("value").alias("total"), f.min("value").alias("low"), f.max("value").alias("high"),
        ]  # fmt: skip
        grouped = timed.groupBy(window.alias("w"), "sensor").agg(*measures)
        ends = [f.col("w.start").alias("window_start"), f.col("w.end").alias("window_end")]
        result = grouped.select("sensor", *ends, "n", "total", "low", "high")
    writer = (
        result.writeStream.format("parquet").option("path", out).option("checkpointLocation", f"{scratch}/checkpoint")
    )
    writer.outputMode("append").trigger(availableNow=True).start().awaitTermination()


if __name__ == "__main__":
    serve(partial(ask, session()))
