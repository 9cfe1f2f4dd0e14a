"""Access: who asks, by bearer token or cookie, and whether that is enough."""

import ipaddress

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from pipeline.tokens.scopes import Scope
from pipeline.tokens.tokens import Token, find_token, has_tokens
from pipeline.web.context import Context, context_of
from pipeline.web.hosts import check_host
from pipeline.web.problems import Problem

#: The cookie that the page keeps a token in.
COOKIE = "imagemill_token"
#: What a token at most has; more is none of ours.
_LONGEST = 200


class Needs:
    """A dependency that lets a request pass whose token allows ``scope``; else 401, 403, 429."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> Scope:
        """Return what the request may do at most."""
        context = context_of(request)
        secret = read_secret(request)
        token, is_open = await run_in_threadpool(_look_up, context, secret)
        context.buckets.take(f"token {token.name}" if token else client_of(request))
        if token is None:
            if not is_open:
                raise _unknown(secret)
            check_host(context, request.headers.get("host", ""))
        allowed = token.scope if token else Scope.ADMIN
        if not allowed.allows(self.scope):
            raise Problem(
                403,
                "scope_too_small",
                f"this needs a token of the scope {self.scope}, and yours has {allowed}; "
                f"the operator makes one: imagemill tokens create NAME --scope {self.scope}",
            )
        request.state.scope = allowed
        return allowed


def needs(scope: Scope) -> Needs:
    """Return the dependency that asks for a token of at least this scope."""
    return Needs(scope)


async def check_login(request: Request, secret: str) -> Token:
    """Return the token that somebody logs in with. Raises Problem: 401, 429."""
    context = context_of(request)
    context.buckets.take(client_of(request))
    token, _ = await run_in_threadpool(_look_up, context, secret)
    if token is None:
        raise _unknown(secret)
    return token


def read_secret(request: Request) -> str | None:
    """Return the token that a request carries: as a bearer token, else in the page's cookie."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return secret.strip()
    return request.cookies.get(COOKIE)


def client_of(request: Request) -> str:
    """Return whom a request without a token is counted for: an address, of IPv6 its network."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 6 and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host


def _look_up(context: Context, secret: str | None) -> tuple[Token | None, bool]:
    """Return the token, and whether none is needed."""
    with context.database.reading() as connection:
        token = None
        if secret is not None and len(secret) <= _LONGEST:
            token = find_token(connection, secret)
        is_open = token is None and context.loopback and not has_tokens(connection)
    return token, is_open


def _unknown(secret: str | None) -> Problem:
    said = "a token is needed" if secret is None else "this token is none, or was revoked"
    return Problem(
        401,
        "token_needed" if secret is None else "token_unknown",
        f"{said}; send one as `Authorization: Bearer im_...`: the operator makes it with "
        "`imagemill tokens create NAME --scope read`",
        {"WWW-Authenticate": 'Bearer realm="imagemill"'},
    )
