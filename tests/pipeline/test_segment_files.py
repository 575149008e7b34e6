"""Masks from every kind of file: SAM's folder and .pth, SAM 2's folder, lang_sam; and where models are put."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.formats.errors import WeightsError
from pipeline.formats.sam_files import Sam2Eye
from pipeline.langsam import LangSamSegmenter
from pipeline.profile import Profile, ProfileError, load_profile
from pipeline.retrieve import ClipEmbedder
from pipeline.roles import Role
from pipeline.segment import Segmenter, load_sam, load_segmenter
from tests.pipeline.tiny_masks import SIDE, original_sam, write_clip, write_grounding_dino, write_sam, write_sam2

PACK = Path("pipeline/packs/phantom").resolve()
BOXES = [[5.0, 5.0, 40.0, 40.0], [30.0, 2.0, 69.0, 49.0]]
CPU = Role("segment", path="x", dtype="float32", device="cpu")


def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masks")
    write_sam(folder / "sam")
    write_sam2(folder / "sam2")
    write_grounding_dino(folder / "dino")
    write_clip(folder / "clip")
    torch.save(original_sam(), folder / "sam_vit_b.pth")
    torch.save({"model": {f"module.{k}": v for k, v in original_sam().items()}}, folder / "skinsam.pth")
    return folder


def segmenter(models: Path, name: str, threshold: float = 0.05) -> Segmenter:
    detect = Role("detect", path="x", dtype="float32", device="cpu")
    return Segmenter.load(models / "dino", models / name, threshold, "skin lesion", detect, CPU)


@pytest.mark.parametrize("name", ["sam_vit_b.pth", "skinsam.pth"])
def test_the_authors_file_gives_the_folders_masks(models: Path, name: str) -> None:
    """All sizes are read from its shapes."""
    ours, theirs = segmenter(models, name), segmenter(models, "sam")
    for part in ("vision_config", "prompt_encoder_config", "mask_decoder_config"):
        read, written = (getattr(x.sam.config, part).to_dict() for x in (ours, theirs))
        assert {k for k in read if read[k] != written[k]} <= {"dtype", "initializer_range"}
    assert all(torch.equal(x, theirs.sam.state_dict()[n]) for n, x in ours.sam.state_dict().items())
    mask = ours.mask(photo(), BOXES)
    assert 0 < mask.sum() < mask.size
    assert (mask == theirs.mask(photo(), BOXES)).all()


class Harmful:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('a stranger\\'s code ran')",)


def test_what_is_no_sam_is_said(tmp_path: Path) -> None:
    whole = original_sam()
    less = {k: v for k, v in whole.items() if k != "mask_decoder.output_upscaling.1.bias"}
    other = {**whole, "image_encoder.neck.3.bias": torch.zeros(3)}
    for name, state, said in (
        ("harmful.pth", Harmful(), "cannot be read as weights"),
        ("optimiser.pth", {**whole, "step": 4}, "holds more than weights"),
        ("vit.pth", {"a": torch.zeros(1)}, "is no SAM"),
        ("cut.pth", less, r"lacks mask_decoder\.upscale_layer_norm\.bias"),
        ("mixed.pth", other, r"other shapes in vision_encoder\.neck\.layer_norm2\.bias"),
    ):
        torch.save(state, tmp_path / name)
        with pytest.raises(WeightsError, match=said):
            load_sam(tmp_path / name, CPU)
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(ProfileError, match="is a 'clip' model; sam, sam2"):
        load_sam(tmp_path, CPU)


def test_sam_2_is_shown_what_its_authors_show_it(models: Path) -> None:
    """Squeezed into a square and normalised; boxes move with it; masks come back in photo pixels."""
    eye = Sam2Eye.load(models / "sam2")
    seen = eye(photo(), [BOXES])
    squeezed = np.asarray(photo().resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.float64) / 255
    wanted = (squeezed - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert np.abs(seen["pixel_values"][0].permute(1, 2, 0).numpy() - wanted).max() < 1e-5
    assert seen["input_boxes"][0, 1].tolist() == pytest.approx([30 * 64 / 70, 2 * 64 / 50, 69 * 64 / 70, 49 * 64 / 50])
    mask = segmenter(models, "sam2").mask(photo(), BOXES)
    assert mask.shape == (50, 70)
    assert 0 < mask.sum() < mask.size
    outside = np.ones_like(mask)
    outside[5:40, 5:40] = outside[2:49, 30:69] = False
    assert not (mask & outside).any()


@pytest.mark.parametrize("name", ["sam", "sam2", "skinsam.pth"])
def test_a_photo_becomes_an_area(models: Path, name: str) -> None:
    ours = segmenter(models, name)
    found = ours.find(photo(), "Psoriasis")
    assert found is not None
    assert found.mask.shape == (50, 70)
    assert found.prompt in ("Psoriasis", "skin lesion")
    ours.threshold = 1.0
    assert ours.find(photo(), "Psoriasis") is None


# lang_sam -----------------------------------------------------------------------------------------------


class LangSAM:
    """Its constructor's words as of its latest version; what it was told."""

    def __init__(
        self,
        sam_type: str = "sam2.1_hiera_small",
        sam_ckpt_path: str | None = None,
        gdino_model_ckpt_path: str | None = None,
        gdino_processor_ckpt_path: str | None = None,
        device: Any = None,
    ) -> None:
        self.told = (sam_type, sam_ckpt_path, gdino_model_ckpt_path, gdino_processor_ckpt_path, str(device))


