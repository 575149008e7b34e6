"""Command line of the study platform: `python -m study_app COMMAND`; `--help` explains each.

Exit codes: 0 done; 1 not done, the reason is on stderr; 2 the command line itself is wrong.
"""

from __future__ import annotations

import typer

from study_app.commands import data, people, researchers, running, studies
from study_app.commands.shared import DEFAULT_STUDY, ROOT

__all__ = ["DEFAULT_STUDY", "ROOT", "cli"]

COMMANDS = (
    studies.check,
    running.serve,
    running.status,
    people.invite,
    people.panel,
    researchers.account,
    data.audit,
    studies.simulate,
    studies.reconstruct,
    data.export,
    data.backup,
    people.withdraw,
    people.exclude,
)
"""In the order of --help: the way of a study."""

cli = typer.Typer(
    name="python -m study_app",
    help="Run a user study of SkinGEN: check the study file, serve it, look at it, take the data home.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in COMMANDS:
    cli.command()(command)


if __name__ == "__main__":
    cli()
