"""The revisions of the schema, and the upgrade to the newest; importing this needs no Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

#: Every revision from the oldest on; a test compares them with ``versions/``.
REVISIONS = ("0001", "0002", "0003", "0004")
HEAD = REVISIONS[-1]


def upgrade(connection: sa.Connection, revision: str = HEAD) -> None:
    """Bring the schema up to ``revision``, inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = str(Path(__file__).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
