"""What somebody typed into a tab in which the study does not go on any more: nothing there is stored, so it is shown to
be copied.

A field's text is there in the run that it arrived with, and gone after the first run that does not draw the field.
"""

from __future__ import annotations

import streamlit as st

from study_app.participant.language import say

_FIELDS = "text_fields"
"""Key of a field's widget -> where this tab keeps what it knows to be stored of it; None where nothing is."""
_KEPT = "typed_and_not_stored"


def field(key: str, known: str | None = None) -> None:
    """The page has a text field with the widget's ``key``; ``known``: see `saving.known_as`."""
    st.session_state.setdefault(_FIELDS, {})[key] = known


def show_not_stored() -> bool:
    """The texts of this tab's fields that were not stored from it, until `forget`. False where there are none."""
    kept = st.session_state.setdefault(_KEPT, {})
    for key, known in st.session_state.get(_FIELDS, {}).items():
        text = st.session_state.get(key)
        stored = st.session_state.get(known) if known is not None else None
        if isinstance(text, str) and text.strip() and text != stored:
            kept[key] = text
    if kept:
        st.markdown(say("tab.typed_here"))
    for text in kept.values():
        st.code(text, language=None, wrap_lines=True)
    return bool(kept)


def forget() -> None:
    """The study goes on in this tab."""
    st.session_state.pop(_KEPT, None)
