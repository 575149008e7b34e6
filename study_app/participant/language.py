"""Which of the study's languages a participant reads: chosen by them, else the browser's, else the study's first."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from study_app.study.visit import Visit

_CHOSEN = "language"
_NAMES = {"de": "Deutsch", "en": "English", "es": "Español", "fr": "Français", "it": "Italiano", "zh": "中文"}
"""Languages in their own words; any other shows its tag."""


def in_language(visit: Visit) -> Visit:
    """The visit with every text of the study in the participant's language, and the switch where there are several."""
    languages = visit.study.languages
    language = _language(languages)
    if len(languages) > 1:
        language = st.segmented_control(
            " / ".join(map(_name, languages)),
            languages,
            default=language,
            required=True,
            format_func=_name,
            label_visibility="collapsed",
            key="language_switch",
        )
        st.query_params["lang"] = language
    st.session_state[_CHOSEN] = language
    if languages != ("en",):
        script = f'<script>document.documentElement.lang = "{language}";</script>'
        st.html(script, unsafe_allow_javascript=True)
    return replace(visit, study=visit.study.in_language(language))


def shown_language() -> str | None:
    """The language of the page as it is now; None before there is a page."""
    found: str | None = st.session_state.get(_CHOSEN)
    return found


def best_match(wanted: str, languages: tuple[str, ...]) -> str:
    """The study's language closest to the browser's ``wanted``: zh-TW finds zh; the first where none fits."""
    exact = [each for each in languages if each.lower() == wanted.lower()]
    same = [each for each in languages if each.split("-")[0] == wanted.lower().split("-")[0]]
    return (exact + same + list(languages))[0]


def _language(languages: tuple[str, ...]) -> str:
    asked = st.query_params.get("lang") or st.session_state.get(_CHOSEN)
    return asked if asked in languages else best_match(st.context.locale or "", languages)


def _name(language: str) -> str:
    return _NAMES.get(language, language)
