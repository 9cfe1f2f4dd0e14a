"""What each failure code means, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records import FailureCode


@dataclass(frozen=True, slots=True)
class Advice:
    """A code in two words, what it says of an image, and what to do."""

    title: str
    meaning: str
    remedy: str


_ADVICE = {
    FailureCode.INVALID_REFERENCE: Advice(
        "not a reference",
        "The reference is empty, too long, or holds characters that no file's name can have.",
        "Correct the entry in the manifest, or rename the file, and submit it again.",
    ),
    FailureCode.NOT_FOUND: Advice(
        "not found",
        "There is no such file, object or archive member.",
        "Put the file where the reference says, then retry.",
    ),
    FailureCode.PERMISSION_DENIED: Advice(
        "no permission",
        "The worker may not read the file.",
        "Give the worker's user the right to read it, then retry.",
    ),
    FailureCode.BLOCKED_PATH: Advice(
        "outside the roots",
        "The path lies outside the folders that may be read.",
        "Add its folder to IMAGEMILL_ROOTS of the workers, restart them, then retry.",
    ),
    FailureCode.UNSUPPORTED_SCHEME: Advice(
        "unknown kind of address",
        "The URL is neither http nor https nor one of the enabled stores.",
        "Enable the store with IMAGEMILL_SCHEMES on the workers, then retry.",
    ),
    FailureCode.BLOCKED_ADDRESS: Advice(
        "address not allowed",
        "The URL leads to a private network, to this machine, or to an unusual port.",
        "Where that is meant, allow it on the workers (IMAGEMILL_ALLOW_PRIVATE_HOSTS, "
        "IMAGEMILL_ALLOW_PORTS), then retry.",
    ),
    FailureCode.DNS_ERROR: Advice(
        "host has no address",
        "The name of the host could not be looked up.",
        "Check the spelling and the workers' DNS, then retry: it may have passed by itself.",
    ),
    FailureCode.CONNECT_ERROR: Advice(
        "no connection",
        "The host, the disk or the mount did not answer, or broke off.",
        "Retry once it is reachable again: it may have passed by itself.",
    ),
    FailureCode.TIMEOUT: Advice(
        "took too long",
        "The download, or reading and decoding, took longer than it may.",
        "Retry; for slow hosts raise IMAGEMILL_URL_TIMEOUT_S on the workers first.",
    ),
    FailureCode.HTTP_4XX: Advice(
        "refused by its host",
        "The host says that there is no such image, or that it may not be read.",
        "Check the address and whether a signed one has expired; a retry alone changes nothing.",
    ),
    FailureCode.HTTP_429: Advice(
        "too many requests",
        "The host asked for fewer requests.",
        "Retry later: it passes by itself.",
    ),
    FailureCode.HTTP_5XX: Advice(
        "host in trouble",
        "The host answered that it has a fault of its own.",
        "Retry later: it may pass by itself.",
    ),
    FailureCode.TOO_LARGE: Advice(
        "too many bytes",
        "The file has more bytes than the limit allows.",
        "Raise IMAGEMILL_MAX_BYTES and submit the job anew, or make the file smaller.",
    ),
    FailureCode.TOO_MANY_PIXELS: Advice(
        "too many pixels",
        "The picture would fill too much memory.",
        "Raise IMAGEMILL_MAX_PIXELS and submit the job anew, or make the picture smaller.",
    ),
    FailureCode.NOT_AN_IMAGE: Advice(
        "not an image",
        "The bytes are no picture at all: an empty file, a text, a web page, a folder.",
        "Replace the file, then retry.",
    ),
    FailureCode.UNSUPPORTED_FORMAT: Advice(
        "unknown format",
        "A picture, but not JPEG, PNG, WebP, GIF, BMP or TIFF.",
        "Convert it to one of those, then retry.",
    ),
    FailureCode.TRUNCATED: Advice(
        "cut off",
        "The file ends before the picture does.",
        "Copy or download the file again, then retry.",
    ),
    FailureCode.DECODE_ERROR: Advice(
        "damaged",
        "The picture's data is damaged.",
        "Replace the file, then retry.",
    ),
    FailureCode.DECODER_CRASHED: Advice(
        "crashed the decoder",
        "Decoding it killed its process twice, or took more memory than there is.",
        "Replace the file, or give the worker more memory, then retry.",
    ),
    FailureCode.WORKER_CRASHED: Advice(
        "crashed its worker",
        "Its worker died twice while it had nothing else in hand.",
        "Look at the workers' logs and at the file, then retry.",
    ),
    FailureCode.MODEL_ERROR: Advice(
        "failed in the model",
        "The forward pass failed on it, or its scores were no numbers.",
        "Check the weights and the device with `imagemill doctor`, then retry.",
    ),
}


def get_advice(code: str) -> Advice:
    """Return what is to be said of a failure code; ValueError for a text that is none."""
    return _ADVICE[FailureCode(code)]
