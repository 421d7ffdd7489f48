"""The table of verbs and what becomes of an error in one of them. Imports a verb only to run it."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import NoReturn

import click

from arrowflow.cli.output import UNREAD, exit_code_of, flush, let_go, say, settle
from arrowflow.cli.session import Session
from arrowflow.errors import ArrowflowError

INTERRUPTED = 130
BUG = 1

VERBS: dict[str, str] = {
    "run": "Run a pipeline until it is stopped, or until it has caught up.",
    "validate": "Say everything that is wrong with a configuration; connects to nothing.",
    "explain": "Say what a pipeline will do: windows, clocks, files per day, guarantees, outages.",
    "init": "Write a commented configuration to start from.",
    "schema": "Print the JSON Schema of a configuration, for editors.",
    "sample": "Write a sample stream, and its right answer.",
    "reset": "Go back to an earlier record, or read on at other offsets.",
    "seal": "Put the small files of a pipeline's tables together.",
    "lifecycle": "Print lifecycle rules for the bucket of a pipeline: hot, cold, archived, gone.",
    "drop": "Retire a pipeline and delete what it holds.",
    "log": "List the records of a pipeline: what each committed.",
    "fsck": "Check records, state and tables against what they promise; changes nothing.",
    "bench": "Time decoding, windows, commits and the whole job, answers checked; compare with an earlier run.",
    "chaos": "Attack a pipeline in a scratch folder: kills, frozen writers, simulated histories.",
}
"""Verb to its one line of help: the module of that name in this package has it as `command`."""


class Verbs(click.Group):
    """Loads a verb when it is called, and turns what it raises into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"arrowflow.cli.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"arrowflow.cli.{cmd_name}.command is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            from arrowflow.config.problem import meant, printable

            ctx.fail(f'there is no verb "{printable(name)}"{meant(name, VERBS)}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs from the table, so that help imports none of them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> object:
        try:
            result = super().invoke(ctx)
            flush()  # what cannot be written is told here, not when the interpreter ends
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            say("arrowflow: interrupted")
            ctx.exit(INTERRUPTED)
        except ArrowflowError as error:
            _tell(ctx, str(error), error)
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            let_go(sys.stdout)  # who reads has seen enough: `arrowflow explain … | head -1`
            ctx.exit(UNREAD)
        except OSError as error:
            let_go(sys.stdout)
            code = exit_code_of(error)
            if code is None:
                self._bug(ctx, error)
            place = f": {error.filename}" if error.filename else ", so the result could not be written"
            _tell(ctx, f"the system refused: {error.strerror}{place}", error)
            ctx.exit(code)
        except Exception as error:  # noqa: BLE001 - a bug is told in one line; --traceback has the rest
            self._bug(ctx, error)
        else:
            return result
        finally:
            settle()

    def _bug(self, ctx: click.Context, error: Exception) -> NoReturn:
        what = f"{type(error).__name__}: {error}".replace("\n", " ")
        _tell(ctx, f"bug: {what}\nplease report it, with what --traceback says", error)
        ctx.exit(BUG)


def _tell(ctx: click.Context, message: str, error: BaseException) -> None:
    session = ctx.ensure_object(Session)
    if session.traceback:
        for line in "".join(traceback.format_exception(error)).rstrip().split("\n"):
            say(session.clean(line))
    first, *more = message.split("\n")
    say(f"arrowflow: {session.clean(first)}")
    for line in more:
        say(f"  {session.clean(line)}")
