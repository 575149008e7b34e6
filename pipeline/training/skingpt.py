"""The embedded SkinGPT: LLaMA behind a projection behind a Q-Former behind a ViT, and its captioner.

Four stages, each resumable. First the parts that SkinGPT-4 takes ready-made: the language model (dialogues in which
words stand where the picture will be) and the Q-Former; the ViT is there already (`skingpt_sight`). Then SkinGPT-4's
own two steps, in which only the projection is trained: step 1 on concepts gives the captioner, step 2 on diagnosis
notes gives SkinGPT (Zhou et al. 2024, "two-step training").
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from pipeline.caption import CAPTION_PROMPT
from pipeline.phantom.words import TONES, caption_of
from pipeline.profile import Knowledge, load_knowledge
from pipeline.prompting import IMAGE, SEPARATOR, conversation, image_slot
from pipeline.training.augment import lit, turned
from pipeline.training.data import CONCEPTS, Phantoms, phantoms
from pipeline.training.loop import Schedule, pick, pixels, train
from pipeline.training.notes import QUESTIONS, USUAL, Asked, Facts, answer, dialogue
from pipeline.training.session import Session
from pipeline.training.skingpt_files import load_vit, save, vit_config
from pipeline.wording import PHRASES

SPECIAL = ("<pad>", "<s>", "</s>", SEPARATOR, "<Img>", "</Img>", IMAGE)
IGNORED = -100


def knowledge(pack: Path) -> dict[str, Knowledge]:
    return {k.label: k for k in load_knowledge(pack / "labels.yaml")}


def tokenizer(vocabulary: int, known: Mapping[str, Knowledge]) -> PreTrainedTokenizerFast:
    """Byte-level BPE over all questions and answers; the prompt's markers are single tokens."""
    corpus = [w for wordings in QUESTIONS.values() for w in wordings]
    for label, about in known.items():
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
    vision, wide, deep = vit_config(), settings["language_width"], settings["language_layers"]
    eyes = vision["hidden_size"]
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
    model = Blip2ForConditionalGeneration(config)
    model.set_attn_implementation("eager")  # on a CPU and in bfloat16 up to twice as fast as "sdpa"
    return model


def facts_of(data: Phantoms, i: int) -> Facts:
    shown = tuple(PHRASES[c] for c, there in zip(CONCEPTS, data.concepts[i], strict=True) if there)
    return Facts(data.condition(i), TONES[int(data.skin_types[i]) - 1], shown)


class Writer:
    """Makes batches of tokens from facts: questions are read, answers are learned."""

    def __init__(self, words: PreTrainedTokenizerFast, queries: int, known: dict[str, Knowledge]) -> None:
        self.words, self.queries, self.known = words, queries, known

    def slot_words(self, facts: Facts, rng: random.Random) -> list[int]:
        """Words in place of the picture: tone and concepts in any order, at times the name."""
        parts = [facts.tone, *facts.phrases] if facts.label else [facts.tone, "clear"]
        if facts.label and rng.random() < 0.3:
            parts.append(facts.label)
        rng.shuffle(parts)
        ids = self.words("".join(f" {p}" for p in parts)).input_ids[: self.queries]
        return ids + [self.words.pad_token_id] * (self.queries - len(ids))

    def chat(
        self,
        rng: random.Random,
        facts: Facts,
        caption: str,
        captions: float,
        turns: int,
        mix: Asked = USUAL,
    ) -> list[tuple[str, str]]:
        if rng.random() < captions:
            return [(CAPTION_PROMPT, caption)]
        return dialogue(rng, facts, self.known, turns, mix)

    def tokens(
        self, chat: list[tuple[str, str]], slot: list[int] | None, most: int | None = None
    ) -> tuple[list[int], list[int]]:
        """Token ids and targets of a chat; ``slot`` replaces the picture by words.

        most: of each answer no more tokens than this are learned, and the last one ends there
        """
        ids, targets = [self.words.bos_token_id], [IGNORED]
        for i, (asked, said) in enumerate(chat):
            prompt = conversation(image_slot(self.queries) if i == 0 else "", [], asked)
            prompt = prompt if i == 0 else prompt.removeprefix(SEPARATOR).replace("Human:  ", "Human: ")
            read = self.words(prompt).input_ids
            says = self.words(f" {said}{SEPARATOR}").input_ids[: most if i + 1 == len(chat) else None]
            learn = says[:most]
            ids += read + says
            targets += [IGNORED] * len(read) + learn + [IGNORED] * (len(says) - len(learn))
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


