"""`python -m arrowflow` is the command line; nothing else happens here."""

from arrowflow.cli import main

try:
    main(prog_name="arrowflow")
finally:
    # A Ctrl-C that passes through `exec` of a text, as inside a dataclass being made, is remembered by CPython even after
    # it was handled, and under `-m` the process would then end by the signal instead of with 130. Evaluating any text
    # makes it forget.
    eval("None")  # noqa: S307
