"""The compose file: what an engine would refuse, and what would go wrong in one."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from cli_words import find_unknown
from compose import (
    COMPOSE_FILE,
    DOCKERFILE,
    GIVEN,
    environment_of,
    find_stray_dollars,
    find_variables,
    is_ours,
    read_compose,
    read_services,
    words_of,
)

from pipeline.config import Settings
from pipeline.database.address import read_address
from workers.child import Patience

_EXAMPLE = (COMPOSE_FILE.parent / ".env.example").read_text(encoding="utf-8")
SERVICES = read_services()
OURS = {name: service for name, service in SERVICES.items() if is_ours(service)}
WORKERS = {name: OURS[name] for name in ("worker", "worker-cpu")}
WEB = OURS["web"]
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def seconds(duration: str) -> float:
    parts = re.findall(r"(\d+)(ms|s|m|h)", duration)
    assert "".join(number + unit for number, unit in parts) == duration
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def each(services: dict[str, dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("service", services.values(), ids=services.keys())


def test_it_fits_the_schema_of_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, COMPOSE_FILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_services_are_those_of_the_design() -> None:
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    assert profiles == {
        "redis": [],
        "postgres": [],
        "migrate": [],
        "worker": [],
        "worker-cpu": ["cpu"],
        "web": [],
        "imagemill": ["command"],
        "flower": ["flower"],
    }


@each(SERVICES)
def test_what_a_service_waits_for_can_come_true(service: dict[str, Any]) -> None:
    for name, wait in service.get("depends_on", {}).items():
        awaited = SERVICES[name]
        assert "profiles" not in awaited
        match wait["condition"]:
            case "service_healthy":
                assert awaited["healthcheck"]["test"]
            case "service_completed_successfully":
                assert awaited["restart"] == "no"
            case condition:
                pytest.fail(f"{condition} waits for nothing that matters")


@each(WORKERS)
def test_a_worker_waits_for_everything(service: dict[str, Any]) -> None:
    assert set(service["depends_on"]) == {"redis", "postgres", "migrate"}
    assert SERVICES["migrate"]["command"] == ["db", "upgrade"]


@each(SERVICES)
def test_every_volume_is_declared_and_every_one_declared_is_used(service: dict[str, Any]) -> None:
    declared = set(read_compose()["volumes"])
    named = [v.split(":")[0] for v in service.get("volumes", []) if isinstance(v, str)]
    assert set(named) <= declared
    mounted = [v for its in SERVICES.values() for v in its.get("volumes", []) if isinstance(v, str)]
    assert {v.split(":")[0] for v in mounted} == declared


def test_every_variable_has_a_default_or_says_what_to_do() -> None:
    assert find_stray_dollars() == []
    for name, kind, text in find_variables():
        assert kind == ":-" or text.startswith("write "), name


@pytest.mark.parametrize("name", GIVEN)
def test_nothing_starts_without_what_must_be_set(name: str) -> None:
    with pytest.raises(LookupError, match="write .* into .env"):
        read_compose(GIVEN | {name: ""})


def test_the_example_names_every_variable_and_no_other() -> None:
    named = set(re.findall(r"^#?([A-Z_]+)=", _EXAMPLE, re.MULTILINE))
    passed_on = {n for s in OURS.values() for n, v in s["environment"].items() if v is None}
    assert named == {name for name, _, _ in find_variables()} | passed_on | {"COMPOSE_PROFILES"}
    assert not re.findall(r"^\w*PASSWORD=.+", _EXAMPLE, re.MULTILINE)


def test_no_secret_stands_in_the_file_or_on_a_command_line() -> None:
    secret = GIVEN | {n: "Tell-Nobody" for n in GIVEN if n.endswith("PASSWORD")}
    secret["IMAGEMILL_FLOWER_PASSWORD"] = "Tell-Nobody"
    for name, service in read_services(secret).items():
        assert "Tell-Nobody" not in repr({**service, "environment": None}), name


@each(SERVICES)
def test_no_port_is_open_to_other_machines(service: dict[str, Any]) -> None:
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "network_mode" not in service


@each(SERVICES)
def test_a_service_has_no_rights_and_writes_nowhere_else(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["user"] not in ("root", "0", "0:0")
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert not {"privileged", "cap_add", "pid", "ipc"} & set(service)


@each(OURS)
def test_it_takes_the_image_of_the_dockerfile_and_its_user(service: dict[str, Any]) -> None:
    assert service["build"] == "."
    assert f"USER {service['user']}\n" in DOCKERFILE.read_text(encoding="utf-8")


@each({name: SERVICES[name] for name in ("redis", "postgres")})
def test_the_image_of_a_server_has_its_major_version(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z]+:\d+", service["image"])


@each({name: service for name, service in OURS.items() if name != "flower"})
def test_its_words_are_a_command_of_ours(service: dict[str, Any]) -> None:
    program, *words = words_of(service)
    assert program == "imagemill"
    assert find_unknown(words) == []


@each(OURS)
def test_its_settings_exist_and_its_addresses_are_read(service: dict[str, Any]) -> None:
    fields = {f"IMAGEMILL_{name.upper()}" for name in Settings.model_fields}
    others = {"PGPASSWORD", "IMAGEMILL_FLOWER_PASSWORD", "FORWARDED_ALLOW_IPS"}
    stores = {name for name in service["environment"] if name.startswith("AWS_")}
    assert set(service["environment"]) <= fields | others | stores
    values = environment_of(service)
    given = {n.removeprefix("IMAGEMILL_").lower(): v for n, v in values.items() if n in fields}
    settings = Settings(**given)  # type: ignore[arg-type]
    assert settings.broker_url == "redis://:Pass2@redis:6379/0"
    if "IMAGEMILL_DATABASE_URL" in values:
        assert read_address(settings.database_url).url.host == "postgres"
        assert values["PGPASSWORD"] == "Pass1"


@each(WORKERS)
def test_a_worker_can_be_scaled(service: dict[str, Any]) -> None:
    assert "container_name" not in service
    assert "ports" not in service


@each(WORKERS)
def test_a_worker_has_the_time_to_drain_and_comes_back_when_it_dies(
    service: dict[str, Any],
) -> None:
    drain_s = float(service["environment"]["IMAGEMILL_DRAIN_S"])
    assert seconds(service["stop_grace_period"]) > drain_s + Patience().margin_s
    assert service["restart"] == "unless-stopped"


@each(WORKERS)
def test_a_worker_is_probed_where_it_listens_and_sees_the_pictures_where_they_are(
    service: dict[str, Any],
) -> None:
    port = service["environment"]["IMAGEMILL_METRICS_PORT"]
    assert service["expose"] == [port]
    assert f'"127.0.0.1", {port}, ' in service["healthcheck"]["test"][-1]
    (pictures,) = [volume for volume in service["volumes"] if isinstance(volume, dict)]
    assert pictures["source"] == pictures["target"] == GIVEN["IMAGEMILL_PICTURES"]
    assert pictures["read_only"] is True
    uploads = service["environment"]["IMAGEMILL_UPLOADS"]
    assert service["environment"]["IMAGEMILL_ROOTS"] == f"{pictures['target']}:{uploads}"


@each({name: OURS[name] for name in ("worker", "worker-cpu", "web", "imagemill")})
def test_what_was_uploaded_is_seen_at_one_path_and_a_worker_only_reads_it(
    service: dict[str, Any],
) -> None:
    environment = service["environment"]
    assert environment["IMAGEMILL_ROOTS"] == WEB["environment"]["IMAGEMILL_ROOTS"]
    (mounted,) = [v for v in service["volumes"] if str(v).startswith("uploads:")]
    mode = ":ro" if service in WORKERS.values() else ""
    assert mounted == f"uploads:{environment['IMAGEMILL_UPLOADS']}{mode}"


def test_the_page_is_published_for_this_machine_alone_and_probed_where_it_listens() -> None:
    port = WEB["command"][-1]
    assert WEB["command"] == ["serve", "--host", "0.0.0.0", "--port", port]
    assert WEB["ports"] == [f"127.0.0.1:8420:{port}"]
    assert read_services(GIVEN | {"IMAGEMILL_WEB_PORT": "9"})["web"]["ports"] == [
        "127.0.0.1:9:8420"
    ]
    assert f'"127.0.0.1", {port}, ' in WEB["healthcheck"]["test"][-1]


def test_the_page_waits_for_the_schema_and_tries_again_until_there_is_a_token() -> None:
    assert set(WEB["depends_on"]) == {"redis", "postgres", "migrate"}
    assert WEB["restart"] == "unless-stopped"
    thumbnails = WEB["environment"]["IMAGEMILL_THUMBNAILS"]
    assert f"thumbnails:{thumbnails}" in WEB["volumes"]


def test_only_the_worker_reserves_gpus() -> None:
    reserving = {name for name, service in SERVICES.items() if "deploy" in service}
    assert reserving == {"worker"}
    (device,) = SERVICES["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}


@each({name: service for name, service in SERVICES.items() if "healthcheck" in service})
def test_a_health_check_ends_before_the_next_one(service: dict[str, Any]) -> None:
    check = service["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert seconds(check["timeout"]) < seconds(check["interval"])
    assert seconds(check["start_period"]) > 0
