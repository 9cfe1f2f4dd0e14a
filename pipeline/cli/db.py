"""`imagemill db`: the schema of the database."""

import typer

from pipeline.cli.endings import FAILED, leave
from pipeline.cli.options import AsJson, DatabaseUrl, examples
from pipeline.cli.output import answer_json, say, show_pairs

app = typer.Typer(
    help="Upgrade and check the database's schema.",
    epilog=examples("imagemill db check", "imagemill db upgrade"),
)
_POSTGRES = "IMAGEMILL_DATABASE_URL=postgresql://me@host/pictures"


@app.command(epilog=examples("imagemill db upgrade", f"{_POSTGRES} imagemill db upgrade"))
def upgrade(database_url: DatabaseUrl = None) -> None:
    """Bring the schema to what this version of imagemill needs; the rows stay.

    SQLite does so by itself at first use; PostgreSQL waits for this command.
    """
    from pipeline.config import load_settings
    from pipeline.database.database import check_schema, upgrade_database

    url = load_settings(database_url=database_url).database_url
    upgrade_database(url)
    state = check_schema(url)
    say(f"the schema of {state.address} is up to date (revision {state.head})")


@app.command(epilog=examples("imagemill db check", "imagemill db check --json"))
def check(database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Compare the schema with what this version needs; exit with 1 when an upgrade is due."""
    from pipeline.config import load_settings
    from pipeline.database.database import check_schema

    state = check_schema(load_settings(database_url=database_url).database_url)
    if as_json:
        answer_json(
            {
                "address": state.address,
                "dialect": state.dialect,
                "current": state.current,
                "head": state.head,
                "fits": state.fits,
            }
        )
    else:
        show_pairs(
            [
                ("database", state.address),
                ("schema", state.current or "none yet"),
                ("needed", state.head),
            ]
        )
    if not state.fits:
        say("an upgrade is due: `imagemill db upgrade`")
        leave(FAILED)
