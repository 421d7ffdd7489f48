"""``python -m tests.fuzz.json``: see `tests.fuzz.fuzzer`."""

from tests.fuzz.fuzzer import main

if __name__ == "__main__":
    main("json")
