"""The embedded SkinGPT: LLaMA behind a projection behind a Q-Former behind a ViT, and its captioner.

Four stages, each resumable. First the parts that SkinGPT-4 takes ready-made: the ViT (conditions, skin
types, concepts), the language model (dialogues in which words stand where the picture will be), and the
Q-Former. Then SkinGPT-4's own two steps, in which only the projection is trained: step 1 on concepts gives the
captioner, step 2 on diagnosis notes gives SkinGPT (Zhou et al. 2024, "two-step training").
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipImageProcessorPil,
    LlamaConfig,
    PreTrainedTokenizerFast,
)

from pipeline.caption import CAPTION_PROMPT
from pipeline.diagnose import Novelty
from pipeline.phantom import LABELS, STRANGE
from pipeline.phantom.words import TONES, caption_of
from pipeline.profile import Knowledge, load_knowledge
from pipeline.prompting import IMAGE, SEPARATOR, conversation, image_slot
from pipeline.training.augment import cropped, lit, turned
from pipeline.training.data import CONCEPTS, SIZE, Phantoms, phantoms
from pipeline.training.loop import PACK, WORK, Schedule, pick, pixels, recipe, train
from pipeline.training.notes import QUESTIONS, Facts, answer, dialogue
from pipeline.wording import PHRASES

SPECIAL = ("<pad>", "<s>", "</s>", SEPARATOR, "<Img>", "</Img>", IMAGE)
IGNORED = -100


def knowledge() -> dict[str, Knowledge]:
    return {k.label: k for k in load_knowledge(PACK / "labels.yaml")}


def tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE over all questions and answers; the prompt's markers are single tokens."""
    corpus = [w for wordings in QUESTIONS.values() for w in wordings]
    for label, about in knowledge().items():
        for tone in TONES:
            facts = Facts(label, tone, tuple(PHRASES[c] for c in about.concepts))
            corpus += [f" {answer(kind, facts, about, other)}" for kind in QUESTIONS for other in about.look_alikes]
    corpus += [f" {caption_of(t, (c,))}" for t in range(1, 7) for c in PHRASES] * 3
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        corpus,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=[AddedToken(t, special=True, normalized=False) for t in SPECIAL],
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<pad>", bos_token="<s>", eos_token="</s>", padding_side="right"
    )


def build(settings: dict[str, Any], words: PreTrainedTokenizerFast) -> Blip2ForConditionalGeneration:
    eyes, wide, deep = settings["vision_width"], settings["language_width"], settings["language_layers"]
    vision = {
        "hidden_size": eyes, "intermediate_size": eyes * 4, "num_hidden_layers": settings["vision_layers"],
        "num_attention_heads": 4, "image_size": SIZE, "patch_size": 8, "initializer_range": 0.02,
    }  # fmt: skip
    qformer = {
        "hidden_size": eyes, "intermediate_size": eyes * 3, "num_hidden_layers": 2, "num_attention_heads": 4,
        "cross_attention_frequency": 1, "encoder_hidden_size": eyes, "vocab_size": 8,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    }  # fmt: skip
    text = LlamaConfig(
        vocab_size=len(words), hidden_size=wide, intermediate_size=int(wide * 2.7), num_hidden_layers=deep,
        num_attention_heads=wide // 32, max_position_embeddings=1024,
        pad_token_id=words.pad_token_id, bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id,
    )  # fmt: skip
    config = Blip2Config(
        vision_config=vision,
        qformer_config=qformer,
        text_config=text.to_dict(),
        num_query_tokens=settings["queries"],
        image_token_index=words.convert_tokens_to_ids(IMAGE),
    )
    return Blip2ForConditionalGeneration(config)


def facts_of(data: Phantoms, i: int) -> Facts:
    shown = tuple(PHRASES[c] for c, there in zip(CONCEPTS, data.concepts[i], strict=True) if there)
    return Facts(data.name(i), TONES[int(data.skin_types[i]) - 1], shown)


