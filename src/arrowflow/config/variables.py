"""`${NAME}` and `${NAME:-default}` in string values, filled in after parsing: a variable can never add a key."""

from __future__ import annotations

import re
from collections.abc import Mapping

from arrowflow.config.document import Document
from arrowflow.config.problem import Path, Problem, printable

_USE = re.compile(r"\$(?P<escaped>\$)?\{(?P<body>[^{}]*)\}?")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


def fill_in(document: Document, env: Mapping[str, str]) -> list[Problem]:
    """Replace every use of a variable in `document`; a missing one without a default is a problem.

    ``$${`` stands for ``${`` itself. As in a shell, ``:-`` also answers for a variable that is set but empty.
    What a variable holds is taken as it is: a ``${`` inside it means nothing.
    """
    problems: list[Problem] = []

    def filled(path: Path, text: str) -> str:
        def one(use: re.Match[str]) -> str:
            if use["escaped"]:
                return use[0][1:]
            try:
                return _look_up(use, env)
            except LookupError as error:
                problems.append(document.problem(path, str(error.args[0])))
                return use[0]

        return _USE.sub(one, text) if "${" in text else text

    document.replace(filled)
    return problems


def _look_up(use: re.Match[str], env: Mapping[str, str]) -> str:
    body = _BODY.fullmatch(use["body"]) if use[0].endswith("}") else None
    if body is None:
        raise LookupError(
            f'"{printable(use[0])}" is no variable: write ${{NAME}} or ${{NAME:-default}}, or $${{ for the characters themselves'
        )
    value = env.get(body["name"])
    if body["default"] is not None:
        return value or body["default"]
    if value is None:
        raise LookupError(
            f"the environment variable {body['name']} is not set and has no default: set it, or write ${{{body['name']}:-default}}"
        )
    return value
