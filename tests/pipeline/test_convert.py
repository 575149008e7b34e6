"""The converter, on tiny random weights in the originals' own layout: names, files, nesting.

The converted model must compute what the originals compute. That is written here a second time, from the papers and
the original names alone (`reference_logits`), with plain torch functions.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner

from pipeline.convert.architecture import Architecture
from pipeline.convert.skingpt4 import FACTS, Files, convert, load_converted, make_plan, shards
from pipeline.convert.sources import ConversionError
from pipeline.convert.templates import SLOT, TEMPLATES, prompt_ids

TINY = Architecture(
    width=16, layers=2, heads=2, mlp=24, patch=4, image_size=8,
    q_width=12, q_layers=2, q_heads=3, q_mlp=20, cross_every=2, queries=3,
)  # fmt: skip
WORDS = ["<unk>", "<s>", "</s>", "###", "Human", "Assistant", ":", "what", "is", "this", "eczema"]
VOCABULARY, HIDDEN, HEADS, MLP, LAYERS, EPS = len(WORDS), 16, 2, 28, 2, 1e-6


def linear(state: dict[str, Tensor], name: str, rows: int, columns: int, bias: bool = True) -> None:
    state[f"{name}.weight"] = torch.randn(rows, columns) / math.sqrt(columns)
    if bias:
        state[f"{name}.bias"] = torch.randn(rows) * 0.3


def norm(state: dict[str, Tensor], name: str, width: int, bias: bool = True) -> None:
    state[f"{name}.weight"] = 1 + 0.3 * torch.randn(width)
    if bias:
        state[f"{name}.bias"] = 0.3 * torch.randn(width)


def eva_file() -> dict[str, Tensor]:
    """As eva_vit_g.pth: a flat dict, with one block more than is used and its own head."""
    w, s = TINY.width, {}
    s["cls_token"], s["pos_embed"] = torch.randn(1, 1, w), torch.randn(1, 5, w)
    s["patch_embed.proj.weight"], s["patch_embed.proj.bias"] = torch.randn(w, 3, 4, 4) * 0.1, torch.randn(w)
    for i in range(TINY.layers + 1):
        norm(s, f"blocks.{i}.norm1", w)
        linear(s, f"blocks.{i}.attn.qkv", 3 * w, w, bias=False)
        s[f"blocks.{i}.attn.q_bias"], s[f"blocks.{i}.attn.v_bias"] = torch.randn(w), torch.randn(w)
        linear(s, f"blocks.{i}.attn.proj", w, w)
        norm(s, f"blocks.{i}.norm2", w)
        linear(s, f"blocks.{i}.mlp.fc1", TINY.mlp, w)
        linear(s, f"blocks.{i}.mlp.fc2", w, TINY.mlp)
    norm(s, "norm", w)
    linear(s, "head", 7, w)
    return s


def qformer_file() -> dict[str, Tensor]:
    """As blip2_pretrained_flant5xxl.pth's "model", with the text branch that older files hold."""
    w, s = TINY.q_width, {}
    s["query_tokens"] = torch.randn(1, TINY.queries, w)
    norm(s, "ln_vision", TINY.width)
    norm(s, "Qformer.bert.embeddings.LayerNorm", w)
    s["Qformer.bert.embeddings.position_ids"] = torch.arange(9)[None]
    s["Qformer.bert.embeddings.word_embeddings.weight"] = torch.randn(9, w)
    for i in range(TINY.q_layers):
        layer = f"Qformer.bert.encoder.layer.{i}"
        for kind in ("attention", "crossattention") if i % TINY.cross_every == 0 else ("attention",):
            linear(s, f"{layer}.{kind}.self.query", w, w)
            for part in ("key", "value"):
                linear(s, f"{layer}.{kind}.self.{part}", w, w if kind == "attention" else TINY.width)
            linear(s, f"{layer}.{kind}.output.dense", w, w)
            norm(s, f"{layer}.{kind}.output.LayerNorm", w)
        for branch in ("", "_query"):
            linear(s, f"{layer}.intermediate{branch}.dense", TINY.q_mlp, w)
            linear(s, f"{layer}.output{branch}.dense", w, TINY.q_mlp)
            norm(s, f"{layer}.output{branch}.LayerNorm", w)
    linear(s, "t5_proj", 5, w)
    return s


