"""``python -m tests.fuzz.avro``: see `tests.fuzz.fuzzer`."""

from tests.fuzz.fuzzer import main

if __name__ == "__main__":
    main("avro")
