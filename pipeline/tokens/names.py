"""The names of tokens: by them a person tells one from another."""

from __future__ import annotations

import re

from pipeline.errors import UsageError

#: How every token starts, so that a scanner of repositories and logs can tell what it found.
PREFIX = "im_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str) -> None:
    """Raise UsageError unless ``name`` can be a token's name: 1 to 64 plain characters."""
    if not _NAME.fullmatch(name) or name.startswith(PREFIX):
        raise UsageError(
            f"{shown_name(name)} is no name for a token; take 1 to 64 letters, digits, dots, "
            f"hyphens or underscores, with a letter or digit first, that do not begin with {PREFIX}"
        )


def shown_name(name: str) -> str:
    """Return a name for messages; what begins like a token may be one, and is not shown."""
    return f"{PREFIX}..." if PREFIX in name else repr(name[:64])
