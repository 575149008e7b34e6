"""Dermatology diagnosis (paper, section 4.2 and Figure 5): SkinGPT's answers, and a closed label set.

Two tasks with the paper's two prompts: the diagnosis, and the other possible diseases. Before either, the photo is
compared with what the model was trained on; a photo unlike all of it gets no diagnosis.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from pipeline.blip2 import VisionLanguageModel
from pipeline.profile import Profile
from pipeline.reading import Reader
from pipeline.talker import Talker, form_of, load_talker
from pipeline.types import DIAGNOSIS_PROMPT, LOOKALIKES_PROMPT, Diagnosis, Turn

CANNOT_TELL = (
    "I cannot tell from this photo. It is unlike the pictures I learned from, so a name would be a guess. "
    "A photo works best when it shows one area of skin, in focus, in even light, filling most of the picture. "
    "You can choose another photo, or go on without a name."
)
REMEMBERED = 3
"""Exchanges of a conversation the model is given back; a small model loses the thread with more."""

REMEMBERED_BY_LARGE = 6
"""The same of a full-size model: SkinGPT-4's context has 2,048 tokens, an answer up to 300."""

LONGEST_QUESTION = 300
_MARK = re.compile(r"<[^<>\[\]\s]+>|\[/?[A-Z_]+\]")
"""What language models may read as a token of their own: <image>, </s>, <|im_end|>, [IMG], [/INST]."""


def unmarked(text: str) -> str:
    """``text`` with the brackets of such marks as spaces: a second <image> would be a second picture's place."""
    return _MARK.sub(lambda mark: f" {mark[0][1:-1]} ", text)


def as_asked(question: str) -> str:
    """A participant's question as the models are given it: "#" begins a turn in the conversation's form."""
    return unmarked(question[:LONGEST_QUESTION].replace("#", " ")).strip()


def named(text: str, labels: Sequence[str]) -> tuple[str, ...]:
    """Labels that ``text`` names, in the order of their first mention, each once.

    Whole words, any case; where one name holds another ("acne vulgaris", "acne") the longer one counts.
    """
    pattern = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    known = {label.lower(): label for label in labels}
    found = re.findall(rf"(?<!\w)({pattern})(?!\w)", text, flags=re.IGNORECASE)
    return tuple(dict.fromkeys(known[name.lower()] for name in found))


def first_naming(text: str, labels: Sequence[str]) -> str:
    """``text`` up to the end of the first sentence that names a label; all of it where none does."""
    for end in re.finditer(r"[.!?](?=\s|$)", text):
        if named(text[: end.end()], labels):
            return text[: end.end()]
    return text


@dataclass(frozen=True)
class Novelty:
    """How unlike its training set a picture is, by two measures, each in standard deviations of familiar pictures.

    The Mahalanobis distance to the nearest class (Lee et al. 2018); and, from a model that was also shown lesions that
    are no condition (outlier exposure, Hendrycks et al. 2019), the log odds that this is one. Their mean counts,
    since the two err on different pictures (measured: their larger finds a fifth fewer of a condition kept out of
    training).
    """

    means: Tensor
    """(classes, width)"""
    precision: Tensor
    """(width, width): inverse of the shared covariance"""
    odds: tuple[Tensor, Tensor] | None
    """Weights (classes + 1, width) and biases of a linear classifier whose last class is "no condition"."""
    usual: Tensor
    """(2, measures): mean and standard deviation of each measure on familiar pictures"""
    threshold: float = math.inf

    @classmethod
    def load(cls, path: Path) -> Novelty:
        """From novelty.safetensors, which lacks the classifier where the model had no outliers to learn from."""
        tensors = load_file(path)
        odds = (tensors["odds_weight"], tensors["odds_bias"]) if "odds_weight" in tensors else None
        usual = tensors.get("usual", torch.tensor([[0.0], [1.0]]))
        return cls(tensors["means"], tensors["precision"], odds, usual, float(tensors["threshold"]))

    def measures(self, features: Tensor) -> Tensor:
        """(n, width) -> (n, measures): the distance and, with the classifier, the log odds."""
        gap = features[:, None] - self.means[None]
        distance = torch.einsum("nkd,de,nke->nk", gap, self.precision, gap).min(1).values.clamp(min=0).sqrt()
        if self.odds is None:
            return distance[:, None]
        logits = features @ self.odds[0].T + self.odds[1]
        return torch.stack([distance, logits[:, -1] - logits[:, :-1].logsumexp(1)], 1)

    def scores(self, features: Tensor) -> Tensor:
        """(n, width) -> (n,)"""
        return ((self.measures(features) - self.usual[0]) / self.usual[1]).mean(1)

    def distance(self, feature: Tensor) -> float:
        """Of one picture's feature, (1, width); above `threshold` it is not familiar."""
        return float(self.scores(feature)[0])


