"""How the originals are spoken to, as data: system line, roles, separator, and where an answer ends.

SkinGPT-4 (conversation.py, CONV_VISION) has one template for Vicuna and Llama-2 alike; MiniGPT-4 (CONV_VISION_Vicuna0,
CONV_VISION_LLama2) one for each. They differ in single spaces, which the models notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

SLOT = "<ImageHere>"
_SYSTEM = (
    "Give the following image: <Img>ImageContent</Img>. "
    "You will be able to see the image once I provide it to you. Please answer my questions."
)
_HASHES = ((835,), (2277, 29937))
"""LLaMA's tokenizer writes "###" as one token or as two (demo.py)."""


@dataclass(frozen=True)
class Template:
    """One prompt form."""

    system: str
    separator: str
    user: str
    assistant: str
    """Before an answer that was given."""
    opening: str
    """Before the answer that is to come."""
    stop_ids: tuple[tuple[int, ...], ...]
    """Sequences of LLaMA token ids that end an answer."""
    stop_text: str
    """Where the decoded answer is cut."""

    def render(self, exchanges: Iterable[tuple[str, str]], question: str) -> str:
        """The whole prompt; the picture's place is SLOT, before the first question."""
        text, image = self.system + self.separator, f"<Img>{SLOT}</Img> "
        for asked, answered in exchanges:
            text += self.user + image + asked + self.separator + self.assistant + answered + self.separator
            image = ""
        return text + self.user + image + question + self.separator + self.opening

    def clean(self, answer: str) -> str:
        """What is shown of a decoded answer (conversation.py, Chat.answer)."""
        return answer.split(self.stop_text)[0].split("Assistant:")[-1].strip()

    def ends(self, ids: Sequence[int]) -> bool:
        """Whether the answer so far, in token ids, ends here."""
        return any(tuple(ids[-len(stop) :]) == stop for stop in self.stop_ids)


TEMPLATES = {
    "skingpt4": Template(_SYSTEM, "###", "Human: ", "Assistant: ", "Assistant:", (*_HASHES, (2,)), "###"),
    "minigpt4-vicuna": Template(_SYSTEM, "###", "Human: ", "Assistant: ", "Assistant: ", (*_HASHES, (2,)), "###"),
    "minigpt4-llama2": Template(_SYSTEM, "", "<s>[INST] ", " [/INST] ", " [/INST] ", (*_HASHES, (2,)), "###"),
}


def prompt_ids(tokenize: Callable[[str, bool], list[int]], prompt: str, queries: int, image_token: int) -> list[int]:
    """Token ids with ``queries`` x ``image_token`` at SLOT. ``tokenize``: text, whether BOS goes first -> ids.

    The text before and after the picture is tokenised separately, BOS on the first only (get_context_emb): in one
    piece LLaMA's tokenizer would join characters across the picture differently.
    """
    before, after = prompt.split(SLOT)
    return [*tokenize(before, True), *[image_token] * queries, *tokenize(after, False)]