def llama_tensors() -> dict[str, Tensor]:
    s: dict[str, Tensor] = {"model.embed_tokens.weight": torch.randn(VOCABULARY, HIDDEN)}
    for i in range(LAYERS):
        layer = f"model.layers.{i}"
        for part in "qkvo":
            linear(s, f"{layer}.self_attn.{part}_proj", HIDDEN, HIDDEN, bias=False)
        s[f"{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(HIDDEN // HEADS // 2)
        for part in ("gate", "up"):
            linear(s, f"{layer}.mlp.{part}_proj", MLP, HIDDEN, bias=False)
        linear(s, f"{layer}.mlp.down_proj", HIDDEN, MLP, bias=False)
        norm(s, f"{layer}.input_layernorm", HIDDEN, bias=False)
        norm(s, f"{layer}.post_attention_layernorm", HIDDEN, bias=False)
    norm(s, "model.norm", HIDDEN, bias=False)
    linear(s, "lm_head", VOCABULARY, HIDDEN, bias=False)
    return s


def write_llama(folder: Path, tensors: dict[str, Tensor], kind: str) -> None:
    """A folder as Vicuna's (shards of .bin) or Llama-2's (shards of safetensors)."""
    folder.mkdir()
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": HIDDEN, "vocab_size": VOCABULARY,
        "intermediate_size": MLP, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "rms_norm_eps": EPS,
        "hidden_act": "silu", "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2,
        "tie_word_embeddings": False,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    names, stem = sorted(tensors), "model" if kind == "safetensors" else "pytorch_model"
    where = {}
    for number, part in enumerate((names[::2], names[1::2]), 1):
        file, chosen = f"{stem}-{number:05d}-of-00002.{kind}", {n: tensors[n] for n in part}
        if kind == "safetensors":
            save_file(chosen, folder / file)
        else:
            torch.save(chosen, folder / file)
        where.update(dict.fromkeys(part, file))
    (folder / f"{stem}.{kind}.index.json").write_text(json.dumps({"weight_map": where}))
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    ).save_pretrained(folder)


Parts = tuple[Files, dict[str, Tensor]]


