"""Forms, read only after it is known who sends them."""

from starlette.datastructures import FormData
from starlette.requests import Request

from pipeline.web.problems import Problem

#: Bytes that a form without a file has at most.
_SMALL = 64 * 1024


async def read_small_form(request: Request) -> FormData:
    """Return the fields of a form without files. Raises Problem (413) for one that is long."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > _SMALL:
        raise Problem(413, "too_long", "this form is longer than any that the page sends")
    return await request.form(max_files=0, max_fields=100)


def text_of(form: FormData, name: str) -> str:
    """Return a field as it was written, without the blanks around it; nothing for a file."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""
