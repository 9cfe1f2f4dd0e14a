from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from pipeline.failures import PictureError
from pipeline.outgoing.connector import explain
from pipeline.outgoing.resolving import BlockedAddressError
from pipeline.records import FailureCode as Code

_KEY = ConnectionKey("h.example", 443, True, True, None, None, None)


def _untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def _odd(kind: type[aiohttp.ClientResponseError], status: int) -> aiohttp.ClientResponseError:
    request: Any = None
    return kind(request, (), status=status, message="?secret=1")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (BlockedAddressError("this machine"), Code.BLOCKED_ADDRESS, "leads to this machine"),
        (socket.gaierror(socket.EAI_NONAME, "?"), Code.DNS_ERROR, "no host of that name"),
        (socket.gaierror(socket.EAI_AGAIN, "?"), Code.DNS_ERROR, "cannot be looked up now"),
        (_untrusted(), Code.CONNECT_ERROR, "its certificate is not trusted: self-signed"),
        (ssl.SSLError(1, "wrong"), Code.CONNECT_ERROR, "a TLS connection to the host fails"),
        (TimeoutError(), Code.TIMEOUT, "does not answer in time"),
        (OSError(errno.ETIMEDOUT, "?"), Code.TIMEOUT, "does not answer in time"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "?"), Code.CONNECT_ERROR, "refuses the conn"),
        (ConnectionResetError(errno.ECONNRESET, "?"), Code.CONNECT_ERROR, "broke the connection"),
        (OSError(errno.ENETUNREACH, "?"), Code.CONNECT_ERROR, "no way to the host's network"),
        (aiohttp.ServerDisconnectedError(), Code.CONNECT_ERROR, "broke the connection off"),
        (aiohttp.ClientPayloadError("?secret=1"), Code.CONNECT_ERROR, "broke the connection off"),
        (_odd(aiohttp.ClientHttpProxyError, 403), Code.CONNECT_ERROR, "the proxy .* 403"),
        (_odd(aiohttp.ClientResponseError, 400), Code.CONNECT_ERROR, "answer is no HTTP"),
        (aiohttp.InvalidURL("http://?secret=1"), Code.INVALID_REFERENCE, "cannot be read"),
        (ValueError("?secret=1"), Code.CONNECT_ERROR, r"the connection fails \(ValueError\)"),
        (PictureError(Code.TOO_LARGE, "too large"), Code.TOO_LARGE, "too large"),
    ],
    ids=repr,
)
def test_an_error_is_told_by_its_code_and_words_also_when_it_is_wrapped(
    error: Exception, code: Code, words: str
) -> None:
    wrapped: list[Exception] = [error]
    if isinstance(error, OSError):
        wrapped.append(aiohttp.ClientConnectorError(_KEY, error))
        wrapped.append(ExceptionGroup("several", [ExceptionGroup("more", [error])]))
    if isinstance(error, ssl.SSLCertVerificationError):
        wrapped.append(aiohttp.ClientConnectorCertificateError(_KEY, error))
    for one in wrapped:
        with pytest.raises(PictureError, match=words) as caught:
            raise explain(one)
        assert caught.value.failure.code is code
        assert "secret" not in caught.value.failure.message


def test_a_blocked_address_goes_before_what_else_went_wrong() -> None:
    group = ExceptionGroup("both", [TimeoutError(), BlockedAddressError("this machine")])
    assert explain(group).failure.code is Code.BLOCKED_ADDRESS


def test_tls_to_a_host_that_speaks_plain_http_is_a_connect_error() -> None:
    async def work() -> PictureError:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError) as caught:
                await session.get(f"https://127.0.0.1:{port}/")
            return explain(caught.value)

    failure = asyncio.run(work()).failure
    assert failure.code is Code.CONNECT_ERROR
    assert "TLS" in failure.message
