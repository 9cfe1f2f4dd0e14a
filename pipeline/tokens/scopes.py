"""The scopes of a token: each allows what the one before it allows, and more."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """What a token is for: to look, to submit as well, or to do anything."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"

    def allows(self, needed: Scope) -> bool:
        """Return whether a token of this scope may do what needs ``needed``."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)
