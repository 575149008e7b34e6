"""The parts of a study that are no items: conditions, design, consent, scores, and what is said at the end."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.types import Condition as ExplainerName
from study_app.study.definition_cases import AssignedCase
from study_app.study.definition_conversation import NO_EXPLAINER
from study_app.study.definition_items import KEY, STRICT, is_default
from study_app.study.definition_text import Text

PhotoSource = Literal["gallery", "upload", "assigned"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Condition:
    """One condition of the study. ``label`` is for the researcher only; participants see
    `Study.assistant_name`. ``explainer`` is what the pipeline is asked for."""

    key: str = Field(pattern=KEY)
    label: str = Field(min_length=1)
    explainer: Literal[ExplainerName, "none"]

    @property
    def talks(self) -> bool:
        """Somebody explains; without an explainer there is a picture to be rated and no conversation."""
        return self.explainer != NO_EXPLAINER


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Design:
    """Within-subjects: every participant meets every condition, in one of the sequences. Between: one condition.
    Mixed: the conditions of one of the ``groups``.

    ``all_orders``: every permutation. ``latin_square``: as many as conditions, each condition once in each
    period. ``williams``: a Latin square (two where the number of conditions is odd) in which each condition
    follows each other one equally often (Williams 1949). ``fixed``: those listed in ``orders``.
    """

    kind: Literal["within", "between", "mixed"] = "within"
    sequences: Literal["all_orders", "latin_square", "williams", "fixed"] = "all_orders"
    orders: tuple[tuple[str, ...], ...] = Field(default=(), exclude_if=is_default(()))
    groups: dict[Annotated[str, Field(pattern=KEY)], tuple[str, ...]] = Field(
        default_factory=dict, exclude_if=lambda value: not value
    )
    """Mixed: a participant belongs to one group and meets its conditions, in one of their sequences."""
    inactive_after_minutes: int = Field(default=120, gt=0)
    """Without a sign of life for so long, the place in the sequence is free again and the outcome is
    ``abandoned``."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PhotoRule:
    """Where a photo may come from, and the sentence above the choice."""

    instruction: Text
    sources: tuple[PhotoSource, ...] = Field(min_length=1)
    ask_label: bool = True
    """Ask which condition the photo shows; the list of labels is the pipeline profile's."""
    cases: tuple[AssignedCase, ...] = Field(default=(), exclude_if=is_default(()))
    """With ``sources: [assigned]``: the photos that the app deals out, see `assigned.py`."""
    cases_per_condition: int = Field(default=1, ge=1, exclude_if=is_default(1))
    """How many of them a participant meets in each condition, one after the other, each with its own rating."""

    @property
    def assigned(self) -> bool:
        """Participants are given photos instead of choosing them."""
        return bool(self.cases)

    def case(self, name: str) -> AssignedCase:
        """Raises KeyError for an unknown id."""
        return {case.id: case for case in self.cases}[name]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Bullet:
    """A bold lead and the sentence that follows it."""

    lead: Text
    text: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Consent:
    """Consent page: one sentence, bullets, the full sheet (Markdown) and what must be ticked."""

    summary: Text
    bullets: tuple[Bullet, ...] = Field(min_length=1)
    sheet: Text
    agreements: tuple[Text, ...] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Comments:
    """The free-text question. An empty answer is allowed."""

    id: str = Field(default="comments", pattern=KEY)
    wording: Text
    max_length: int = Field(default=4000, gt=0)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Debrief:
    """Last page: a title and Markdown text; shown above the completion code."""

    title: Text
    text: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CompletionCodes:
    """Codes a recruiter's site asks for, one per outcome."""

    completed: str = Field(min_length=1)
    declined: str = Field(min_length=1)
    screened_out: str | None = Field(default=None, min_length=1, exclude_if=is_default(None))
    """For who does not meet the rules of ``eligibility``."""
    failed_checks: str | None = Field(default=None, min_length=1, exclude_if=is_default(None))
    """For who finished and is excluded by the rule of ``exclusion``."""
    over: str | None = Field(default=None, min_length=1, exclude_if=is_default(None))
    """For who comes back after ``resume_within_hours``."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Eligibility:
    """Who can take part, by the answer to one question of the demographics: a number within limits, or one of the
    options listed. Whoever does not meet it is told so right after the demographics."""

    item: str
    at_least: float | None = None
    at_most: float | None = None
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Exclusion:
    """Whose answers do not count, decided when the last one is stored. Stated before the study begins."""

    failed_attention_checks: int = Field(ge=1)
    """Who fails this many or more is excluded. Recruiting sites want two at least."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Score:
    """A scale's score from its items: (mean or sum of the answers + ``add``) x ``times``; see `scoring.py`."""

    id: str = Field(pattern=KEY)
    name: str = Field(min_length=1)
    items: tuple[str, ...] = Field(min_length=1)
    reverse: tuple[str, ...] = ()
    """Items keyed the other way: minimum + maximum - answer counts."""
    method: Literal["mean", "sum"]
    add: float = 0
    times: float = 1


@dataclass(frozen=True, kw_only=True, config=STRICT)
class InstrumentSource:
    """Where the items of an instrument come from; written by the app for each ``instrument`` among the items."""

    id: str
    title: str
    citation: str
    licence: str
