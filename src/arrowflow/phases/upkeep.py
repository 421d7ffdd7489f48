"""upkeep: seal all there is at once, beside the runs of a job. Reads no record of the source."""

from __future__ import annotations

from arrowflow.errors import ConfigError
from arrowflow.phases.finish import close_log
from arrowflow.phases.job import Job
from arrowflow.phases.recover import recover
from arrowflow.phases.seal import first_unsealed, seal, sealing
from arrowflow.types import Manifest


def seal_all(job: Job) -> list[Manifest]:
    """Take the log over, seal every epoch that may be sealed, due or not, and close the log; return the records made.

    Raises
    ------
    ConfigError
        If no sink of the pipeline is to be sealed.
    StateRefused, DataLossError, Fenced
        As a run at its start.
    """
    if not sealing(job):
        raise ConfigError(
            f'{job.pipeline.name}: no table says `seal`; write seal = "1d" into the [sink.NAME] whose small files are meant'
        )
    recover(job)
    made: list[Manifest] = []
    while True:
        before = [first_unsealed(job, name) for name in sealing(job)]
        record = seal(job, everything=True)
        if record is not None:
            made.append(record)
        elif before == [first_unsealed(job, name) for name in sealing(job)]:
            break
    close_log(job)
    return made
