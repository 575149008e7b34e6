"""The three conditions on the embedded pack, judged by their events and by pixels."""

from __future__ import annotations

import dataclasses
import io
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import PNDMScheduler
from PIL import Image

from pipeline.adapt import AdapterManager
from pipeline.explainers import make_explainers
from pipeline.formats.extras import Extras
from pipeline.generate import DRAWN_BY, Generator
from pipeline.phantom import Phantom, draw
from pipeline.segment import Found
from pipeline.skingen import SkinGEN, png
from pipeline.types import (
    CONDITIONS,
    CasesFound,
    Condition,
    Diagnosis,
    DiagnosisMade,
    Event,
    Explained,
    ExplainRequest,
    ImageProgress,
    ImagesReady,
    Manifest,
    MaskFound,
    TextDelta,
    Turn,
    event_from_json,
    event_to_json,
)
from tests.pipeline.conftest import Pictures
from tests.pipeline.tiny_sd import SIDE, tiny_pipeline

QUESTION = "Why do you think so?"


def ask(skingen: SkinGEN, condition: Condition, photo: np.ndarray, **more: object) -> list[Event]:
    name = skingen.images.put(png(Image.fromarray(photo)))
    request = ExplainRequest(key="k", condition=condition, photo=name, seed=7)
    return list(make_explainers(skingen)[condition].explain(dataclasses.replace(request, **more)))


def words(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, TextDelta))


def only(events: list[Event], kind: type) -> list:
    return [e for e in events if isinstance(e, kind)]


def manifest_of(events: list[Event]) -> Manifest:
    assert isinstance(events[-1], Explained)
    return events[-1].manifest


@pytest.fixture(scope="module")
def generated(skingen: SkinGEN, psoriasis: Phantom) -> list[Event]:
    return ask(skingen, "generated", psoriasis.image)


def test_all_conditions_say_the_same_words(skingen: SkinGEN, psoriasis: Phantom, generated: list[Event]) -> None:
    said = {words(ask(skingen, c, psoriasis.image)) for c in CONDITIONS if c != "generated"}
    assert said == {words(generated)}
    assert "**psoriasis**" in words(generated)


def test_text_alone_shows_nothing_else(skingen: SkinGEN, psoriasis: Phantom) -> None:
    events = ask(skingen, "text", psoriasis.image)
    assert {type(e) for e in events} == {TextDelta, DiagnosisMade, Explained}


def test_cases_are_the_diagnosis_and_its_look_alikes(skingen: SkinGEN, psoriasis: Phantom, pictures: Pictures) -> None:
    events = ask(skingen, "cases", psoriasis.image)
    diagnosis, cases = only(events, DiagnosisMade)[0].diagnosis, only(events, CasesFound)[0].cases
    assert [c.label for c in cases] == [diagnosis.label, *diagnosis.lookalikes][:4]
    assert all(Image.open(io.BytesIO(pictures.get(c.image))).size == (192, 192) for c in cases)
    assert manifest_of(events).cases == tuple(c.case_id for c in cases)


def test_generated_comes_in_order(generated: list[Event]) -> None:
    kinds = [type(e) for e in generated]
    places = [kinds.index(k) for k in (TextDelta, DiagnosisMade, MaskFound, ImageProgress, ImagesReady, Explained)]
    assert places == sorted(places)
    steps = [e.step for e in only(generated, ImageProgress)]
    assert steps == list(range(1, only(generated, ImageProgress)[0].steps + 1))
    assert any(e.previews for e in only(generated, ImageProgress))


def test_pictures_change_the_lesion_and_nothing_far_from_it(
    generated: list[Event], psoriasis: Phantom, pictures: Pictures
) -> None:
    images, mask = only(generated, ImagesReady)[0].images, only(generated, MaskFound)[0].mask
    assert len(images) == 4
    x0, y0, x1, y1 = mask.box
    assert (np.asarray(Image.open(io.BytesIO(pictures.get(mask.image)))) > 0).mean() == pytest.approx(
        mask.area, abs=1e-3
    )
    margin = max(x1 - x0, y1 - y0) // 4
    far = np.ones(psoriasis.image.shape[:2], dtype=bool)
    far[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin] = False
    for image in images:
        drawn = np.asarray(Image.open(io.BytesIO(pictures.get(image.image))))
        assert drawn.shape == psoriasis.image.shape
        assert np.array_equal(drawn[far], psoriasis.image[far])
        assert not np.array_equal(drawn, psoriasis.image)


