"""The auditor: says from the records and the files alone whether a job kept its promises. Shares no code with the engine.

It knows docs/commit-log.md and nothing else, and imports only the standard library, pyarrow and a checksum (an import
contract holds it to that): a mistake of the engine is not repeated where it is looked for. It changes nothing.
"""

from arrowflow.audit.check import audit
from arrowflow.audit.files import Files, LocalFiles
from arrowflow.audit.report import Finding, Report

__all__ = ["Files", "Finding", "LocalFiles", "Report", "audit"]
