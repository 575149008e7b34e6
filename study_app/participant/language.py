"""Which of the study's languages a participant reads: chosen by them, else the browser's, else the study's first.

The app's own words follow it (`say`), so that no page mixes two. In a language that the app does not speak they are
English: `python -m study_app check` says so.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from study_app import models, texts
from study_app.participant.page_language import lay_out, replace_words
from study_app.study.definition import Study
from study_app.study.visit import Visit

_CHOSEN = "language"
_NAMES = {"de": "Deutsch", "es": "Español", "fr": "Français", "it": "Italiano", "ja": "日本語", "pt": "Português"}
"""Languages that the app does not speak, in their own words; any other shows its tag."""


def say(key: str, **values: str | int) -> str:
    """The app's own words for ``key`` (see `study_app.texts`) in the language of the page."""
    return words().say(key, **values)


def words() -> texts.Texts:
    """Before there is a page, those that fit the browser."""
    return texts.of(shown_language() or best_match(_browsers(), (texts.FIRST, *texts.languages())))


def condition_name(label: str) -> str:
    """A condition as the models name it, after its name in the page's language where that is known."""
    return words().condition(label)


def in_language(visit: Visit) -> Visit:
    """The visit with every text of the study in the participant's language, and the switch where there are several."""
    return replace(visit, study=in_chosen_language(visit.study))


def in_chosen_language(study: Study) -> Study:
    """``study`` with plain strings in the participant's language, and the switch where there are several."""
    languages = study.languages
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
    lay_out(language)
    if languages != (texts.FIRST,):
        replace_words(language)
    return _with_own_words(study.in_language(language))


def models_speak_it() -> bool:
    """Do the models understand and answer in the language of the page?"""
    return (shown_language() or models.LANGUAGE).split("-")[0] == models.LANGUAGE


def tell_models_language() -> None:
    """In plain words, before somebody takes part and where they ask; nothing where page and models speak the same."""
    if not models_speak_it():
        st.info(say("page.models_language"), icon=":material/translate:")


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
    return asked if asked in languages else best_match(_browsers(), languages)


def _browsers() -> str:
    return st.context.locale or ""


def _name(language: str) -> str:
    return texts.of(language).name if language in texts.languages() else _NAMES.get(language, language)


def _with_own_words(study: Study) -> Study:
    """What a study file left out stands there in English: "Assistant {n}"."""
    left_out = texts.of(texts.FIRST).say("study.assistant_name", number="{n}")
    own = say("study.assistant_name", number="{n}")
    return study if own == left_out or study.assistant_name != left_out else replace(study, assistant_name=own)
