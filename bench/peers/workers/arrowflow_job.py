"""The jobs on arrowflow, configured by bench/peers/arrowflow/*.toml. Argument: BROKERS."""

from __future__ import annotations

import sys
from pathlib import Path

from serve import serve

from arrowflow.config import load
from arrowflow.engine import start
from arrowflow.pipeline import RunOptions

CONFIGS = Path(__file__).parents[1] / "arrowflow"


def run(job: str, topic: str, out: str, scratch: str) -> None:
    """What ``arrowflow run CONFIG --until-caught-up`` does."""
    env = {"PEERS_BROKERS": sys.argv[1], "PEERS_TOPIC": topic, "PEERS_OUT": out, "PEERS_SCRATCH": scratch}
    pipeline = load(CONFIGS / f"{job}.toml", env)
    start(pipeline, RunOptions(until_caught_up=True)).result()


if __name__ == "__main__":
    serve(run)
