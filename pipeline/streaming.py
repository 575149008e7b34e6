"""Words of a running generation as they come: the model runs in a thread of its own, which the reader can stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

SILENCE_S = 120.0
"""Longest wait for the next words."""


class _Stop(StoppingCriteria):
    """Ends generation when nobody reads any more."""

    def __init__(self) -> None:
        self.wanted = threading.Event()

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        return torch.full((len(input_ids),), self.wanted.is_set(), dtype=torch.bool, device=input_ids.device)


def streamed(
    generate: Callable[..., Any],
    words: Any,
    also: Iterable[StoppingCriteria] = (),
    skip_prompt: bool = False,
    silence_s: float = SILENCE_S,
) -> Iterator[str]:
    """The answer, piece by piece. ``generate`` is called with streamer and stopping_criteria; ``words``: tokenizer.

    Closing the iterator stops the model at its next token. What ``generate`` raises is raised here.
    """
    stop = _Stop()
    streamer = TextIteratorStreamer(words, skip_prompt=skip_prompt, skip_special_tokens=True, timeout=silence_s)
    failure: list[BaseException] = []

    def work() -> None:
        try:
            with torch.inference_mode():
                generate(streamer=streamer, stopping_criteria=StoppingCriteriaList([stop, *also]))
        except BaseException as error:  # handed to the reader below, which raises it
            failure.append(error)
            streamer.end()

    thread = threading.Thread(target=work, name="language-model", daemon=True)
    thread.start()
    try:
        yield from (piece for piece in streamer if piece)
    finally:
        stop.wanted.set()
        thread.join()
    if failure:
        raise failure[0]


def up_to(pieces: Iterator[str], end: str) -> Iterator[str]:
    """``pieces`` without ``end`` and what follows; the beginning of an ``end`` is held back until it is decided."""
    held = ""
    for piece in pieces:
        held += piece
        if end in held:
            held = held.split(end)[0]
            break
        keep = next((n for n in range(min(len(end) - 1, len(held)), 0, -1) if held.endswith(end[:n])), 0)
        if len(held) > keep:
            yield held[: len(held) - keep]
            held = held[len(held) - keep :]
    if held:
        yield held
