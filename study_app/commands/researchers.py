"""Researchers and their passwords: account."""

from __future__ import annotations

from typing import Annotated

import typer

from study_app.commands.shared import DEFAULT_DB, DbOption, existing, plain_failures, the_command_line
from study_app.study.access.accounts import INVITED_FOR, invitation_page


def account(
    name: Annotated[str, typer.Argument(help="Name of the account; the first is owner unless you gave another.")],
    db: DbOption = DEFAULT_DB,
    url: Annotated[str, typer.Option(help="Address of the study, as you open it.")] = "http://localhost:8501/",
) -> None:
    """Print a link with which a researcher sets a new password: forgotten, locked out, or the only owner.

    Needs no owner's word, but the database's files; the audit says that it was done here. Whoever opens the link first
    sets the password; that ends the account's sessions and every wait after wrong passwords.
    """
    with plain_failures(), existing(db) as store:
        code = store.researcher.new_link(the_command_line(), name)
    typer.echo(f"{url.rstrip('/')}/{invitation_page(code)}")
    typer.echo(f"Works once, for {INVITED_FOR.days} days. Until then the old password stays.", err=True)
