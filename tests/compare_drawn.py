"""Two drawn jobs to compare: duplicates, failures, open images, other labels, other places."""

from __future__ import annotations

from collections.abc import Sequence

from compare_jobs import ANIMALS, BEASTS, FAILED, OPEN, Said
from hypothesis import strategies as st

from pipeline.records import Model

_SCORES = st.sampled_from([0.25, 0.5, 0.75, 0.9])
_IDS = st.sampled_from([None, "x", "y", "z"])
_URIS = st.sampled_from(["/a.jpg", "/b.jpg", "/c.jpg", "https://a.example/?sig=1"])
_PLACES = st.tuples(_URIS, _IDS)


@st.composite
def two_jobs(draw: st.DrawFn) -> tuple[list[Said], list[Said], Model]:
    """Draw two jobs of some of the same images, in places of their own or in the same ones."""
    places = draw(st.lists(_PLACES, min_size=1, max_size=10))
    changes = st.sampled_from([places, places[1:] or places, [*places, *places[:2]], places[::-1]])
    others = draw(changes | st.lists(_PLACES, min_size=1, max_size=10))
    model = draw(st.sampled_from([ANIMALS, BEASTS]))
    return draw(_answer(places, ANIMALS)), draw(_answer(others, model)), model


@st.composite
def _answer(draw: st.DrawFn, places: Sequence[tuple[str, str | None]], model: Model) -> list[Said]:
    words = st.sampled_from([*model.labels, *model.labels, FAILED, OPEN])
    return [Said(uri, draw(words), draw(_SCORES), own) for uri, own in places]
