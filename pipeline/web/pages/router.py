"""All pages as one router."""

from __future__ import annotations

from fastapi import APIRouter

from pipeline.web.pages import (
    actions,
    compare,
    failures,
    image,
    job,
    jobs,
    login,
    static,
    submit,
    thumbnail,
)

#: Pages are for people: the document of the API does not list them.
router = APIRouter(include_in_schema=False)
for one in (jobs, actions, failures, thumbnail, image, job, submit, compare, login, static):
    router.include_router(one.router)
