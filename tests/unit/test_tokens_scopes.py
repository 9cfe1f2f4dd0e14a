"""Each scope of a token allows what the one before it allows."""

from __future__ import annotations

from pipeline.tokens.scopes import Scope


def test_a_scope_allows_itself_and_what_is_smaller() -> None:
    allowed = {scope: [needed for needed in Scope if scope.allows(needed)] for scope in Scope}
    assert allowed == {
        Scope.READ: [Scope.READ],
        Scope.SUBMIT: [Scope.READ, Scope.SUBMIT],
        Scope.ADMIN: [Scope.READ, Scope.SUBMIT, Scope.ADMIN],
    }