def test_the_same_seed_gives_the_same_pictures_bit_for_bit(
    skingen: SkinGEN, psoriasis: Phantom, generated: list[Event]
) -> None:
    again = ask(skingen, "generated", psoriasis.image)
    assert manifest_of(again).images == manifest_of(generated).images
    other = ask(skingen, "generated", psoriasis.image, seed=8)
    assert not set(manifest_of(other).images) & set(manifest_of(generated).images)


def test_the_manifest_says_how_to_repeat_it(generated: list[Event]) -> None:
    manifest = manifest_of(generated)
    roles = {"diagnose", "caption", "detect", "segment", "clip", "generate", "adapters", "cases"}
    assert set(manifest.models) == roles
    assert all(len(m["sha256"]) == 64 for m in manifest.models.values())
    assert manifest.models["diagnose"]["class"] == "Blip2ForConditionalGeneration"
    assert manifest.settings["scheduler"] == "DPMSolverMultistepScheduler"
    assert {"look", "diagnosis", "mask", "caption", "cases", "images", "first_words", "total"} <= set(
        manifest.latency_s
    )
    assert [a.label for a in manifest.adapters] == [i.label for i in only(generated, ImagesReady)[0].images]
    assert len(manifest.images) == len(set(manifest.images)) == 4


def test_events_survive_the_door(generated: list[Event]) -> None:
    assert [event_from_json(event_to_json(e)) for e in generated] == generated


def test_a_photo_unlike_all_others_gets_no_name(skingen: SkinGEN) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    for condition in CONDITIONS:
        events = ask(skingen, condition, noise)
        assert only(events, DiagnosisMade)[0].diagnosis.abstained
        assert words(events).startswith("I cannot tell from this photo.")
        assert {type(e) for e in events} == {TextDelta, DiagnosisMade, Explained}


def test_what_the_participant_named_is_shown_too(skingen: SkinGEN, psoriasis: Phantom) -> None:
    events = ask(skingen, "cases", psoriasis.image, known_label="vitiligo")
    assert "vitiligo" in [c.label for c in only(events, CasesFound)[0].cases]
    assert len(only(events, CasesFound)[0].cases) == 4


@pytest.mark.parametrize(
    ("concepts", "ends"),
    [((), ""), (("Vesicle",), " with small blisters"), (("Papule", "Yellow"), " with papules and yellow colour")],
)
def test_signs_that_the_embedded_models_never_learned_are_asked_for(
    skingen: SkinGEN, psoriasis: Phantom, concepts: tuple[str, ...], ends: str
) -> None:
    """A closed set of one's own has other concepts of SKINCON, or none."""
    known = tuple(dataclasses.replace(about, concepts=concepts) for about in skingen.profile.knowledge)
    own = dataclasses.replace(skingen, profile=dataclasses.replace(skingen.profile, knowledge=known))
    assert own.prompt("psoriasis", "brown skin with wheals") == f"psoriasis, brown skin{ends}"
    assert len(only(ask(own, "cases", psoriasis.image), CasesFound)[0].cases) == 4


def follow_up(skingen: SkinGEN, photo: np.ndarray, question: str, **more: object) -> list[Event]:
    first = ask(skingen, "text", photo)
    history = (
        Turn("participant", "Could you diagnose the skin disease in this image for me?"),
        Turn("assistant", words(first)),
    )
    diagnosis: Diagnosis = only(first, DiagnosisMade)[0].diagnosis
    return ask(skingen, "cases", photo, question=question, history=history, diagnosis=diagnosis, **more)