def lang_sam_profile(folder: Path, **segment: Any) -> Profile:
    said = {"name": "own", "demonstration": False, "root": str(folder), "labels": str(PACK / "labels.yaml")}
    roles = {"segment": {"form": "lang_sam", "device": "cpu", **segment}, "detect": {"path": "dino"}}
    settings = {"box_threshold": 0.3, "fallback_prompt": "skin lesion"}
    (folder / "own.yaml").write_text(json.dumps({**said, "roles": roles, "settings": settings}))
    return load_profile(folder / "own.yaml")


def test_a_profile_chooses_lang_sam_with_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lang_sam", SimpleNamespace(LangSAM=LangSAM))
    (tmp_path / "dino").mkdir()
    hub = tmp_path / "facebook--sam2.1-hiera-tiny"
    hub.mkdir()
    profile = lang_sam_profile(tmp_path, hub="facebook/sam2.1-hiera-tiny")
    with pytest.raises(ProfileError, match=r"holds none; lang_sam wants one of SAM 2's \.pt files"):
        load_segmenter(profile)
    (hub / "sam2.1_hiera_tiny.pt").touch()
    ours = load_segmenter(profile)
    assert isinstance(ours, LangSamSegmenter)
    dino = str(tmp_path / "dino")
    assert ours.model.told == ("sam2.1_hiera_tiny", str(hub / "sam2.1_hiera_tiny.pt"), dino, dino, "cpu")
    assert (ours.threshold, ours.fallback) == (0.3, "skin lesion")

    class Earlier:
        def __init__(self, sam_type: str, ckpt_path: str | None = None) -> None:
            self.told = (sam_type, ckpt_path)

    monkeypatch.setitem(sys.modules, "lang_sam", SimpleNamespace(LangSAM=Earlier))
    before = load_segmenter(lang_sam_profile(tmp_path, path=f"{hub.name}/sam2.1_hiera_tiny.pt"))
    assert before.model.told == ("sam2.1_hiera_tiny", str(hub / "sam2.1_hiera_tiny.pt"))  # type: ignore[attr-defined]


# Device and numbers -------------------------------------------------------------------------------------


def test_clip_and_the_segmenter_take_the_profiles_numbers(models: Path) -> None:
    half = {name: Role(name, path="x", dtype="bfloat16", device="cpu") for name in ("clip", "detect", "segment")}
    clip = ClipEmbedder.load(models / "clip", half["clip"])
    assert clip.model.dtype == torch.bfloat16
    plain = ClipEmbedder.load(models / "clip", Role("clip", path="x", dtype="float32", device="cpu"))
    for ours, theirs in ((clip.images([photo()]), plain.images([photo()])), (clip.texts(["a"]), plain.texts(["a"]))):
        assert ours.dtype == np.float32
        assert float((ours @ theirs.T).min()) > 0.99
    for name in ("sam", "sam2", "sam_vit_b.pth"):
        both = Segmenter.load(models / "dino", models / name, 0.05, "skin", half["detect"], half["segment"])
        assert (both.detector.dtype, both.sam.dtype) == (torch.bfloat16, torch.bfloat16)
        assert both.find(photo(), "psoriasis") is not None


def test_the_embedded_ones_stay_where_they_were(models: Path) -> None:
    ours = Segmenter.load(models / "dino", models / "sam", 0.05, "skin")
    assert {ours.detector.dtype, ours.sam.dtype, ClipEmbedder.load(models / "clip").model.dtype} == {torch.float32}
    assert ours.sam.device == torch.device("cpu")


def test_everything_is_computed_on_the_models_device(models: Path) -> None:
    """On torch's meta device, which refuses tensors of another: only taking the result back to the CPU is refused."""
    back = "Cannot copy out of meta tensor"
    clip = ClipEmbedder.load(models / "clip", Role("clip", path="x", dtype="float16", device="meta"))
    assert clip.model.device == torch.device("meta")
    for call in (clip.images, clip.tokens):
        with pytest.raises(NotImplementedError, match=back):
            call([photo()])
    given: list[torch.device] = []
    clip.model.text_model.register_forward_pre_hook(
        lambda _, args, words: given.append(words["input_ids"].device), with_kwargs=True
    )
    with pytest.raises(RuntimeError, match="meta tensors"):  # it looks for the end of the text, which meta has not
        clip.texts(["a"])
    assert given == [torch.device("meta")]
    roles = [Role(name, path="x", dtype="float16", device="meta") for name in ("detect", "segment")]
    for name in ("sam", "sam2", "sam_vit_b.pth"):
        ours = Segmenter.load(models / "dino", models / name, 0.05, "skin", *roles)
        assert (ours.detector.device, ours.sam.device) == (torch.device("meta"), torch.device("meta"))
        assert (ours.detector.dtype, ours.sam.dtype) == (torch.float16, torch.float16)
        with pytest.raises(NotImplementedError, match=back):
            ours.mask(photo(), BOXES)
    ours.detector.register_forward_pre_hook(
        lambda _, args, words: given.extend(x.device for x in words.values()), with_kwargs=True
    )
    with pytest.raises(RuntimeError, match="meta tensors"):
        ours.boxes(photo(), "psoriasis")
    assert len(given) > 3
    assert set(given) == {torch.device("meta")}
