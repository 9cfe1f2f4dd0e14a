"""The binary of the browser: the system's Chromium, or else the one that Playwright brought.

Run as a script it ends with the sentence of the error when there is neither; `make` asks it.
"""

from __future__ import annotations

import os
import shutil
import sys

from services import MissingServiceError

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_REMEDY = "`apt-get install chromium`, or `.venv/bin/playwright install --with-deps chromium`"


def find_browser_binary() -> str | None:
    """Return the path of Chromium, if there is one."""
    found = (shutil.which(name) for name in _NAMES)
    return next((path for path in found if path), None) or _find_of_playwright()


def get_browser_binary() -> str:
    """Return the path of Chromium; raises MissingServiceError when there is none."""
    binary = find_browser_binary()
    if binary is None:
        raise MissingServiceError("Chromium", _REMEDY)
    return binary


def _find_of_playwright() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.access(path, os.X_OK) else None


if __name__ == "__main__":
    try:
        get_browser_binary()
    except MissingServiceError as error:
        sys.exit(str(error))
