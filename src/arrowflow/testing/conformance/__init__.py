"""One suite per protocol: subclass it, say how to make the adapter, inherit the tests."""
