"""An assigned case: nothing to choose, so the period begins by itself with the photo that was drawn."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import streamlit as st

from pipeline.photo import clean_photo
from study_app.participant.layout import not_saved
from study_app.services import Services
from study_app.study.store import NotSaved, Refused
from study_app.study.visit import Visit


def begin(services: Services, visit: Visit, period: int) -> None:
    """Keep the photo for the participant and start the exposure; the page of the next step is drawn at once."""
    case = visit.study.photo.case(visit.state.cases[period - 1])
    participant = visit.state.participant
    try:
        sha256 = services.media.keep(participant, picture(services.folder / case.file))
        services.store.start_exposure(participant, period, sha256, None)
    except NotSaved:
        not_saved()
        return
    except Refused:
        pass  # another tab was faster
    st.rerun()


def picture(file: Path) -> bytes:
    """The file as a clean PNG, as an uploaded photo would be. Raises OSError and PhotoError."""
    return _clean(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _clean(file: Path, changed: int) -> bytes:
    return clean_photo(file.read_bytes()).png
