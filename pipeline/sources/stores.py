"""Object stores as sources: objects, prefixes, globs, and the manifests and archives there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.archives import find_archive
from pipeline.errors import SourceError
from pipeline.failures import PictureError
from pipeline.manifests.manifest import find_format, iterate_manifest
from pipeline.records import FailureCode, FileFacts, Reference
from pipeline.references import make_uri, storable
from pipeline.sources.archives import iterate_archive, refuse_compressed
from pipeline.sources.folders import is_image
from pipeline.sources.globs import has_magic
from pipeline.sources.keys import compile_keys, find_prefix
from pipeline.stores.opening import open_store
from pipeline.stores.schemes import Address, parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.fetch.limits import FetchLimits
    from pipeline.manifests.columns import Columns
    from pipeline.stores.store import Found


def iterate_store(uri: str, columns: Columns, limits: FetchLimits) -> Iterator[Reference]:
    """Yield what an address in a store stands for, sorted; prefixes a page at a time.

    An object with an image's suffix is taken as it is. Raises SourceError in a sentence: what is
    not there, may not be listed, or cannot be reached.
    """
    refuse_compressed(uri)
    if has_magic(uri):
        return _iterate_glob(uri, limits)
    if find_format(uri):
        return iterate_manifest(uri, columns, limits)
    if find_archive(uri):
        return iterate_archive(uri, limits)
    if is_image(_name(uri)):
        return iter([Reference(make_uri(uri, "/"))])
    return _iterate_prefix(uri, limits)


def check_store(uri: str, columns: Columns, limits: FetchLimits) -> None:
    """Look at the beginning of what ``iterate_store`` would yield, or at the object itself."""
    first = next(iterate_store(uri, columns, limits), None)
    if first and first.uri == uri and first.facts is None:
        with _explaining(uri):
            address = parse_address(uri, limits)
            open_store(address.scheme, limits).look_at(address, limits.timeout_s)


def _iterate_prefix(uri: str, limits: FetchLimits) -> Iterator[Reference]:
    with _explaining(uri):
        address = parse_address(uri, limits)
        found = _look_for_object(address, limits)
    if found:
        yield _reference(address, found)
        return
    folder = address._replace(path=address.path.rstrip("/") + "/" if address.path else "")
    empty = True
    for each in _list(uri, folder, limits):
        empty = False
        if is_image(_name(each.path)):
            yield _reference(folder, each)
    if empty:
        raise _nothing(uri)


def _look_for_object(address: Address, limits: FetchLimits) -> Found | None:
    if not address.path or address.path.endswith("/"):
        return None
    try:
        return open_store(address.scheme, limits).look_at(address, limits.timeout_s)
    except PictureError as error:
        # Who may only list is told that every object is forbidden.
        passing = (FailureCode.NOT_FOUND, FailureCode.NOT_AN_IMAGE, FailureCode.PERMISSION_DENIED)
        if error.failure.code in passing:
            return None
        raise


def _iterate_glob(uri: str, limits: FetchLimits) -> Iterator[Reference]:
    with _explaining(uri):
        address = parse_address(uri, limits)
    if has_magic(address.bucket):
        raise SourceError(f"{storable(uri)}: a pattern may begin after the bucket; name that whole")
    is_wanted = compile_keys(address.path)
    start = address._replace(path=find_prefix(address.path))
    empty = True
    for each in filter(lambda found: is_wanted(found.path), _list(uri, start, limits)):
        empty = False
        if find_archive(each.path):
            yield from iterate_archive(str(start._replace(path=each.path)), limits)
        else:
            yield _reference(start, each)
    if empty:
        raise _nothing(uri)


def _list(uri: str, start: Address, limits: FetchLimits) -> Iterator[Found]:
    """Yield the objects that begin with ``start``; what stands for a folder is none."""
    with _explaining(uri):
        for found in open_store(start.scheme, limits).iterate(start, limits.timeout_s):
            if not found.path.endswith("/"):
                yield found


def _nothing(uri: str) -> SourceError:
    return SourceError(f"there is nothing in the store at {storable(uri)}; check the address")


def _reference(address: Address, found: Found) -> Reference:
    uri = str(address._replace(path=found.path))
    return Reference(make_uri(uri, "/"), facts=FileFacts(found.size, found.version))


def _name(uri: str) -> str:
    return uri.rpartition("/")[2]


@contextmanager
def _explaining(uri: str) -> Iterator[None]:
    try:
        yield
    except PictureError as error:
        raise SourceError(f"{storable(uri)} cannot be read: {error}") from None
