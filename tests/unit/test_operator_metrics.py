"""The page for operators has every metric, and its alarms and its scraping ask for what exists."""

from __future__ import annotations

import re
from typing import Any

import pytest
from compose import COMPOSE_FILE, read_services
from ruamel.yaml import YAML

from pipeline.database.database import open_database
from pipeline.web import metrics as server
from workers.watch.metrics import Metrics

_PAGE = (COMPOSE_FILE.parent / "docs" / "operations.md").read_text(encoding="utf-8")


def blocks() -> list[Any]:
    """Return what the page has in YAML: how to scrape, and the alarms."""
    found = re.findall(r"^```yaml\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)
    return [YAML(typ="safe", pure=True).load(block) for block in found]


def families(text: bytes) -> set[str]:
    """Return the names of a text's metrics."""
    names = re.findall(r"^# TYPE (\S+) ", text.decode(), re.MULTILINE)
    return {name for name in names if not name.endswith("_created")}


@pytest.fixture
def known(sqlite_url: str) -> set[str]:
    """Every metric that a worker or the server has."""
    worker = Metrics()
    worker.describe("cpu", "torch", "1")
    database = open_database(sqlite_url)
    found = families(worker.text()) | families(server.Metrics(database).text(0))
    database.close()
    return found


def test_every_metric_is_on_the_page_and_no_other(known: set[str]) -> None:
    firsts = re.findall(r"^\| (`(?:imagemill|process)_.*?) \|", _PAGE, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", "\n".join(firsts)))
    assert {name for name in known if name.startswith("imagemill")} <= named <= known


def test_every_alarm_asks_for_metrics_that_exist(known: set[str]) -> None:
    groups = blocks()[1]["groups"]
    asked = [rule["expr"] for group in groups for rule in group["rules"]]
    assert len(asked) >= 5
    for expression in asked:
        names = re.findall(r"\bimagemill_\w+", expression)
        assert names
        assert set(names) <= known, expression


def test_what_is_scraped_listens_there() -> None:
    services = read_services()
    workers, web = blocks()[0]["scrape_configs"]
    (found,) = workers["dns_sd_configs"]
    assert all(services[name]["expose"] == [str(found["port"])] for name in found["names"])
    assert web["static_configs"] == [{"targets": [f"web:{services['web']['command'][-1]}"]}]
