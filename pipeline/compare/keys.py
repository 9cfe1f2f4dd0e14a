"""What two images are known to be the same by: their uri, or a user's own id."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


class JoinKey(StrEnum):
    """By what the images of two jobs are joined."""

    URI = "uri"
    CUSTOM_ID = "custom-id"

    def column(self, images: sa.FromClause) -> sa.ColumnElement[str | None]:
        """Return the column of the key in ``images`` or in an alias of it."""
        return images.c.uri if self is JoinKey.URI else images.c.custom_id
