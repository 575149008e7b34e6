"""How good the embedded pack is: every role of the pipeline on unseen phantoms, through the product's own classes.

Greedy decoding, fixed seeds and one thread: a second run gives the same figures, those of this machine (seconds,
memory) excepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pipeline.evaluation.abstaining import abstaining
from pipeline.evaluation.drawing import drawing
from pipeline.evaluation.figures import Figure
from pipeline.evaluation.judge import Judge
from pipeline.evaluation.masking import masking
from pipeline.evaluation.retrieving import retrieving
from pipeline.evaluation.running import Plan
from pipeline.evaluation.seeing import seeing
from pipeline.evaluation.talking import talking
from pipeline.evaluation.unseen import photo, unseen
from pipeline.phantom import Phantom
from pipeline.skingen import SkinGEN


@dataclass(frozen=True)
class Evaluation:
    """The models, what they are tested on, and what several parts need of it."""

    skingen: SkinGEN
    plan: Plan

    @cached_property
    def test(self) -> list[Phantom]:
        return unseen(self.plan.n)

    @cached_property
    def _captions(self) -> dict[int, str]:
        return {}

    def caption(self, phantom: Phantom) -> str:
        """The caption of a test phantom, made once."""
        if phantom.seed not in self._captions:
            self._captions[phantom.seed] = self.skingen.caption(photo(phantom))
        return self._captions[phantom.seed]

    def seeing(self) -> Iterator[Figure]:
        return seeing(self.skingen, self.test, self.caption)

    def talking(self) -> Iterator[Figure]:
        return talking(self.skingen, self.test)

    def abstaining(self) -> Iterator[Figure]:
        return abstaining(self.skingen, self.test, max(20, self.plan.n // 4), self.plan.photos)

    def masking(self) -> Iterator[Figure]:
        return masking(self.skingen, self.test)

    def retrieving(self) -> Iterator[Figure]:
        return retrieving(self.skingen, self.test, self.caption)

    def drawing(self) -> Iterator[Figure]:
        """Raises OSError when the judge is not in the profile's folder."""
        judge = Judge.load(self.skingen.profile.root / "judge")
        return drawing(self.skingen, judge, self.test[: self.plan.drawn])


MEASURES: dict[str, Callable[[Evaluation], Iterator[Figure]]] = {
    "seeing": Evaluation.seeing,
    "talking": Evaluation.talking,
    "abstaining": Evaluation.abstaining,
    "masking": Evaluation.masking,
    "retrieving": Evaluation.retrieving,
    "drawing": Evaluation.drawing,
}
"""All parts but the timing, which wants a process of its own."""
