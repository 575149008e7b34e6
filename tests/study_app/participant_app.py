"""The participant's app over scripted models, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import streamlit as st

from study_app.services import services
from tests.scripted import TOKEN, Scripted, scripted_server


@contextmanager
def scripted_app(folder: Path, monkeypatch: pytest.MonkeyPatch, study: Path | None = None) -> Iterator[Scripted]:
    """An empty database in ``folder``, scripted models behind the real door; the shipped study where none is given.

    Yields what answers.
    """
    with scripted_server(folder / "pictures") as server:
        if study is not None:
            monkeypatch.setenv("SKINGEN_STUDY", str(study))
        monkeypatch.setenv("SKINGEN_DB", str(folder / "study.db"))
        monkeypatch.setenv("SKINGEN_PIPELINE_URL", server.url)
        monkeypatch.setenv("SKINGEN_PIPELINE_TOKEN", TOKEN)
        st.cache_resource.clear()
        yield server.explainer
        services().runner.stop()
        st.cache_resource.clear()