@pytest.fixture(params=["bin", "safetensors"])
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> Parts:
    """The files, and all tensors by the names that they have inside SkinGPT-4."""
    torch.manual_seed(3)
    eva, qformer, llama = eva_file(), qformer_file(), llama_tensors()
    trained: dict[str, Tensor] = {}
    linear(trained, "llama_proj", HIDDEN, TINY.q_width)
    saved = {**trained, "Qformer.bert.embeddings.position_ids": torch.arange(9)[None]}
    name = "llm_model" if request.param == "safetensors" else "llama_model"  # SkinGPT-4's and MiniGPT-4's word
    saved[f"{name}.model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    torch.save(eva, tmp_path / "eva_vit_g.pth")
    torch.save({"model": qformer}, tmp_path / "blip2.pth")
    run = {"optimizer": {"state": {}}, "config": {"run": {"lr": 1e-5}}, "scaler": None, "epoch": 4}
    torch.save({"model": saved, **run}, tmp_path / "skingpt4.pth")
    write_llama(tmp_path / "llama", llama, request.param)
    inside = {**{f"visual_encoder.{k}": v for k, v in eva.items()}, **qformer, **llama, **trained}
    return Files(*(tmp_path / n for n in ("eva_vit_g.pth", "blip2.pth", "llama", "skingpt4.pth"))), inside


# The originals' forward pass, a second time ---------------------------------------------------------


class Reference:
    def __init__(self, state: dict[str, Tensor]) -> None:
        self.s = state

    def linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.s[f"{name}.weight"], self.s.get(f"{name}.bias"))

    def norm(self, name: str, x: Tensor, eps: float) -> Tensor:
        mean, var = x.mean(-1, keepdim=True), x.var(-1, unbiased=False, keepdim=True)
        return (x - mean) / (var + eps).sqrt() * self.s[f"{name}.weight"] + self.s[f"{name}.bias"]

    @staticmethod
    def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
        """(n, width), (m, width) -> (n, width)"""
        out = []
        for a, b, c in zip(q.chunk(heads, 1), k.chunk(heads, 1), v.chunk(heads, 1), strict=True):
            scores = a @ b.T / math.sqrt(a.shape[1])
            out.append((scores if mask is None else scores + mask).softmax(1) @ c)
        return torch.cat(out, 1)

    def vision(self, image: Tensor) -> Tensor:
        """(3, 8, 8) -> (5, width): pre-norm blocks, then ln_vision with LayerNorm's default of 1e-5"""
        v = "visual_encoder"
        kernel = self.s[f"{v}.patch_embed.proj.weight"].flatten(1)
        patches = [image[:, y : y + 4, x : x + 4].flatten() @ kernel.T for y in (0, 4) for x in (0, 4)]
        x = torch.stack(patches) + self.s[f"{v}.patch_embed.proj.bias"]
        x = torch.cat([self.s[f"{v}.cls_token"][0], x]) + self.s[f"{v}.pos_embed"][0]
        for i in range(TINY.layers):
            b = f"{v}.blocks.{i}"
            q, k, value = self.linear(f"{b}.attn.qkv", self.norm(f"{b}.norm1", x, 1e-6)).chunk(3, 1)
            q, value = q + self.s[f"{b}.attn.q_bias"], value + self.s[f"{b}.attn.v_bias"]
            x = x + self.linear(f"{b}.attn.proj", self.attend(q, k, value, TINY.heads))
            hidden = F.gelu(self.linear(f"{b}.mlp.fc1", self.norm(f"{b}.norm2", x, 1e-6)))
            x = x + self.linear(f"{b}.mlp.fc2", hidden)
        return self.norm("ln_vision", x, 1e-5)

    def queries(self, seen: Tensor) -> Tensor:
        """(5, width) -> (queries, q_width): BERT's post-norm layers"""
        q = "Qformer.bert"
        x = self.norm(f"{q}.embeddings.LayerNorm", self.s["query_tokens"][0], 1e-12)
        for i in range(TINY.q_layers):
            layer = f"{q}.encoder.layer.{i}"
            x = self.bert_attention(f"{layer}.attention", x, x)
            if i % TINY.cross_every == 0:
                x = self.bert_attention(f"{layer}.crossattention", x, seen)
            hidden = self.linear(
                f"{layer}.output_query.dense", F.gelu(self.linear(f"{layer}.intermediate_query.dense", x))
            )
            x = self.norm(f"{layer}.output_query.LayerNorm", hidden + x, 1e-12)
        return x

    def bert_attention(self, name: str, x: Tensor, memory: Tensor) -> Tensor:
        q, k, v = (
            self.linear(f"{name}.self.{part}", y)
            for part, y in zip(("query", "key", "value"), (x, memory, memory), strict=True)
        )
        out = self.linear(f"{name}.output.dense", self.attend(q, k, v, TINY.q_heads))
        return self.norm(f"{name}.output.LayerNorm", out + x, 1e-12)

    def rms(self, name: str, x: Tensor) -> Tensor:
        return x / (x.pow(2).mean(-1, keepdim=True) + EPS).sqrt() * self.s[f"{name}.weight"]

    @staticmethod
    def rotate(x: Tensor) -> Tensor:
        """Rotary positions, per head: the first half of a head's channels with the second."""
        size = HIDDEN // HEADS
        angles = torch.outer(torch.arange(len(x)).float(), 10000.0 ** (-torch.arange(0, size, 2).float() / size))
        out = []
        for head in x.chunk(HEADS, 1):
            a, b = head.chunk(2, 1)
            out += [a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()]
        return torch.cat(out, 1)

    def language(self, x: Tensor) -> Tensor:
        """(n, hidden) -> (n, vocabulary)"""
        mask = torch.full((len(x), len(x)), -math.inf).triu(1)
        for i in range(LAYERS):
            layer = f"model.layers.{i}"
            y = self.rms(f"{layer}.input_layernorm", x)
            q, k, v = (self.linear(f"{layer}.self_attn.{p}_proj", y) for p in "qkv")
            x = x + self.linear(
                f"{layer}.self_attn.o_proj", self.attend(self.rotate(q), self.rotate(k), v, HEADS, mask)
            )
            y = self.rms(f"{layer}.post_attention_layernorm", x)
            gate, up = (self.linear(f"{layer}.mlp.{p}_proj", y) for p in ("gate", "up"))
            x = x + self.linear(f"{layer}.mlp.down_proj", F.silu(gate) * up)
        return self.linear("lm_head", self.rms("model.norm", x))

    def logits(self, image: Tensor, before: list[int], after: list[int]) -> Tensor:
        words = self.s["model.embed_tokens.weight"]
        picture = self.linear("llama_proj", self.queries(self.vision(image)))
        return self.language(torch.cat([words[before], picture, words[after]]))


