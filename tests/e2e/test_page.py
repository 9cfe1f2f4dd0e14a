"""The page in a real browser: every page in every look, by mouse, by keys, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import DESK, PHONE, Theme, Visit, browsing, visiting
from page_jobs import HOSTILE, LABELS, OTHER_MODEL, finish_job, refer
from playwright.sync_api import Browser, expect
from web_fixtures import serving

from pipeline.database.database import open_database
from pipeline.records import FailureCode, Reference

_FAILURES = {3: FailureCode.NOT_FOUND, 7: FailureCode.TIMEOUT, 8: FailureCode.DECODE_ERROR}
_LABELS = {n: LABELS[n % 4] for n in range(60)}
#: More than one page of the gallery.
_IMAGES = 60


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests of this file."""
    with browsing() as running:
        yield running


@pytest.fixture(scope="module")
def jobs(environment: dict[str, str], pictures: Path) -> tuple[str, str]:
    """Two jobs over the same images, with flips between them; the second is hostile all over."""
    drawn = sorted(pictures.glob("0*.jpg"))
    references = refer([drawn[n % len(drawn)] for n in range(_IMAGES)])
    references[10] = Reference(f"/pictures/{HOSTILE}.jpg", HOSTILE)
    changed = _LABELS | dict.fromkeys((0, 1, 2, 10), LABELS[3])
    database = open_database(environment["IMAGEMILL_DATABASE_URL"])
    try:
        return (
            finish_job(database, "holiday", references, _LABELS, _FAILURES),
            finish_job(database, f"again {HOSTILE}", references, changed, {}, OTHER_MODEL),
        )
    finally:
        database.close()


@pytest.fixture(scope="module")
def site(environment: dict[str, str], jobs: tuple[str, str]) -> Iterator[str]:
    """The address of a server over the two jobs."""
    with serving(environment["IMAGEMILL_DATABASE_URL"]) as base:
        yield base


def paths(jobs: tuple[str, str]) -> list[str]:
    """Return the address of every page, with and without something to show."""
    one, two = jobs
    return [
        "/",
        "/submit",
        "/compare",
        f"/compare?a={one}&b={two}",
        "/login",
        f"/jobs/{one}",
        f"/jobs/{two}?sort=least-certain&label={quote(LABELS[3])}",
        f"/jobs/{one}?outcome=failed",
        f"/jobs/{one}?min_score=2",
        f"/jobs/{one}/images/0",
        f"/jobs/{one}/images/3",
        f"/jobs/{two}/images/10",
        f"/jobs/{one}/failures",
        f"/jobs/{one}/failures?code=timeout",
        f"/jobs/{two}/failures",
    ]


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_fits_the_screen_and_keeps_hostile_text_text(
    browser: Browser, site: str, jobs: tuple[str, str], theme: Theme, size: tuple[int, int]
) -> None:
    with visiting(browser, site, theme, size, is_axe=True) as visit:
        for path in paths(jobs):
            page = visit.go(path)
            page.wait_for_load_state("networkidle")
            visit.check_access()
            visit.check_width()
            assert page.locator("main script, main [onerror]").count() == 0
            headings = page.locator("h1, h2, h3").evaluate_all(
                "all => all.map((one) => Number(one.tagName[1]))"
            )
            assert headings.count(1) == 1, path
            assert headings[0] == 1, path
            visit.check()


def test_nothing_of_an_address_becomes_markup(
    browser: Browser, site: str, jobs: tuple[str, str]
) -> None:
    text = quote(HOSTILE)
    names = ("label", "uri", "custom_id", "outcome", "min_score", "max_score", "sort", "cursor")
    with visiting(browser, site) as visit:
        for name in (*names, "page", "said", "n", "code"):
            for path in (f"/jobs/{jobs[0]}", f"/jobs/{jobs[0]}/failures", "/", "/login"):
                if name == "cursor" and path.endswith("failures"):
                    continue  # Refused with its own page, which the browser tells of.
                page = visit.go(f"{path}?{name}={text}&next={text}")
                assert page.locator("main script, main [onerror]").count() == 0
        page = visit.go(f"/compare?a={text}&b={text}&by={text}&from={text}&to={text}")
        expect(page.get_by_role("alert")).to_contain_text("no job")
        expect(page.get_by_label("First job")).to_have_value(HOSTILE)


def test_one_filters_by_the_bars_by_the_form_and_by_score(
    browser: Browser, site: str, jobs: tuple[str, str]
) -> None:
    with visiting(browser, site) as visit:
        page = visit.go(f"/jobs/{jobs[0]}")
        cards = page.locator("[data-gallery] > li")
        assert cards.count() == 48
        page.get_by_role("link", name="Next page").click()
        expect(cards).to_have_count(_IMAGES - 48)
        page.locator("#label-bars").get_by_role("link", name="dog").click()
        expect(page.locator("[data-gallery] .label").first).to_have_text("dog")
        assert set(cards.locator(".label").all_inner_texts()) == {"dog"}
        page.get_by_role("navigation", name="Order").get_by_text("Least certain").click()
        expect(page.get_by_role("navigation", name="Order").locator("[aria-current]")).to_have_text(
            "Least certain"
        )
        scores = [float(text) for text in cards.locator(".line .number").all_inner_texts()]
        assert scores == sorted(scores)
        page.get_by_role("link", name="Clear").click()
        page.locator("#scores").get_by_role("link", name="from 0.95 to 1").click()
        expect(page.get_by_role("spinbutton", name="Score from")).to_have_value("0.95")
        assert all(float(t) >= 0.95 for t in cards.locator(".line .number").all_inner_texts())
        page.get_by_role("link", name="Clear").click()
        page.get_by_label("Outcome").select_option("timeout")
        page.get_by_role("button", name="Apply").click()
        expect(cards).to_have_count(1)
        page.get_by_label("Outcome").select_option("")
        page.get_by_text("By reference or own id").click()
        page.get_by_label("Own id").fill("sku-5")
        page.get_by_role("button", name="Apply").click()
        expect(cards).to_have_count(1)
        page.get_by_role("spinbutton", name="Score from").fill("0.9")
        page.get_by_role("spinbutton", name="to", exact=True).fill("0.1")
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_role("alert")).to_contain_text("swap the two")


