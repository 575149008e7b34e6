"""Coming in: by an open link, an invitation or a recruiting site. A page is shown only to whom the door stays shut."""

from __future__ import annotations

import streamlit as st

from study_app.participant import finish
from study_app.participant.language import in_chosen_language, say
from study_app.participant.layout import demonstration_banner, foot
from study_app.services import Services
from study_app.study.definition import Study
from study_app.study.definition_running import CODE
from study_app.study.entry import read_arrival
from study_app.study.errors import HasWithdrawn


def let_in(opened: Services) -> str | None:
    """The token of this visitor's link, theirs from now on; None after a page that says what is lacking. Nothing is
    stored before somebody comes in."""
    try:
        match opened.study.entry.kind:
            case "invitation":
                return _by_code(opened)
            case "panel":
                return _by_parameters(opened)
    except HasWithdrawn:
        study = in_chosen_language(opened.study)
        st.set_page_config(page_title=study.title)
        finish.show_withdrawn(study)
        return None
    return opened.store.arrive(opened.study, opened.run_kind)


def parameters_of(study: Study) -> tuple[str, ...]:
    """Names in the address that say who comes."""
    if study.entry.kind == "invitation":
        return (CODE,)
    return tuple(parameter.name for parameter in study.entry.parameters)


def _by_parameters(opened: Services) -> str | None:
    arrival = read_arrival(opened.study.entry, st.query_params.to_dict())
    if not arrival.lacking:
        return opened.store.door.come_from_panel(opened.study, opened.run_kind, arrival)
    study = _head(opened.study, "door.incomplete")
    st.markdown(say("door.incomplete_means", names=", ".join(f"`{name}`" for name in arrival.lacking)))
    foot(study)
    return None


def _by_code(opened: Services) -> str | None:
    code = st.session_state.get("invitation_code") or st.query_params.get(CODE, "")
    token = opened.store.door.come_with_code(opened.study, opened.run_kind, code) if code else None
    if token is not None:
        return token
    study = _head(opened.study, "door.by_invitation")
    if code:
        st.warning(say("door.code_unknown"))
    st.markdown(say("door.by_invitation_means"))
    st.text_input(say("door.code"), key="invitation_code", max_chars=40)
    st.button(say("link.open_study"), type="primary", key="invitation_open")  # its run reads what was typed
    foot(study)
    return None


def _head(study: Study, title: str) -> Study:
    """Banner and title, in the language that is returned."""
    shown = in_chosen_language(study)
    st.set_page_config(page_title=shown.title)
    demonstration_banner()
    st.title(say(title), anchor=False)
    return shown
