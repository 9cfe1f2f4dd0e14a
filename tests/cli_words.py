"""The command line as its own program knows it, for texts and files that name commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from pipeline.cli.main import app


def find_unknown(words: Sequence[str]) -> list[str]:
    """Return those of the words behind ``imagemill`` that are no command or option there."""
    rest, command = list(words), typer.main.get_command(app)
    commands: dict[str, Any] = getattr(command, "commands", {})
    while rest and rest[0] in commands:
        command = commands[rest.pop(0)]
        commands = getattr(command, "commands", {})
    known = {option for its in command.params for option in its.opts} | {"--help"}
    unknown = [word for word in rest if word.startswith("-") and word.split("=")[0] not in known]
    # What stands behind a group is a command of it; behind a command it is an argument.
    return unknown + (rest[:1] if commands and rest[:1] != ["--help"] else [])
