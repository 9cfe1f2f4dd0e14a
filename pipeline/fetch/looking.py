"""Looks: what web servers say of images without sending them, many at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.failures import PictureError
from pipeline.fetch.web import Web

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.fetch.limits import FetchLimits
    from pipeline.records import FileFacts


def look_at(urls: Sequence[str], limits: FetchLimits) -> list[FileFacts | None]:
    """Return size and version of each image of the web, by HEAD; None: nothing is known of it."""
    return asyncio.run(_look_at_all(urls, limits))


async def _look_at_all(urls: Sequence[str], limits: FetchLimits) -> list[FileFacts | None]:
    web = Web(limits)
    try:
        return await asyncio.gather(*(_look(web, url) for url in urls))
    finally:
        await web.close()


async def _look(web: Web, url: str) -> FileFacts | None:
    try:
        return await web.look_at(url)
    except PictureError:
        return None
