"""The study's three conditions as explainers over one pipeline (paper, section 5.1; Contract 1).

text: what SkinGPT says. cases: the same words, and similar cases with their diagnoses. generated: the same words,
and the diagnosis and its look-alikes drawn on the user's own photo. The words do not differ between them.
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

from PIL import Image

from pipeline.blip2 import Seen
from pipeline.diagnose import CANNOT_TELL
from pipeline.generate import Generator as Drawer
from pipeline.orders import Order, Progress
from pipeline.segment import Found
from pipeline.skingen import SkinGEN, png
from pipeline.types import (
    CONDITIONS,
    DIAGNOSIS_PROMPT,
    LOOKALIKES_PROMPT,
    AdapterPlan,
    Case,
    CasesFound,
    Condition,
    Diagnosis,
    DiagnosisMade,
    Event,
    Explained,
    Explainer,
    ExplainRequest,
    GeneratedImage,
    ImageProgress,
    ImagesReady,
    Manifest,
    MaskFound,
    TextDelta,
)

Labels = tuple[str, ...]
PACKAGES = ("torch", "transformers", "diffusers", "peft")


@dataclass
class Record:
    """What the manifest will say, gathered on the way."""

    began: float = field(default_factory=time.monotonic)
    prompts: dict[str, str] = field(default_factory=dict)
    latency_s: dict[str, float] = field(default_factory=dict)
    fallbacks: list[str] = field(default_factory=list)
    diagnosis: Diagnosis | None = None
    caption: str | None = None
    cases: tuple[Case, ...] = ()
    images: tuple[GeneratedImage, ...] = ()
    drawn_by: Drawer | None = None
    """The one of the profile's two that drew; None: nothing was drawn"""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.latency_s[name] = round(time.monotonic() - start, 4)

    def first_words(self) -> None:
        self.latency_s.setdefault("first_words", round(time.monotonic() - self.began, 4))


