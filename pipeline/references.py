"""References: what a user wrote for an image, made into a uri that every database can store."""

# Paths travel as strings: much faster than Path, and names of any bytes survive.
# ruff: noqa: PTH118

from __future__ import annotations

import re
from os.path import join, normpath
from urllib.parse import unquote

from pipeline.records import Reference

#: Starts the uri of a reference that can be no path and no URL: empty, NUL or undecodable bytes.
INVALID = "invalid:"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")
_FILE_URL = re.compile(r"file://(?:localhost)?(?=/)", re.IGNORECASE)


def make_reference(text: str, folder: str, custom_id: str | None = None) -> Reference:
    """Return the reference that ``text`` is; a relative path is relative to ``folder``."""
    if custom_id is not None and not is_storable(custom_id):
        custom_id = storable(custom_id)
    return Reference(make_uri(text, folder), custom_id)


def make_uri(text: str, folder: str) -> str:
    """Return a plain absolute path (links unresolved), a URL as it is, or ``invalid:...``."""
    path = find_path(text) if "://" in text else text
    if path is None:
        return text if is_storable(text) else INVALID + storable(text)
    uri = normpath(join(folder, path))
    return uri if path and is_storable(uri) else INVALID + storable(path)


def find_scheme(text: str) -> str | None:
    """Return the scheme of a URL in lower case; None: ``text`` is a path."""
    match = _SCHEME.match(text)
    return match and match[0].lower()


def find_path(text: str) -> str | None:
    """Return the path that ``text`` is or that its ``file://`` URL means; None: another URL."""
    if file_url := _FILE_URL.match(text):
        return unquote(text[file_url.end() :], errors="surrogateescape")
    return None if find_scheme(text) else text


def is_storable(text: str) -> bool:
    """Return whether every database takes ``text``: no NUL, and no half of a surrogate pair."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    r"""Return ``text`` with what no database takes written out: ``\x00``, ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", r"\x00")
