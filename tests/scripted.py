"""A scripted explainer: real events and small pictures without models. Only tests import it."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from PIL import Image

from pipeline.images import DiskImages
from pipeline.jobqueue import Explainers, JobQueue
from pipeline.server import make_app
from pipeline.types import (
    CONDITIONS,
    AdapterPlan,
    Case,
    CasesFound,
    Diagnosis,
    DiagnosisMade,
    Event,
    Explained,
    ExplainRequest,
    GeneratedImage,
    ImageProgress,
    ImagesReady,
    ImageStore,
    LabelInfo,
    Manifest,
    Mask,
    MaskFound,
    TextDelta,
)

TOKEN = "a token for tests only"
STEPS = 3
WORDS = ("This ", "looks ", "most ", "like ", "**psoriasis**", ". ", "It ", "could ", "also ", "be ", "acne.")


@dataclass(frozen=True)
class ScriptedProfile:
    name: str = "scripted"
    demonstration: bool = True
    labels: tuple[LabelInfo, ...] = (
        LabelInfo("psoriasis", "Red, scaly plaques.", ("plaque", "scale")),
        LabelInfo("acne", "Comedones and papules.", ("papule",)),
        LabelInfo("vitiligo", "White patches.", ("white",)),
    )


def small_png(colour: tuple[int, int, int] = (220, 180, 150), side: int = 48) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Scripted:
    """An explainer for all three conditions. ``pause_s`` passes between events.

    A question that contains "break" raises, "stop early" ends without Explained, "hold" waits at the
    first picture until `release` is set or the iterator is closed, "hang" waits for it without an event. A
    question with "cannot tell" abstains.
    """

    images: ImageStore
    pause_s: float = 0.0
    release: threading.Event = field(default_factory=threading.Event)
    started: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def explain(self, request: ExplainRequest) -> Iterator[Event]:
        self.started.append(request.key)
        try:
            for event in self._events(request):
                time.sleep(self.pause_s)
                yield event
        except GeneratorExit:
            self.closed.append(request.key)
            raise

    def _events(self, request: ExplainRequest) -> Iterator[Event]:
        if "break" in request.question:
            raise RuntimeError("secret detail of the model")
        if "cannot tell" in request.question:
            unknown = Diagnosis(None, (), 9.0, 3.0)
            yield DiagnosisMade(unknown)
            yield TextDelta("I cannot tell from this photo.")
            yield Explained(scripted_manifest(request, unknown))
            return
        diagnosis = request.diagnosis or Diagnosis("psoriasis", ("acne", "vitiligo"), 1.0, 3.0)
        if not request.history:
            yield DiagnosisMade(diagnosis)
        for word in WORDS:
            yield TextDelta(word)
        if "stop early" in request.question:
            return
        if "hang" in request.question:
            self.release.wait()
        pictures: tuple[str, ...] = ()
        if not request.history:
            for event in self._pictures(request, diagnosis):
                if isinstance(event, ImagesReady):
                    pictures = tuple(image.image for image in event.images)
                yield event
        yield Explained(scripted_manifest(request, diagnosis, pictures))

    def _pictures(self, request: ExplainRequest, diagnosis: Diagnosis) -> Iterator[Event]:
        if request.condition == "cases":
            yield CasesFound((Case("case-1", "psoriasis", "a red plaque", self._put(200), 0.9),))
        if request.condition != "generated":
            return
        yield MaskFound(Mask(self._put(255), self._put(120), (10, 10, 30, 30), 0.8, 0.17))
        for step in range(1, STEPS + 1):
            while "hold" in request.question and not self.release.wait(0.01):
                yield ImageProgress(step - 1, STEPS)
            yield ImageProgress(step, STEPS, diagnosis.lookalikes, (self._put(40 + step), self._put(80 + step)))
        yield ImagesReady(
            tuple(
                GeneratedImage(label, self._put(100 + 10 * index), f"a photo of {label}", 7, _plan(label))
                for index, label in enumerate(diagnosis.lookalikes)
            )
        )

    def _put(self, red: int) -> str:
        return self.images.put(small_png((red, 100, 100)))


def _plan(label: str) -> AdapterPlan:
    return AdapterPlan(label, "skin", 0.8, 0.5, ("case-1",))


def scripted_manifest(request: ExplainRequest, diagnosis: Diagnosis, pictures: tuple[str, ...] = ()) -> Manifest:
    return Manifest(
        key=request.key,
        condition=request.condition,
        profile="scripted",
        photo=request.photo,
        question=request.question,
        seed=request.seed,
        models={"language": {"id": "scripted", "class": "Scripted", "sha256": "0" * 64}},
        prompts={},
        adapters=(),
        settings={},
        diagnosis=diagnosis,
        caption=None,
        cases=(),
        images=pictures,
        latency_s={},
        fallbacks=(),
        versions={},
    )


@dataclass
class ScriptedServer:
    """The real server over a scripted explainer, on a free port, in threads of this process."""

    url: str
    images: DiskImages
    queue: JobQueue
    explainer: Scripted
    stop: Callable[[], None]


@contextlib.contextmanager
def scripted_server(
    folder: Path,
    pause_s: float = 0.0,
    max_waiting: int = 8,
    port: int = 0,
    heartbeat_s: float = 0.05,
    load: Callable[[Explainers], Explainers] = lambda explainers: explainers,
    profile: ScriptedProfile | None = None,
) -> Iterator[ScriptedServer]:
    """``load`` may delay or break the loading of the models; ``port`` 0 picks a free one."""
    images = DiskImages(folder)
    explainer = Scripted(images, pause_s)
    explainers: Explainers = dict.fromkeys(CONDITIONS, explainer)
    queue = JobQueue(lambda: load(explainers), images, max_waiting=max_waiting)
    app = make_app(profile or ScriptedProfile(), queue, images, TOKEN, heartbeat_s)
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    queue.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(5)
        queue.stop()

    try:
        yield ScriptedServer(f"http://127.0.0.1:{listener.getsockname()[1]}", images, queue, explainer, stop)
    finally:
        stop()