class SkinGENExplainer:
    """One condition. `explain` reads from top to bottom like Figure 1 of the paper."""

    def __init__(self, skingen: SkinGEN, condition: Condition) -> None:
        self.skingen, self.condition = skingen, condition

    def explain(self, request: ExplainRequest) -> Iterator[Event]:
        """Events of Contract 1. Raises KeyError when the photo was not handed in."""
        record = Record()
        photo = self.skingen.photo(request.photo)
        with record.stage("look"):
            seen = self.skingen.look(photo)
        if request.history and request.diagnosis is not None:
            labels = yield from self._follow_up(request, seen, record)
        else:
            labels = yield from self._diagnose(request, seen, record)
        if labels:
            yield from self._show(photo, labels, request.seed, record)
        record.latency_s["total"] = round(time.monotonic() - record.began, 4)
        yield Explained(self._manifest(request, record))

    def _diagnose(self, request: ExplainRequest, seen: Seen, record: Record) -> Generator[Event, None, Labels]:
        """Both tasks of section 4.2, or an abstention. Returns the labels to show: the diagnosis first."""
        skingpt = self.skingen.skingpt
        if not skingpt.is_familiar(seen):
            record.diagnosis = skingpt.abstention(seen)
            record.first_words()
            yield DiagnosisMade(record.diagnosis)
            yield TextDelta(CANNOT_TELL)
            return ()
        record.prompts |= {"diagnosis": DIAGNOSIS_PROMPT, "lookalikes": LOOKALIKES_PROMPT}
        with record.stage("diagnosis"):
            first = yield from self._say(skingpt.first_task(seen), record)
        if skingpt.diagnosed(first) is None:  # clear skin, or a name outside the closed set
            record.diagnosis = skingpt.reduce(seen, first, "")
            record.fallbacks += [said for said in [skingpt.unread(first)] if said]
            yield DiagnosisMade(record.diagnosis)
            if not first:
                yield TextDelta(CANNOT_TELL)
            return ()
        yield TextDelta(" ")
        with record.stage("lookalikes"):
            second = yield from self._say(skingpt.second_task(seen, first), record)
        record.diagnosis = skingpt.reduce(seen, first, second)
        yield DiagnosisMade(record.diagnosis)
        return self._labels_to_show(record.diagnosis, request.known_label)

    def _labels_to_show(self, diagnosis: Diagnosis, known: str | None) -> Labels:
        """The diagnosis and its look-alikes; what the participant named is always among them."""
        assert diagnosis.label is not None, "nothing is shown for an abstention"
        others = [label for label in (known, *diagnosis.lookalikes) if label and label != diagnosis.label]
        inside = [label for label in dict.fromkeys(others) if label in self.skingen.skingpt.labels]
        return (diagnosis.label, *inside[: self._most_lookalikes])

    @property
    def _most_lookalikes(self) -> int:
        return int(self.skingen.profile.settings["lookalikes"])

    def _follow_up(self, request: ExplainRequest, seen: Seen, record: Record) -> Generator[Event, None, Labels]:
        """An answer; conditions that the question names for the first time are shown as well.

        At most as many as a diagnosis and its look-alikes: a question may name the whole closed set.
        """
        skingpt = self.skingen.skingpt
        record.diagnosis = request.diagnosis
        if record.diagnosis is None or record.diagnosis.label is None:
            yield TextDelta(CANNOT_TELL)
            return ()
        record.prompts["question"] = request.question
        with record.stage("answer"):
            yield from self._say(skingpt.follow_up(seen, request.question, request.history), record)
        new = [name for name in skingpt.asked_about(request.question) if name not in request.shown]
        return tuple(new[: 1 + self._most_lookalikes])

    def _say(self, words: Iterator[str], record: Record) -> Generator[Event, None, str]:
        """Stream words with condition names in bold; returns the plain answer."""
        said = ""
        for piece in emphasised(words, self.skingen.skingpt.labels):
            piece = piece if said else piece.lstrip()
            if piece:
                record.first_words()
                said += piece
                yield TextDelta(piece)
        return said.replace("**", "").strip()

    def _show(self, photo: Image.Image, labels: Labels, seed: int, record: Record) -> Iterator[Event]:
        """What this condition adds to the words."""
        if self.condition == "cases":
            yield from self._show_cases(photo, labels, record)
        if self.condition == "generated":
            yield from self._show_images(photo, labels, seed, record)

    def _show_cases(self, photo: Image.Image, labels: Labels, record: Record) -> Iterator[Event]:
        self._retrieve(photo, labels, record)
        yield CasesFound(record.cases)

    def _retrieve(self, photo: Image.Image, labels: Labels, record: Record) -> None:
        with record.stage("caption"):
            record.caption = self.skingen.caption(photo)
        with record.stage("cases"):
            record.cases = self.skingen.cases(photo, record.caption, labels)

    def _show_area(self, photo: Image.Image, record: Record) -> Generator[Event, None, Found | None]:
        """Figure 6: the affected area outlined on the photo, by the diagnosis' name or else by the fallback prompt."""
        assert record.diagnosis is not None, "an area follows a diagnosis"
        with record.stage("mask"):
            found = self.skingen.mask(photo, record.diagnosis)
        if found and found.prompt != record.diagnosis.label:
            record.fallbacks.append(f"the area was found as {found.prompt!r}, not by the diagnosis' name")
        yield MaskFound(self.skingen.describe(photo, found) if found else None)
        return found

    def _show_images(self, photo: Image.Image, labels: Labels, seed: int, record: Record) -> Iterator[Event]:
        """Figure 6, then Figure 8."""
        found = yield from self._show_area(photo, record)
        if found is None:
            record.fallbacks.append(
                "no affected area was found: the pictures are text-to-image, not the person's photo"
            )
        self._retrieve(photo, labels, record)
        assert record.caption is not None, "retrieval begins with a caption"
        orders = self.skingen.orders(labels, record.caption, record.cases, seed)
        record.drawn_by = self.skingen.generator.drawing(found.mask if found else None)
        with record.stage("images"):
            for news in self.skingen.generate(photo, found, orders):
                if isinstance(news, Progress):
                    previews = tuple(self.skingen.images.put(png(p)) for p in news.previews)
                    yield ImageProgress(news.step, news.steps, labels, previews)
                else:
                    record.images = self._keep(orders, news)
        record.fallbacks += self.skingen.generator.remarks
        yield ImagesReady(record.images)

    def _keep(self, orders: list[Order], pictures: list[Image.Image]) -> tuple[GeneratedImage, ...]:
        put = self.skingen.images.put
        return tuple(
            GeneratedImage(o.label, put(png(p)), o.prompt, o.seed, o.plan)
            for o, p in zip(orders, pictures, strict=True)
        )

    def _manifest(self, request: ExplainRequest, record: Record) -> Manifest:
        plans: tuple[AdapterPlan, ...] = tuple(image.plan for image in record.images)
        generator, profile = record.drawn_by or self.skingen.generator, self.skingen.profile
        return Manifest(
            key=request.key,
            condition=self.condition,
            profile=profile.name,
            photo=request.photo,
            question=request.question,
            seed=request.seed,
            models=self.skingen.models,
            prompts=record.prompts | {f"image: {i.label}": i.prompt for i in record.images},
            adapters=plans,
            settings=profile.settings
            | {"scheduler": generator.scheduler_name, "precision": generator.precision, "decoding": "greedy"},
            diagnosis=record.diagnosis,
            caption=record.caption,
            cases=tuple(c.case_id for c in record.cases),
            images=tuple(i.image for i in record.images),
            latency_s=record.latency_s,
            fallbacks=tuple(record.fallbacks),
            versions={p: version(p) for p in PACKAGES} | {"python": platform.python_version()},
        )


def emphasised(words: Iterator[str], labels: Labels) -> Iterator[str]:
    """The same text with every label in bold; held back only while a label may still be growing."""
    pattern = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    bold = re.compile(rf"(?<!\w)({pattern})(?!\w)", re.IGNORECASE)
    starts = {label[:i].lower() for label in labels for i in range(1, len(label) + 1)}
    held = ""
    for piece in words:
        held += piece
        cut = _settled(held, starts, bold)
        if cut:
            yield bold.sub(r"**\1**", held[:cut])
            held = held[cut:]
    if held:
        yield bold.sub(r"**\1**", held)


def _settled(text: str, starts: set[str], names: re.Pattern[str]) -> int:
    """How much of ``text`` no later word can change: up to where a name may have begun, and never within a name."""
    begun = (i for i in range(len(text)) if (i == 0 or not text[i - 1].isalnum()) and text[i:].lower() in starts)
    cut = next(begun, len(text))
    return next((m.start() for m in names.finditer(text) if m.start() < cut < m.end()), cut)


def make_explainers(skingen: SkinGEN) -> dict[Condition, Explainer]:
    """The three conditions of the study over one set of loaded models."""
    return {condition: SkinGENExplainer(skingen, condition) for condition in CONDITIONS}
