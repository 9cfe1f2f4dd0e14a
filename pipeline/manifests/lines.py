"""The lines of a text manifest, whatever its bytes are."""

from __future__ import annotations

import codecs
from functools import partial
from typing import TYPE_CHECKING

from pipeline.manifests.broken import BrokenManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

#: A longer line is no reference, and would have to be held in memory whole.
LONGEST_LINE = 2**20


def iterate_lines(stream: BinaryIO) -> Iterator[str]:
    """Yield each line with its end; bytes that are no UTF-8 become surrogate escapes.

    Raises BrokenManifestError for UTF-16 and for a line of more than a MiB.
    """
    read_line = partial(stream.readline, LONGEST_LINE + 1)
    for number, line in enumerate(iter(read_line, b""), 1):
        if number == 1:
            line = _without_mark(line)
        if len(line) > LONGEST_LINE:
            raise BrokenManifestError(f"line {number} is longer than {LONGEST_LINE:,} bytes")
        yield line.decode("utf-8", "surrogateescape")


def _without_mark(line: bytes) -> bytes:
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BrokenManifestError("it is UTF-16; save it as UTF-8")
    return line.removeprefix(codecs.BOM_UTF8)
