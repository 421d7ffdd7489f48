"""hanging: transactions that stay open and hold back what was produced behind them. Warns, once for each; reads nothing."""

from __future__ import annotations

from arrowflow.events import Notice
from arrowflow.phases.job import Job
from arrowflow.types import Discovery


def tell_hanging(job: Job, seen: Discovery) -> None:
    """Warn of a transaction that was open at the last look and still is, and tell when it has ended.

    Nothing behind the first open transaction of a partition is given to a reader, so a producer that died in one looks
    like a topic that has gone quiet: the records wait, results lack them, and no error comes.
    """
    before = {} if job.seen is None else job.seen.partitions
    for part, info in seen.partitions.items():
        known, last = job.hanging.get(part), before.get(part)
        if (
            info.stable < info.high
            and last is not None
            and (last.stable, last.stable < last.high) == (info.stable, True)
        ):
            if known != info.stable:
                job.hanging[part] = info.stable
                job.observer.notice(Notice("warning", _HELD.format(part, info.stable, info.high)))
        elif known is not None and info.stable > known:
            del job.hanging[part]
            job.observer.notice(Notice("info", f"{part}: the transaction that was open at offset {known} has ended"))


_HELD = (
    "{0}: a transaction stays open at offset {1}; offsets {1} to {2} wait for its end and are in no result until then. "
    "The broker aborts it at its producer's transaction.timeout.ms; one that outlives that is found and aborted with "
    "Kafka's own kafka-transactions.sh"
)
