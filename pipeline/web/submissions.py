"""Submissions: what came in one request, made into what is wanted of a job.

Each takes its time with the disk: call it outside of the event loop.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pipeline.errors import SourceError
from pipeline.manifests.manifest import find_format, iterate_manifest
from pipeline.records import Reference
from pipeline.references import make_reference, storable
from pipeline.uploads import Folder
from pipeline.web import actions
from pipeline.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from pipeline.manifests.columns import Columns
    from pipeline.reports import StoredReport
    from pipeline.web.actions import Wanted
    from pipeline.web.context import Context

#: Endings of manifests by which their format is known, the longest first.
_ENDINGS = (
    *(f"{form}.gz" for form in (".txt", ".csv", ".tsv", ".jsonl")),
    *(".txt", ".csv", ".tsv", ".jsonl", ".parquet"),
)


def submit_references(
    context: Context, wanted: Wanted, given: Sequence[tuple[str, str | None]]
) -> StoredReport:
    """Submit references: each a URL or an absolute path, with the user's own id or None.

    Raises as ``actions.submit`` does.
    """
    for number, (text, _) in enumerate(given, 1):
        _check_whole(text, number)
    said = json.dumps(list(given)).encode()
    made = replace(
        wanted,
        digest=f"references {hashlib.sha256(said).hexdigest()}" if given else "",
        references=lambda: (make_reference(text, "/", own) for text, own in given),
    )
    return actions.submit(context, made)


def submit_manifest(context: Context, wanted: Wanted, name: str, content: BinaryIO) -> StoredReport:
    """Submit what a manifest lists; the ending of its ``name`` says what it is.

    Raises Problem (422) for a name that says nothing, and as ``actions.submit`` does.
    """
    ending = next((one for one in _ENDINGS if name.lower().endswith(one)), None)
    if ending is None or find_format(f"manifest{ending}") is None:
        raise Problem(
            422, "wrong_use", "manifest: its name must end in .txt, .csv, .tsv, .jsonl or .parquet"
        )
    folder = Folder(context.settings.uploads)
    path = folder.path
    try:
        path = folder.store(content, ending)
        columns = wanted.source_options.columns
        made = replace(
            wanted,
            digest=f"manifest {ending} {columns} {_hash_file(path)}",
            references=partial(_read_manifest, path, columns, wanted),
        )
        return actions.submit(context, made)
    except SourceError as error:
        # The client knows the file by its own name.
        shown = storable(name.rpartition("/")[2])[:100]
        raise SourceError(str(error).replace(str(path), shown)) from None
    finally:
        folder.remove()


def submit_pictures(
    context: Context, wanted: Wanted, pictures: Sequence[tuple[str, BinaryIO]]
) -> StoredReport:
    """Submit pictures: (the name at the client's, content) of each; the name becomes the own id.

    They are kept in a folder of the job's own, until it is deleted. Raises as ``actions.submit``.
    """
    folder = Folder(context.settings.uploads)
    is_kept = False
    try:
        stored = [(folder.store(content), name) for name, content in pictures]
        said = json.dumps([(name, _hash_file(path)) for path, name in stored]).encode()
        made = replace(
            wanted,
            digest=f"pictures {hashlib.sha256(said).hexdigest()}",
            references=lambda: (Reference(str(path), storable(name)) for path, name in stored),
            uploads=folder.path,
        )
        report = actions.submit(context, made)
        is_kept = report.is_new
        return report
    finally:
        if not is_kept:
            folder.remove()


def _read_manifest(path: Path, columns: Columns, wanted: Wanted) -> Iterator[Reference]:
    is_wanted = wanted.source_options.make_predicate()
    folder = f"{path.parent}/"
    for number, reference in enumerate(iterate_manifest(str(path), columns), 1):
        if reference.uri.startswith(folder):
            raise _not_whole(number)  # It was relative: to a folder that the client knows not.
        if is_wanted(reference.uri):
            yield reference


def _check_whole(text: str, number: int) -> None:
    if "://" not in text and not text.startswith("/"):
        raise _not_whole(number)


def _not_whole(number: int) -> Problem:
    return Problem(
        422, "blocked_path", f"reference {number} is no URL and no absolute path; give it whole"
    )


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
