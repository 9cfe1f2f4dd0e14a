"""What may be fetched, and what a fetch gives: the words that all of this package shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config import Settings

#: Ports of the web that are always allowed.
_PORTS = (80, 443)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What a process may fetch; how it was started decides, and a job at most narrows it.

    ``max_bytes`` of one image. Local paths below ``roots`` (empty: any path). Of the web:
    ``timeout_s`` for one image with all its redirects, hosts or networks inside that may be
    connected to all the same (``private_hosts``), ``ports``, and a ``proxy``. Of object stores:
    the ``schemes`` that are enabled. ``downloads`` at the same time in one process, and how many
    of them from one host.
    """

    max_bytes: int
    roots: tuple[Path, ...] = ()
    timeout_s: float = 15.0
    private_hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = _PORTS
    proxy: str | None = None
    schemes: tuple[str, ...] = ("s3", "gs", "az")
    downloads: int = 256
    host_downloads: int = 16


def limits_of(settings: Settings) -> FetchLimits:
    """Return what a process with these settings may fetch."""
    return FetchLimits(
        max_bytes=settings.max_bytes,
        roots=settings.roots,
        timeout_s=settings.url_timeout_s,
        private_hosts=settings.allow_private_hosts,
        ports=(*_PORTS, *settings.allow_ports),
        proxy=settings.proxy,
        schemes=settings.schemes,
        downloads=settings.downloads,
        host_downloads=settings.host_downloads,
    )


@dataclass(frozen=True, slots=True)
class Fetched:
    """An image's bytes, and the version of what they were read from.

    The version is a file's modified time in ns, what a web server says in ETag or Last-Modified,
    or an object store's ETag.
    """

    data: bytes
    version: str | None = None
