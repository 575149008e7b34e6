"""SkinGPT behind an OpenAI-compatible server (vLLM, Ollama, ...): streamed, with timeout and retry.

Only while no word has come is a question asked again: an answer is never put together from two. An answer that was
cut off is an error, not an answer.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from PIL import Image

from pipeline.roles import Remote

WAITS_S = (0.5, 2.0, 5.0)
"""Before each further attempt; the last is repeated."""
LATER = (408, 409, 425, 429, 500, 502, 503, 504)
"""Answers after which asking again may help"""
TOKENS = 300
LONGEST_SIDE = 1024


class RemoteError(RuntimeError):
    """The server gave no whole answer; the message names it and says what to do."""


class _TryAgain(RemoteError):
    """Nothing has come yet, and asking again may help."""


@dataclass(frozen=True)
class Shown:
    """A picture as it is sent, encoded once."""

    url: str
    """data:image/jpeg;base64,..."""
    feature: None = None


class RemoteModel:
    """Temperature 0; whether the same question gets the same words is up to the server."""

    def __init__(self, remote: Remote, options: Mapping[str, Any] | None = None) -> None:
        said = dict(options or {})
        self.remote = remote
        self.system = str(said.get("system", ""))
        self.tokens = int(said.get("tokens", TOKENS))
        self.longest_side = int(said.get("longest_side", LONGEST_SIDE))
        self._http = httpx.Client(
            timeout=httpx.Timeout(remote.silence_s, connect=remote.connect_s),
            trust_env=False,  # photos go to the address in the profile and nowhere else
        )

    def see(self, image: Image.Image) -> Shown:
        """An RGB picture of any size; nothing is sent yet."""
        small, out = image.copy(), io.BytesIO()
        small.thumbnail((self.longest_side, self.longest_side), Image.Resampling.LANCZOS)
        small.save(out, "JPEG", quality=92)
        return Shown("data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode())

    def stream(self, seen: Shown, question: str, exchanges: Iterable[tuple[str, str]] = ()) -> Iterator[str]:
        """The answer, piece by piece. Closing the iterator closes the connection, which stops the server.

        Raises RemoteError.
        """
        body = {
            "model": self.remote.model,
            "messages": chat(seen.url, question, exchanges, self.system),
            "stream": True,
            "temperature": 0,
            "max_tokens": self.tokens,
        }
        for attempt in range(self.remote.retries + 1):
            try:
                yield from self._once(body)
                return
            except _TryAgain:
                if attempt == self.remote.retries:
                    raise
                time.sleep(WAITS_S[min(attempt, len(WAITS_S) - 1)])

    def _once(self, body: Mapping[str, Any]) -> Iterator[str]:
        """One attempt. Raises _TryAgain before the first word, RemoteError after it."""
        begun = False
        try:
            with self._http.stream("POST", f"{self._address}/chat/completions", json=body, headers=self._key()) as got:
                if got.status_code != 200:
                    got.read()
                    raise self._refusal(got)
                with contextlib.closing(words_of(got.iter_lines())) as pieces:
                    for piece in pieces:
                        begun = True
                        yield piece
        except (httpx.TransportError, CutOff) as error:
            said = f"{self._address}: {'the answer was cut off' if begun else 'no answer'} ({error or type(error)})"
            raise (RemoteError if begun else _TryAgain)(f"{said}; is the server running?") from error

    @property
    def _address(self) -> str:
        return self.remote.url.rstrip("/")

    def _key(self) -> dict[str, str]:
        name = self.remote.key_variable
        if not name:
            return {}
        if not os.environ.get(name):
            raise RemoteError(f"the profile takes the server's key from {name}, which is not set")
        return {"Authorization": f"Bearer {os.environ[name]}"}

    def _refusal(self, answer: httpx.Response) -> RemoteError:
        said = f"{self._address}: {answer.status_code} {answer.text[:200].strip()}"
        if answer.status_code in LATER:
            return _TryAgain(said)
        hint = {401: "check the key", 403: "check the key", 404: f"is there a model {self.remote.model!r}?"}
        return RemoteError(f"{said}; {hint.get(answer.status_code, 'check url and model in the profile')}")


class CutOff(RuntimeError):
    """The stream ended before the answer did."""


def words_of(lines: Iterator[str]) -> Generator[str, None, None]:
    """From server-sent events to pieces of the answer. Raises CutOff without an end, RemoteError for an error event."""
    for line in lines:
        if not line.startswith("data:"):
            continue  # empty lines between events, comments that keep the connection open
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        try:
            event = json.loads(data)
        except ValueError:
            raise RemoteError(f"not an event of an OpenAI-compatible server: {data[:100]!r}") from None
        if "error" in event:
            raise RemoteError(f"the server says: {event['error']}")
        for choice in event.get("choices", ())[:1]:
            if piece := (choice.get("delta") or {}).get("content"):
                yield piece
            if choice.get("finish_reason"):
                return
    raise CutOff("the stream ended early")


def chat(url: str, question: str, exchanges: Iterable[tuple[str, str]], system: str) -> list[dict[str, Any]]:
    """A conversation as OpenAI-compatible servers take it; the picture comes with the first question."""
    out: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    picture: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}}]
    for asked, answered in exchanges:
        out.append({"role": "user", "content": [*picture, {"type": "text", "text": asked}]})
        out.append({"role": "assistant", "content": answered})
        picture = []
    return [*out, {"role": "user", "content": [*picture, {"type": "text", "text": question}]}]
