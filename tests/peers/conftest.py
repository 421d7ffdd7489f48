"""One Spark for all tests of this folder, on loopback, gone with the last of them."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


def _missing() -> str | None:
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed: make peers-equal"
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "PySpark needs Java 17 or newer"
    return None


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A local Spark of two threads."""
    reason = _missing()
    if reason is not None and os.environ.get("ARROWFLOW_REQUIRE_PEERS") == "1":
        pytest.fail(f"ARROWFLOW_REQUIRE_PEERS=1, but {reason}")
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("SPARK_LOCAL_DIRS", str(folder / "local"))
        patch.chdir(folder)  # whatever Spark leaves behind, it leaves here
        session = _start(folder)
        try:
            yield session
        finally:
            _stop(session)


def _start(folder: Path) -> object:
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Small inputs: what counts is how soon it starts. Compiling a query takes longer than interpreting it.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.extraJavaOptions": f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Djava.io.tmpdir={folder}",
    }
    builder = SparkSession.builder.master("local[2]").appName("peers")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def _stop(session: object) -> None:
    """Stop Spark and wait for its process, which would otherwise stay until Python ends."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(60)
    SparkContext._gateway = SparkContext._jvm = None
