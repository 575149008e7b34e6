"""The study's own questions, asked one after the other without anybody typing them."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.types import DIAGNOSIS_PROMPT
from study_app.participant.rounds import Round
from study_app.study.definition import Study


def next_prompt(study: Study, past: Sequence[Round]) -> str | None:
    """The question that is due now: what a conversation begins with, then the study's own. None while the last one is
    not answered, when all are asked, and after an answer that says "I cannot tell": nothing can be asked about it."""
    prompts = study.conversation.prompts
    if not past:
        return prompts[0] if prompts else DIAGNOSIS_PROMPT
    if past[-1].job.status != "done" or past[0].job.abstained:
        return None
    return prompts[len(past)] if len(past) < len(prompts) else None


def all_asked(study: Study, past: Sequence[Round]) -> bool:
    """Whether the participant may go on, as far as the study's questions are concerned."""
    if not study.conversation.prompts or not past or past[0].job.abstained:
        return True
    return len(past) >= len(study.conversation.prompts) and past[-1].job.status == "done"
