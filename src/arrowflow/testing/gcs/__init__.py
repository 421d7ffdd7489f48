"""A strict fake of Cloud Storage: the JSON API on a port of this machine, with the faults a network and a service have."""

from arrowflow.testing.gcs.faults import Fault
from arrowflow.testing.gcs.server import FakeGcs

__all__ = ["FakeGcs", "Fault"]