class Writer:
    """Makes batches of tokens from facts: questions are read, answers are learned."""

    def __init__(self, words: PreTrainedTokenizerFast, queries: int) -> None:
        self.words, self.queries, self.known = words, queries, knowledge()

    def slot_words(self, facts: Facts, rng: random.Random) -> list[int]:
        """Words in place of the picture: tone and concepts in any order, at times the name."""
        parts = [facts.tone, *facts.phrases] if facts.label else [facts.tone, "clear"]
        if facts.label and rng.random() < 0.3:
            parts.append(facts.label)
        rng.shuffle(parts)
        ids = self.words("".join(f" {p}" for p in parts)).input_ids[: self.queries]
        return ids + [self.words.pad_token_id] * (self.queries - len(ids))

    def chat(
        self, rng: random.Random, facts: Facts, caption: str, captions: float, turns: int
    ) -> list[tuple[str, str]]:
        if rng.random() < captions:
            return [(CAPTION_PROMPT, caption)]
        return dialogue(rng, facts, self.known, turns)

    def tokens(
        self, chat: list[tuple[str, str]], slot: list[int] | None, most: int | None = None
    ) -> tuple[list[int], list[int]]:
        """Token ids and targets of a chat; ``slot`` replaces the picture by words.

        most: of the last answer no more tokens than this
        """
        ids, targets = [self.words.bos_token_id], [IGNORED]
        for i, (asked, said) in enumerate(chat):
            prompt = conversation(image_slot(self.queries) if i == 0 else "", [], asked)
            prompt = prompt if i == 0 else prompt.removeprefix(SEPARATOR).replace("Human:  ", "Human: ")
            read = self.words(prompt).input_ids
            learn = self.words(f" {said}{SEPARATOR}").input_ids[: most if i + 1 == len(chat) else None]
            ids += read + learn
            targets += [IGNORED] * len(read) + learn
        if slot is not None:
            picture = self.words.convert_tokens_to_ids(IMAGE)
            spare = iter(slot)
            ids = [next(spare) if t == picture else t for t in ids]
        return ids, targets

    def batch(self, rows: list[tuple[list[int], list[int]]]) -> dict[str, Tensor]:
        longest = max(len(ids) for ids, _ in rows)
        pad = self.words.pad_token_id
        return {
            "input_ids": torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in rows]),
            "attention_mask": torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows]),
            "labels": torch.tensor([t + [IGNORED] * (longest - len(t)) for _, t in rows]),
        }


def blended(x: Tensor, labels: Tensor) -> Tensor:
    """(n, C, H, W) -> pictures half one and half the next, where the two differ in label: as strange as can be."""
    other = labels != labels.roll(1)
    return ((x + x.roll(1, 0)) / 2)[other]


def shapes(n: int, generator: torch.Generator) -> Tensor:
    """(n, 3, SIZE, SIZE): noise of any grain over a colour, some with hard blocks; nothing that grows on skin."""
    out = torch.empty(n, 3, SIZE, SIZE)
    for i in range(n):
        cells = int(2 ** (6.6 * float(torch.rand(1, generator=generator)))) + 1
        grain = torch.randn(1, 3, cells, cells, generator=generator) * float(torch.rand(1, generator=generator))
        way = "nearest" if float(torch.rand(1, generator=generator)) < 0.5 else "bicubic"
        colour = torch.rand(3, 1, 1, generator=generator) * 2 - 1
        out[i] = colour + F.interpolate(grain, (SIZE, SIZE), mode=way)[0]
    return out.clamp(-1, 1)


