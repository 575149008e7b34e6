"""Every role of every shipped profile, loaded from tiny files in the real ones' layout, takes part in a whole
explanation that comes out of the app's door.

One row per role: the weights that are at work are the file's, and they were used while the explanation was made.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.casefile import MADE_BY, made_by
from pipeline.client import PipelineClient
from pipeline.explainers import make_explainers
from pipeline.generate import DRAWN_BY
from pipeline.images import DiskImages
from pipeline.loading import load_skingen
from pipeline.photo import clean_photo
from pipeline.profile import PROFILES, ProfileError, load_profile
from pipeline.skingen import SkinGEN, png
from pipeline.types import (
    CONDITIONS,
    DIAGNOSIS_PROMPT,
    CasesFound,
    Condition,
    DiagnosisMade,
    Event,
    Explained,
    ExplainRequest,
    Failed,
    ImageProgress,
    ImagesReady,
    Manifest,
    MaskFound,
    TextDelta,
    Turn,
)
from pipeline.weights import fingerprint
from study_app.services import services
from tests.pipeline import test_remote
from tests.pipeline.full_models import ATTENTION, LABELS, SIDE, STEPS, write_profile
from tests.pipeline.test_remote import Server, running_server
from tests.pipeline.tiny_speakers import SENTENCE
from tests.scripted import TOKEN, scripted_server
from tests.study_app import test_pages

ANSWER = tuple(f"{word} " for word in SENTENCE[:-1])
SHIPPED = sorted(path.stem for path in PROFILES.glob("*.yaml") if path.stem != "phantom")
ROWS = [(name, role) for name in SHIPPED for role in load_profile(name).roles]
SIZE = (56, 48)


@dataclass(frozen=True)
class Witness:
    """A role's module, a tensor of it that nothing else changes, and where the file has that tensor."""

    part: Callable[[Any], nn.Module]
    """Of a SkinGEN"""
    inside: str
    file: str = ""
    """Below the role's folder; "" whichever"""
    name: str = ""
    """In the file; "" the same"""


def unet(skingen: SkinGEN) -> nn.Module:
    return skingen.generator.pipe.unet


def text_to_image(skingen: SkinGEN) -> nn.Module:
    assert skingen.generator.without_area is not None
    return skingen.generator.without_area.pipe.unet


def previewer(skingen: SkinGEN) -> nn.Module:
    assert skingen.generator.previewer is not None
    return skingen.generator.previewer.decoder


HALF = "unet/diffusion_pytorch_model.fp16.safetensors"
PLAIN = "models/ip-adapter_sd15.safetensors"
TAESD = "diffusion_pytorch_model.safetensors"
WITNESSES: dict[str, Witness] = {
    "detect": Witness(lambda s: s.segmenter.detector, "model.level_embed"),
    "segment": Witness(lambda s: s.segmenter.sam, "mask_decoder.iou_token.weight"),
    "clip": Witness(lambda s: s.clip.model, "visual_projection.weight"),
    "generate": Witness(unet, "conv_in.weight", HALF),
    "text_to_image": Witness(text_to_image, "conv_in.weight", HALF),
    "ip_adapter": Witness(
        lambda s: s.generator.pipe.unet.encoder_hid_proj, "image_projection_layers.0.image_embeds.weight", PLAIN,
        "image_proj.proj.weight",
    ),
    "previews": Witness(previewer, "layers.0.weight", TAESD, "decoder.layers.0.weight"),
    "paper diagnose": Witness(lambda s: s.skingpt.model.model.language_model, "lm_head.weight"),
    "open diagnose": Witness(lambda s: s.skingpt.model.model, "lm_head.weight"),
    "paper caption": Witness(
        lambda s: s.captioner.model.model.qformer, "layernorm.weight", name="qformer.layernorm.weight"
    ),
    "caption": Witness(lambda s: s.captioner.model.model.text_decoder, "cls.predictions.bias"),
}  # fmt: skip


def witness_of(profile: str, role: str) -> Witness | None:
    return WITNESSES.get(f"{profile} {role}") or WITNESSES.get(role)


