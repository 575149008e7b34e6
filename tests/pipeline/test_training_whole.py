"""What the VAE learns from whole pictures, and weights that two folders share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import Blip2ForConditionalGeneration, PreTrainedTokenizerFast

from pipeline.training.readers import encoders
from pipeline.training.session import SHIPPED
from pipeline.training.skingpt import IGNORED, answers_loss
from pipeline.training.skingpt_files import SHARDS, in_shards, load_vit, save
from pipeline.training.vae_whole import Seen, difference, weights

generator = torch.Generator().manual_seed(4)


@pytest.fixture(scope="module")
def seen() -> Seen:
    return Seen(encoders(SHIPPED))


def pictures(n: int = 2) -> torch.Tensor:
    smooth = torch.nn.functional.interpolate(torch.rand(n, 3, 6, 6, generator=generator), (96, 96), mode="bicubic")
    return smooth.clamp(0, 1) * 2 - 1


def test_the_same_picture_is_seen_alike_and_a_blurred_one_is_not(seen: Seen) -> None:
    x = pictures()
    little, much = x + 0.02 * torch.randn(x.shape, generator=generator), -x
    assert seen(x, x).item() == pytest.approx(0, abs=1e-5)
    assert 0 < seen(x, little).item() < seen(x, much).item() <= 4


def test_what_is_seen_teaches_the_decoded_picture_alone(seen: Seen) -> None:
    x, y = pictures().requires_grad_(), pictures().requires_grad_()
    seen(x, y).backward()
    assert y.grad is not None
    assert y.grad.abs().sum() > 0
    assert x.grad is None
    assert all(p.grad is None for p in seen.parameters())


def test_a_lesion_counts_so_many_times_as_other_skin() -> None:
    masks = torch.zeros(1, 96, 96, dtype=torch.bool)
    masks[0, 40:50, 40:50] = True
    weight = weights(masks, 5.0)
    assert weight.mean().item() == pytest.approx(1)
    assert (weight[0, 0, 45, 45] / weight[0, 0, 0, 0]).item() == pytest.approx(5)
    assert weight[0, 0, 38, 45] == weight[0, 0, 45, 45], "its edge too"


def test_an_error_on_the_lesion_weighs_more_than_beside_it() -> None:
    masks = torch.zeros(1, 96, 96, dtype=torch.bool)
    masks[0, 8:40, 8:40] = True
    weight, x = weights(masks, 5.0), torch.zeros(1, 3, 96, 96)
    on, beside = x.clone(), x.clone()
    on[..., 16:24, 16:24], beside[..., 64:72, 64:72] = 0.2, 0.2
    assert difference(x, x, weight).item() == 0
    assert difference(x, on, weight).item() == pytest.approx(5 * difference(x, beside, weight).item(), rel=0.01)


def test_a_shift_of_hue_costs_more_than_the_same_shift_of_light() -> None:
    x, weight = torch.zeros(1, 3, 96, 96), torch.ones(1, 1, 96, 96)
    redder = torch.tensor([0.1, -0.1, 0.1]).reshape(1, 3, 1, 1).expand_as(x)
    assert difference(x, redder, weight) > 2 * difference(x, torch.full_like(x, 0.1), weight)


def test_a_captioner_in_shards_is_the_model_it_was(tmp_path: Path) -> None:
    whole = Blip2ForConditionalGeneration.from_pretrained(SHIPPED / "skingpt", dtype=torch.float16)
    for name in ("captioner", "skingpt"):
        with torch.no_grad():
            whole.language_projection.bias += 1
        whole.save_pretrained(tmp_path / name)
        in_shards(tmp_path / name, tmp_path / "skingpt")
    said, asked = (
        Blip2ForConditionalGeneration.from_pretrained(tmp_path / name, dtype=torch.float16).state_dict()
        for name in ("captioner", "skingpt")
    )
    differing = {name for name in said if not torch.equal(said[name], asked[name])}
    assert differing == {"language_projection.bias"}
    assert torch.equal(asked["language_projection.bias"], said["language_projection.bias"] + 1)
    assert all(torch.equal(tensor, asked[name]) for name, tensor in whole.state_dict().items())
    assert sum(file.stat().st_size for file in (tmp_path / "captioner").iterdir()) < 200_000


def test_no_file_is_left_where_an_index_would_pass_it_over(tmp_path: Path) -> None:
    save_file({"language_projection.bias": torch.ones(2), "rest": torch.ones(3)}, tmp_path / "model.safetensors")
    in_shards(tmp_path, tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


def test_the_vit_alone_is_the_vit_of_skingpt() -> None:
    whole = Blip2ForConditionalGeneration.from_pretrained(SHIPPED / "skingpt", dtype=torch.float32).vision_model
    x = pictures()
    with torch.no_grad():
        assert torch.allclose(load_vit(SHIPPED)(x).pooler_output, whole(x).pooler_output, atol=1e-4)


def test_who_reads_a_pack_while_it_is_saved_anew_reads_one_or_the_other(tmp_path: Path) -> None:
    model = Blip2ForConditionalGeneration.from_pretrained(SHIPPED / "skingpt", dtype=torch.float32)
    words = PreTrainedTokenizerFast.from_pretrained(SHIPPED / "skingpt")
    save(model, words, 16, tmp_path / "captioner", tmp_path / "skingpt")
    shard = tmp_path / "skingpt" / SHARDS[1]
    with shard.open("rb") as reader:
        begun = reader.read(1000)
        before = shard.read_bytes()
        with torch.no_grad():
            model.query_tokens += 1
        save(model, words, 16, tmp_path / "captioner", tmp_path / "skingpt")
        assert shard.read_bytes() != before
        assert begun + reader.read() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["captioner", "skingpt"]
    again = Blip2ForConditionalGeneration.from_pretrained(tmp_path / "captioner", dtype=torch.float32)
    assert torch.equal(again.query_tokens, model.query_tokens.half().float())


def test_the_loss_of_answers_is_the_models_own() -> None:
    language = Blip2ForConditionalGeneration.from_pretrained(SHIPPED / "skingpt", dtype=torch.float32).language_model
    ids = torch.randint(10, 500, (3, 20), generator=generator)
    labels = torch.where(torch.rand(3, 20, generator=generator) < 0.4, ids, IGNORED)
    mask = torch.ones_like(ids)
    with torch.no_grad():
        ours = answers_loss(language, ids, mask, labels)
        theirs = language(input_ids=ids, attention_mask=mask, labels=labels).loss
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
