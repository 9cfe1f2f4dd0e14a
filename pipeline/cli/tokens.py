"""`imagemill tokens`: who may use the HTTP interface."""

from typing import Annotated

import typer

from pipeline.cli.options import AsJson, DatabaseUrl, examples
from pipeline.cli.output import answer, answer_json, say, show_table, shown_time
from pipeline.cli.reading import existing, opened, reading
from pipeline.tokens.scopes import Scope

app = typer.Typer(
    help="Create, list and revoke tokens for the HTTP interface.",
    epilog=examples("imagemill tokens create shop --scope submit", "imagemill tokens list"),
)
TokenName = Annotated[str, typer.Argument(metavar="NAME", hidden=True)]
ChosenScope = Annotated[
    Scope,
    typer.Option(
        "--scope", help="read: to look; submit: to submit jobs as well; admin: everything."
    ),
]
_MAY = {
    Scope.READ: "may read everything, and change nothing",
    Scope.SUBMIT: "may read everything, and submit jobs",
    Scope.ADMIN: "may do everything",
}


@app.command(
    epilog=examples(
        "imagemill tokens create shop --scope submit",
        "imagemill tokens create dashboard --scope read > dashboard.token",
    )
)
def create(name: TokenName, scope: ChosenScope, database_url: DatabaseUrl = None) -> None:
    """Make a token, and print it: once, and never again.

    NAME tells it from others. A program sends it as `Authorization: Bearer TOKEN`; a person signs
    in to the page with it.
    """
    from pipeline.tokens.tokens import create_token

    with opened(database_url) as database:
        token = create_token(database, name, scope)
    answer(token)
    say(f"whoever has this token {_MAY[scope]}; keep it now, it is not shown again")
    say(
        "a program sends it as `Authorization: Bearer TOKEN`, a person signs in to the page with it"
    )
    say(f"to take it back: imagemill tokens revoke {name}")


@app.command(
    "list", epilog=examples("imagemill tokens list", "imagemill tokens list --json | jq .[].name")
)
def list_all(database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List the tokens by name, the oldest first; what they are cannot be shown."""
    from pipeline.tokens.tokens import list_tokens

    with reading(database_url) as connection:
        found = list_tokens(connection)
    if as_json:
        answer_json(
            [
                {"name": t.name, "scope": str(t.scope), "created_at": t.created_at.isoformat()}
                for t in found
            ]
        )
    elif found:
        rows = [[t.name, str(t.scope), shown_time(t.created_at)] for t in found]
        show_table(("name", "scope", "created"), rows)
    else:
        say("no tokens yet; `imagemill tokens create NAME --scope read` makes one")


@app.command(epilog=examples("imagemill tokens revoke shop"))
def revoke(name: TokenName, database_url: DatabaseUrl = None) -> None:
    """Take a token back: from now on it opens nothing.

    NAME is what it was called when it was made.
    """
    from pipeline.tokens.tokens import revoke_token

    with existing(database_url) as database:
        revoke_token(database, name)
    say(f"revoked {name}; no program and no page that uses it gets in any more")
