"""Downloads: everything as one ZIP, prepared first so that a failure is told in words, and the database alone."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from study_app.failures import guarded
from study_app.researcher.kept import keep, kept
from study_app.researcher.login import researcher_head
from study_app.researcher.session import proof, with_proof, with_role
from study_app.services import Services, services
from study_app.study.access.audit import Action
from study_app.study.errors import Refused
from study_app.study.export import Exported, ExportError, write_database, write_export
from study_app.study.withdrawal import withdrawn

LARGEST_PICTURES = 200_000_000
"""Bytes of pictures that a download may hold: it is in the app's memory until the page is left."""
_READY = "zip"
_TOO_OLD = "Somebody has withdrawn since the ZIP was prepared, and is still in it. Prepare it anew."


@dataclass(frozen=True)
class _Ready:
    """A finished ZIP, waiting to be downloaded: by the account that prepared it, until somebody withdraws."""

    name: str
    content: bytes
    written: Exported
    withdrawn: int
    """How many had withdrawn when it was begun."""


@guarded
def page() -> None:
    opened = services()
    researcher_head("Export")
    st.markdown(
        "Pilot and live run are both inside: `run_kind` says in every file with participants of which one a row is. "
        "`python -m study_app export --run-kind live` leaves the pilot out.\n\n"
        "Participants appear under their numbers; who withdrew is in no file. Free comments and conversations are "
        "inside: treat the files as personal data."
    )
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        _everything(opened)
    with right, st.container(border=True):
        _database(opened)


def _everything(opened: Services) -> None:
    st.subheader("Everything, as ZIP", anchor=False)
    st.markdown(
        "Tidy tables as CSV and Parquet, one row a participant for SPSS, JASP and jamovi, a codebook, a Psych-DS "
        "folder without free text, the database, a README and checksums."
    )
    too_large = _bytes_of_pictures(opened) > LARGEST_PICTURES
    with_photos = st.toggle(
        "With participants' photos",
        disabled=too_large,
        help="Also the pictures they were shown. Large amounts: `python -m study_app export --photos`.",
        key="export_photos",
    )
    if st.button("Prepare ZIP", type="primary", icon=":material/folder_zip:", key="export_prepare"):
        _prepare(opened, with_photos and not too_large)
    ready: _Ready | None = kept(_READY)
    if ready is None:
        return
    if ready.withdrawn == _withdrawn(opened):
        _offer(opened, ready)
    else:
        keep(_READY, None)
        st.info(_TOO_OLD)


def _prepare(opened: Services, with_photos: bool) -> None:
    """Write the ZIP and keep it for `_offer`. A failure is shown, and no older ZIP is offered in its place."""
    keep(_READY, None)
    name = f"{_name(opened)}.zip"
    with st.spinner("Writing, and counting every row again"), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        before = _withdrawn(opened)
        try:
            written = _written(opened, file, with_photos)
        except (ExportError, Refused) as error:
            st.error(str(error))
            return
        keep(_READY, _Ready(name, file.read_bytes(), written, before))


def _written(opened: Services, file: Path, with_photos: bool) -> Exported:
    """Raises ExportError, Refused, NotSaved."""
    who = with_role("editor").name
    what = "with photos" if with_photos else "without photos"
    with opened.store.researcher.audit.around(who, Action.exported, "everything, as ZIP", what):
        return write_export(opened.store, file, opened.media if with_photos else None)


def _offer(opened: Services, ready: _Ready) -> None:
    token = proof()
    rows = ready.written.rows
    st.markdown(
        f"Ready: {rows['participants.csv']} participants, {rows['all_answers.csv']} answers, "
        f"{ready.written.size / 1e6:.1f} MB. All rows agree with the database."
    )
    if ready.written.lost_pictures:
        st.warning(f"{len(ready.written.lost_pictures)} pictures are gone or damaged; README.txt names them.")
    st.download_button(
        "Download ZIP",
        lambda: _taken(opened, ready, token),
        ready.name,
        "application/zip",
        icon=":material/download:",
        on_click="ignore",
        key="export_zip",
    )


def _taken(opened: Services, ready: _Ready, token: str) -> bytes:
    """At the click, which may come long after the page was drawn. Raises Refused, NotSaved."""
    with_proof(token, "editor")
    if ready.withdrawn != _withdrawn(opened):
        raise Refused(_TOO_OLD)
    return ready.content


def _database(opened: Services) -> None:
    token = proof()
    st.subheader("The database", anchor=False)
    st.markdown("A consistent copy, also while people are answering. `python -m analysis report` reads it.")
    st.download_button(
        "Download database",
        lambda: _copy(opened, token),
        f"{_name(opened)}.db",
        "application/vnd.sqlite3",
        icon=":material/download:",
        on_click="ignore",
        key="export_db",
    )


def _copy(opened: Services, token: str) -> bytes:
    """Made at the click. Raises Refused, NotSaved: then the browser gets no file."""
    who = with_proof(token, "editor").name
    audit = opened.store.researcher.audit
    with audit.around(who, Action.exported, "the database"), tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "study.db"
        write_database(opened.store, copy)
        return copy.read_bytes()


def _withdrawn(opened: Services) -> int:
    """Raises NotSaved."""
    with opened.store.database.read() as conn:
        return withdrawn(conn)


def _bytes_of_pictures(opened: Services) -> int:
    return sum(file.stat().st_size for file in opened.media.folder.rglob("*.png"))


def _name(opened: Services) -> str:
    return f"{opened.study.id}-{datetime.now(UTC):%Y%m%d-%H%M}"