def in_file(place: Path, ending: str) -> torch.Tensor:
    """The tensor whose name ends so, from whichever file below ``place`` holds it."""
    for file in [place] if place.is_file() else sorted(place.rglob("*.safetensors")):
        found = {name: x for name, x in load_file(file).items() if f".{name}".endswith(f".{ending}")}
        if found:
            return found.popitem()[1]
    raise AssertionError(f"{ending} is in no file of {place}")


@dataclass
class Told:
    """One explanation, as it came out of the door."""

    events: list[Event]
    pictures: Callable[[str], bytes]

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.of(TextDelta))

    @property
    def manifest(self) -> Manifest:
        last = self.events[-1]
        assert isinstance(last, Explained), last
        return last.manifest


@dataclass
class Served:
    """A profile's models behind the door."""

    skingen: SkinGEN
    url: str
    models: Path
    server: Server
    """In SkinGPT's place of the profile `remote`"""
    used: Counter[str] = field(default_factory=Counter)
    """Role -> how often one of its layers was at work"""
    told: dict[str, Told] = field(default_factory=dict)

    def picture(self, sha256: str) -> bytes:
        with PipelineClient(self.url, TOKEN) as client:
            return client.get_image(sha256)


def photo() -> bytes:
    grey = np.random.default_rng(3).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    return clean_photo(png(Image.fromarray(grey))).png


def ask(found: Served, client: PipelineClient, key: str, condition: Condition, **more: Any) -> Told:
    client.submit(ExplainRequest(key, condition, client.put_image(photo()), **more))
    events = [event for _, event in client.events(key)]
    assert not [event for event in events if isinstance(event, Failed)], events
    return Told(events, found.picture)


@contextmanager
def served(name: str, folder: Path) -> Iterator[Served]:
    """Loaded as `python -m pipeline serve` loads them."""
    with ExitStack() as stack:
        server = stack.enter_context(running_server())
        profile = load_profile(write_profile(name, folder, server.url))
        pictures = folder / "pictures"
        skingen = load_skingen(profile, DiskImages(pictures))
        explainers = make_explainers(skingen)
        door = stack.enter_context(scripted_server(pictures, load=lambda _: explainers, profile=profile))  # type: ignore[arg-type]
        found = Served(skingen, door.url, folder / "models", server)
        for role in profile.roles:
            if witness := witness_of(name, role):
                for part in witness.part(skingen).modules():
                    part.register_forward_hook(lambda *_, role=role: found.used.update([role]))
        yield found


def explained(found: Served) -> None:
    """In all three conditions, a question more, and once with no area found."""
    with PipelineClient(found.url, TOKEN) as client:
        for condition in CONDITIONS:
            found.told[condition] = ask(found, client, condition, condition)
        first = found.told["generated"]
        said = (Turn("participant", DIAGNOSIS_PROMPT), Turn("assistant", first.text))
        found.told["more"] = ask(
            found, client, "more", "generated", question="Could it be vitiligo?", history=said, shown=LABELS,
            diagnosis=first.of(DiagnosisMade)[0].diagnosis,
        )  # fmt: skip
        before, found.skingen.segmenter.threshold = found.skingen.segmenter.threshold, 2.0
        found.told["no-area"] = ask(found, client, "no-area", "generated")
        found.skingen.segmenter.threshold = before


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Served]]:
    """A profile served, and asked for all its explanations, at its first use."""
    known: dict[str, Served] = {}
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(test_remote, "ANSWER", ANSWER)

        def get(name: str) -> Served:
            if name not in known:
                known[name] = stack.enter_context(served(name, tmp_path_factory.mktemp(name)))
                explained(known[name])
            return known[name]

        yield get


