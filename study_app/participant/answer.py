"""An assistant's answer as the page draws it: the events of one job, folded into one frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipeline.types import (
    Case,
    CasesFound,
    Diagnosis,
    DiagnosisMade,
    Event,
    Explained,
    Failed,
    GeneratedImage,
    ImageProgress,
    ImagesReady,
    Mask,
    MaskFound,
    Queued,
    TextDelta,
)


@dataclass(frozen=True)
class Answer:
    """What is known of an answer so far; every field grows as events arrive."""

    text: str = ""
    diagnosis: Diagnosis | None = None
    cases: tuple[Case, ...] | None = None
    """None until the library was searched; empty when nothing similar was found."""
    mask: Mask | None = None
    mask_sought: bool = False
    progress: ImageProgress | None = None
    images: tuple[GeneratedImage, ...] = ()
    ahead: int | None = None
    """People waiting before this one; None once the answer has begun."""
    failed: Failed | None = None
    complete: bool = False

    @property
    def begun(self) -> bool:
        return bool(self.text) or self.diagnosis is not None


def fold(events: Iterable[Event]) -> Answer:
    """The answer after ``events``, in order. Any prefix of a stream is fine."""
    answer = Answer()
    for event in events:
        answer = _after(answer, event)
    return answer


def _after(answer: Answer, event: Event) -> Answer:
    match event:
        case Queued(ahead):
            return replace(answer, ahead=ahead)
        case TextDelta(text):
            return replace(answer, text=answer.text + text, ahead=None)
        case DiagnosisMade(diagnosis):
            return replace(answer, diagnosis=diagnosis, ahead=None)
        case CasesFound(cases):
            return replace(answer, cases=(answer.cases or ()) + cases)
        case MaskFound(mask):
            return replace(answer, mask=mask, mask_sought=True)
        case ImageProgress():
            before = answer.progress.previews if answer.progress else ()
            return replace(answer, progress=replace(event, previews=event.previews or before))
        case ImagesReady(images):
            return replace(answer, images=answer.images + images)
        case Explained():
            return replace(answer, complete=True)
        case Failed():
            return replace(answer, failed=event)
