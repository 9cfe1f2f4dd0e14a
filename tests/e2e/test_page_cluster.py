"""The page over a real worker, Redis and PostgreSQL: from the submission to the last retry."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Visit, browsing, visiting
from cluster_command import running_worker
from command import COMMAND
from playwright.sync_api import Browser, Page, expect
from postgres_server import PostgresServer, copy_folder
from redis import Redis
from redis_server import RedisServer
from web_fixtures import serving

#: How long a worker on a busy machine takes for a small job, in ms.
_JOB_MS = 120_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests of this file."""
    with browsing() as running:
        yield running


@pytest.fixture(scope="module")
def site(
    environment: dict[str, str],
    folder: Path,
    pictures: Path,
    redis_server: RedisServer,
    postgres_folder: Path,
) -> Iterator[str]:
    """The address of a server, with a worker of the real engine on its database and broker."""
    broker = redis_server.url_at(redis_server.port, 59)
    with Redis.from_url(broker) as client:
        client.flushdb()
    command = [COMMAND, "worker", "--device", "cpu", "--metrics-port", "0"]
    with PostgresServer(copy_folder(postgres_folder)) as server:
        addresses = {"IMAGEMILL_DATABASE_URL": server.url, "IMAGEMILL_BROKER_URL": broker}
        named = {"broker_url": broker, "roots": [folder], "uploads": folder / "uploads"}
        with (
            running_worker(command, environment | addresses, folder),
            serving(server.url, **named) as base,
        ):
            yield base


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Visit]:
    """A visit to the server, checked at its end."""
    with visiting(browser, site) as opened:
        yield opened


def submit(visit: Visit, name: str, references: list[Path], precision: str = "auto") -> Page:
    """Submit a job by the form, and return its page."""
    page = visit.go("/submit")
    page.get_by_label("References, one a line").fill("\n".join(map(str, references)))
    page.get_by_label("Name").fill(name)
    page.get_by_label("Weights").select_option("demo")
    page.get_by_label("Precision").select_option(precision)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    expect(page.get_by_role("status")).to_have_text("The job is submitted.")
    return page


def wait_for_end(page: Page) -> None:
    """Wait until the page says by itself that the job has ended; it is never loaded again."""
    page.evaluate("window.stayed = true")
    expect(page.locator("h1 .status")).to_have_text("completed", timeout=_JOB_MS)
    assert page.evaluate("window.stayed") is True


def test_a_job_is_submitted_watched_filtered_and_its_failures_retried(
    visit: Visit, pictures: Path, folder: Path
) -> None:
    drawn, late = sorted(pictures.glob("*.jpg")), folder / "late.jpg"
    page = submit(visit, "shapes", [*drawn, late])
    wait_for_end(page)
    expect(page.locator('[data-count="succeeded"]')).to_have_text("30")
    expect(page.locator('[data-count="failed"]')).to_have_text(str(len(drawn) + 1 - 30))
    expect(page.locator("[data-gallery] > li")).to_have_count(len(drawn) + 1)

    label = page.locator("#label-bars a").first
    name = label.locator(".name").inner_text()
    label.click()
    labels = page.locator("[data-gallery] .label")
    expect(page.get_by_role("combobox", name="Label")).to_have_value(name)
    assert set(labels.all_inner_texts()) == {name}
    page.locator("[data-gallery] a").first.click()
    expect(page.locator(".predictions .name").first).to_have_text(name)
    picture = page.locator("figure img")
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("one => one.naturalWidth") > 100

    page.get_by_label("Where you are").get_by_role("link", name="shapes").click()
    page.locator(".codes").get_by_role("link", name="not_found").click()
    expect(page.get_by_text("Put the file where the reference says")).to_be_visible()
    shutil.copy(pictures / drawn[0].name, late)
    page.get_by_role("button", name="Retry not_found").click()
    expect(page.get_by_role("status")).to_have_text("1 image runs again.")
    expect(page.locator('[data-count="succeeded"]')).to_have_text("31", timeout=_JOB_MS)
    wait_for_end(page)


def test_two_precisions_of_a_model_are_compared(visit: Visit, pictures: Path) -> None:
    drawn = sorted(pictures.glob("00*.jpg"))
    for precision in ("auto", "fast"):
        wait_for_end(submit(visit, f"as-{precision}", drawn, precision))
    page = visit.go("/compare?a=as-auto&b=as-fast")
    expect(page.locator(".tiles")).to_contain_text("Images in both")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_pictures_and_a_manifest_are_uploaded(visit: Visit, pictures: Path, tmp_path: Path) -> None:
    drawn = sorted(pictures.glob("00*.jpg"))[:3]
    page = visit.go("/submit")
    page.get_by_label("Pictures").set_input_files(drawn)
    page.get_by_label("Weights").select_option("demo")
    page.get_by_role("button", name="Submit").click()
    wait_for_end(page)
    expect(page.locator("[data-gallery]")).to_contain_text(drawn[0].name)
    manifest = tmp_path / "shop.csv"
    rows = "".join(f"{path},sku-{path.stem}\n" for path in drawn)
    manifest.write_text(f"path,sku\n{rows}", encoding="utf-8")
    page = visit.go("/submit")
    page.get_by_label("A manifest").set_input_files(manifest)
    page.get_by_label("Column of your own ids").fill("sku")
    page.get_by_label("Weights").select_option("demo")
    page.get_by_role("button", name="Submit").click()
    wait_for_end(page)
    page.get_by_text("By reference or own id").click()
    page.get_by_label("Own id").fill(f"sku-{drawn[1].stem}")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("[data-gallery] > li")).to_have_count(1)


def test_what_is_wrong_comes_back_beside_its_field_with_all_that_was_written(
    visit: Visit, pictures: Path
) -> None:
    page = visit.go("/submit")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("#references-error")).to_contain_text("references")
    page.get_by_label("References, one a line").fill("/etc/hostname")
    page.get_by_label("Name").fill("kept")
    page.get_by_label("Weights").select_option("demo")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("#references-error")).to_contain_text("outside of the folders")
    expect(page.get_by_label("References, one a line")).to_have_value("/etc/hostname")
    expect(page.get_by_label("Name")).to_have_value("kept")
    expect(page.get_by_label("Weights")).to_have_value("demo")


def test_a_job_is_cancelled_and_resumed(visit: Visit, pictures: Path, tmp_path: Path) -> None:
    # Images enough that a worker does not end it between two clicks.
    manifest = tmp_path / "long.txt"
    drawn = "".join(f"{path}\n" for path in sorted(pictures.glob("00*.jpg")))
    manifest.write_text(drawn * 300, encoding="utf-8")
    page = visit.go("/submit")
    page.get_by_label("A manifest").set_input_files(manifest)
    page.get_by_label("Weights").select_option("demo")
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_contain_text("The job is cancelled")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_have_text("The job goes on.")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("h1 .status")).to_have_text("cancelled")
