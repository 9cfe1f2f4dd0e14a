"""The page about clusters and the systemd unit keep their promises."""

from __future__ import annotations

import re
import shlex
from configparser import ConfigParser

import pytest
from cli_words import find_unknown
from compose import COMPOSE_FILE, read_services

from pipeline.config import Settings
from workers.child import Patience

_DOCS = COMPOSE_FILE.parent / "docs"
_PAGE = (_DOCS / "cluster.md").read_text(encoding="utf-8")
_SERVICES = set(read_services())


def lines() -> list[str]:
    """Return the lines of the page's shell blocks, without their comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)
    return [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]


def unit() -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(_DOCS / "imagemill-worker.service")
    return parser


COMMANDS = [line.split(" imagemill ")[1] for line in lines() if " imagemill " in line]
COMMANDS += [line.removeprefix("imagemill ") for line in lines() if line.startswith("imagemill ")]
COMMANDS += re.findall(r"`imagemill ([^`]+)`", _PAGE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_the_page_names_exists(command: str) -> None:
    assert find_unknown(shlex.split(command.partition(" > ")[0])) == []


def test_the_page_names_enough_commands_to_be_worth_a_test() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("line", [line for line in lines() if "docker compose" in line])
def test_every_service_that_the_page_names_exists(line: str) -> None:
    words = shlex.split(line.split("docker compose ")[1])
    scaled = {word.split("=")[0] for word in words if re.fullmatch(r"[\w-]+=\d+", word)}
    named = {word for word in words[1:] if words[0] == "stop"}
    assert scaled | named <= _SERVICES


def test_every_setting_and_file_that_the_page_names_exists() -> None:
    example = (COMPOSE_FILE.parent / ".env.example").read_text(encoding="utf-8")
    settings = {f"IMAGEMILL_{name.upper()}" for name in Settings.model_fields}
    for name in re.findall(r"IMAGEMILL_[A-Z_]+", _PAGE):
        assert name in settings or f"{name}=" in example
    for name in re.findall(r"\]\((?!http)([^)]+)\)", _PAGE):
        assert (_DOCS / name.partition("#")[0]).exists()


def test_the_unit_starts_a_worker() -> None:
    program, *words = unit()["Service"]["ExecStart"].split()
    assert program == "/opt/imagemill/bin/imagemill"
    assert program.rpartition("/bin/")[0] in _PAGE
    assert find_unknown(words) == []
    assert unit()["Service"]["EnvironmentFile"] in _PAGE


def test_the_unit_lets_the_worker_drain_and_starts_it_again_whatever_it_died_of() -> None:
    service = unit()["Service"]
    drain_s = Settings.model_fields["drain_s"].default
    assert float(service["TimeoutStopSec"]) > drain_s + Patience().margin_s
    assert service["KillMode"] == "mixed"
    assert service["Restart"] == "always"
    assert service["OOMPolicy"] == "continue"
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"
