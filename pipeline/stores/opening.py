"""Stores that are connected: one of each scheme in a process, made when it is first needed."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from pipeline.failures import PictureError
from pipeline.records import FailureCode
from pipeline.stores.failing import explaining
from pipeline.stores.plain import PlainStore
from pipeline.stores.s3 import S3_SCHEMES, S3Store, s3_options

if TYPE_CHECKING:
    from pipeline.fetch.limits import FetchLimits
    from pipeline.stores.store import Store

#: The extra of our package that brings a scheme's own.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az"}

_lock = threading.Lock()
_stores: dict[tuple[int, str, str | None], Store] = {}


def open_store(scheme: str, limits: FetchLimits) -> Store:
    """Return this process's store of a scheme; a child that was forked makes its own.

    Raises PictureError: unsupported_scheme if a package is missing, and what connecting raises.
    """
    # The process's id: what a parent has connected is of no use to its child.
    key = (os.getpid(), scheme, limits.proxy)
    store = _stores.get(key)
    if store is None:
        with _lock:
            store = _stores[key] = _stores.get(key) or _make(scheme, limits)
    return store


def close_stores() -> None:
    """Forget the stores: the next one is made by the environment as it is then."""
    with _lock:
        _stores.clear()


def _make(scheme: str, limits: FetchLimits) -> Store:
    options = s3_options(limits.proxy) if scheme in S3_SCHEMES else {}
    with explaining():
        filesystem = _make_filesystem(scheme, options)
    return (S3Store if scheme in S3_SCHEMES else PlainStore)(filesystem)


def _make_filesystem(scheme: str, options: dict[str, Any]) -> Any:
    import fsspec

    try:
        # Our own cache knows better: fsspec's would outlive a change of the environment.
        return fsspec.filesystem(
            scheme, skip_instance_cache=True, use_listings_cache=False, **options
        )
    except (ImportError, ValueError) as error:
        raise PictureError(FailureCode.UNSUPPORTED_SCHEME, _explain(scheme, error)) from None


def _explain(scheme: str, error: Exception) -> str:
    if scheme in _EXTRAS:
        return f"{scheme}:// needs a package: pip install 'imagemill[{_EXTRAS[scheme]}]'"
    if isinstance(error, ImportError):
        return f"{scheme}:// needs a package of fsspec's that is not installed here"
    return f"{scheme}:// is no scheme of fsspec's, or is not set up in the environment"


def _forget_parent() -> None:
    global _lock
    # A thread that is not in the child may have held it.
    _lock = threading.Lock()
    _stores.clear()


os.register_at_fork(after_in_child=_forget_parent)
