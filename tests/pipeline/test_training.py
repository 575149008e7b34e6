"""The training loop survives a kill; the pieces of the losses are what they claim; recipes run from seeds."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.phantom import LABELS
from pipeline.profile import load_knowledge, load_profile
from pipeline.training import loop, relay
from pipeline.training.data import SIZE
from pipeline.training.detector import GENERIC, boxes_of, corners, giou, phrase_tokens, prompt_for, set_loss, tokenizer
from pipeline.training.encoded import painted_area
from pipeline.training.made import RECIPES
from pipeline.training.notes import QUESTIONS, Facts, answer, dialogue
from pipeline.training.sam import boxes_and_targets
from pipeline.training.session import Session, recipe
from pipeline.training.text import clip_corpus, clip_tokenizer


@pytest.fixture
def here(tmp_path: Path) -> Session:
    """Nowhere near the pack."""
    return Session(tmp_path / "pack", tmp_path / "work", key="recipe")


def line(
    session: Session, steps: int, every: int = 0, fail_at: int | None = None, average: bool = False, drop: float = 0.0
) -> nn.Linear:
    """Fit y = 3x - 1; optionally die in mid-training, be handed over ``every`` so many steps, or drop a share out."""
    torch.manual_seed(0)
    model = nn.Linear(1, 1)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        if step == fail_at:
            raise KeyboardInterrupt
        x = torch.randn(16, 1, generator=generator)
        return (model(F.dropout(x, drop)) - (3 * x - 1)).square().mean()

    schedule = loop.Schedule(steps, 0.2, warmup=5, save_every=10, bf16=False, handover_every=every)
    loop.train(session, "line", model, loss_of, schedule, average)
    return model


@pytest.mark.parametrize("drop", [0.0, 0.3])
def test_a_killed_training_ends_where_an_undisturbed_one_does(drop: float, here: Session, tmp_path: Path) -> None:
    undisturbed = line(here, 60, drop=drop)
    again = replace(here, work=tmp_path / "second")
    with pytest.raises(KeyboardInterrupt):
        line(again, 60, fail_at=47, drop=drop)
    resumed = line(again, 60, drop=drop)
    assert torch.equal(resumed.weight, undisturbed.weight)
    assert torch.equal(resumed.bias, undisturbed.bias)
    assert drop or abs(undisturbed.weight.item() - 3) < 1


def test_a_restart_begins_at_half_the_height_and_ends_at_its_twentieth() -> None:
    schedule = loop.Schedule(300, 1.0, (200,), warmup=10)
    rates = [schedule.at(step) for step in range(300)]
    assert (max(rates[:200]), max(rates[200:])) == pytest.approx((1.0, 0.5), rel=0.02)
    assert (rates[199], rates[299]) == pytest.approx((0.05, 0.025), rel=0.05)
    assert next(step for step in range(300) if schedule.again(step)) == 200
    longer = loop.Schedule(400, 1.0, (200, 300), warmup=10)
    assert [longer.at(step) for step in range(300)] == rates
    assert max(longer.at(step) for step in range(300, 400)) == pytest.approx(0.5, rel=0.02)


def test_a_loss_that_is_not_a_number_stops_the_training(here: Session) -> None:
    model = nn.Linear(1, 1)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        loop.train(here, "bad", model, lambda *_: model.weight.sum() * float("nan"), loop.Schedule(3, 0.1))


def test_every_part_has_a_recipe_with_its_launch_line() -> None:
    for path in RECIPES.glob("*.yaml"):
        assert path.read_text().startswith(f"# python -m pipeline train {path.stem.replace('_', '-')}"), path
        assert "seed" in recipe(path.stem)


def test_answers_name_the_right_condition() -> None:
    known = {k.label: k for k in load_knowledge(Path("pipeline/packs/phantom/labels.yaml"))}
    for label, about in known.items():
        facts = Facts(label, "brown", ("a plaque", "redness"))
        for kind in set(QUESTIONS) - {"off topic"}:
            said = answer(kind, facts, about, "vitiligo" if label != "vitiligo" else "striae")
            assert label in said.lower(), (kind, said)
            assert said[0].isupper()
            assert said.endswith(".")
        assert all(other in answer("lookalikes", facts, about) for other in about.look_alikes)


def test_dialogues_are_drawn_from_their_seed() -> None:
    known = {k.label: k for k in load_knowledge(Path("pipeline/packs/phantom/labels.yaml"))}
    facts = Facts("psoriasis", "fair", ("a plaque",))
    assert dialogue(random.Random(5), facts, known, 4) == dialogue(random.Random(5), facts, known, 4)
    kinds = {said for seed in range(60) for _, said in dialogue(random.Random(seed), facts, known, 3)}
    assert len(kinds) > 8


def test_boxes_and_overlaps() -> None:
    mask = torch.zeros(2, 10, 10, dtype=torch.bool)
    mask[0, 2:6, 4:8] = True
    boxes = boxes_of(mask)
    assert boxes[0].tolist() == pytest.approx([0.6, 0.4, 0.4, 0.4])
    assert boxes[1].tolist() == [0, 0, 0, 0]
    assert corners(boxes)[0].tolist() == pytest.approx([0.4, 0.2, 0.8, 0.6])
    unit, apart = torch.tensor([0.0, 0, 1, 1]), torch.tensor([2.0, 0, 3, 1])
    assert float(giou(unit, unit)) == pytest.approx(1, abs=1e-4)
    assert float(giou(unit, apart)) == pytest.approx(-1 / 3, abs=1e-4)


def test_the_true_phrases_tokens_are_found() -> None:
    words = tokenizer()
    text = words(["vitiligo. port wine stain. striae."], return_tensors="pt")
    assert text.input_ids[0, 0] == 101
    inside = phrase_tokens(text.input_ids, [1])[0]
    assert words.decode(text.input_ids[0][inside]) == "port wine stain"
    assert not phrase_tokens(text.input_ids, [-1]).any()


def test_the_detectors_loss_prefers_the_right_box_and_the_right_name() -> None:
    target = torch.tensor([[0.5, 0.5, 0.4, 0.4]])
    tokens, true = torch.tensor([[True, True]]), torch.tensor([[True, False]])
    good = set_loss(torch.tensor([[[5.0, -5.0]]]), target[None], tokens, true, target, 1)
    wrong_box = set_loss(torch.tensor([[[5.0, -5.0]]]), target[None] * 0.5, tokens, true, target, 1)
    wrong_name = set_loss(torch.tensor([[[-5.0, 5.0]]]), target[None], tokens, true, target, 1)
    assert good < wrong_box
    assert good < wrong_name
    absent = set_loss(torch.tensor([[[5.0, -5.0]]]), target[None], tokens, ~tokens, target, 1)
    assert absent > set_loss(torch.tensor([[[-5.0, -5.0]]]), target[None], tokens, ~tokens, target, 1)


def test_the_profile_falls_back_to_a_phrase_the_detector_was_taught() -> None:
    assert load_profile("phantom").settings["fallback_prompt"] == GENERIC
    assert load_profile("phantom").settings["image_size"] == SIZE


def test_prompts_hold_the_true_name_part_of_the_time() -> None:
    rng = random.Random(0)
    drawn = [prompt_for("psoriasis", rng) for _ in range(400)]
    there = [place >= 0 for _, place in drawn]
    assert 0.5 < sum(there) / len(there) < 0.7
    for prompt, place in drawn:
        phrases = prompt.rstrip(".").split(". ")
        assert (place >= 0) == ("psoriasis" in phrases or "skin lesion" in phrases)
        assert place < 0 or phrases[place] in {"psoriasis", "skin lesion"}


def test_sams_targets_are_what_the_boxes_hold() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = torch.zeros(40, 96, 96, dtype=torch.bool)
    masks[:, 10:30, 10:30] = True
    masks[:, 60:70, 50:80] = True
    boxes, targets = boxes_and_targets(masks, generator)
    for box, target in zip(boxes.flatten(0, 1), targets.flatten(0, 1), strict=True):
        x0, y0, x1, y1 = box.tolist()
        rows, cols = target.nonzero(as_tuple=True)
        if len(rows):
            assert cols.min() >= x0 - 2
            assert cols.max() <= x1 + 1
            assert rows.min() >= y0 - 2
            assert rows.max() <= y1 + 1
    whole, one, _, clear = targets.unbind(1)
    assert whole.sum() > 0.95 * masks.sum()
    assert set(one.sum((1, 2)).tolist()) <= {400, 300}, "exactly one of the two lesions"
    assert not clear.any(), "in so empty a picture a clear box is always found"


def test_without_a_lesion_every_box_is_empty() -> None:
    _, targets = boxes_and_targets(torch.zeros(3, 96, 96, dtype=torch.bool), torch.Generator().manual_seed(1))
    assert not targets.any()


def test_the_area_to_paint_covers_the_lesions() -> None:
    lesions = torch.zeros(30, 96, 96, dtype=torch.bool)
    lesions[:, 40:60, 30:50] = True
    area = painted_area(lesions, torch.Generator().manual_seed(0), 0.2)
    assert (area[:, 0][lesions] == 1).all()
    whole = (area.mean((1, 2, 3)) == 1).float().mean()
    assert 0 < whole < 0.6


def test_the_tokenizer_knows_its_words_and_encodes_any_text() -> None:
    words = clip_tokenizer(clip_corpus())
    assert [t.removesuffix("</w>") for t in words.tokenize("keratosis pilaris, dark brown skin")] == [
        "keratosis", "pilaris", ",", "dark", "brown", "skin",
    ]  # fmt: skip
    assert words.eos_token_id != 2, "2 triggers CLIP's old pooling rule"
    assert len(words("皮肤 zebra <script>").input_ids) > 4
    assert all(len(words(f"{label}, dark brown skin").input_ids) < 20 for label in LABELS)


@pytest.mark.parametrize("average", [False, True])
def test_a_training_handed_to_another_machine_ends_as_on_one(average: bool, here: Session, tmp_path: Path) -> None:
    """With nothing of the first machine but the pack."""
    undisturbed = line(here, 60, 20, average=average)
    second = Session(tmp_path / "handed", tmp_path / "second", "recipe")
    with pytest.raises(KeyboardInterrupt):
        line(second, 60, 20, fail_at=55, average=average)
    assert handovers(second) == ["line-40.safetensors"]
    third = replace(second, work=tmp_path / "third")
    ended = line(third, 60, 20, fail_at=39, average=average)  # which it does not come by
    assert ended.weight.equal(undisturbed.weight)
    log = (second.pack / "logs" / "line.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["step"] == 60


def handovers(session: Session) -> list[str]:
    return sorted(path.name for path in (session.pack / "relay").iterdir())


def test_of_checkpoint_and_handover_the_further_is_gone_on_from(here: Session, tmp_path: Path) -> None:
    """Also where one was begun here and came back from elsewhere."""
    undisturbed = line(here, 60, 20)
    first, elsewhere = (Session(tmp_path / "both", tmp_path / place, "recipe") for place in ("first", "elsewhere"))
    for session, stop in ((first, 35), (elsewhere, 55)):
        with pytest.raises(KeyboardInterrupt):
            line(session, 60, 20, fail_at=stop)
    assert handovers(first) == ["line-40.safetensors"]
    assert line(first, 60, 20, fail_at=39).weight.equal(undisturbed.weight)
    assert line(elsewhere, 60, 20, fail_at=49).weight.equal(undisturbed.weight), "its checkpoint is of step 50"


def test_the_log_is_there_before_the_weights_that_go_on_with_it(
    here: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two, and the pack copied to another machine."""
    monkeypatch.setattr(relay, "save_file", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        line(here, 60, 20)
    log = (here.pack / "logs" / "line.jsonl").read_text()
    assert json.loads(log.splitlines()[-1])["step"] == 20
    monkeypatch.undo()
    line(replace(here, work=tmp_path / "second"), 60, 20)


def test_a_handover_of_something_else_is_left_alone(here: Session, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        line(here, 60, 20, fail_at=45)
    line(replace(here, key="shortened", work=tmp_path / "second"), 20, 10)
    assert handovers(here) == ["line-20.safetensors", "line-40.safetensors"]


def test_weights_of_another_recipe_are_not_taken_over(here: Session, tmp_path: Path) -> None:
    line(here, 60, 60)
    assert handovers(here) == ["line-60.safetensors"]
    line(replace(here, work=tmp_path / "second"), 60, 60, fail_at=0)  # all is there: nothing is left to do
    with pytest.raises(KeyboardInterrupt):
        line(replace(here, key="other recipe", work=tmp_path / "third"), 60, 60, fail_at=0)
    relay.clear(here.pack / "relay", "other recipe")
    assert (here.pack / "relay").exists()
    relay.clear(here.pack / "relay", "recipe")
    assert not (here.pack / "relay").exists()


def test_after_a_handover_the_rate_rises_to_where_it_was() -> None:
    plain = loop.Schedule(100, 1.0, warmup=10)
    handing = loop.Schedule(100, 1.0, warmup=10, handover_every=50)
    rates = [handing.at(step) for step in range(100)]
    assert rates[:50] == [plain.at(step) for step in range(50)]
    assert rates[59:] == [plain.at(step) for step in range(59, 100)]
    assert rates[50] == pytest.approx(plain.at(50) / 10)
