"""A real headless browser, and everything that a page must not do in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import urlsplit

from browser_binary import get_browser_binary
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: How long the browser waits for what it is told to expect, in ms.
PATIENCE_MS = 30_000
Theme = Literal["light", "dark"]
#: A common screen, and a phone.
DESK, PHONE = (1280, 900), (390, 844)


class Visit:
    """A browser's context with one page; ``faults`` is what went wrong in it so far."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.context = context
        self.base = base
        self.faults: list[str] = []
        self.page = self._open()

    def _open(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: self._hear(said.type, said.text))
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self._check(request.url))
        return page

    def go(self, path: str) -> Page:
        """Open a page of the server."""
        self.page.goto(self.base + path)
        return self.page

    def check(self) -> None:
        """Fail for any error on the console, any dialog, and any request to elsewhere."""
        assert not self.faults, self.faults

    def check_width(self) -> None:
        """Fail when the page must be scrolled sideways."""
        page = self.page
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{page.url} is {wide} px wider than the screen"

    def check_access(self) -> None:
        """Fail for each fault of accessibility that axe calls serious or critical."""
        self.page.evaluate(_read_axe())
        # A colour that is on its way to another one has a contrast of its own.
        self.page.evaluate("Promise.all(document.getAnimations().map((one) => one.finish?.()))")
        found: dict[str, Any] = self.page.evaluate("axe.run()")
        serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
        shown = [[one["id"], [node["html"] for node in one["nodes"]]] for one in serious]
        assert not shown, f"{self.page.url}: {json.dumps(shown, indent=1)}"

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.faults.append(f"{kind}: {text}")

    def _check(self, url: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob") and not url.startswith(f"{self.base}/"):
            self.faults.append(f"a request to {url}")


@contextmanager
def browsing() -> Iterator[Browser]:
    """Yield a running browser; while it lives, this thread has an event loop."""
    binary = get_browser_binary()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(
    browser: Browser,
    base: str,
    theme: Theme = "light",
    size: tuple[int, int] = DESK,
    *,
    scripts: bool = True,
    is_axe: bool = False,
) -> Iterator[Visit]:
    """Yield a fresh visit to the server at ``base``, and check at its end that nothing went wrong.

    ``is_axe``: axe is to be run, which no page of ours would let in.
    """
    context = browser.new_context(
        color_scheme=theme,
        viewport={"width": size[0], "height": size[1]},
        java_script_enabled=scripts,
        bypass_csp=is_axe,
        reduced_motion="reduce",
    )
    try:
        visit = Visit(context, base)
        yield visit
        visit.check()
    finally:
        context.close()


def _read_axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
