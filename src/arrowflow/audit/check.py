"""One audit from beginning to end, also beside a writer at work: what moved while it looked is looked at again."""

from __future__ import annotations

from collections.abc import Mapping

from arrowflow.audit.control import check_outboxes, check_state, sort_out
from arrowflow.audit.files import Files
from arrowflow.audit.report import Report
from arrowflow.audit.tables import check_tables
from arrowflow.audit.told import Told
from arrowflow.audit.walk import epochs_in, walk

_LOOKS = 5


def audit(files: Files, prefix: str, *, roots: Mapping[str, str] | None = None, deep: bool = False) -> Report:
    """Check the invariants of one job.

    A violation counts only if it was seen in every look while the log moved on, up to five of them: a writer at work
    makes files come and go between two listings, and what is really wrong stays wrong.

    Parameters
    ----------
    files : Files
        Where the job's files are.
    prefix : str
        Its control prefix (the checkpoint folder).
    roots : mapping of sink to folder, optional
        Where tables lie that no record tells of (previews); others are found through the records.
    deep : bool
        Read the tables as well: every byte against its record, and no row twice.
    """
    prefix = prefix.rstrip("/")
    report, newest = _look(files, prefix, roots or {}, deep=deep)
    for _ in range(_LOOKS - 1):
        if report.clean or _newest(files, prefix) == newest:
            break
        seen = {(each.invariant, each.place) for each in report.findings}
        report, newest = _look(files, prefix, roots or {}, deep=deep)
        report.findings = [each for each in report.findings if (each.invariant, each.place) in seen]
    return report


def _look(files: Files, prefix: str, roots: Mapping[str, str], *, deep: bool) -> tuple[Report, int]:
    report, told = Report(prefix, deep=deep), Told(prefix, roots)
    newest = _newest(files, prefix)
    walk(files, report, told)
    # Before the tables: a file that is moved meanwhile is then seen at least once.
    control = files.list(prefix)
    check_state(files, report, told)
    check_outboxes(files, report, told, control)
    check_tables(files, report, told, control, deep=deep)
    sort_out(report, told, control)
    return report, newest


def _newest(files: Files, prefix: str) -> int:
    return max(epochs_in(files, prefix), default=-1)
