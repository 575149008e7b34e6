"""SkinGEN: the way of a photo, from top to bottom (paper, Figures 1, 5, 6 and 8).

    photo -> (a) dermatology diagnosis           SkinGPT: diagnosis and look-alikes
          -> (b) masked image generation         GroundingDINO: box; SAM: mask
          -> (c) demonstration generation        BLIP-2: caption; case retrieval; adapter manager; Stable Diffusion

Each method is one box of those figures. `explainers.py` walks through them for the study's three conditions.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import binary_dilation

from pipeline.adapt import AdapterManager
from pipeline.blip2 import Seen
from pipeline.caption import Captioner, skin_of
from pipeline.casefile import of_another_clip
from pipeline.diagnose import SkinGPT
from pipeline.formats.extras import Extras, place_of, with_few_steps
from pipeline.generate import Generator
from pipeline.orders import Order, Progress, seed_of
from pipeline.profile import Profile, ProfileError
from pipeline.provenance import role_models
from pipeline.retrieve import CaseLibrary, ClipEmbedder
from pipeline.segment import FindsAreas, Found, load_segmenter
from pipeline.types import AdapterPlan, Case, Diagnosis, ImageStore, Mask
from pipeline.wording import phrases_of


def png(image: Image.Image) -> bytes:
    """PNG bytes without metadata."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class SkinGEN:
    """All models of a profile, loaded; ``images`` is where pictures are read from and written to."""

    profile: Profile
    images: ImageStore
    skingpt: SkinGPT
    segmenter: FindsAreas
    captioner: Captioner
    clip: ClipEmbedder
    library: CaseLibrary
    adapters: AdapterManager
    generator: Generator
    models: dict[str, dict[str, str]]
    """role -> id, class, sha256: for the manifest"""

    @classmethod
    def load(cls, profile: Profile, images: ImageStore) -> SkinGEN:
        """Load every role. Raises ProfileError when weights are missing, or the cases are another CLIP's."""
        profile = with_few_steps(profile)
        s = profile.settings
        torch.set_num_threads(int(s["threads"]))
        skingpt = SkinGPT.of(profile)  # the largest first, while the free memory is in one piece
        adapters = AdapterManager.load(profile.folder("adapters"), s["ip_adapter_scale"], s["case_similarity"])
        clip, models = ClipEmbedder.load(profile.folder("clip"), profile.spec("clip")), role_models(profile)
        library = _library(profile, models["clip"]["sha256"])
        generator = Generator.load(profile.folder("generate"), adapters, s, Extras.of(profile))
        if (folder := place_of(profile, "text_to_image")) is not None:
            generator.draws_without_area(Generator.load(folder, adapters, s, Extras.of(profile, "text_to_image")))
        generator.read_references_by(clip)
        return cls(
            profile=profile,
            images=images,
            skingpt=skingpt,
            segmenter=load_segmenter(profile),
            captioner=Captioner.of(profile),
            clip=clip,
            library=library,
            adapters=adapters,
            generator=generator,
            models=models,
        )

    def photo(self, sha256: str) -> Image.Image:
        """The clean photo of that name. Raises KeyError when it was never handed in."""
        return Image.open(io.BytesIO(self.images.get(sha256))).convert("RGB")

    # (a) Dermatology diagnosis, Figure 5

    def look(self, photo: Image.Image) -> Seen:
        return self.skingpt.see(photo)

    # (b) Dermatology masked image generation, Figure 6

    def mask(self, photo: Image.Image, diagnosis: Diagnosis) -> Found | None:
        assert diagnosis.label is not None, "an abstention has no area to look for"
        return self.segmenter.find(photo, diagnosis.label)

    def describe(self, photo: Image.Image, found: Found) -> Mask:
        """The mask as it is shown and stored: picture, outlined overlay, box, score, area."""
        grey = Image.fromarray(found.mask.astype(np.uint8) * 255)
        return Mask(
            image=self.images.put(png(grey)),
            overlay=self.images.put(png(outlined(photo, found.mask))),
            box=found.box,
            score=round(found.score, 4),
            area=round(float(found.mask.mean()), 4),
        )

    # (c) Dermatology demonstration generation, Figure 8

    def caption(self, photo: Image.Image) -> str:
        return self.captioner.caption(photo)

    def cases(self, photo: Image.Image, caption: str, labels: Sequence[str], each: int = 1) -> tuple[Case, ...]:
        """The ``each`` most similar cases of each label, by image and by caption with the label's name."""
        image = self.clip.images([photo])[0]
        texts = self.clip.texts([self.prompt(label, caption) for label in labels])
        hits = [
            hit
            for label, text in zip(labels, texts, strict=True)
            for hit in self.library.search(image, text, label, each)
        ]
        return tuple(
            Case(h.case_id, h.label, h.caption, self._put_case(h.file.read_bytes()), round(h.similarity, 4))
            for h in hits
        )

    def _put_case(self, data: bytes) -> str:
        return self.images.put(png(Image.open(io.BytesIO(data)).convert("RGB")))

    def plan(self, label: str, cases: Sequence[Case]) -> AdapterPlan:
        return self.adapters.plan(label, cases)

    def prompt(self, label: str, caption: str) -> str:
        """The generator's prompt: the condition by name, the user's skin from the caption, the condition's signs."""
        prompt, concepts = f"{label}, {skin_of(caption)}", self.profile.about(label).concepts
        return f"{prompt} with {phrases_of(concepts)}" if concepts else prompt

    def orders(self, labels: Sequence[str], caption: str, cases: Sequence[Case], seed: int) -> list[Order]:
        """One picture per label: prompt, adapters, reference and seed."""
        out = []
        for label in labels:
            plan = self.plan(label, cases if self.generator.references.used else ())
            chosen = [c for c in cases if c.case_id in plan.reference_cases][:1]
            seen = self.clip.tokens if self.generator.references.are_tokens else self.clip.raw_images
            reference = seen([self.photo(c.image) for c in chosen]) if chosen else None
            out.append(Order(label, self.prompt(label, caption), plan, reference, seed_of(seed, label)))
        return out

    def generate(
        self, photo: Image.Image, found: Found | None, orders: Sequence[Order]
    ) -> Iterator[Progress | list[Image.Image]]:
        """On the photo; without an affected area text-to-image."""
        return self.generator.draw(photo, found.mask if found else None, orders)


def _library(profile: Profile, clip_sha256: str) -> CaseLibrary:
    """Raises ProfileError when its vectors come from another CLIP: they would be compared, and mean nothing."""
    if why := of_another_clip(profile, clip_sha256):
        raise ProfileError(why)
    return CaseLibrary(profile.folder("cases"))


def outlined(photo: Image.Image, mask: np.ndarray) -> Image.Image:
    """The photo with the mask's border drawn white on dark: visible on every skin, hiding no lesion."""
    width = max(1, round(min(photo.size) / 160))
    ring = binary_dilation(mask, iterations=width) & ~mask
    shadow = binary_dilation(ring, iterations=width)
    out = np.asarray(photo).copy()
    out[shadow] = (20, 28, 32)
    out[ring] = (255, 255, 255)
    return Image.fromarray(out)