class SkinGPT:
    """The diagnosis role: holds the model, the closed label set and, where there is one, the novelty detector."""

    def __init__(
        self, model: Talker[Any], novelty: Novelty | None, labels: Sequence[str], reader: Reader | None = None
    ) -> None:
        """``reader``: for models that answer in their own words; the embedded one names its labels as they are."""
        self.model, self.novelty, self.labels, self.reader = model, novelty, tuple(labels), reader

    @classmethod
    def load(cls, folder: Path, labels: Sequence[str]) -> SkinGPT:
        """The embedded model."""
        return cls(VisionLanguageModel.load(folder), Novelty.load(folder / "novelty.safetensors"), labels)

    @classmethod
    def of(cls, profile: Profile) -> SkinGPT:
        """Whatever the profile names: embedded, converted, any chat model, or a server. Raises ProfileError."""
        labels = [k.label for k in profile.knowledge]
        role = profile.spec("diagnose")
        if role.remote is not None:
            return cls(load_talker(profile, "diagnose"), None, labels, Reader(labels))
        folder = profile.folder("diagnose")
        if form_of(role, folder) == "embedded":
            return cls.load(folder, labels)
        detector = folder / "novelty.safetensors"
        novelty = Novelty.load(detector) if detector.exists() else None
        return cls(load_talker(profile, "diagnose"), novelty, labels, Reader(labels))

    def see(self, image: Image.Image) -> Any:
        """The picture as this model sees it, for all other methods."""
        return self.model.see(image)

    def is_familiar(self, seen: Any) -> bool:
        """Always, where no novelty detector was trained for the model."""
        if self.novelty is None or seen.feature is None:
            return True
        return self.novelty.distance(seen.feature) <= self.novelty.threshold

    def first_task(self, seen: Any) -> Iterator[str]:
        """Words of the answer to "Could you diagnose the skin disease in this image for me?"."""
        return self.model.stream(seen, DIAGNOSIS_PROMPT)

    def second_task(self, seen: Any, first_answer: str) -> Iterator[str]:
        """Words of the answer to "What's the other possible skin disease in this picture?"."""
        return self.model.stream(seen, LOOKALIKES_PROMPT, [(DIAGNOSIS_PROMPT, first_answer)])

    def follow_up(self, seen: Any, question: str, history: Sequence[Turn]) -> Iterator[str]:
        """Words of the answer to a free question, with the conversation so far.

        Of the first answer the embedded model is given back the diagnosis alone: with the look-alikes that the product
        shows after it, a small model mixes up which of the names was its own.
        """
        pairs = [(a.text, b.text) for a, b in zip(history[::2], history[1::2], strict=False)]
        plain = [(as_asked(asked), unmarked(said.replace("**", ""))) for asked, said in pairs]
        asked = as_asked(question)
        if self.reader is not None:
            return self.model.stream(seen, asked, plain[:1] + plain[1:][-(REMEMBERED_BY_LARGE - 1) :])
        first = [(asked, first_naming(said, self.labels)) for asked, said in plain[:1]]
        return self.model.stream(seen, asked, first + plain[1:][-(REMEMBERED - 1) :])

    def diagnosed(self, answer: str) -> str | None:
        """The label that an answer gives as its diagnosis."""
        if self.reader is not None:
            return self.reader.read(answer).label
        return next(iter(named(answer, self.labels)), None)

    def asked_about(self, question: str) -> tuple[str, ...]:
        """Labels that a question names."""
        return named(question, self.labels) if self.reader is None else self.reader.mentioned(question)

    def unread(self, answer: str) -> str | None:
        """Why an answer in free words gave no label, for the record; None where it gave one or was not free."""
        if self.reader is None or (reading := self.reader.read(answer)).label is not None:
            return None
        said = {
            "outside": f"the answer names {', '.join(reading.outside)}, outside the closed set",
            "healthy": "the answer sees no disease",
            "declined": "the answer declines to diagnose",
        }
        return f"unparsed: {said.get(reading.state, 'no condition was found in the answer')}"

    def reduce(self, seen: Any, first_answer: str, second_answer: str) -> Diagnosis:
        """Both answers -> one diagnosis and its look-alikes, all from the closed set."""
        if self.reader is not None:
            return self._reduce_free(self.reader, seen, first_answer, second_answer)
        first = named(first_answer, self.labels)
        others = tuple(n for n in named(second_answer, self.labels) if n not in first[:1])
        return Diagnosis(first[0] if first else None, others if first else (), *self._measure(seen))

    def _reduce_free(self, reader: Reader, seen: Any, first_answer: str, second_answer: str) -> Diagnosis:
        first, second = reader.read(first_answer), reader.read(second_answer)
        if first.label is None:
            return Diagnosis(None, (), *self._measure(seen))
        found = (second.label, *second.others, *first.others)
        others = tuple(dict.fromkeys(n for n in found if n is not None and n != first.label))
        return Diagnosis(first.label, others, *self._measure(seen))

    def abstention(self, seen: Any) -> Diagnosis:
        return Diagnosis(None, (), *self._measure(seen))

    def _measure(self, seen: Any) -> tuple[float, float]:
        """Distance and threshold; 0 and 0 where nothing measures them."""
        if self.novelty is None or seen.feature is None:
            return 0.0, 0.0
        with torch.inference_mode():
            return round(self.novelty.distance(seen.feature), 3), round(self.novelty.threshold, 3)
