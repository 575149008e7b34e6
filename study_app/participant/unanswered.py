"""Why a question has no answer: the reason in the job log, which researchers read in English, for the participant."""

from __future__ import annotations

import re

from pipeline import jobqueue
from study_app import jobs
from study_app.participant.language import say

REASONS = {
    jobs.UNREACHABLE: "unreachable",
    jobs.FULL: "full",
    jobs.BROKE: "broke",
    jobs.RESTARTED: "restarted",
    jobqueue.UNFINISHED: "unfinished",
    jobqueue.STALLED: "stalled",
    jobqueue.STOPPING: "stopping",
    jobqueue.CANCELLED: "cancelled",
}
"""Sentence in the job log -> name of what the page says."""
_REFERENCE = re.compile(r" \(Reference (\w+)\)$")


def why(error: str) -> str:
    """``error`` of a job in the language of the page; a sentence of unknown origin only as "not completed"."""
    found = _REFERENCE.search(error)
    reason = say(f"unanswered.{REASONS.get(_REFERENCE.sub('', error), 'broke')}")
    return reason if found is None else f"{reason} {say('conversation.reference', reference=found.group(1))}"
