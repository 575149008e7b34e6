"""What was asked and what was answered, as text on a page: foreign, and in the language of the models.

Models understand one language only. Where the page is in another one, a question offered as a button goes to them in
theirs, and the page shows below it what it means.
"""

from __future__ import annotations

from pipeline.types import DIAGNOSIS_PROMPT
from study_app import models
from study_app.participant.language import models_speak_it, say
from study_app.participant.safe_text import show_text
from study_app.services import Services
from study_app.study.definition_text import in_language
from study_app.study.visit import Visit


def asked_as(services: Services, visit: Visit, n: int) -> str:
    """The ``n``-th suggested question (from 0) in the models' language, if the study has it."""
    study = services.store.study(visit.state.definition_hash)  # the visit's study is in one language only
    return in_language(study.suggested_questions[n], models.LANGUAGE)


def show_question(services: Services, visit: Visit, question: str) -> None:
    """A question as it was asked; below it what it means, where the app asked it in another language."""
    meaning = "" if models_speak_it() else _meaning(services, visit, question)
    of_the_study = meaning or question in visit.study.conversation.prompts
    show_text(question, language=models.LANGUAGE if of_the_study and not models_speak_it() else "")
    show_text(meaning)


def show_answer(text: str) -> None:
    """A model's words."""
    show_text(text, bold=True, language="" if models_speak_it() else models.LANGUAGE)


def _meaning(services: Services, visit: Visit, question: str) -> str:
    if question == DIAGNOSIS_PROMPT:
        return say("conversation.first_question")
    for n, suggested in enumerate(visit.study.suggested_questions):
        if question == asked_as(services, visit, n) != suggested:
            return suggested
    return ""
