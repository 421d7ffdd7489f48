"""Public fakes with the real protocols, and conformance suites that any adapter can be held to."""
