"""The compose file as an engine reads it: its variables filled in, its services as dictionaries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_FOLDER = Path(__file__).parents[1]
COMPOSE_FILE = _FOLDER / "docker-compose.yml"
DOCKERFILE = _FOLDER / "Dockerfile"

#: ``$$``, or ``${NAME:-default}``, or ``${NAME:?complaint}``; no other form is in use.
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?P<kind>:-|:\?)(?P<text>[^}]*)\})")


#: The variables that somebody has to set.
GIVEN = {
    "IMAGEMILL_PICTURES": "/srv/pictures",
    "IMAGEMILL_POSTGRES_PASSWORD": "Pass1",
    "IMAGEMILL_REDIS_PASSWORD": "Pass2",
}


def read_compose(given: Mapping[str, str] = GIVEN) -> dict[str, Any]:
    """Return the whole file with its variables filled in; raises LookupError without a needed one.

    A key that stands twice is an error, as it is to an engine.
    """
    filled: dict[str, Any] = _fill(_load(), given)
    return filled


def read_services(given: Mapping[str, str] = GIVEN) -> dict[str, dict[str, Any]]:
    """Return the services by name."""
    services: dict[str, dict[str, Any]] = read_compose(given)["services"]
    return services


def find_variables() -> list[tuple[str, str, str]]:
    """Return the name of each use of a variable, ``:-`` or ``:?``, and what follows."""
    text = COMPOSE_FILE.read_text(encoding="utf-8")
    return [
        (name, use["kind"], use["text"])
        for use in _VARIABLE.finditer(text)
        if (name := use["name"])
    ]


def find_stray_dollars() -> list[str]:
    """Return what follows each dollar sign that begins no known form."""
    text = _VARIABLE.sub("", COMPOSE_FILE.read_text(encoding="utf-8"))
    return re.findall(r"\$.{0,20}", text)


def environment_of(service: Mapping[str, Any]) -> dict[str, str]:
    """Return what a service finds in its environment; what is only passed on is not set."""
    environment = service.get("environment", {})
    return {name: value for name, value in environment.items() if value is not None}


def words_of(service: Mapping[str, Any]) -> list[str]:
    """Return the command line of a service; of another's image without its entry point."""
    entrypoint = service.get("entrypoint", ["imagemill"] if is_ours(service) else [])
    return [*entrypoint, *service.get("command", [])]


def is_ours(service: Mapping[str, Any]) -> bool:
    """Tell whether a service runs the image of the Dockerfile."""
    return "build" in service


@cache
def _load() -> Any:
    return YAML(typ="safe", pure=True).load(COMPOSE_FILE.read_text(encoding="utf-8"))


def _fill(value: Any, given: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(its, given) for key, its in value.items()}
    if isinstance(value, list):
        return [_fill(its, given) for its in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda use: _value(use, given), value)
    return value


def _value(use: re.Match[str], given: Mapping[str, str]) -> str:
    if use["name"] is None:
        return "$"
    value = given.get(use["name"])
    if not value and use["kind"] == ":?":
        raise LookupError(use["text"])
    return value or use["text"]
