"""The judge, DINOv2 and the figures on drawn pictures: names, shapes, files, and figures that see what is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from pipeline.evaluation.drawing import Drawn, leaves_alone, references, shows
from pipeline.evaluation.judge import CLEAR, Judge, Verdict, batches
from pipeline.evaluation.similarity import DinoEmbedder, lab, nearest_is_own, squared_error, tones
from pipeline.evaluation.unseen import cell, photo
from pipeline.frame import frame_around
from pipeline.orders import Order
from pipeline.phantom import HELD_OUT, LABELS, Phantom, draw
from pipeline.training import data, dino, distort
from pipeline.training import judge as training
from pipeline.training.session import SHIPPED, recipe
from pipeline.types import AdapterPlan


def untrained() -> Judge:
    torch.manual_seed(0)
    return Judge(training.build(recipe("judge")))


def noise(seed: int, *sizes: tuple[int, int]) -> list[Image.Image]:
    rng = np.random.default_rng(seed)
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for h, w in sizes]


def test_every_picture_gets_a_verdict_whatever_its_size() -> None:
    judge = untrained()
    assert judge.conditions == (*LABELS, HELD_OUT, CLEAR)
    verdicts = judge.look(noise(1, (96, 96), (300, 200), (40, 50)))
    assert len(verdicts) == 3
    for verdict in verdicts:
        assert verdict.label is None or verdict.label in (*LABELS, HELD_OUT)
        assert 1 <= verdict.skin_type <= 6
        assert 1 / len(judge.conditions) <= verdict.probability <= 1
    assert judge.look([]) == []


def test_the_heads_are_read_where_they_are() -> None:
    """A network that always says one condition and one type is understood so."""
    judge = untrained()
    last = judge.model.classifier[-1]
    last.weight.data.zero_()
    last.bias.data.zero_()
    last.bias.data[judge.conditions.index(HELD_OUT)] = 9
    last.bias.data[len(judge.conditions) + 4] = 9
    assert [(v.label, v.skin_type) for v in judge.look(noise(2, (96, 96)))] == [(HELD_OUT, 5)]
    last.bias.data[judge.conditions.index(CLEAR)] = 99
    assert judge.look(noise(2, (96, 96)))[0].label is None


def test_a_saved_judge_says_the_same_and_is_small(tmp_path: Path) -> None:
    judge = untrained()
    judge.model.half().save_pretrained(tmp_path)
    judge.model.float()
    loaded = Judge.load(tmp_path)
    pictures = noise(3, (96, 96), (120, 120))
    assert loaded.look(pictures) == judge.look(pictures)
    assert (tmp_path / "model.safetensors").stat().st_size < 1.5e6
    with pytest.raises(OSError, match="nowhere"):
        Judge.load(tmp_path / "nowhere")


def test_batches_hold_every_picture_once() -> None:
    pictures = noise(4, *[(32, 32)] * 7)
    parts = list(batches(pictures, 48, size=3))
    assert [tuple(p.shape) for p in parts] == [(3, 3, 48, 48), (3, 3, 48, 48), (1, 3, 48, 48)]
    assert all(p.min() >= -1 and p.max() <= 1 for p in parts)


def test_the_judges_examples_are_its_own_and_rightly_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "CACHE", tmp_path)
    parts = training.examples("judge", 40, least_extent=0.5)
    assert {p.condition(0) for p in parts} == {LABELS[0], HELD_OUT}
    rows = [0, 3, 19, 40, 41]
    x, condition, skin_type = training.batch(parts, rows)
    assert x.shape == (5, 3, data.SIZE, data.SIZE)
    names = [training.CONDITIONS[int(c)] for c in condition]
    assert names == [LABELS[0], LABELS[3], CLEAR, HELD_OUT, HELD_OUT]
    assert skin_type.tolist() == [*(parts[0].skin_types[[0, 3, 19]] - 1), *(parts[1].skin_types[:2] - 1)]
    assert torch.equal(x[3], training.batch(parts, [40])[0][0])
    spans = sorted(data.SEEDS.values())
    after = min(s for s in spans if s > data.SEEDS["judge"])
    assert after - data.SEEDS["judge"] > 1_000_000, "no other seeds within the judge's range"


def pictures(n: int = 12) -> torch.Tensor:
    drawn = [draw(700 + i, 96, *cell(5 * i)).image for i in range(n)]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_distortions_are_drawn_from_the_generator() -> None:
    x = pictures()
    first, again, other = (distort.distorted(x, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == x.shape
    assert first.abs().max() <= 1


def test_distortions_leave_the_skin_type_to_be_seen() -> None:
    """Neighbouring skin types differ by some 0.2 in mean brightness; distortions must stay well below that."""
    x = pictures()
    changes = [
        (distort.distorted(x, torch.Generator().manual_seed(s)).mean((1, 2, 3)) - x.mean((1, 2, 3))).abs()
        for s in range(6)
    ]
    assert torch.stack(changes).mean() < 0.05
    assert (distort.jittered(x, torch.Generator().manual_seed(0)) - x).mean((1, 2, 3)).abs().mean() > 0.05


def test_a_window_shows_nothing_that_is_not_in_the_picture() -> None:
    """Values stay within the picture's own, so no black border is laid around it, at every turn and zoom."""
    x = pictures(4).clamp(0.2, 0.9)
    for seed in range(6):
        seen = distort.placed(x, 64, (0.5, 1.3), torch.Generator().manual_seed(seed))
        assert seen.shape == (4, 3, 64, 64)
        assert seen.min() >= 0.2 - 1e-4
        assert seen.max() <= 0.9 + 1e-4


