"""Settings: where they come from, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import pytest

from pipeline.config import Options, Settings, load_settings
from pipeline.errors import UsageError


def test_the_interface_takes_every_setting_as_a_keyword() -> None:
    assert set(get_type_hints(Options)) == set(Settings.model_fields)


def test_what_is_given_goes_before_the_environment_and_that_before_the_env_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("IMAGEMILL_TOP_K=2\nIMAGEMILL_WEIGHTS=demo\nIMAGEMILL_DEVICE=cpu\n")
    monkeypatch.setenv("IMAGEMILL_TOP_K", "3")
    monkeypatch.setenv("IMAGEMILL_DEVICE", "cuda:1")
    settings = load_settings(device="cuda:0", precision=None)
    assert (settings.device, settings.top_k, settings.weights) == ("cuda:0", 3, "demo")
    assert settings.precision == "auto"


def test_without_anything_the_database_is_a_file_of_this_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert load_settings().database_url == f"sqlite:///{tmp_path}/imagemill/imagemill.db"


def test_roots_are_folders_between_colons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEMILL_ROOTS", "/data/a:/data/b:")
    assert load_settings().roots == (Path("/data/a"), Path("/data/b"))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"max_batch": 0}, "--max-batch"),
        ({"top_k": 0}, "--top-k"),
        ({"precision": "sloppy"}, "--precision"),
        ({"device": "gpu"}, "--device"),
        ({"max_wait_ms": -1}, "--max-wait-ms"),
        ({"roots": (Path("here"),)}, "roots"),
    ],
)
def test_a_wrong_value_is_refused_in_a_sentence_that_names_it(
    wrong: dict[str, Any], named: str
) -> None:
    with pytest.raises(UsageError, match=named) as caught:
        load_settings(**wrong)
    assert "\n" not in str(caught.value)


def test_a_wrong_value_in_the_environment_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEMILL_CHUNK_SIZE", "many")
    with pytest.raises(UsageError, match="IMAGEMILL_CHUNK_SIZE"):
        load_settings()


@pytest.mark.parametrize("ports", ["abc", "0", "80,70000"])
def test_ports_that_are_none_are_refused_by_the_options_name(ports: str) -> None:
    with pytest.raises(UsageError, match=r"--allow-ports \(IMAGEMILL_ALLOW_PORTS\): it takes numb"):
        load_settings(allow_ports=ports)
    assert load_settings(allow_ports="80, 8080").allow_ports == (80, 8080)
