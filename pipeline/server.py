"""The door: where models live, one HTTP server on loopback with a bearer token.

    GET    /health             ready, profile, demonstration, queue, loading
    GET    /labels             the closed label set
    PUT    /images/{sha256}    a clean photo's PNG, verified against its name
    GET    /images/{sha256}    any picture an event named
    DELETE /images/{sha256}    erase it; 409 while a known job is about it or drew it
    POST   /jobs               a question; the same key is the same job
    GET    /jobs/{key}/events  ?after=N: NDJSON {"n": i, "event": {...}}, open until Explained or Failed
    DELETE /jobs/{key}         cancel; ?forget=1: and forget question, answer and the pictures drawn for it

Errors are {"error": "..."} with status 401, 404, 409 (key with another request, picture in use), 413 (too large),
422 (not understood) or 503 (queue full). Models are loaded after the port is open, in the worker's thread.

A withdrawal of the app's forgets the participant's jobs, then erases their pictures. Without it, finished jobs are
forgotten after an hour (`jobqueue.KEEP_S`), pictures two hours after their last use (`images.KEEP_S`).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import hmac
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.images import DiskImages, is_sha256, png_size
from pipeline.jobqueue import Job, JobConflict, JobQueue, QueueFull
from pipeline.types import ExplainRequest, LabelInfo, request_from_json

MAX_IMAGE_BYTES = 8 * 1024 * 1024
"""A clean photo is at most 1024 x 1024 RGB: 3.1 MB uncompressed."""
MAX_IMAGE_SIDE = 2048
MAX_REQUEST_BYTES = 256 * 1024
MAX_QUESTION = 2000
MAX_TURNS = 200
HEARTBEAT_S = 10.0
"""An empty line goes out after this long without an event, so that a reader can tell quiet from cut."""

_KEY = re.compile(r"[A-Za-z0-9_.-]{1,128}")

log = logging.getLogger(__name__)


class ServedProfile(Protocol):
    """What the door says about the models behind it."""

    @property
    def name(self) -> str: ...
    @property
    def demonstration(self) -> bool: ...
    @property
    def labels(self) -> tuple[LabelInfo, ...]: ...


@dataclass(frozen=True)
class Door:
    """The handlers' shared state."""

    profile: ServedProfile
    queue: JobQueue
    images: DiskImages
    heartbeat_s: float = HEARTBEAT_S

    async def health(self, request: Request) -> Response:
        loading = self.queue.loading
        return JSONResponse(
            {
                "ready": loading is None,
                "profile": self.profile.name,
                "demonstration": self.profile.demonstration,
                "queue": len(self.queue),
                "loading": loading,
            }
        )

    async def labels(self, request: Request) -> Response:
        return JSONResponse([dataclasses.asdict(info) for info in self.profile.labels])

    async def put_image(self, request: Request) -> Response:
        sha256 = request.path_params["sha256"]
        png = await _body(request, MAX_IMAGE_BYTES)
        if hashlib.sha256(png).hexdigest() != sha256:
            raise HTTPException(422, "the body's SHA-256 is not the name it was sent under")
        try:
            if max(png_size(png)) > MAX_IMAGE_SIDE:
                raise HTTPException(413, f"the picture's sides may have {MAX_IMAGE_SIDE} pixels at most")
        except ValueError as error:
            raise HTTPException(422, f"{error}; send what photo.clean_photo returned") from None
        await run_in_threadpool(self.images.put, png)
        return Response(status_code=204)

    async def get_image(self, request: Request) -> Response:
        try:
            png = await run_in_threadpool(self.images.get, request.path_params["sha256"])
        except KeyError:
            raise HTTPException(404, "no such picture") from None
        return Response(png, media_type="image/png")

    async def erase_image(self, request: Request) -> Response:
        sha256 = request.path_params["sha256"]
        if not is_sha256(sha256):
            raise HTTPException(404, "no such picture")
        if self.queue.uses(sha256):
            raise HTTPException(409, "a job is about this picture or drew it; forget the job first")
        await run_in_threadpool(self.images.erase, sha256)
        return Response(status_code=204)

    async def submit(self, request: Request) -> Response:
        asked = _parsed(await _body(request, MAX_REQUEST_BYTES))
        if asked.photo not in self.images:
            raise HTTPException(422, "the photo is not here; PUT /images/{sha256} first")
        try:
            self.queue.submit(asked)
        except JobConflict as error:
            raise HTTPException(409, str(error)) from None
        except QueueFull as error:
            raise HTTPException(503, str(error)) from None
        return JSONResponse({"key": asked.key}, 202)

    async def events(self, request: Request) -> Response:
        job = self._job(request)
        after = request.query_params.get("after", "0")
        if not after.isdecimal() or len(after) > 9:
            raise HTTPException(422, "after is the number of the last event already read")
        lines = _lines(job, int(after), self.heartbeat_s)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def cancel(self, request: Request) -> Response:
        end = self.queue.forget if request.query_params.get("forget") == "1" else self.queue.cancel
        try:
            await run_in_threadpool(end, request.path_params["key"])
        except KeyError:
            raise HTTPException(404, "no such job") from None
        return Response(status_code=202)

    def _job(self, request: Request) -> Job:
        try:
            return self.queue.get(request.path_params["key"])
        except KeyError:
            raise HTTPException(404, "no such job") from None