def test_a_small_window_shows_the_scene_larger() -> None:
    """A disc that covers 1/16 of the picture covers about 1/4 of a window of half its side around it."""
    axis = torch.linspace(-1, 1, 96)
    disc = ((axis[:, None] ** 2 + axis[None] ** 2) < 0.0796).float().expand(40, 3, 96, 96)
    whole = distort.placed(disc, 96, (1.0, 1.0), torch.Generator().manual_seed(0)).mean()
    half = distort.placed(disc, 96, (0.5, 0.5), torch.Generator().manual_seed(0)).mean()
    assert float(whole) == pytest.approx(1 / 16, rel=0.1)
    assert float(half) > 1.8 * float(whole)


def test_blur_and_shrinking_take_detail_away_and_keep_the_rest() -> None:
    x = pictures(4)
    for changed in (distort.blurred(x, 1.5), distort.shrunk(x, torch.Generator().manual_seed(3))):
        assert torch.allclose(changed.mean((1, 2, 3)), x.mean((1, 2, 3)), atol=0.02)
        assert changed.diff(dim=-1).abs().mean() < 0.9 * x.diff(dim=-1).abs().mean()


def test_the_student_is_rewarded_for_the_teachers_answer_on_the_other_view() -> None:
    said = [torch.tensor([[1.0, 0, 0]]), torch.tensor([[0.0, 1, 0]])]
    for_first, for_second = torch.tensor([[0.0, 9, 0]]), torch.tensor([[9.0, 0, 0]])
    crossed = dino.distillation_loss(said, [for_first, for_second], 1.0)
    own = dino.distillation_loss(said, [for_second, for_first], 1.0)
    assert crossed < 0.01, "each view must give what the teacher says of the other"
    assert own > 5


def small_dino() -> dino.Distillation:
    torch.manual_seed(0)
    settings = {**recipe("dino"), "width": 32, "layers": 1}
    return dino.Distillation(dino.Network(dino.build(settings), 16), 16)


def test_the_teacher_follows_slowly_and_its_answers_are_shares() -> None:
    model = small_dino()
    before = [p.clone() for p in model.teacher.parameters()]
    with torch.no_grad():
        for p in model.student.parameters():
            p.add_(1.0)
    model.follow(0.9)
    for was, now in zip(before, model.teacher.parameters(), strict=True):
        assert torch.allclose(now - was, torch.full_like(was, 0.1), atol=1e-5)
    assert not any(p.requires_grad for p in model.teacher.parameters())
    targets = model.targets([pictures(3), pictures(3).flip(-1)], 0.04)
    assert torch.allclose(targets[0].sum(1), torch.ones(3), atol=1e-4)
    assert model.centre.abs().sum() > 0


def test_dinos_embeddings_are_unit_vectors_and_survive_saving(tmp_path: Path) -> None:
    encoder = small_dino().teacher.encoder
    encoder.half().save_pretrained(tmp_path)
    encoder.float()
    images = noise(5, (96, 96), (50, 80))
    vectors, loaded = DinoEmbedder(encoder).images(images), DinoEmbedder.load(tmp_path).images(images)
    assert vectors.shape == (2, 32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert loaded == pytest.approx(vectors, abs=1e-4)


def test_pictures_that_are_all_alike_are_nearest_to_one_reference() -> None:
    """So that at IP-Adapter scale 0 exactly one in k hits."""
    references = np.eye(4, 6, dtype=np.float32)
    assert nearest_is_own(references, references) == [True] * 4
    assert sum(nearest_is_own(np.repeat(references[2:3], 4, 0), references)) == 1
    assert nearest_is_own(references[::-1], references) == [False] * 4


def test_colours_are_those_of_cielab() -> None:
    """sRGB red and blue in CIELAB, D65, as colour tables print them to one decimal."""
    levels = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]], dtype=np.uint8)
    published = [[100, 0, 0], [0, 0, 0], [53.2, 80.1, 67.2], [32.3, 79.2, -107.9]]
    assert lab(levels) == pytest.approx(np.array(published), abs=0.06)


def test_the_tone_is_the_skins_and_not_the_lesions() -> None:
    skin, other = np.full((10, 10, 3), (180, 140, 120), np.uint8), np.full((10, 10, 3), (90, 60, 45), np.uint8)
    with_lesion = skin.copy()
    with_lesion[:4] = (120, 30, 30)
    pictures, references = ([Image.fromarray(x) for x in pair] for pair in ((with_lesion, other), (skin, other)))
    assert nearest_is_own(tones(pictures), tones(references)) == [True, True]
    assert tones(pictures)[0] == pytest.approx(tones(references)[0])


