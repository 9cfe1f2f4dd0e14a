"""What is seen of images without reading them: size and version, wherever they lie."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pipeline.fetch.kinds import is_web
from pipeline.records import FileFacts
from pipeline.references import find_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.fetch.limits import FetchLimits
    from pipeline.records import Reference

#: Objects of a store that are looked at at the same time.
_THREADS = 32


def find_facts(references: Sequence[Reference], limits: FetchLimits) -> list[FileFacts | None]:
    """Return size and version of each image as they are now; None: it cannot be looked at.

    What a source said of an image by the way is believed. A web server is asked by HEAD, an
    object store for the object's description, an archive for its table. Nothing is raised.
    """
    found = [_facts_at_hand(reference) for reference in references]
    with ThreadPoolExecutor(_THREADS, "look") as pool:
        far = [n for n, one in enumerate(references) if _needs_look(one)]
        web = [n for n in far if is_web(references[n].uri)]
        stored = [n for n in far if not is_web(references[n].uri)]
        # In a thread, because the caller's may have an event loop already.
        on_web = pool.submit(_look_at_web, [references[n].uri for n in web], limits)
        looks = [pool.submit(_look_at_stored, references[n].uri, limits) for n in stored]
        for position, look in zip(stored, looks, strict=True):
            found[position] = look.result()
        for position, facts in zip(web, on_web.result(), strict=True):
            found[position] = facts
    return found


def _needs_look(reference: Reference) -> bool:
    return reference.facts is None and find_path(reference.uri) is None


def _facts_at_hand(reference: Reference) -> FileFacts | None:
    path = find_path(reference.uri)
    if reference.facts is not None or path is None:
        return reference.facts
    try:
        seen = os.stat(path)  # noqa: PTH116 (a string is faster)
    except (OSError, ValueError):
        return None
    return FileFacts(seen.st_size, str(seen.st_mtime_ns))


def _look_at_web(urls: Sequence[str], limits: FetchLimits) -> list[FileFacts | None]:
    if not urls:
        return []
    # Only here: who reads files alone needs no client of the web.
    from pipeline.fetch.looking import look_at

    return look_at(urls, limits)


def _look_at_stored(uri: str, limits: FetchLimits) -> FileFacts | None:
    from pipeline import archives

    if archives.is_member(uri):
        return archives.facts_of(uri, limits)
    from pipeline import stores

    return stores.facts_of(uri, limits)
