"""What somebody new reads while the study is paused or closed. Whoever has begun goes on as before."""

from __future__ import annotations

import functools
from collections.abc import Callable

import streamlit as st

from study_app.participant.language import in_chosen_language, say
from study_app.participant.layout import demonstration_banner, foot
from study_app.services import services
from study_app.study.running import NotOpen


def told_if_not_open(draw: Callable[[], None]) -> Callable[[], None]:
    """``draw``, and this page in its place for a newcomer whom the store did not let in."""

    @functools.wraps(draw)
    def drawn() -> None:
        try:
            draw()
        except NotOpen as reason:
            _show(paused=reason.state == "paused")

    return drawn


def _show(paused: bool) -> None:
    study = in_chosen_language(services().study)
    st.set_page_config(page_title=study.title)
    demonstration_banner()
    st.title(say("door.paused") if paused else say("door.closed"), anchor=False)
    st.markdown(say("door.paused_means") if paused else say("door.closed_means"))
    foot(study)