def train_vision(
    model: Blip2ForConditionalGeneration, data: Phantoms, settings: dict[str, Any], steps: int
) -> tuple[Tensor, Tensor]:
    """ViT with heads for condition, skin type and concepts, which are dropped; "no condition" is one more condition.

    Returns weights and biases of the condition head for `Novelty`.
    """
    eyes = settings["vision_width"]
    heads = nn.ModuleDict(
        {
            "condition": nn.Linear(eyes, len(LABELS) + 2),
            "tone": nn.Linear(eyes, 6),
            "concepts": nn.Linear(eyes, len(CONCEPTS)),
        }
    )
    seeing = nn.ModuleDict({"vit": model.vision_model, "heads": heads})
    strange = phantoms("strange", settings["strange_phantoms"], label=STRANGE)
    few = settings["vision_batch"] // 4

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rows = pick(generator, len(data), settings["vision_batch"])
        labels = torch.as_tensor(data.labels[rows]) % (len(LABELS) + 1)
        x = pixels(data.images[rows])
        odd = pixels(strange.images[pick(generator, len(strange), few)])
        odd = torch.cat([odd, blended(x[: few // 2], labels[: few // 2]), shapes(few // 4, generator)])
        x = lit(cropped(turned(torch.cat([x, odd]), generator), generator, 0.8), generator)
        everything = model.vision_model(x).pooler_output
        seen = everything[: len(rows)]
        labels = torch.cat([labels, torch.full((len(odd),), len(LABELS) + 1)])
        return (
            F.cross_entropy(heads["condition"](everything), labels)
            + F.cross_entropy(heads["tone"](seen), torch.as_tensor(data.skin_types[rows]) - 1)
            + 3
            * F.binary_cross_entropy_with_logits(heads["concepts"](seen), torch.as_tensor(data.concepts[rows]).float())
        )

    train(
        "skingpt-vision", seeing, step_loss, Schedule(steps, 0.001, tuple(settings["vision_restarts"]), save_every=300)
    )
    with torch.no_grad():
        unseen = phantoms("validate", 252)
        seen = model.vision_model(pixels(unseen.images)).pooler_output
        right = (heads["condition"](seen).argmax(1) == torch.as_tensor(unseen.labels)).float().mean()
        tone = (heads["tone"](seen).argmax(1) == torch.as_tensor(unseen.skin_types) - 1).float().mean()
    print(f"skingpt-vision: condition {right:.1%}, skin type {tone:.1%} on unseen phantoms")
    weights = heads["condition"].state_dict()
    return weights["weight"], weights["bias"]


def answers_loss(language: nn.Module, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy of the next token, as the model's own ``loss``, worked out only where one is learned."""
    states = language.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[:, :-1]
    targets = labels[:, 1:]
    learned = targets != IGNORED
    return F.cross_entropy(language.lm_head(states[learned]).float(), targets[learned])


def train_language(
    model: Blip2ForConditionalGeneration, writer: Writer, data: Phantoms, settings: dict[str, Any], steps: int
) -> None:
    """The language model alone: the picture's place holds words.

    Mostly the last answer is broken off after its first words: they say which kind of answer it is, the rest follows
    and is soon learned, so that the time is better spent on more questions.
    """

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rng = random.Random(step)
        turns = rng.choice([1, 2, 3, 4])
        most = settings["first_words"] if rng.random() < 0.75 else None
        rows = []
        for i in pick(generator, len(data), settings["language_batch"] // turns + 4):
            facts = facts_of(data, i)
            chat = writer.chat(rng, facts, data.captions[i], 0.15, turns)
            rows.append(writer.tokens(chat, writer.slot_words(facts, rng), most))
        return answers_loss(model.language_model, **writer.batch(rows))

    train("skingpt-language", model.language_model, step_loss, Schedule(steps, 0.0015, save_every=200))


def train_bridge(
    part: str,
    model: Blip2ForConditionalGeneration,
    writer: Writer,
    data: Phantoms,
    steps: int,
    captions: float,
    lr: float,
) -> None:
    """Whatever of the bridge has ``requires_grad``, on pictures; ``captions`` is their share of the batch."""
    model.vision_model.eval()

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rng = random.Random(step)
        rows = pick(generator, len(data), 32)
        x = lit(turned(pixels(data.images[rows]), generator), generator)
        turns = rng.choice([1, 1, 2])
        chats = [writer.chat(rng, facts_of(data, i), data.captions[i], captions, turns) for i in rows]
        return model(pixel_values=x, **writer.batch([writer.tokens(c, None) for c in chats])).loss

    bridge = nn.ModuleDict({"qformer": model.qformer, "projection": model.language_projection})
    bridge.register_parameter("query_tokens", model.query_tokens)
    train(part, bridge, step_loss, Schedule(steps, lr, warmup=20, save_every=100))


def only(model: Blip2ForConditionalGeneration, *names: str) -> None:
    """Freeze all but the parameters whose names start with one of ``names``."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(names))


@torch.no_grad()
def fit_novelty(model: Blip2ForConditionalGeneration, data: Phantoms, odds: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """`Novelty`'s tensors: class means and shared covariance of the ViT's pooled feature, and the classifier ``odds``.

    The threshold is the 97.7th percentile on phantoms that no training used.
    """
    features = torch.cat(
        [model.vision_model(pixels(data.images[i : i + 64])).pooler_output for i in range(0, min(6000, len(data)), 64)]
    )
    labels = torch.as_tensor(data.labels[: len(features)]) % (len(LABELS) + 1)
    means = torch.stack([features[labels == k].mean(0) for k in range(len(LABELS) + 1)])
    spread = (features - means[labels]).T @ (features - means[labels]) / len(features)
    precision = torch.linalg.inv(spread + 1e-3 * spread.diagonal().mean() * torch.eye(len(spread)))
    unseen = phantoms("validate", 960)
    seen = torch.cat([model.vision_model(pixels(unseen.images[i : i + 64])).pooler_output for i in range(0, 960, 64)])
    measures = Novelty(means, precision, odds, torch.tensor([[0.0], [1.0]])).measures(seen)
    usual = torch.stack([measures.mean(0), measures.std(0)])
    threshold = Novelty(means, precision, odds, usual).scores(seen).quantile(0.977)
    return {
        "means": means, "precision": precision, "odds_weight": odds[0], "odds_bias": odds[1], "usual": usual,
        "threshold": threshold.reshape(1),
    }  # fmt: skip


def without_spaces(path: Path) -> None:
    """The same JSON in a third less bytes: two tokenizers are part of a pack that is to stay small."""
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def save(
    model: Blip2ForConditionalGeneration, words: PreTrainedTokenizerFast, queries: int, folder: Path, common: Path
) -> None:
    """As `save_pretrained`, in two shards: SkinGPT and its captioner differ in the projection alone.

    common: the folder that holds the other weights for both; the index in ``folder`` leads there
    """
    model.half().save_pretrained(folder)
    size = {"height": SIZE, "width": SIZE}
    half = [0.5, 0.5, 0.5]
    eye = BlipImageProcessorPil(size=size, image_mean=half, image_std=half)
    Blip2Processor(eye, words, num_query_tokens=None).save_pretrained(folder)
    without_spaces(folder / "tokenizer.json")
    in_shards(folder, common)
    model.float()


def in_shards(folder: Path, common: Path) -> None:
    """Replace ``folder/model.safetensors`` by its projection, the other weights in ``common``, and their index."""
    whole = folder / "model.safetensors"
    tensors = load_file(whole)
    own = {name: tensor for name, tensor in tensors.items() if name.startswith("language_projection.")}
    shared = {name: tensor for name, tensor in tensors.items() if name not in own}
    common.mkdir(parents=True, exist_ok=True)
    files = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    save_file(shared, common / files[0], metadata={"format": "pt"})
    save_file(own, folder / files[1], metadata={"format": "pt"})
    there = Path(os.path.relpath(common, folder), files[0]).as_posix()
    size = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict.fromkeys(shared, there) | dict.fromkeys(own, files[1])}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, separators=(",", ":")))
    whole.unlink()


def run(steps: int | None = None) -> None:
    """All stages; writes ``captioner/`` (after step 1) and ``skingpt/`` (after step 2)."""
    settings = recipe("skingpt")
    torch.manual_seed(settings["seed"])
    data = phantoms("train", settings["phantoms"], clear=0.05)
    words = tokenizer(settings["vocabulary"])
    model = build(settings, words)
    model.set_attn_implementation("eager")  # on a CPU and in bfloat16 up to twice as fast as "sdpa"
    writer = Writer(words, settings["queries"])
    long = {k: steps or settings["steps"][k] for k in settings["steps"]}
    novelty = fit_novelty(model, data, train_vision(model, data, settings, long["vision"]))
    train_language(model, writer, data, settings, long["language"])
    only(model, "qformer", "query_tokens", "language_projection")
    train_bridge("skingpt-qformer", model, writer, data, long["qformer"], 0.4, 0.001)
    only(model, "language_projection")
    train_bridge("skingpt-step1", model, writer, data, long["step1"], 1.0, 0.0003)
    save(model, words, settings["queries"], PACK / "captioner", PACK / "skingpt")
    train_bridge("skingpt-step2", model, writer, data, long["step2"], 0.0, 0.0003)
    save(model, words, settings["queries"], PACK / "skingpt", PACK / "skingpt")
    save_file({k: v.contiguous() for k, v in novelty.items()}, PACK / "skingpt" / "novelty.safetensors")
    print(f"skingpt: written; checkpoints in {WORK}")
