"""lang_sam's answers, as its predict() gives them, become the pipeline's own result. The library is not needed."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.langsam import LangSamSegmenter
from pipeline.profile import ProfileError


class Answers:
    """What `LangSAM.predict` returns: a dict per picture; two masks for the fallback, none for the name."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def predict(self, images: list[Image.Image], texts: list[str], **thresholds: float) -> list[dict[str, Any]]:
        assert thresholds == {"box_threshold": 0.3, "text_threshold": 0.3}
        self.asked += texts
        if texts != ["skin lesion."]:
            return [{"scores": np.array([]), "boxes": np.array([]), "masks": []}]
        masks = np.zeros((2, 20, 30), dtype=np.float32)
        masks[0, 2:5, 3:9] = 1
        masks[1, 10:12, 20:22] = 1
        return [{"scores": np.array([0.4, 0.7]), "boxes": np.zeros((2, 4)), "masks": masks}]


def test_masks_are_united_and_the_fallback_is_named() -> None:
    model = Answers()
    found = LangSamSegmenter(model, 0.3, "skin lesion").find(Image.new("RGB", (30, 20)), "Psoriasis")
    assert found is not None
    assert model.asked == ["psoriasis.", "skin lesion."]
    assert (found.box, found.score, found.prompt) == ((3, 2, 22, 12), 0.7, "skin lesion")
    assert found.mask.shape == (20, 30)
    assert found.mask.sum() == 18 + 4


def test_nothing_found_is_none() -> None:
    assert LangSamSegmenter(Answers(), 0.3, "mole").find(Image.new("RGB", (30, 20)), "psoriasis") is None


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lang_sam", None)
    with pytest.raises(ProfileError, match="pip install"):
        LangSamSegmenter.load(0.3, "skin lesion")
