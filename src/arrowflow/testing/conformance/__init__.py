"""Suites to subclass: say how to build the adapter, inherit its tests. They need pytest."""