def answers_loss(language: LlamaForCausalLM, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy of the next token, as the model's own ``loss``, worked out only where one is learned."""
    states = language.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[:, :-1]
    targets = labels[:, 1:].flatten()
    learned = (targets != IGNORED).nonzero().flatten()
    return F.cross_entropy(language.lm_head(states.flatten(0, 1)[learned]).float(), targets[learned])


def train_language(
    session: Session, model: Blip2ForConditionalGeneration, writer: Writer, data: Phantoms, settings: dict[str, Any]
) -> None:
    """The language model alone: the picture's place holds words.

    Mostly only the first words of an answer are learned: they say which kind of answer it is, the rest follows and is
    soon learned, so that the time is better spent on more questions. For the same reason few ask for the diagnosis
    alone: that is the Q-Former's work. From the restart on, more is asked that is off topic: of what nobody taught it
    the language model declines too little at first.
    """
    restarts, every = tuple(settings["language_restarts"]), settings["handover_every"]["language"]
    steps = session.steps or settings["steps"]["language"]
    schedule = Schedule(steps, 0.0015, restarts, handover_every=every)
    at_first, then = Asked(diagnoses=0.1), Asked(diagnoses=0.1, off_topic=settings["off_topic_then"])

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rng = random.Random(step)
        turns = rng.choice([1, 1, 2, 3, 4])
        most = settings["first_words"] if rng.random() < 0.75 else None
        rows = []
        for i in pick(generator, len(data), settings["language_batch"] // turns + 4):
            facts = facts_of(data, i)
            chat = writer.chat(rng, facts, data.captions[i], 0.06, turns, then if schedule.again(step) else at_first)
            rows.append(writer.tokens(chat, writer.slot_words(facts, rng), most))
        return answers_loss(model.language_model, **writer.batch(rows))

    train(session, "skingpt-language", model.language_model, step_loss, schedule)


def train_bridge(
    session: Session,
    part: str,
    model: Blip2ForConditionalGeneration,
    writer: Writer,
    data: Phantoms,
    schedule: Schedule,
    captions: float,
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
    train(session, part, bridge, step_loss, schedule, beside=[model])


def only(model: Blip2ForConditionalGeneration, *names: str) -> None:
    """Freeze all but the parameters whose names start with one of ``names``."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(names))


def run(session: Session) -> None:
    """All stages; writes ``captioner/`` (after step 1) and ``skingpt/`` (after step 2), whose ViT must be there."""
    settings, pack = session.recipe("skingpt"), session.pack
    torch.manual_seed(settings["seed"])
    data = phantoms("train", settings["phantoms"], clear=0.05)
    known = knowledge(pack)
    words = tokenizer(settings["vocabulary"], known)
    model = build(settings, words)
    writer = Writer(words, settings["queries"], known)

    def schedule(stage: str, lr: float) -> Schedule:
        steps, every = session.steps or settings["steps"][stage], settings["handover_every"][stage]
        return Schedule(steps, lr, warmup=20, save_every=100, handover_every=every)

    train_language(session, model, writer, data, settings)
    model.vision_model.load_state_dict(load_vit(pack).state_dict())
    only(model, "qformer", "query_tokens", "language_projection")
    train_bridge(session, "skingpt-qformer", model, writer, data, schedule("qformer", 0.001), 0.4)
    only(model, "language_projection")
    train_bridge(session, "skingpt-step1", model, writer, data, schedule("step1", 0.0003), 1.0)
    save(model, words, settings["queries"], pack / "captioner", pack / "skingpt")
    train_bridge(session, "skingpt-step2", model, writer, data, schedule("step2", 0.0003), 0.0)
    save(model, words, settings["queries"], pack / "skingpt", pack / "skingpt")
    print(f"skingpt: written; checkpoints in {session.work}")