async def _lines(job: Job, after: int, heartbeat_s: float) -> AsyncIterator[str]:
    """A job's events as lines, as they come; an empty line where nothing comes for a while."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: the server is stopping
            loop.call_soon_threadsafe(changed.set)

    with job.listening(wake):
        while True:
            changed.clear()
            lines, over = job.since(after)
            for n, event in lines:
                yield f'{{"n": {n}, "event": {event}}}\n'
                after = n
            if over:
                return
            try:
                await asyncio.wait_for(changed.wait(), heartbeat_s)
            except TimeoutError:
                yield "\n"


async def _body(request: Request, limit: int) -> bytes:
    """Never holds more than ``limit`` bytes, whatever Content-Length says."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413, f"the body has more than {limit} bytes")
    return bytes(body)


def _parsed(body: bytes) -> ExplainRequest:
    try:
        asked = request_from_json(body)
    except ValidationError as error:
        raise HTTPException(422, f"not a request: {error.errors()[0]['msg']}") from None
    if not _KEY.fullmatch(asked.key):
        raise HTTPException(422, "a key has 1 to 128 letters, digits, '.', '_' or '-'")
    if not is_sha256(asked.photo):
        raise HTTPException(422, "photo is the SHA-256 of a PNG in hex")
    if len(asked.question) > MAX_QUESTION or len(asked.history) > MAX_TURNS:
        raise HTTPException(422, f"at most {MAX_QUESTION} characters and {MAX_TURNS} turns")
    return asked


class BearerToken:
    """Nothing is answered without the token, compared in constant time."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                refused = JSONResponse({"error": "a bearer token is needed"}, 401)
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


async def _broke(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": "internal error; the server's log says why"}, 500)


def make_app(
    profile: ServedProfile,
    queue: JobQueue,
    images: DiskImages,
    token: str,
    heartbeat_s: float = HEARTBEAT_S,
) -> Starlette:
    """The door over a queue (started and stopped by the caller). Raises ValueError for a guessable token."""
    if len(token) < 16:
        raise ValueError("the token needs at least 16 characters")
    door = Door(profile, queue, images, heartbeat_s)
    routes = [
        Route("/health", door.health),
        Route("/labels", door.labels),
        Route("/images/{sha256}", door.put_image, methods=["PUT"]),
        Route("/images/{sha256}", door.get_image),
        Route("/images/{sha256}", door.erase_image, methods=["DELETE"]),
        Route("/jobs", door.submit, methods=["POST"]),
        Route("/jobs/{key}/events", door.events),
        Route("/jobs/{key}", door.cancel, methods=["DELETE"]),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(BearerToken, token=token)],
        exception_handlers={HTTPException: _refused, Exception: _broke},
    )
