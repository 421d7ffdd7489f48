"""Public fakes and conformance suites: an adapter is done when it passes the suite of its protocol."""
