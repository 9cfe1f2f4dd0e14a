"""Known images: references whose answers are here already, so that a new job leaves them out."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from pipeline.known.facts import find_facts
from pipeline.known.statements import same_uris, wanted_uris
from pipeline.references import is_storable, storable
from pipeline.storage.rows import find_model, uri_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import sqlalchemy as sa

    from pipeline.database.database import Database
    from pipeline.fetch.limits import FetchLimits
    from pipeline.records import FileFacts, Model, Reference

#: References that one question to the database is about.
_AT_ONCE = 2000


class KnownImages:
    """Leaves known images out of a stream of references, and counts them in ``skipped``.

    Known is what the same model has classified under the same uri, in any job, with ``top_k``
    predictions (or one for every class), if its size and version are still those of then. Only
    what was classified under its uri is looked at.
    """

    def __init__(self, database: Database, model: Model, top_k: int, limits: FetchLimits) -> None:
        self.skipped = 0
        self._database = database
        self._model = model
        self._needed = min(top_k, len(model.labels))
        self._limits = limits

    def leave_out(self, references: Iterable[Reference]) -> Iterator[Reference]:
        """Yield what is not known, in order, at flat memory. Raises DatabaseError."""
        stream = iter(references)
        while piece := list(islice(stream, _AT_ONCE)):
            known = self._find_known(piece)
            for position, reference in enumerate(piece):
                if position in known:
                    self.skipped += 1
                else:
                    yield reference

    def _find_known(self, piece: Sequence[Reference]) -> set[int]:
        """Return the positions of the known ones."""
        seen = self._find_seen(piece)
        now = find_facts([piece[position] for position in seen], self._limits)
        facts = zip(seen.items(), now, strict=True)
        return {position for (position, before), one in facts if _line(one) in before}

    def _find_seen(self, piece: Sequence[Reference]) -> dict[int, set[str | None]]:
        """Return positions with the facts, a line each, under which they have an answer."""
        uris = [_stored(reference.uri) for reference in piece]
        dialect = self._database.dialect
        wanted = wanted_uris(dialect, [uri_hash(uri) for uri in uris], uris)

        def work(connection: sa.Connection) -> dict[int, set[str | None]]:
            model_id = find_model(connection, self._model)
            if model_id is None:
                return {}
            values = {**wanted, "model_id": model_id, "needed": self._needed}
            rows = connection.execute(same_uris(dialect), values)
            return {position - 1: {*facts.split("\n")} for position, facts in rows if facts}

        return self._database.attempt(work, write=False)


def _stored(uri: str) -> str:
    return uri if is_storable(uri) else storable(uri)


def _line(facts: FileFacts | None) -> str | None:
    """Return facts as the database has them in a line; None: they say too little."""
    if facts is None or facts.size is None or facts.version is None:
        return None
    return f"{facts.size} {_stored(facts.version)}"