@pytest.mark.parametrize("name", SHIPPED)
def test_a_whole_explanation_comes_out_of_the_door(opened: Callable[[str], Served], name: str) -> None:
    """Text, diagnosis, mask, caption, cases and pictures; the words are the same in all three conditions."""
    found = opened(name)
    told = found.told["generated"]
    assert "**psoriasis**" in told.text
    assert {found.told[condition].text for condition in CONDITIONS} == {told.text}
    (made,) = told.of(DiagnosisMade)
    assert (made.diagnosis.label, made.diagnosis.lookalikes) == (LABELS[0], LABELS[1:])
    (cases,) = found.told["cases"].of(CasesFound)
    assert [case.label for case in cases.cases] == list(LABELS)
    (mask,) = told.of(MaskFound)
    assert mask.mask is not None
    assert 0 < mask.mask.area < 1
    (ready,) = told.of(ImagesReady)
    assert [image.label for image in ready.images] == list(LABELS)
    for case_or_image in (*ready.images, *cases.cases):
        assert Image.open(io.BytesIO(told.pictures(case_or_image.image))).mode == "RGB"
    assert [Image.open(io.BytesIO(told.pictures(i.image))).size for i in ready.images] == [SIZE] * 2
    manifest = told.manifest
    assert manifest.caption
    assert manifest.profile == name
    assert set(manifest.models) == set(load_profile(name).roles), "every role is on record"
    assert manifest.fallbacks in ((), ("the area was found as 'skin lesion', not by the diagnosis' name",))
    assert (manifest.settings["scheduler"], manifest.settings["steps"]) == ("LCMScheduler", STEPS), "few_step's own"
    assert found.told["more"].text
    assert [image.label for image in found.told["more"].of(ImagesReady)[0].images] == ["vitiligo"]


@pytest.mark.parametrize(("name", "role"), ROWS)
def test_every_role_is_loaded_from_its_file_and_takes_part(
    opened: Callable[[str], Served], name: str, role: str
) -> None:
    found = opened(name)
    place = found.models / load_profile(name).roles[role]
    if witness := witness_of(name, role) if (name, role) != ("remote", "diagnose") else None:
        inside = witness.part(found.skingen).state_dict()[witness.inside]
        file = place / witness.file if witness.file else place
        assert torch.equal(inside.cpu(), in_file(file, witness.name or witness.inside).to(inside.dtype))
        assert found.used[role] > 0, "it was at work"
    else:
        OTHERS[role](found, place)


def by_a_server(found: Served, _: Path) -> None:
    assert len(found.server.asked) >= 2 * 4 + 1, "both tasks of four explanations, and the question"
    assert all(asked["stream"] for asked in found.server.asked)


def gained(found: Served, layer: str) -> torch.Tensor:
    """What a layer of the first attention over words has beyond the base model's file."""
    name = f"down_blocks.0.attentions.0.transformer_blocks.0.attn2.{layer}"
    base = in_file(found.models / found.skingen.profile.roles["generate"] / HALF, f"{name}.weight").float()
    module = found.skingen.generator.pipe.unet.get_submodule(name)
    return (getattr(module, "base_layer", module).weight - base).detach()


def by_a_lora(found: Served, place: Path) -> None:
    plans = found.told["generated"].manifest.adapters
    assert [(plan.label, plan.lora, plan.lora_weight) for plan in plans] == [
        ("psoriasis", "psoriasis", 0.8), ("urticaria", None, 0.0),
    ]  # fmt: skip
    assert all(plan.ip_adapter_scale == 0.6 for plan in plans), "with a case of their own"
    file = load_file(place / "psoriasis.safetensors")
    expected = 0.8 * 1 / 2 * file[f"{ATTENTION}k.lora_up.weight"] @ file[f"{ATTENTION}k.lora_down.weight"]
    loras = found.skingen.generator._loras
    worn = loras._worn
    loras.wear("psoriasis", 0.8)
    assert (gained(found, "to_k") - expected).abs().max() < 1e-6
    assert worn is not None
    loras.wear(*worn)


def in_few_steps(found: Served, place: Path) -> None:
    file = load_file(place / "pytorch_lora_weights.safetensors")
    expected = 1 / 2 * file[f"{ATTENTION}v.lora_up.weight"] @ file[f"{ATTENTION}v.lora_down.weight"]
    assert (gained(found, "to_v") - expected).abs().max() < 1e-6
    sets = 2  # with the LoRA and without: two batches
    assert max(news.steps for news in found.told["no-area"].of(ImageProgress)) == sets * STEPS


def from_the_library(found: Served, place: Path) -> None:
    known = {row["id"]: row["label"] for row in json.loads((place / "cases.json").read_text())}
    (shown,) = found.told["cases"].of(CasesFound)
    assert {case.case_id: case.label for case in shown.cases}.items() <= known.items()
    plans = found.told["generated"].manifest.adapters
    assert made_by(found.skingen.library.folder) == fingerprint(found.models / found.skingen.profile.roles["clip"])
    assert all(set(plan.reference_cases) <= known.keys() and plan.reference_cases for plan in plans)


