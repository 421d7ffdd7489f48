"""`python -m arrowflow` is the command line; nothing else happens here."""

from arrowflow.cli import main

main(prog_name="arrowflow")