def test_squared_error_is_in_units_of_the_whole_range() -> None:
    black, white, grey = (Image.new("RGB", (9, 9), (v, v, v)) for v in (0, 255, 51))
    assert squared_error(black, white) == pytest.approx(1)
    assert squared_error(black, grey) == pytest.approx(0.04)
    assert squared_error(grey, grey) == 0


def test_references_are_other_scenes_of_the_same_condition() -> None:
    phantoms = [draw(data.SEEDS["test"] + i, 96, *cell(i)) for i in range(2)]
    given = [references(p) for p in phantoms]
    assert [p.label for p in given[0]] == [phantoms[0].label] * 4
    assert len({p.skin_type for p in given[0]}) == 4
    seeds = [p.seed for row in given for p in row]
    assert len(set(seeds)) == 8
    assert all(data.SEEDS["test"] <= s < data.SEEDS["gallery"] for s in seeds)


class Says(Judge):
    """A judge with prepared verdicts."""

    def __init__(self, *verdicts: tuple[str | None, int]) -> None:
        self.verdicts = [Verdict(label, t, 1.0) for label, t in verdicts]

    def look(self, images: Sequence[Image.Image]) -> list[Verdict]:
        return [v for v, _ in zip(self.verdicts, images, strict=False)]


def drawn(label: str, picture: Image.Image | None = None) -> Drawn:
    phantom = draw(100_000_007, 96, LABELS[0], 3)
    order = Order(label, f"{label}, skin", AdapterPlan(label, None, 0.0, 0.0, ()), None, 1)
    return Drawn(phantom, frame_around(phantom.mask), order, picture or photo(phantom))


def test_figures_of_what_is_shown_count_conditions_and_skin_types() -> None:
    said = Says((LABELS[0], 3), (LABELS[2], 4), (None, 6))
    figures = {f.what: f for f in shows(said, [drawn(LABELS[0]), drawn(LABELS[1]), drawn(LABELS[1])])}
    named = figures["drawn picture named as asked, by the judge"]
    assert (named.value, named.worst, named.worst_value) == (pytest.approx(100 / 3), LABELS[1], 0)
    assert named.holds is False
    exactly = next(f for what, f in figures.items() if what.startswith("skin type kept exactly"))
    assert exactly.value == pytest.approx(100 / 3)
    assert figures["skin type kept within one"].value == pytest.approx(200 / 3)


def test_one_pixel_changed_outside_the_area_is_seen() -> None:
    whole = drawn(LABELS[0])
    assert next(leaves_alone([whole])).value == 0
    outside, inside = (np.argwhere(area)[0] for area in (~whole.frame.area, whole.frame.area))
    for (y, x), expected in ((outside, 100), (inside, 0)):
        changed = np.asarray(whole.picture).copy()
        changed[y, x, 1] ^= 1
        figure = next(leaves_alone([dataclasses.replace(whole, picture=Image.fromarray(changed))]))
        assert figure.value == expected
        assert figure.holds is (expected == 0)


# With the shipped weights: what the other figures on drawn pictures rest upon.


@pytest.fixture(scope="module")
def unseen() -> list[Phantom]:
    """Every condition on every skin type, none used for training."""
    return [draw(data.SEEDS["validate"] + 500_000 + i, 96, *cell(i)) for i in range(6 * len(LABELS))]


@pytest.fixture(scope="module")
def shipped() -> Judge:
    return Judge.load(SHIPPED / "judge")


def right(verdicts: list[Verdict], phantoms: list[Phantom]) -> float:
    return float(np.mean([v.label == p.label for v, p in zip(verdicts, phantoms, strict=True)]))


def test_the_shipped_judge_knows_unseen_phantoms_also_blurred(shipped: Judge, unseen: list[Phantom]) -> None:
    assert shipped.conditions == (*LABELS, HELD_OUT, CLEAR)
    sharp = [photo(p) for p in unseen]
    verdicts = shipped.look(sharp)
    assert right(verdicts, unseen) > 0.9
    assert np.mean([abs(v.skin_type - p.skin_type) <= 1 for v, p in zip(verdicts, unseen, strict=True)]) > 0.97
    assert right(shipped.look([i.filter(ImageFilter.GaussianBlur(1.2)) for i in sharp]), unseen) > 0.85


def test_the_shipped_judge_knows_the_kept_out_condition_and_clear_skin(shipped: Judge) -> None:
    first = data.SEEDS["validate"] + 600_000
    for label in (HELD_OUT, None):
        phantoms = [draw(first + t, 96, label, t % 6 + 1) for t in range(18)]
        assert right(shipped.look([photo(p) for p in phantoms]), phantoms) > 0.8


def test_the_shipped_dino_finds_the_same_photo_compressed_and_smaller(unseen: list[Phantom]) -> None:
    encoder = DinoEmbedder.load(SHIPPED / "dino")
    photos = [photo(p) for p in unseen]
    smaller = [p.resize((60, 60)).filter(ImageFilter.GaussianBlur(0.5)) for p in photos]
    assert np.mean(nearest_is_own(encoder.images(smaller), encoder.images(photos))) > 0.8
