"""What flows through the pipeline and over its door: frozen values, the request, and the events.

This module is light (no torch, no Pillow): the app's process imports it. Pictures are never inside
these values; they are named by the SHA-256 of their PNG bytes and fetched by that name, so that an
event is small, can be stored as JSON, and always means the same picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field, TypeAdapter

Condition = Literal["text", "cases", "generated"]
"""The study's three conditions (paper, section 5.1): plain text, text + retrieved cases, SkinGEN."""

CONDITIONS: tuple[Condition, ...] = ("text", "cases", "generated")

DIAGNOSIS_PROMPT = "Could you diagnose the skin disease in this image for me?"
"""First task of section 4.2, word for word."""

LOOKALIKES_PROMPT = "What's the other possible skin disease in this picture?"
"""Second task of section 4.2, word for word."""


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: Literal["participant", "assistant"]
    text: str


@dataclass(frozen=True)
class Diagnosis:
    """What the vision-language model answered, reduced to the closed label set.

    ``label`` is None when the photo is unlike anything the models know (``distance`` above
    ``threshold``, both Mahalanobis distances in the visual encoder's feature space).
    """

    label: str | None
    lookalikes: tuple[str, ...]
    distance: float
    threshold: float

    @property
    def abstained(self) -> bool:
        return self.label is None


@dataclass(frozen=True)
class Mask:
    """The affected area: ``image`` is an 8-bit grey PNG (0 or 255) of the photo's size, ``overlay`` the
    photo with the area outlined; ``box`` is x0, y0, x1, y1 in photo pixels; ``score`` the detector's."""

    image: str
    overlay: str
    box: tuple[int, int, int, int]
    score: float
    area: float
    """Share of the photo inside the mask, 0 to 1."""


@dataclass(frozen=True)
class Case:
    """One retrieved case of the library with its diagnosis."""

    case_id: str
    label: str
    caption: str
    image: str
    similarity: float
    """Cosine similarity, -1 to 1, averaged over caption and image embeddings."""


@dataclass(frozen=True)
class AdapterPlan:
    """What the adapter manager chose for one label (paper, section 4.4 and Figure 8)."""

    label: str
    lora: str | None
    lora_weight: float
    ip_adapter_scale: float
    """0 when no similar case was found: LoRA alone."""
    reference_cases: tuple[str, ...]


@dataclass(frozen=True)
class GeneratedImage:
    """The photo with ``label`` drawn inside the mask."""

    label: str
    image: str
    prompt: str
    seed: int
    plan: AdapterPlan


@dataclass(frozen=True)
class ExplainRequest:
    """One question about one photo. ``photo`` names the clean photo (see photo.py) by hash.

    ``history`` is empty for the first question. A follow-up carries the ``diagnosis`` of the first
    answer, so that it is not made twice, and ``shown`` = the labels whose pictures are on the page.
    ``known_label`` is what the participant picked as the condition, if they knew it.
    ``key`` makes the job idempotent: the same key is the same job.
    """

    key: str
    condition: Condition
    photo: str
    question: str = DIAGNOSIS_PROMPT
    history: tuple[Turn, ...] = ()
    diagnosis: Diagnosis | None = None
    shown: tuple[str, ...] = ()
    known_label: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class Manifest:
    """Everything needed to say, and to repeat, what a participant was shown (Contract 1)."""

    key: str
    condition: Condition
    profile: str
    photo: str
    question: str
    seed: int
    models: dict[str, dict[str, str]]
    """role -> {"id": ..., "class": ..., "sha256": of its weights}"""
    prompts: dict[str, str]
    adapters: tuple[AdapterPlan, ...]
    settings: dict[str, Any]
    """scheduler, steps, guidance, size in pixels, strength, ..."""
    diagnosis: Diagnosis | None
    caption: str | None
    cases: tuple[str, ...]
    images: tuple[str, ...]
    latency_s: dict[str, float]
    fallbacks: tuple[str, ...]
    versions: dict[str, str]


@dataclass(frozen=True)
class TextDelta:
    """The next words of the answer (Markdown: bold only)."""

    text: str
    type: Literal["text_delta"] = "text_delta"


@dataclass(frozen=True)
class DiagnosisMade:
    """The diagnosis and the look-alikes, or an abstention."""

    diagnosis: Diagnosis
    type: Literal["diagnosis_made"] = "diagnosis_made"


@dataclass(frozen=True)
class CasesFound:
    """Retrieved cases, most similar first; may be empty."""

    cases: tuple[Case, ...]
    type: Literal["cases_found"] = "cases_found"


@dataclass(frozen=True)
class MaskFound:
    """The affected area; None when none was found (then pictures are text-to-image, not the person's photo)."""

    mask: Mask | None
    type: Literal["mask_found"] = "mask_found"


@dataclass(frozen=True)
class ImageProgress:
    """Denoising step ``step`` of ``steps`` is done; ``previews`` are hashes, one per label, or empty."""

    step: int
    steps: int
    labels: tuple[str, ...] = ()
    previews: tuple[str, ...] = ()
    type: Literal["image_progress"] = "image_progress"


@dataclass(frozen=True)
class ImagesReady:
    images: tuple[GeneratedImage, ...]
    type: Literal["images_ready"] = "images_ready"


@dataclass(frozen=True)
class Explained:
    """Always last. A stream that ends without it is not an explanation."""

    manifest: Manifest
    type: Literal["explained"] = "explained"


@dataclass(frozen=True)
class Queued:
    """Sent by the server only: ``ahead`` jobs run before this one."""

    ahead: int
    type: Literal["queued"] = "queued"


@dataclass(frozen=True)
class Failed:
    """Sent by the server only, and last: the job ended without an explanation.

    ``reason`` is a plain sentence for the participant, ``reference`` finds the traceback in the log.
    """

    reason: str
    reference: str
    retryable: bool = True
    type: Literal["failed"] = "failed"


Event = TextDelta | DiagnosisMade | CasesFound | MaskFound | ImageProgress | ImagesReady | Explained | Queued | Failed

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
_REQUEST: TypeAdapter[ExplainRequest] = TypeAdapter(ExplainRequest)


def event_to_json(event: Event) -> str:
    """One line of JSON (no newline inside)."""
    return _EVENT.dump_json(event).decode()


def event_from_json(line: str | bytes) -> Event:
    """Inverse of `event_to_json`. Raises pydantic.ValidationError for anything else."""
    return _EVENT.validate_json(line)


def request_to_json(request: ExplainRequest) -> str:
    return _REQUEST.dump_json(request).decode()


def request_from_json(body: str | bytes) -> ExplainRequest:
    """Raises pydantic.ValidationError when a field is missing, of the wrong type, or unknown in value."""
    return _REQUEST.validate_json(body)


class ImageStore(Protocol):
    """Pictures by content hash: the server's disk store, the app's media store, or a dict in a test."""

    def put(self, png: bytes) -> str:
        """Store PNG bytes, return their SHA-256 in hex. Storing the same bytes twice is a no-op."""
        ...

    def get(self, sha256: str) -> bytes:
        """Raises KeyError when there is no such picture."""
        ...


class Explainer(Protocol):
    """Contract 1. Closing the iterator cancels the work at the next step."""

    def explain(self, request: ExplainRequest) -> Iterator[Event]: ...


@dataclass(frozen=True)
class LabelInfo:
    """One condition of the closed label set, as the app may show it."""

    label: str
    description: str
    concepts: tuple[str, ...] = field(default=())
