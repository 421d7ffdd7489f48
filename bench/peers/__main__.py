"""``python -m bench.peers``: arrowflow beside other engines on one real Kafka; a table, a plot and the raw results."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from pathlib import Path

from bench.peers import kits, report
from bench.peers.compare import Bench, Plan, fill, install, measure
from bench.peers.ways import ALL_JOBS, OURS, PEERS
from tests.realparts.kafka_broker import BrokerUnavailable, KafkaBroker

QUICK = 200_000
ROOT = Path(__file__).parents[2]
RESULTS, PAGE = ROOT / "bench/results/peers.json", ROOT / "docs/benchmarks-peers.md"


def main() -> None:
    """Run everything that is asked for; exits with 1 if anybody's answer was wrong."""
    given = arguments().parse_args()
    out = given.out or (kits.CACHE / "quick.json" if given.quick else RESULTS)
    page = PAGE if out == RESULTS else out.with_suffix(".md")
    if given.report:
        report.write(report.read(out), out, page)
        return
    began = time.monotonic()

    def say(line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        print(f"[{minutes:2}:{seconds:02}] {line}", file=sys.stderr, flush=True)

    ways = [*OURS.values(), *(PEERS[name] for name in given.peers.split())]
    records = QUICK if given.quick else given.records
    plan = Plan(
        records, records // 4, 0 if given.quick else given.long * records, records // 40 if any(way.slow for way in ways) else 0,
        given.rounds, given.cold_rounds, tuple(given.jobs.split()),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="arrowflow_peers_") as folder:
        try:
            with KafkaBroker.launch() as broker:
                bench = Bench(plan, ways, broker, Path(folder), say)
                install(bench, c_program=not given.no_c)
                fill(bench)
                measure(bench)
        except BrokerUnavailable as reason:
            raise SystemExit(str(reason)) from reason
    command = shlex.join(["python", "-m", "bench.peers", *sys.argv[1:]])
    found = report.results(bench, command)
    report.write(found, out, page)
    print(report.text(found))
    if bench.wrong:
        raise SystemExit(
            "not every answer was right: " + "; ".join(f"{who}: {what}" for who, what in bench.wrong.items())
        )


def arguments() -> argparse.ArgumentParser:
    """What can be said."""
    wanted = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    wanted.add_argument(
        "--peers", default=" ".join(PEERS), help=f"of {', '.join(PEERS)}, between blanks; all by default"
    )
    wanted.add_argument("--jobs", default=" ".join(ALL_JOBS), help="some of the four")
    wanted.add_argument("--records", type=int, default=1_500_000, help="in each of the two topics")
    wanted.add_argument(
        "--long", type=int, default=4, help="so many times as many for the topic of the C program; 0: none"
    )
    wanted.add_argument("--rounds", type=int, default=5)
    wanted.add_argument("--cold-rounds", type=int, default=1)
    wanted.add_argument(
        "--quick", action="store_true", help=f"{QUICK:,} records and no long topic, to see that it runs"
    )
    wanted.add_argument("--no-c", action="store_true", help="without the C program")
    wanted.add_argument("--out", type=Path, help=f"the raw results; {RESULTS.name} in bench/results by default")
    wanted.add_argument(
        "--report", action="store_true", help="measure nothing: write the page and the plot from --out again"
    )
    return wanted


if __name__ == "__main__":
    main()
