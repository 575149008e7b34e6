"""Downloads: everything as CSV in a ZIP with a copy of the database, and the database alone."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

import streamlit as st

from study_app.researcher.login import researcher_head
from study_app.services import Services, services
from study_app.study.export import export_zip


def page() -> None:
    opened = services()
    researcher_head("Export")
    st.markdown(
        "Participants appear under their numbers. Free comments and conversations are inside: "
        "treat the files as personal data."
    )
    name = f"{opened.study.id}-{datetime.now(UTC):%Y%m%d-%H%M}"
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.subheader("Everything, as ZIP", anchor=False)
        st.markdown("One CSV per view (ratings, participants, exposures, flow and more) and the database.")
        st.download_button(
            "Download ZIP",
            lambda: export_zip(opened.store),
            f"{name}.zip",
            "application/zip",
            type="primary",
            icon=":material/download:",
            on_click="ignore",
            key="export_zip",
        )
    with right, st.container(border=True):
        st.subheader("The database", anchor=False)
        st.markdown("A consistent copy, also while people are answering. `python -m analysis report` reads it.")
        st.download_button(
            "Download database",
            lambda: _copy(opened),
            f"{name}.db",
            "application/vnd.sqlite3",
            icon=":material/download:",
            on_click="ignore",
            key="export_db",
        )


def _copy(opened: Services) -> bytes:
    """The copy inside the ZIP: taken by SQLite's backup, without the researcher's password."""
    with zipfile.ZipFile(io.BytesIO(export_zip(opened.store))) as archive:
        return archive.read("study.db")