OTHERS: dict[str, Callable[[Served, Path], None]] = {
    "diagnose": by_a_server, "adapters": by_a_lora, "few_step": in_few_steps, "cases": from_the_library,
}  # fmt: skip


def test_a_case_library_of_another_clip_is_refused_when_the_models_are_loaded(tmp_path: Path) -> None:
    """By its record where it has one, by its width in any case; an older one of the same width is taken."""
    profile = load_profile(write_profile("open", tmp_path))
    file = tmp_path / "models" / "cases" / "cases.safetensors"
    own = load_file(file)
    width = own["image"].shape[1]
    narrow = {name: x[:, :4].contiguous() for name, x in own.items()}
    again = rf"role 'cases': .*; build it again with `.* --profile {profile.file}`"
    for vectors, record, why in (
        (own, {MADE_BY: "0" * 64}, "was built with a CLIP of SHA-256 00"),
        (narrow, None, f"described by 4 numbers, CLIP gives {width}"),
    ):
        save_file(vectors, file, record)
        with pytest.raises(ProfileError, match=again) as raised:
            load_skingen(profile, DiskImages(tmp_path / "pictures"))
        assert why in str(raised.value)
        assert why in " ".join(CliRunner().invoke(app, ["check", "--profile", str(profile.file)]).stderr.split())
    save_file(own, file)
    assert len(load_skingen(profile, DiskImages(tmp_path / "pictures")).library.image_vectors) == len(own["image"])


@pytest.mark.parametrize("name", SHIPPED)
def test_without_an_area_text_to_image_draws(opened: Callable[[str], Served], name: str) -> None:
    told = opened(name).told["no-area"]
    assert told.of(MaskFound) == [MaskFound(None)]
    assert told.manifest.fallbacks[-1] == DRAWN_BY
    (ready,) = told.of(ImagesReady)
    assert [Image.open(io.BytesIO(told.pictures(i.image))).size for i in ready.images] == [(SIDE, SIDE)] * 2


def test_previews_are_taesds_where_the_profile_has_it(opened: Callable[[str], Served]) -> None:
    """At full size; without it, the VAE's at half, beside what is not drawn yet."""
    sizes = {}
    for name in ("paper", "open"):
        told = opened(name).told["no-area"]
        shown = {preview for news in told.of(ImageProgress) for preview in news.previews}
        sizes[name] = {Image.open(io.BytesIO(told.pictures(preview))).size for preview in shown}
    assert sizes == {"paper": {(SIDE, SIDE)}, "open": {(SIDE, SIDE), (SIDE // 2, SIDE // 2)}}


# The participant's page ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["paper", "open"])
def test_a_participant_reads_it_on_their_page(
    opened: Callable[[str], Served], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The converted SkinGPT-4, and a chat model, through the app: the page, its jobs, its store, its pictures."""
    monkeypatch.setenv("SKINGEN_DB", str(tmp_path / "study.db"))
    monkeypatch.setenv("SKINGEN_PIPELINE_URL", opened(name).url)
    monkeypatch.setenv("SKINGEN_PIPELINE_TOKEN", TOKEN)
    st.cache_resource.clear()
    page = test_pages.choosing_a_photo()
    while test_pages.state_of(page).sequence[0] != "generated":
        page = test_pages.choosing_a_photo()
    app, participant, token = services(), test_pages.state_of(page).participant, test_pages.token_of(page)
    app.store.start_exposure(participant, 1, app.media.keep(participant, photo()), None)
    page = test_pages.visit(token)
    (job,) = test_pages.state_of(page).exposures[1].jobs
    assert app.runner.wait(job.key, test_pages.PATIENCE_S)
    page = test_pages.visit(token)
    assert not page.exception
    assert any("<strong>psoriasis</strong>" in str(block.proto) for block in page.get("html"))
    (job,) = test_pages.state_of(page).exposures[1].jobs
    assert job.status == "done"
    manifest = json.loads(job.manifest or "")
    assert (manifest["profile"], len(manifest["images"])) == (name, 2)
    for picture in manifest["images"]:
        assert Image.open(io.BytesIO(app.media.get(picture))).size == SIZE
    app.runner.stop()
    st.cache_resource.clear()
