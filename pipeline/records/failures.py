"""Failure codes: why an image has no predictions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureCode(StrEnum):
    """Why an image has no predictions; the strings are stable."""

    INVALID_REFERENCE = "invalid_reference"
    NOT_FOUND = "not_found"
    PERMISSION_DENIED = "permission_denied"
    BLOCKED_PATH = "blocked_path"
    UNSUPPORTED_SCHEME = "unsupported_scheme"
    BLOCKED_ADDRESS = "blocked_address"
    DNS_ERROR = "dns_error"
    CONNECT_ERROR = "connect_error"
    TIMEOUT = "timeout"
    HTTP_4XX = "http_4xx"
    HTTP_429 = "http_429"
    HTTP_5XX = "http_5xx"
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED = "truncated"
    DECODE_ERROR = "decode_error"
    DECODER_CRASHED = "decoder_crashed"
    WORKER_CRASHED = "worker_crashed"
    MODEL_ERROR = "model_error"


#: Codes whose cause may pass by itself.
RETRYABLE = frozenset(
    {
        FailureCode.DNS_ERROR,
        FailureCode.CONNECT_ERROR,
        FailureCode.TIMEOUT,
        FailureCode.HTTP_429,
        FailureCode.HTTP_5XX,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """An outcome without predictions; ``retry_after_s``: not before then is it any use to retry."""

    code: FailureCode
    message: str
    retry_after_s: float | None = None

    @property
    def retryable(self) -> bool:
        """Whether the cause may pass by itself."""
        return self.code in RETRYABLE
