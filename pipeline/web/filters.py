"""The filters of the address: which predictions are asked for, as the command line asks."""

from typing import Annotated

from fastapi import Depends, Query

from pipeline.queries.filters import PredictionFilter


def filter_of(
    job: Annotated[
        str | None, Query(max_length=200, description="Of this job (name or id).")
    ] = None,
    label: Annotated[
        str | None, Query(max_length=1000, description="Whose best answer is this label.")
    ] = None,
    min_score: Annotated[
        float | None, Query(ge=0, le=1, description="Whose best answer scores at least this.")
    ] = None,
    max_score: Annotated[
        float | None, Query(ge=0, le=1, description="Whose best answer scores at most this.")
    ] = None,
    uri: Annotated[
        str | None,
        Query(
            max_length=8192,
            description="Of this image; with * at its end, of all that begin so (in a job).",
        ),
    ] = None,
    custom_id: Annotated[
        str | None, Query(max_length=8192, description="With your own id.")
    ] = None,
    failed: Annotated[
        bool | None, Query(description="Only failures, or only what was classified.")
    ] = None,
    code: Annotated[
        str | None, Query(max_length=100, description="Failed with this code, say not_found.")
    ] = None,
) -> PredictionFilter:
    """Return what the address asks for; what cannot be meant is refused where it is read."""
    return PredictionFilter(job, label, min_score, max_score, uri, custom_id, code, failed)


#: What a route takes to have the filter of its address.
Wanted = Annotated[PredictionFilter, Depends(filter_of)]