def test_a_follow_up_answers_in_words(skingen: SkinGEN, psoriasis: Phantom) -> None:
    events = follow_up(skingen, psoriasis.image, QUESTION, shown=("psoriasis",))
    assert "**psoriasis**" in words(events)
    assert not only(events, CasesFound)
    assert manifest_of(events).prompts == {"question": QUESTION}


def test_a_condition_named_for_the_first_time_is_shown(skingen: SkinGEN, psoriasis: Phantom) -> None:
    asked = "Why not vitiligo or psoriasis?"
    events = follow_up(skingen, psoriasis.image, asked, shown=("psoriasis",))
    assert [c.label for c in only(events, CasesFound)[0].cases] == ["vitiligo"]


def test_a_question_that_names_them_all_shows_the_first_few(skingen: SkinGEN, psoriasis: Phantom) -> None:
    """As many as a diagnosis and its look-alikes: 16 pictures at once nobody asked for, nor does a memory hold them."""
    names = [label for label in skingen.skingpt.labels if label != "psoriasis"]
    for lookalikes, most in ((3, 4), (1, 2)):
        settings = {**skingen.profile.settings, "lookalikes": lookalikes}
        few = dataclasses.replace(skingen, profile=dataclasses.replace(skingen.profile, settings=settings))
        events = follow_up(few, psoriasis.image, f"Why not {', '.join(names)}?", shown=("psoriasis",))
        assert [c.label for c in only(events, CasesFound)[0].cases] == names[:most]


def test_closing_the_stream_cancels_and_the_models_stay_usable(
    skingen: SkinGEN, psoriasis: Phantom, generated: list[Event]
) -> None:
    name = skingen.images.put(png(Image.fromarray(psoriasis.image)))
    stream = make_explainers(skingen)["generated"].explain(ExplainRequest("k", "generated", name, seed=7))
    for event in stream:
        if isinstance(event, ImageProgress):
            break
    began = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 5
    assert manifest_of(ask(skingen, "generated", psoriasis.image)).images == manifest_of(generated).images


def test_the_manifest_is_of_the_model_that_drew(skingen: SkinGEN, psoriasis: Phantom, tmp_path: Path) -> None:
    """Inpainting and text-to-image from two folders, each with its own scheduler and in its own numbers."""
    none = AdapterManager(tmp_path, (), None, 0.6, 0.5)
    settings = {"image_size": SIDE, "steps": 2, "guidance": 1.0, "precision": "float32"}
    tiny_pipeline().save_pretrained(tmp_path / "inpainting")
    other = tiny_pipeline(4)
    other.scheduler = PNDMScheduler.from_config(other.scheduler.config, skip_prk_steps=True)
    other.save_pretrained(tmp_path / "text")
    generator = Generator.load(tmp_path / "inpainting", none, settings)
    generator.draws_without_area(Generator.load(tmp_path / "text", none, settings, Extras(dtype=torch.bfloat16)))
    found = Found(psoriasis.mask, (0, 0, 9, 9), 0.9, "psoriasis")
    said = {}
    for area in (found, None):
        segmenter = SimpleNamespace(find=lambda *_, area=area: area)
        own = dataclasses.replace(skingen, generator=generator, adapters=none, segmenter=segmenter)
        told = manifest_of(ask(own, "generated", psoriasis.image))
        said[area is not None] = told.settings["scheduler"], told.settings["precision"]
        assert len(told.images) == 4
        assert (DRAWN_BY in told.fallbacks) == (area is None)
    assert said == {True: ("DDIMScheduler", "float32"), False: ("PNDMScheduler", "bfloat16")}


def test_photos_need_not_be_square(skingen: SkinGEN, pictures: Pictures) -> None:
    phantom = draw(100_000_200, 240, "nevocytic nevus", 2)
    wide = np.concatenate([phantom.image, phantom.image[:, ::-1][:, :80]], 1)
    events = ask(skingen, "generated", wide)
    for image in only(events, ImagesReady)[0].images if only(events, ImagesReady) else ():
        assert Image.open(io.BytesIO(pictures.get(image.image))).size == (320, 240)
    assert isinstance(events[-1], Explained)
