"""Tokenizers made from the words the embedded models use. Byte-level: any text can be encoded."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from pipeline.phantom.lesions import PAINTERS
from pipeline.phantom.words import TONES, caption_of
from pipeline.wording import PHRASES

PROMPT = "{label}, {caption}"
"""How condition and caption become one prompt of the image generator."""


def clip_corpus() -> list[str]:
    """Every label, tone and concept phrase in the sentences that captions put them in."""
    captions = [
        caption_of(t, (a, b)) for t, (a, b) in itertools.product(range(1, 7), itertools.combinations(PHRASES, 2))
    ]
    clear = [caption_of(t, ()) for t in range(1, 7)]
    return [*PAINTERS, *TONES, *PHRASES.values(), *captions, *clear]


def clip_tokenizer(corpus: Iterable[str], length: int = 40) -> CLIPTokenizer:
    """A CLIP tokenizer (byte-level BPE, ``</w>`` at word ends) whose words are those of ``corpus``."""
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=1200, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator((line.lower() for line in corpus), trainer)
    learned = bpe.get_vocab()
    # CLIP's layout: letters, letters ending a word, merges, then start and end of text. Merges are numbered by length
    # and alphabet: in which order the library learns those that are equally frequent differs from run to run, and a
    # training that goes on from a checkpoint must find its words under the same numbers.
    single = [*sorted(alphabet), *(f"{letter}</w>" for letter in sorted(alphabet))]
    tokens = single + sorted(learned.keys() - set(single), key=lambda token: (len(token), token))
    vocab = {t: i for i, t in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=_merges(bpe), model_max_length=length)


def _merges(bpe: Tokenizer) -> list[tuple[str, str]]:
    merges = json.loads(bpe.to_str())["model"]["merges"]
    pairs = (m.split(" ") if isinstance(m, str) else m for m in merges)
    return [(left, right) for left, right in pairs]
