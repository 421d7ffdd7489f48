"""One suite per protocol; subclass it, say how to build the adapter, inherit the tests."""
