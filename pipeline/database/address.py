"""Where the database is: an address as people write it, checked before anything connects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from pipeline.errors import DatabaseError

_POSTGRES = ("postgresql", "postgresql+psycopg", "postgres")
_SQLITE = ("sqlite", "sqlite+pysqlite")
_FORMS = "sqlite:///FILE or postgresql://USER@HOST/NAME"


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address: what to connect to, and how to show it without its password."""

    url: sa.URL
    shown: str

    @property
    def dialect(self) -> str:
        """Return ``sqlite`` or ``postgresql``."""
        return self.url.get_backend_name()

    @property
    def path(self) -> Path:
        """Return the file of an SQLite address."""
        return Path(self.url.database or "")

    @property
    def secret(self) -> str | None:
        """Return the password, so that messages can be freed of it."""
        secret = self.url.password or self.url.query.get("password")
        return str(secret) if secret else None


def read_address(text: str) -> Address:
    """Return the address that ``text`` means; a plain ``postgresql://`` means psycopg 3.

    Raises DatabaseError in one sentence that shows no password.
    """
    scheme, separator, rest = text.partition("://")
    if separator and scheme in _SQLITE:
        return _sqlite_address(rest)
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise DatabaseError(f"the database address cannot be read; write {_FORMS}") from None
    if url.drivername in _POSTGRES:
        return _postgres_address(url.set(drivername="postgresql+psycopg"))
    raise DatabaseError(f"{url.drivername}:// is no database that imagemill knows; use {_FORMS}")


def _sqlite_address(rest: str) -> Address:
    # The path is taken as it stands: a file's name may hold a percent sign.
    name = rest.removeprefix("/")
    if name == rest or name in ("", ":memory:") or "?" in name:
        raise DatabaseError("an SQLite address names a file and nothing else: sqlite:///FILE")
    path = Path(name).expanduser().absolute()
    return Address(sa.URL.create("sqlite", database=str(path)), f"sqlite:///{path}")


def _postgres_address(url: sa.URL) -> Address:
    hidden = {name: "hidden" for name in url.query if "password" in name}
    shown = url.set(drivername="postgresql").update_query_dict(hidden)
    return Address(url, shown.render_as_string(hide_password=True))
