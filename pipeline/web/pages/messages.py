"""What the page says after something was done: a word in the address stands for a sentence."""

from __future__ import annotations

from starlette.responses import RedirectResponse

from pipeline.web.pages.rendering import make_address
from pipeline.web.pages.shown import number

_SENTENCES = {
    "submitted": "The job is submitted.",
    "unsent": "The job is stored, and is sent to the workers when the broker is back.",
    "known": "A job of this name and content was there already: this one.",
    "cancelled": "The job is cancelled; what is finished stays.",
    "resumed": "The job goes on.",
    "local": "The job is open again; the command that made it carries it on.",
    "deleted": "The job is deleted.",
    "nothing": "No image failed like that, so there is nothing to run again.",
}
_DIGITS = 12


def find_message(said: str, n: str = "") -> str:
    """Return the sentence for a word of an address; nothing for a word that is none of ours."""
    if said == "retried" and n.isascii() and n.isdigit() and len(n) <= _DIGITS:
        images = int(n)
        return "1 image runs again." if images == 1 else f"{number(images)} images run again."
    return _SENTENCES.get(said, "")


def go_to(path: str, said: str = "", n: int | None = None) -> RedirectResponse:
    """Return the redirection after a form: the browser asks for a page anew."""
    return RedirectResponse(make_address(path, {"said": said, "n": n}), 303)
