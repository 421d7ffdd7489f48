"""The one tree of errors. A class says what its receiver may do; it never says where it came from.

Vendor errors are translated once, where the vendor is called. Every message names a place (file, line and
key, or topic, partition and offset), the value seen, what was allowed, and the next command to run.
"""

from __future__ import annotations


class ArrowflowError(Exception):
    """Root of the tree; `exit_code` is what the command line returns for it."""

    exit_code = 1


class ConfigError(ArrowflowError):
    """Fix the configuration and start again."""

    exit_code = 2


class RetryableError(ArrowflowError):
    """Nothing changed outside: the same call may be made again."""

    exit_code = 3


class Unreachable(RetryableError):
    """A service (broker, store) cannot be reached within the patience given."""


class TooManyBadRecords(ArrowflowError):
    """The share of dead letters passed its limit; nothing of the epoch was committed."""

    exit_code = 4


class DataLossError(ArrowflowError):
    """Offsets are gone, or the log or a file of ours changed: stop and report the range."""

    exit_code = 6


class Fenced(ArrowflowError):
    """Another writer took over. Stop; delete nothing."""

    exit_code = 7


class OutletTaken(Fenced):
    """A sink obeys another producer now. The log says who owns the job: if it is still us, take the sink back."""


class CommitUnknown(ArrowflowError):
    """A commit may or may not have happened. Read the log first; delete nothing."""

    exit_code = 3


class StateRefused(ArrowflowError):
    """State in the log was made by another query, another cluster or another calendar."""

    exit_code = 8


class StateCorrupt(StateRefused):
    """A snapshot does not hold the bytes its record promises; recovery replays instead."""


class BalanceError(ArrowflowError):
    """The rows of an epoch do not add up: a bug, and the commit was refused."""


class PromiseBroken(ArrowflowError):
    """The stream broke a promise of the configuration, such as a key in two partitions under partition scope."""

    exit_code = 4


class StateTooLarge(ArrowflowError):
    """The open windows need more memory than the configuration allows; nothing of the epoch was committed."""

    exit_code = 4


class OutOfMemory(ArrowflowError):
    """The process was refused memory; nothing of the epoch was committed."""

    exit_code = 4


class ObjectMissing(ArrowflowError):
    """A control object or staged file is not where its record says. Check for a newer writer before blaming anyone."""

    exit_code = 6


class AlreadyExists(ArrowflowError):
    """Create-if-absent lost: the name is taken."""
