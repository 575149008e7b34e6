"""`check` and `download`: are a profile's models there, are they the right ones, do they fit; and how to get them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from pipeline.casefile import of_another_clip
from pipeline.checking import SUMS, Checked, check_roles, memory_lines, sum_differences, write_pins, write_sums
from pipeline.lock import read_lock, write_lock
from pipeline.memory import GB, devices_here
from pipeline.profile import Profile, ProfileError, load_profile
from pipeline.provenance import role_sha256

NameArgument = Annotated[str | None, typer.Argument(metavar="[PROFILE]", help="A profile's name or file.")]
ProfileOption = Annotated[str, typer.Option(help="Models: a profile's name or file.")]


def check(
    name: NameArgument = None,
    profile: ProfileOption = "phantom",
    write: Annotated[
        bool, typer.Option("--write", help=f"Write {SUMS}, or the lock file, from the files that are there.")
    ] = False,
    hashes: Annotated[bool, typer.Option(help="Read all files and compare their hashes.")] = True,
    memory: Annotated[
        float | None, typer.Option(min=1, help="Plan for a graphics card of so many GB instead of this machine's.")
    ] = None,
) -> None:
    """Are the profile's files there, are they the ones it was released with, and do they fit in memory?

    Exit code 1: a needed role is missing, is another file than it should be, or does not fit.
    """
    described = _loaded(name or profile)
    roles = list(_checked(described, hashes and not write))
    problems = [problem for role in roles for problem in role.problems]
    if write and any(_lacks_files(described, role) for role in roles):
        typer.echo("Nothing was written: first get what is missing.", err=True)
    elif write:
        _write(described)
    elif hashes and _has_embedded(described):
        problems += sum_differences(described.root)
    if hashes and {"cases", "clip"} <= {role.role for role in roles if role.found}:
        problems += _cases(described)
    problems += _memory(described, memory)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"Profile {described.name}: good.")


def _loaded(name: str) -> Profile:
    try:
        return load_profile(name)
    except (ProfileError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _checked(profile: Profile, hashes: bool) -> Iterator[Checked]:
    try:
        for role in check_roles(profile, hashes):
            for i, line in enumerate(role.lines):
                typer.echo(f"{role.role if i == 0 else '':14} {line}")
            yield role
    except ValueError as error:  # a damaged lock file
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _lacks_files(profile: Profile, role: Checked) -> bool:
    spec = profile.spec(role.role)
    return not role.found and not spec.optional and spec.remote is None


def _has_embedded(profile: Profile) -> bool:
    return any(profile.spec(role).embedded for role in profile.roles)


def _write(profile: Profile) -> None:
    if _has_embedded(profile):
        typer.echo(write_sums(profile.root))
    if not all(profile.spec(role).embedded for role in profile.roles):
        typer.echo(write_pins(profile))


def _cases(profile: Profile) -> list[str]:
    """Whether the case library is of this CLIP: loading refuses it otherwise, and that may be the day of the study."""
    why = of_another_clip(profile, role_sha256(profile, "clip"))
    return [] if why is None else [why]


def _memory(profile: Profile, memory: float | None) -> list[str]:
    here = devices_here()
    lines, problems = memory_lines(profile, here if memory is None else {**here, "cuda": memory * GB})
    for line in lines:
        typer.echo(line)
    return problems


def download(
    name: Annotated[str, typer.Argument(metavar="PROFILE", help="A profile's name or file.")],
    role: Annotated[list[str] | None, typer.Option(help="Only this role; may be repeated.")] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Take the newest of `revision` instead of what is pinned.")
    ] = False,
) -> None:
    """Fetch a profile's models from their hub. What is there already is kept; a cut download goes on where it stopped.

    Writes <profile>.lock.json beside the profile: the commit, size and SHA-256 of every file. Keep it with your
    study: with it the same command fetches the same bytes again. HF_ENDPOINT names another hub.
    """
    described = _loaded(name)
    if unknown := set(role or ()) - set(described.roles):
        raise typer.BadParameter(f"no role {', '.join(sorted(unknown))}; there are {', '.join(described.roles)}")
    chosen = [described.spec(one) for one in (role or described.roles)]
    by_hand = [spec for spec in chosen if not spec.hub and spec.remote is None and not spec.embedded]
    failed = _fetch_all(described, [spec.name for spec in chosen if spec.hub], update)
    for spec in by_hand:
        if not (described.root / spec.place).exists():
            typer.echo(f"{spec.name}: no hub has it; {spec.source or 'the profile does not say where it is'}", err=True)
    if failed:
        raise typer.Exit(1)


def _fetch_all(profile: Profile, roles: list[str], update: bool) -> bool:
    """One role after the other; what was fetched is pinned at once. True: at least one failed."""
    from pipeline.download import DownloadError, fetch

    failed = False
    for name in roles:
        spec, pinned = profile.spec(name), read_lock(profile.lock_file)
        known = pinned.get(name)
        revision = known.revision if known and known.hub == spec.hub and not update else spec.revision
        try:
            got = fetch(spec, profile.root / spec.place, revision, typer.echo)
        except (DownloadError, OSError) as error:
            typer.echo(f"{name}: {error}", err=True)
            failed = True
            continue
        write_lock(profile.lock_file, {**pinned, name: got})
        typer.echo(f"{name}: {profile.root / spec.place}, pinned in {profile.lock_file.name}")
    return failed
