"""Forms: a submission as a browser or `curl -F` sends it, with files or without."""

import math
from dataclasses import replace
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from pipeline.records import Precision, Priority
from pipeline.reports import StoredReport
from pipeline.sources import SourceOptions
from pipeline.web.actions import Wanted
from pipeline.web.context import Context
from pipeline.web.problems import Problem
from pipeline.web.submissions import submit_manifest, submit_pictures, submit_references

#: Fields of a form that are no files, and what one of them holds at most, in bytes.
_FIELDS, _FIELD_BYTES = 1000, 16 * 2**20


class JobFields(BaseModel):
    """What is said of a job beside its images and its model."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = Field(default=None, min_length=1, max_length=100)
    priority: Priority = Priority.BULK
    max_failure_rate: float | None = Field(default=None, ge=0, le=1)
    skip_known: bool = False
    reuse: bool | None = None
    webhook: str | None = Field(default=None, max_length=8192)
    uri_column: str | None = Field(default=None, max_length=1000)
    id_column: str | None = Field(default=None, max_length=1000)

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str | None) -> str | None:
        if name is not None and not (name.strip() and name.isprintable()):
            raise ValueError("a name takes 1 to 100 characters on one line")
        return name

    @field_validator("max_failure_rate")
    @classmethod
    def _check_rate(cls, rate: float | None) -> float | None:
        if rate is not None and math.isnan(rate):
            raise ValueError("a share is a number from 0 to 1")
        return rate

    def make_wanted(self, key: str | None = None) -> Wanted:
        """Return what is wanted; ``key`` (Idempotency-Key) names a job that has no other name."""
        return Wanted(
            name=self.name or key,
            source_options=SourceOptions(self.uri_column, self.id_column),
            priority=self.priority,
            max_failure_rate=self.max_failure_rate,
            skip_known=self.skip_known,
            reuse=self.reuse,
            webhook=self.webhook,
        )


class FormFields(JobFields):
    """... and what classifies: a form is flat."""

    weights: str | None = Field(default=None, max_length=4096)
    precision: Precision | None = None
    top_k: int | None = Field(default=None, ge=1, le=1000)

    def make_wanted(self, key: str | None = None) -> Wanted:
        """Return what is wanted, as ``JobFields`` does."""
        return replace(
            super().make_wanted(key),
            weights=self.weights,
            precision=self.precision,
            top_k=self.top_k,
        )


async def submit_form(
    context: Context, request: Request, key: str | None = None, needs: str | None = None
) -> StoredReport:
    """Submit what a form holds: ``pictures`` or a ``manifest`` (files), else ``references``.

    ``needs``: the one of them that it has to hold. References are one a line. An empty field is
    none. Raises Problem and RequestValidationError for a form that cannot be meant, and as
    ``actions.submit`` does.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise Problem(415, "wrong_type", "the body must be multipart/form-data")
    most = context.settings.upload_references
    try:
        form = await request.form(max_files=most, max_fields=_FIELDS, max_part_size=_FIELD_BYTES)
    except Problem:
        raise
    except HTTPException as error:
        raise _explain(str(error.detail)) from None
    try:
        return await _submit(context, form, key, needs)
    finally:
        await form.close()


async def _submit(
    context: Context, form: FormData, key: str | None, needs: str | None
) -> StoredReport:
    pictures = _files(form, "pictures")
    manifests = _files(form, "manifest")
    lines = [line.strip() for line in _text(form, "references").splitlines()]
    wanted = _read_fields(form).make_wanted(key)
    given = {"pictures": bool(pictures), "manifest": bool(manifests), "references": any(lines)}
    if needs is not None and not given[needs]:
        raise Problem(422, "wrong_use", f"{needs}: the form has no such file")
    if sum(given.values()) != 1 or len(manifests) > 1:
        raise Problem(422, "wrong_use", "send either pictures, or one manifest, or references")
    if pictures:
        files = [(one.filename or "", one.file) for one in pictures]
        return await run_in_threadpool(submit_pictures, context, wanted, files)
    if manifests:
        name, content = manifests[0].filename or "", manifests[0].file
        return await run_in_threadpool(submit_manifest, context, wanted, name, content)
    listed = [(line, None) for line in lines if line]
    return await run_in_threadpool(submit_references, context, wanted, listed)


def _read_fields(form: FormData) -> FormFields:
    said: dict[str, Any] = {
        name: value
        for name, value in form.multi_items()
        if isinstance(value, str) and value != "" and name != "references"
    }
    try:
        return FormFields.model_validate(said)
    except ValidationError as error:
        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        ) from None


def _files(form: FormData, name: str) -> list[UploadFile]:
    found = [one for one in form.getlist(name) if isinstance(one, UploadFile)]
    # A browser sends a file without a name where none was chosen.
    return [one for one in found if one.filename]


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _explain(reason: str) -> Problem:
    """Return what a form that cannot be read means."""
    if "Too many" in reason or "exceeded maximum size" in reason:
        return Problem(413, "too_many_parts", f"the form cannot be taken: {reason}")
    return Problem(422, "wrong_form", f"the form cannot be read: {reason}")
