"""Secrets in texts: passwords in addresses, and the queries of signed URLs."""

from __future__ import annotations

import re

_HIDDEN = "***"
#: What stands between two spaces is looked at as a whole.
_RUN = re.compile(r"\S+")
#: From the colon behind the user to the last @: a password as people write it, / and ? included.
#: A port behind a host is no password.
_PASSWORD = re.compile(
    r"(://[^\s/:?#]{0,256}):(?!\d{1,5}(?:[/?#\"',;)\]}>]|$))[^\s@]{0,512}@(?:[^\s/@\"']{0,512}@)*"
)
#: ``password=...`` of a PostgreSQL address, and the parts of a signature that a space cut off.
_PAIR = re.compile(
    r"\b(pass(?:word|wd)|secret|signature|sig|x-(?:amz|goog)-[a-z-]+)=('[^']*'|[^\s&\"',;)\]}>]+)",
    re.IGNORECASE,
)
#: What closes a quotation or a sentence, and is no part of the URL before it.
_CLOSERS = "\"'`>)]},;:."


def mask(text: str) -> str:
    """Return ``text`` without the passwords of addresses and without the queries of URLs."""
    if "://" in text:
        text = _RUN.sub(lambda run: _mask_run(run[0]), text)
    return _PAIR.sub(rf"\1={_HIDDEN}", text) if "=" in text else text


def _mask_run(run: str) -> str:
    if "://" not in run:
        return run
    run = _PASSWORD.sub(rf"\1:{_HIDDEN}@", run)
    head, mark, query = _split(run)
    bare = query.rstrip(_CLOSERS)
    return f"{head}{mark}{_HIDDEN}{query[len(bare) :]}" if bare else run


def _split(run: str) -> tuple[str, str, str]:
    scheme, separator, rest = run.partition("://")
    path, mark, query = rest.partition("?")
    return f"{scheme}{separator}{path}", mark, query
