"""Public fakes and conformance suites: what a new adapter is tested with."""
