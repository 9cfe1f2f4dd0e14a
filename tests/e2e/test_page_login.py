"""Logging in: a token in a form, a cookie after it, and what its scope allows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import Visit, browsing, visiting
from page_jobs import finish_job, refer
from playwright.sync_api import Browser, expect
from web_fixtures import serving

from pipeline.database.database import open_database
from pipeline.records import FailureCode
from pipeline.tokens.scopes import Scope
from pipeline.tokens.tokens import create_token


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests of this file."""
    with browsing() as running:
        yield running


@pytest.fixture
def tokens(sqlite_url: str) -> dict[Scope, str]:
    """A token of each scope, in a database with the job ``holiday``, one image of which failed."""
    from pathlib import Path

    database = open_database(sqlite_url)
    try:
        references = refer([Path(f"/pictures/{n}.jpg") for n in range(4)])
        finish_job(database, "holiday", references, {}, {1: FailureCode.TIMEOUT})
        return {scope: create_token(database, f"my-{scope}", scope) for scope in Scope}
    finally:
        database.close()


@pytest.fixture
def site(sqlite_url: str, tokens: dict[Scope, str]) -> Iterator[str]:
    """The address of a server that asks for a token."""
    with serving(sqlite_url) as base:
        yield base


def log_in(visit: Visit, secret: str) -> None:
    visit.page.get_by_label("Token").fill(secret)
    visit.page.get_by_role("button", name="Log in").click()


def test_a_token_opens_the_page_that_was_asked_for_and_logging_out_closes_it(
    browser: Browser, site: str, tokens: dict[Scope, str]
) -> None:
    with visiting(browser, site) as visit:
        page = visit.go("/login?next=/jobs/holiday")
        log_in(visit, "im_wrong")
        expect(page.get_by_role("alert")).to_contain_text("none, or was revoked")
        log_in(visit, tokens[Scope.READ])
        page.wait_for_url("**/jobs/holiday")
        (cookie,) = visit.context.cookies()
        assert (cookie["name"], cookie["httpOnly"]) == ("imagemill_token", True)
        assert (cookie["sameSite"], cookie["secure"]) == ("Strict", False)
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        assert visit.context.cookies() == []


def test_who_is_not_logged_in_gets_the_form_and_then_the_page(
    browser: Browser, site: str, tokens: dict[Scope, str]
) -> None:
    context = browser.new_context()
    visit = Visit(context, site)
    reply = visit.page.goto(f"{site}/jobs/holiday?label=cat")
    assert reply is not None
    assert reply.status == 401
    log_in(visit, tokens[Scope.READ])
    visit.page.wait_for_url("**/jobs/holiday?label=cat")
    # The browser itself tells of a 401.
    assert all("401" in fault for fault in visit.faults), visit.faults
    context.close()


@pytest.mark.parametrize("address", ["//evil.example", "/\\evil.example", "https://evil.example"])
def test_logging_in_never_leads_to_another_server(
    browser: Browser, site: str, tokens: dict[Scope, str], address: str
) -> None:
    with visiting(browser, site) as visit:
        visit.go(f"/login?next={address}")
        log_in(visit, tokens[Scope.READ])
        visit.page.wait_for_url(f"{site}/")


def test_the_page_offers_what_the_token_allows(
    browser: Browser, site: str, tokens: dict[Scope, str]
) -> None:
    offered = {}
    for scope, secret in tokens.items():
        with visiting(browser, site) as visit:
            page = visit.go("/login?next=/jobs/holiday")
            log_in(visit, secret)
            page.wait_for_url("**/jobs/holiday")
            names = ("Retry failures", "Delete the job")
            offered[scope] = [
                page.get_by_role("button", name=name, include_hidden=True).count() for name in names
            ]
    assert offered == {Scope.READ: [0, 0], Scope.SUBMIT: [1, 0], Scope.ADMIN: [1, 1]}


def test_a_job_is_deleted_after_a_second_question(
    browser: Browser, site: str, tokens: dict[Scope, str]
) -> None:
    with visiting(browser, site) as visit:
        page = visit.go("/login?next=/jobs/holiday")
        log_in(visit, tokens[Scope.ADMIN])
        page.get_by_text("Delete…").click()
        page.get_by_role("button", name="Delete the job").click()
        expect(page.get_by_role("status")).to_have_text("The job is deleted.")
        expect(page.get_by_text("Nothing here yet")).to_be_visible()