# Tests ------------------------------------------------------------------------------------------------


@pytest.fixture
def converted(parts: Parts, tmp_path: Path) -> Path:
    out = tmp_path / "converted"
    lines = list(convert(parts[0], out, sizes=TINY, dtype=torch.float32, shard_bytes=4096))
    assert len(lines) == len(list(out.glob("*.safetensors"))) > 3
    return out


def test_converted_model_computes_what_the_original_computes(parts: Parts, converted: Path) -> None:
    model = load_converted(converted, torch.float32)
    assert model.vision_model.post_layernorm.eps == 1e-5
    image, before, after = torch.randn(3, 8, 8), [1, 3, 4, 6], [7, 8, 9, 3, 5, 6]
    ids = torch.tensor([[*before, *[model.config.image_token_index] * TINY.queries, *after]])
    with torch.inference_mode():
        got = model(pixel_values=image[None], input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
    expected = Reference(parts[1]).logits(image, before, after)
    assert got[:, :VOCABULARY].std() > 0.1
    torch.testing.assert_close(got[:, :VOCABULARY], expected, atol=1e-5, rtol=0)
    # the image token's logit never wins over the unknown word's, so greedy answers are the original's
    torch.testing.assert_close(got[:, VOCABULARY], got[:, 0])


def test_every_name_is_accounted_for(parts: Parts, converted: Path) -> None:
    facts = json.loads((converted / FACTS).read_text())
    reasons = facts["left_out"]
    assert "text branch" in reasons["Qformer.bert.encoder.layer.0.intermediate.dense.weight"]
    assert "beyond" in reasons["visual_encoder.blocks.2.attn.q_bias"]
    assert "buffer" in reasons["llama_model.model.layers.0.self_attn.rotary_emb.inv_freq"]
    written = set()
    for file in converted.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            written |= set(tensors.keys())
    plan = make_plan(parts[0], TINY, VOCABULARY)
    assert written == {t.name for t in plan.tensors}
    assert reasons == plan.left_out
    halves = TINY.layers  # q_bias and v_bias become one
    kept = [k for k in parts[1] if k not in reasons and f"llama_model.{k}" not in reasons]
    assert len(kept) - halves == len(written)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("qformer", {"Qformer.bert.surprise.weight": torch.ones(1)}, "unexpected: Qformer.bert.surprise.weight"),
        ("qformer", {"ln_vision.weight": None}, "missing: vision_model.post_layernorm.weight"),
        ("eva", {"blocks.1.attn.v_bias": None}, "missing: vision_model.encoder.layers.1.self_attn.qkv.bias"),
        ("eva", {"pos_embed": torch.ones(1, 10, 16)}, "wrong shape: vision_model.embeddings.position_embedding"),
        ("checkpoint", {"llama_proj.weight": torch.ones(HIDDEN, 4 * 16)}, "no Q-Former"),
    ],
)
@pytest.mark.parametrize("parts", ["bin"], indirect=True)
def test_what_does_not_fit_is_named_before_anything_is_written(
    parts: Parts, tmp_path: Path, file: str, change: dict[str, Tensor | None], message: str
) -> None:
    path = getattr(parts[0], file)
    state = torch.load(path, weights_only=True)
    inner = state if file == "eva" else state["model"]
    for name, value in change.items():
        if value is None:
            del inner[name]
        else:
            inner[name] = value
    torch.save(state, path)
    with pytest.raises(ConversionError, match=message):
        list(convert(parts[0], tmp_path / "out", sizes=TINY))
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("parts", ["bin"], indirect=True)
def test_a_file_that_holds_more_than_tensors_is_not_opened(parts: Parts, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    torch.save({"model": Harmful(marker)}, parts[0].checkpoint)
    with pytest.raises(ConversionError, match="stranger's code"):
        make_plan(parts[0], TINY, VOCABULARY)
    assert not marker.exists()


class Harmful:
    """Unpickling it creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("parts", ["safetensors"], indirect=True)
def test_an_incomplete_download_is_named(parts: Parts) -> None:
    (parts[0].llama / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ConversionError, match=r"incomplete, model-00002-of-00002\.safetensors"):
        make_plan(parts[0], TINY, VOCABULARY)


@pytest.mark.parametrize("parts", ["safetensors"], indirect=True)
def test_planning_reads_no_values_and_shards_stay_small(parts: Parts) -> None:
    plan = make_plan(parts[0], TINY, VOCABULARY)
    groups = shards(plan.tensors, 4, 4096)
    assert [t.name for g in groups for t in g] == [t.name for t in plan.tensors]
    sizes = [sum(4 * torch.Size(t.shape).numel() for t in g) for g in groups]
    assert len(groups) > 3
    assert all(size <= 4096 or len(group) == 1 for size, group in zip(sizes, groups, strict=True))


def test_templates_write_the_originals_prompts() -> None:
    """Written out by hand from conversation.py's get_prompt of both repositories."""
    system = (
        "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I provide it to "
        "you. Please answer my questions."
    )
    said = [("What is it?", "Eczema.")]
    assert TEMPLATES["skingpt4"].render(said, "Why?") == (
        f"{system}###Human: <Img><ImageHere></Img> What is it?###Assistant: Eczema.###Human: Why?###Assistant:"
    )
    assert TEMPLATES["minigpt4-vicuna"].render([], "Why?") == (
        f"{system}###Human: <Img><ImageHere></Img> Why?###Assistant: "
    )
    assert TEMPLATES["minigpt4-llama2"].render(said, "Why?") == (
        f"{system}<s>[INST] <Img><ImageHere></Img> What is it? [/INST] Eczema.<s>[INST] Why? [/INST] "
    )


def test_an_answer_ends_where_the_originals_end_it() -> None:
    template = TEMPLATES["skingpt4"]
    assert template.ends([5, 835])
    assert template.ends([5, 2277, 29937])
    assert template.ends([2])
    assert not template.ends([2277])
    assert not template.ends([835, 5])
    assert template.clean(" Assistant: It is eczema.###Human: and") == "It is eczema."


def test_text_is_tokenised_on_each_side_of_the_picture() -> None:
    calls = []

    def tokenize(text: str, first: bool) -> list[int]:
        calls.append(text)
        return [1, 40] if first else [50]

    assert prompt_ids(tokenize, f"a <Img>{SLOT}</Img> b", 3, 99) == [1, 40, 99, 99, 99, 50]
    assert calls == ["a <Img>", "</Img> b"]


def test_the_command_names_a_missing_folder(tmp_path: Path) -> None:
    import typer

    from pipeline.convert.__main__ import main

    app = typer.Typer()
    app.command()(main)
    arguments = [f"--{n}={tmp_path / n}" for n in ("eva", "qformer", "llama", "checkpoint", "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "llama: no such folder" in result.output.replace("\n", "")
