"""Explaining: what went wrong with a connection, as a failure in words; the one border."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import TYPE_CHECKING

import aiohttp

from pipeline.failures import PictureError
from pipeline.outgoing.resolving import BlockedAddressError
from pipeline.records import FailureCode

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSALS = {
    errno.ECONNREFUSED: "the host refuses the connection",
    errno.EHOSTUNREACH: "there is no way to the host",
    errno.ENETUNREACH: "there is no way to the host's network",
    errno.ECONNRESET: "the host broke the connection off",
    errno.EPIPE: "the host broke the connection off",
}
_NO_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_BROKEN_OFF = (
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientPayloadError,
    asyncio.IncompleteReadError,
)
#: The deepest that an error is looked for in others.
_DEEPEST = 8


def explain(error: BaseException) -> PictureError:
    """Return the failure that an error of aiohttp, of a socket or of TLS means, also a wrapped one.

    Its code is blocked_address, dns_error, timeout, connect_error or invalid_reference.
    """
    # The innermost first: it knows most.
    seen = [*_unwrap(error, 0)][::-1]
    for judge in (_as_picture, _as_blocked, _as_name, _as_tls, _as_timeout, _as_odd, _as_refusal):
        for one in seen:
            if found := judge(one):
                return found
    return PictureError(FailureCode.CONNECT_ERROR, f"the connection fails ({type(error).__name__})")


def _unwrap(error: BaseException, depth: int) -> Iterator[BaseException]:
    yield error
    names = ("__cause__", "os_error", "certificate_error")
    inner = [getattr(error, name, None) for name in names]
    inner += getattr(error, "exceptions", ())
    for one in inner if depth < _DEEPEST else ():
        if isinstance(one, BaseException):
            yield from _unwrap(one, depth + 1)


def _as_picture(error: BaseException) -> PictureError | None:
    return error if isinstance(error, PictureError) else None


def _as_blocked(error: BaseException) -> PictureError | None:
    if isinstance(error, BlockedAddressError):
        return PictureError(FailureCode.BLOCKED_ADDRESS, str(error))
    return None


def _as_name(error: BaseException) -> PictureError | None:
    if not isinstance(error, socket.gaierror):
        return None
    message = "the name of the host cannot be looked up now"
    if error.errno in _NO_NAME:
        message = "there is no host of that name"
    return PictureError(FailureCode.DNS_ERROR, message)


def _as_tls(error: BaseException) -> PictureError | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = getattr(error, "verify_message", None) or "it does not fit"
        message = f"its certificate is not trusted: {reason.rstrip('.')}"
    elif isinstance(error, ssl.SSLError):
        reason = getattr(error, "reason", None) or "its answer is odd"
        message = f"a TLS connection to the host fails ({reason})"
    else:
        return None
    return PictureError(FailureCode.CONNECT_ERROR, message)


def _as_timeout(error: BaseException) -> PictureError | None:
    late = isinstance(error, TimeoutError) or getattr(error, "errno", None) == errno.ETIMEDOUT
    return PictureError(FailureCode.TIMEOUT, "the host does not answer in time") if late else None


def _as_odd(error: BaseException) -> PictureError | None:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        message = f"the proxy refuses the connection (status {error.status})"
    elif isinstance(error, aiohttp.InvalidURL):
        return PictureError(FailureCode.INVALID_REFERENCE, "the URL cannot be read")
    elif isinstance(error, aiohttp.ClientResponseError):
        message = "the host's answer is no HTTP"
    elif isinstance(error, _BROKEN_OFF):
        message = "the host broke the connection off"
    else:
        return None
    return PictureError(FailureCode.CONNECT_ERROR, message)


def _as_refusal(error: BaseException) -> PictureError | None:
    message = _REFUSALS.get(getattr(error, "errno", None) or 0)
    return PictureError(FailureCode.CONNECT_ERROR, message) if message else None
