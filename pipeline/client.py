"""The other side of the door: talks to a model server, or starts the local one.

Light (no torch): the app's process imports it. Errors, all `PipelineError`:

    PipelineError
      PipelineUnavailable  the server cannot be reached, broke, or refuses the token
      QueueFull            as many questions wait as are allowed; asking again later helps
      JobUnknown           the server has no such job (it was restarted, or the job is long over)
      PictureUnknown       the server has no such picture
      RequestRefused       the server does not take this request or this picture
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from types import TracebackType

import httpx

from pipeline.localserver import TOKEN_VARIABLE, URL_VARIABLE, LocalServer, start_local_server
from pipeline.types import (
    Event,
    Explained,
    ExplainRequest,
    Failed,
    LabelInfo,
    event_from_json,
    request_to_json,
)

__all__ = [
    "TOKEN_VARIABLE",
    "URL_VARIABLE",
    "Health",
    "JobUnknown",
    "LocalServer",
    "PictureUnknown",
    "PipelineClient",
    "PipelineError",
    "PipelineUnavailable",
    "QueueFull",
    "RequestRefused",
    "start_local_server",
]

RECONNECT_AFTER_S = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Waits between attempts to take up a stream that was cut; the first event after a cut resets them.
Together long enough for the local server to be started again."""
SILENCE_S = 40.0
"""The server sends an empty line every ten seconds; a stream quiet for this long is cut."""


class PipelineError(RuntimeError):
    """Something between the app and the models went wrong."""


class PipelineUnavailable(PipelineError):
    """The model server does not answer."""


class QueueFull(PipelineError):
    """The model server has as many questions waiting as it takes."""


class JobUnknown(PipelineError):
    """The model server has no such job."""


class PictureUnknown(PipelineError):
    """The model server has no such picture."""


class RequestRefused(PipelineError):
    """The model server does not take this; asking the same again will not help."""


@dataclass(frozen=True)
class Health:
    """``queue``: jobs waiting or running. ``loading``: a sentence until the models are there."""

    ready: bool
    profile: str
    demonstration: bool
    queue: int
    loading: str | None


class PipelineClient:
    """One model server. May be shared between threads."""

    def __init__(self, base_url: str, token: str, timeout_s: float = 10.0) -> None:
        """``timeout_s``: for one answer; a stream of events may be as long as it takes."""
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token or 'none'}"},
            timeout=timeout_s,
            trust_env=False,  # a proxy from the environment has no business between the app and its models
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        )

    @classmethod
    def from_environment(cls) -> PipelineClient:
        """The server that `SKINGEN_PIPELINE_URL` and `SKINGEN_PIPELINE_TOKEN` name."""
        return cls(os.environ.get(URL_VARIABLE, ""), os.environ.get(TOKEN_VARIABLE, ""))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> PipelineClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def health(self) -> Health:
        """Raises PipelineUnavailable."""
        return Health(**self._ask("GET", "/health").json())

    def labels(self) -> tuple[LabelInfo, ...]:
        """The closed label set. Raises PipelineUnavailable."""
        found = self._ask("GET", "/labels").json()
        return tuple(LabelInfo(row["label"], row["description"], tuple(row["concepts"])) for row in found)

    def put_image(self, png: bytes) -> str:
        """Send a clean photo, return its SHA-256. Raises PipelineUnavailable, RequestRefused."""
        sha256 = hashlib.sha256(png).hexdigest()
        self._ask("PUT", f"/images/{sha256}", png)
        return sha256

    def get_image(self, sha256: str) -> bytes:
        """A picture that an event named, verified. Raises PictureUnknown, PipelineUnavailable."""
        answer = self._ask("GET", f"/images/{sha256}", missing=PictureUnknown)
        if hashlib.sha256(answer.content).hexdigest() != sha256:
            raise PipelineUnavailable(f"picture {sha256[:12]} arrived damaged; ask again")
        return answer.content

    def erase_image(self, sha256: str) -> None:
        """Erase the server's copy, if it has one. Raises RequestRefused while a job it knows uses the picture,
        PipelineUnavailable."""
        self._ask("DELETE", f"/images/{sha256}")

    def submit(self, request: ExplainRequest) -> str:
        """Ask a question about a photo that was put before; returns its key. The same key asked again is
        the same job. Raises QueueFull, RequestRefused, PipelineUnavailable."""
        self._ask("POST", "/jobs", request_to_json(request).encode())
        return request.key

    def cancel(self, key: str) -> None:
        """End a job at its next step. Raises JobUnknown, PipelineUnavailable."""
        self._ask("DELETE", f"/jobs/{key}", missing=JobUnknown)

    def forget(self, key: str) -> None:
        """`cancel`, and the server lets go of the question, the answer and the pictures it drew for it. Raises
        JobUnknown, PipelineUnavailable."""
        self._ask("DELETE", f"/jobs/{key}?forget=1", missing=JobUnknown)

    def events(self, key: str, after: int = 0) -> Iterator[tuple[int, Event]]:
        """A job's events numbered from 1, those after ``after``, up to Explained or Failed.

        A cut connection is taken up again where it stopped. Raises JobUnknown, RequestRefused, and
        PipelineUnavailable when it stays cut.
        """
        failures = 0
        while True:
            cut = "the stream ended early"
            try:
                with contextlib.closing(self._stream(key, after)) as numbered:
                    for n, event in numbered:
                        yield n, event
                        after, failures = n, 0
                        if isinstance(event, Explained | Failed):
                            return
            except (httpx.TransportError, PipelineUnavailable, ValueError) as error:
                cut = str(error) or type(error).__name__
            if failures == len(RECONNECT_AFTER_S):
                raise PipelineUnavailable(f"the model server stopped answering ({cut})")
            time.sleep(RECONNECT_AFTER_S[failures])
            failures += 1

    def _stream(self, key: str, after: int) -> Generator[tuple[int, Event], None, None]:
        quiet = httpx.Timeout(10.0, read=SILENCE_S)
        address = f"/jobs/{key}/events"
        with self._http.stream("GET", address, params={"after": after}, timeout=quiet) as answer:
            if answer.status_code != 200:
                answer.read()
                raise _error(answer, JobUnknown)
            for line in answer.iter_lines():
                if line:
                    numbered = json.loads(line)
                    yield numbered["n"], event_from_json(json.dumps(numbered["event"]))

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        missing: type[PipelineError] = RequestRefused,
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, content=body)
        except httpx.TransportError as error:
            raise PipelineUnavailable(f"the model server does not answer ({error})") from error
        if answer.is_success:
            return answer
        raise _error(answer, missing)


def _error(answer: httpx.Response, missing: type[PipelineError]) -> PipelineError:
    said = answer.text[:300]
    with contextlib.suppress(ValueError, KeyError, TypeError):
        said = answer.json()["error"]
    if answer.status_code == 404:
        return missing(said)
    if answer.status_code == 503:
        return QueueFull(said)
    if answer.status_code >= 500 or answer.status_code == 401:
        return PipelineUnavailable(said)
    return RequestRefused(f"{answer.status_code}: {said}")