def test_keys_alone_lead_from_the_jobs_to_an_image_and_back(
    browser: Browser, site: str, jobs: tuple[str, str]
) -> None:
    with visiting(browser, site) as visit:
        page = visit.go("/")
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        page.get_by_role("link", name="holiday").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("holiday")
        page.keyboard.press("/")
        expect(page.get_by_role("combobox", name="Label")).to_be_focused()
        page.keyboard.type("dog")
        page.keyboard.press("Enter")
        expect(page.locator("[data-gallery] .label").first).to_have_text("dog")
        for key in ("j", "j", "ArrowRight", "k"):
            page.keyboard.press(key)
        second = page.locator("[data-gallery] a").nth(1)
        expect(second).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(second).not_to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(second).to_be_focused()
        address = second.get_attribute("href")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{address}")
        page.keyboard.press("j")
        page.wait_for_url(f"**/images/{int(str(address).rpartition('/')[2]) + 1}")
        page.keyboard.press("ArrowLeft")
        page.wait_for_url(f"**{address}")
        page.keyboard.press("u")
        page.wait_for_url(f"**/jobs/{jobs[0]}")
        page.keyboard.press("?")
        expect(page.get_by_text("to the first filter")).to_be_visible()


def test_an_images_page_shows_its_answers_its_history_and_how_it_was_made(
    browser: Browser, site: str, jobs: tuple[str, str]
) -> None:
    with visiting(browser, site) as visit:
        page = visit.go(f"/jobs/{jobs[0]}/images/1")
        picture = page.locator("figure img")
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("one => one.naturalWidth") > 100
        expect(page.locator(".predictions li")).to_have_count(2)
        history = page.get_by_role("region", name="History").locator("tbody tr")
        for name in ("holiday", "again"):
            expect(history.filter(has_text=name)).to_have_count(2)
        made = page.locator("section", has=page.get_by_role("heading", name="How it was made"))
        for text in ("worker-1", "openvino on cpu", "3, 1 images", "torch 2.14.1"):
            expect(made).to_contain_text(text)
        page.get_by_role("link", name="again").first.click()
        expect(page.locator(".predictions .name").first).to_have_text(LABELS[3])


def test_a_picture_that_is_gone_has_a_quiet_sign_in_its_place(
    browser: Browser, site: str, jobs: tuple[str, str]
) -> None:
    with visiting(browser, site) as visit:
        page = visit.go(f"/jobs/{jobs[0]}/images/10")
        picture = page.locator("figure img")
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("one => one.naturalWidth") > 0
        reply = visit.context.request.get(f"{site}/jobs/{jobs[0]}/images/10/thumbnail")
        assert (reply.status, reply.headers["content-type"]) == (200, "image/svg+xml")
        assert "not found" in reply.text()


def test_two_jobs_are_compared_and_a_flipped_image_looked_at(
    browser: Browser, site: str, jobs: tuple[str, str]
) -> None:
    with visiting(browser, site) as visit:
        page = visit.go("/compare")
        page.get_by_label("First job").fill("holiday")
        page.get_by_label("Second job").fill(jobs[1])
        page.get_by_role("button", name="Compare").click()
        expect(page.locator(".tiles")).to_contain_text("Flipped")
        page.get_by_role("link", name="from dog to ant").click()
        expect(page.locator("#flipped-title")).to_contain_text("dog → ant")
        card = page.locator("[data-gallery] > li")
        expect(card).to_have_count(1)
        expect(card).to_contain_text("dog")
        card.get_by_role("link").click()
        expect(page.get_by_role("heading", name="Predictions")).to_be_visible()
        expect(page.locator(".predictions .name").first).to_have_text(LABELS[3])


def test_the_colours_are_the_systems_until_others_are_chosen_and_then_remembered(
    browser: Browser, site: str
) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    with visiting(browser, site, "dark") as visit:
        page = visit.go("/")
        dark = page.evaluate(background)
        button = page.get_by_role("button", name="Dark colours")
        expect(button).to_have_attribute("aria-pressed", "true")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "false")
        light = page.evaluate(background)
        assert light != dark
        visit.go("/compare")
        assert page.evaluate(background) == light


def test_links_and_forms_do_without_scripts(
    browser: Browser, site: str, jobs: tuple[str, str]
) -> None:
    with visiting(browser, site, scripts=False) as visit:
        page = visit.go("/")
        page.get_by_role("link", name="holiday").click()
        page.get_by_role("combobox", name="Label").fill("cow")
        page.get_by_role("button", name="Apply").click()
        expect(page.locator("[data-gallery] .label").first).to_have_text("cow")
        page.locator("[data-gallery] a").first.click()
        expect(page.get_by_role("heading", name="Predictions")).to_be_visible()


def test_an_address_where_nothing_is_answers_with_a_readable_page(
    browser: Browser, site: str
) -> None:
    context = browser.new_context()
    visit = Visit(context, site)
    for path, title in (("/jobs/nobody", "nothing here"), ("/no/where", "nothing here")):
        reply = visit.page.goto(site + path)
        assert reply is not None
        assert reply.status == 404
        expect(visit.page.get_by_role("heading", level=1)).to_contain_text(title)
    assert all("404" in fault for fault in visit.faults), visit.faults
    context.close()
