"""What goes wrong with a store, whichever package says it, made into a failure of one image."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.failures import PictureError
from pipeline.records import FailureCode

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The causes of an error that are looked at.
_DEPTH = 8

# By name: the package that a class comes from may not be there.
_NAMES = {
    "NoCredentialsError": (
        FailureCode.PERMISSION_DENIED,
        "there are no credentials for the store in the environment",
    ),
    "ParamValidationError": (FailureCode.INVALID_REFERENCE, "no bucket can have that name"),
    "ConnectTimeoutError": (FailureCode.TIMEOUT, "the store did not answer in time"),
    "ReadTimeoutError": (FailureCode.TIMEOUT, "the store did not answer in time"),
    "ClientConnectorDNSError": (FailureCode.DNS_ERROR, "the store's name is not known"),
}
_NAMES["PartialCredentialsError"] = _NAMES["NoCredentialsError"]
_NAMES["CredentialRetrievalError"] = _NAMES["NoCredentialsError"]
_NAMES["DefaultCredentialsError"] = _NAMES["NoCredentialsError"]

_TYPES: tuple[tuple[type[BaseException], FailureCode, str], ...] = (
    (asyncio.TimeoutError, FailureCode.TIMEOUT, "the store did not answer in time"),
    (TimeoutError, FailureCode.TIMEOUT, "the store did not answer in time"),
    (socket.gaierror, FailureCode.DNS_ERROR, "the store's name is not known"),
    (FileNotFoundError, FailureCode.NOT_FOUND, "there is no such object"),
    (PermissionError, FailureCode.PERMISSION_DENIED, "the store does not let us read it"),
    (IsADirectoryError, FailureCode.NOT_AN_IMAGE, "this is a folder, no picture"),
    (ConnectionError, FailureCode.CONNECT_ERROR, "the store cannot be reached"),
)

_THROTTLED = frozenset(("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"))
_WORDS = {
    "NoSuchBucket": "there is no such bucket",
    "NoSuchKey": "there is no such object",
    "InvalidAccessKeyId": "the store does not know these credentials",
    "SignatureDoesNotMatch": "the store refuses these credentials",
    "ExpiredToken": "the credentials have expired",
    "PreconditionFailed": "it changed while it was read",
}
_STATUS_WORDS = {
    301: "the bucket is in another region (AWS_REGION)",
    401: "the store wants credentials",
    403: "the store does not let us read it",
    404: "there is no such object",
}


@contextmanager
def explaining() -> Iterator[None]:
    """Turn whatever goes wrong in a store into a PictureError; it never quotes the store."""
    try:
        yield
    except PictureError:
        raise
    except Exception as error:  # each package has its own, and they are no short list
        raise explain(error) from None


def explain(error: BaseException) -> PictureError:
    """Return the failure that an error of a store is."""
    chain = list(_causes(error))
    for translate in (_by_status, _by_name, _by_type):
        for cause in chain:
            if found := translate(cause):
                return PictureError(*found)
    name = type(error).__name__
    return PictureError(FailureCode.CONNECT_ERROR, f"the store cannot be read now ({name})")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_DEPTH):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _by_status(error: BaseException) -> tuple[FailureCode, str] | None:
    status, word = _find_status(error)
    if status is None:
        return None
    code = _code_of(status, word)
    if code is None:
        return None
    return code, _WORDS.get(word) or _STATUS_WORDS.get(status) or f"the store says {status} {word}"


def _find_status(error: Any) -> tuple[int | None, str]:
    """Return the HTTP status of an error of botocore, gcsfs, adlfs or aiohttp."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return status, str(response.get("Error", {}).get("Code", ""))[:40]
    for name in ("status_code", "status", "code"):
        status = getattr(error, name, None)
        if isinstance(status, int):
            return status, ""
    return None, ""


def _code_of(status: int, word: str) -> FailureCode | None:
    if status == 429 or word in _THROTTLED:
        return FailureCode.HTTP_429
    if status == 412:
        return FailureCode.CONNECT_ERROR
    if status == 404:
        return FailureCode.NOT_FOUND
    if status in (401, 403):
        return FailureCode.PERMISSION_DENIED
    if 500 <= status < 600:
        return FailureCode.HTTP_5XX
    return FailureCode.HTTP_4XX if 300 <= status < 500 else None


def _by_name(error: BaseException) -> tuple[FailureCode, str] | None:
    return _NAMES.get(type(error).__name__)


def _by_type(error: BaseException) -> tuple[FailureCode, str] | None:
    return next(((code, text) for kind, code, text in _TYPES if isinstance(error, kind)), None)
