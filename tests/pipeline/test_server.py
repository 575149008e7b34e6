"""The door over a scripted explainer: who may ask, what is answered, and that nothing is left hanging."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipeline import jobqueue
from pipeline.images import DiskImages, png_size
from pipeline.jobqueue import BROKE, CANCELLED, STALLED, STOPPING, UNFINISHED, Explainers, Job, JobQueue
from pipeline.server import MAX_IMAGE_BYTES, MAX_REQUEST_BYTES, make_app
from pipeline.serving import CannotServe, Options, Stopper, serve, serve_app, token_from_environment
from pipeline.types import (
    CONDITIONS,
    CasesFound,
    Condition,
    DiagnosisMade,
    Event,
    Explained,
    ExplainRequest,
    Failed,
    ImagesReady,
    MaskFound,
    Queued,
    TextDelta,
    event_from_json,
    request_to_json,
)
from tests.scripted import (
    TOKEN,
    WORDS,
    Scripted,
    ScriptedProfile,
    ScriptedServer,
    scripted_server,
    small_png,
)

PHOTO = small_png()
SHA256 = hashlib.sha256(PHOTO).hexdigest()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with scripted_server(tmp_path) as running:
        yield running


@pytest.fixture
def door(server: ScriptedServer) -> Iterator[httpx.Client]:
    with talking_to(server) as client:
        assert client.put(f"/images/{SHA256}", content=PHOTO).status_code == 204
        yield client


def talking_to(server: ScriptedServer, token: str = TOKEN) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=10)


def asked(key: str, condition: Condition = "generated", question: str = "What is it?") -> ExplainRequest:
    return ExplainRequest(key, condition, SHA256, question)


def submitted(door: httpx.Client, request: ExplainRequest) -> httpx.Response:
    return door.post("/jobs", content=request_to_json(request))


def events(door: httpx.Client, key: str, after: int = 0) -> list[tuple[int, Event]]:
    body = door.get(f"/jobs/{key}/events", params={"after": after}).raise_for_status().text
    rows = [json.loads(line) for line in body.splitlines() if line]
    return [(row["n"], event_from_json(json.dumps(row["event"]))) for row in rows]


def until(true: object, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.005)


# Who may ask ---------------------------------------------------------------------------------------


def test_nothing_is_answered_without_the_token(server: ScriptedServer) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as stranger:
        for path in ("/health", "/labels", f"/images/{SHA256}", "/jobs/a/events", "/nothing"):
            for header in (
                None,
                "",
                "Bearer",
                f"Bearer {TOKEN}x",
                f"Bearer {TOKEN[:-1]}",
                TOKEN,
                "Basic eA==",
            ):
                headers = {} if header is None else {"Authorization": header}
                answer = stranger.get(path, headers=headers)
                assert answer.status_code == 401, (path, header)
                assert "scripted" not in answer.text
        assert stranger.post("/jobs", content=b"{}").status_code == 401
        assert stranger.delete("/jobs/a").status_code == 401
        assert stranger.delete(f"/images/{SHA256}").status_code == 401


def test_a_short_token_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="16 characters"):
        make_app(ScriptedProfile(), JobQueue(dict, DiskImages(tmp_path)), DiskImages(tmp_path), "short")


def test_health_and_labels(door: httpx.Client, server: ScriptedServer) -> None:
    until(lambda: server.queue.loading is None)
    assert door.get("/health").json() == {
        "ready": True,
        "profile": "scripted",
        "demonstration": True,
        "queue": 0,
        "loading": None,
    }
    labels = door.get("/labels").json()
    assert [row["label"] for row in labels] == ["psoriasis", "acne", "vitiligo"]
    assert labels[0] == {
        "label": "psoriasis",
        "description": "Red, scaly plaques.",
        "concepts": ["plaque", "scale"],
    }


# Pictures ------------------------------------------------------------------------------------------


def test_a_picture_comes_back_as_it_was_sent(door: httpx.Client) -> None:
    answer = door.get(f"/images/{SHA256}")
    assert answer.content == PHOTO
    assert answer.headers["content-type"] == "image/png"


def test_pictures_under_a_wrong_name_or_of_another_kind_are_refused(door: httpx.Client) -> None:
    other = small_png((1, 2, 3))
    assert door.put(f"/images/{SHA256}", content=other).status_code == 422
    text = b"GIF89a not a png"
    assert door.put(f"/images/{hashlib.sha256(text).hexdigest()}", content=text).status_code == 422
    assert door.get(f"/images/{hashlib.sha256(other).hexdigest()}").status_code == 404
    assert door.get("/images/..%2F..%2Fetc%2Fpasswd").status_code == 404


def test_pictures_too_large_are_refused(door: httpx.Client) -> None:
    large = PHOTO + b"\0" * MAX_IMAGE_BYTES
    assert door.put(f"/images/{hashlib.sha256(large).hexdigest()}", content=large).status_code == 413
    wide = PHOTO[:16] + (10**6).to_bytes(4, "big") + PHOTO[20:]
    assert door.put(f"/images/{hashlib.sha256(wide).hexdigest()}", content=wide).status_code == 413


def test_unused_pictures_are_swept_and_those_in_use_are_not(tmp_path: Path) -> None:
    images = DiskImages(tmp_path, keep_s=0.05)
    photo = images.put(PHOTO)
    assert images.get(photo) == PHOTO
    time.sleep(0.12)
    newer = images.put(small_png((2, 2, 2)))
    images.sweep()
    assert (photo in images, newer in images) == (False, True)
    with pytest.raises(KeyError):
        images.get(photo)


def test_an_erased_picture_is_gone(door: httpx.Client, server: ScriptedServer) -> None:
    for _ in range(2):
        assert door.delete(f"/images/{SHA256}").status_code == 204
    assert door.get(f"/images/{SHA256}").status_code == 404
    assert list(server.images.folder.iterdir()) == []
    assert door.delete("/images/..%2F..%2Fetc%2Fpasswd").status_code == 404
    assert door.delete("/images/" + "A" * 64).status_code == 404


def test_the_size_of_what_is_no_png_is_an_error() -> None:
    assert png_size(PHOTO) == (48, 48)
    for wrong in (b"", PHOTO[:20], b"x" * 50):
        with pytest.raises(ValueError, match="not a PNG"):
            png_size(wrong)


# Jobs ----------------------------------------------------------------------------------------------


def test_a_question_is_answered_event_by_event(door: httpx.Client) -> None:
    answer = submitted(door, asked("a"))
    assert (answer.status_code, answer.json()) == (202, {"key": "a"})
    found = events(door, "a")
    assert [n for n, _ in found] == list(range(1, len(found) + 1))
    kinds = [type(event) for _, event in found if not isinstance(event, Queued)]
    assert kinds[0] is DiagnosisMade
    assert kinds[1 : 1 + len(WORDS)] == [TextDelta] * len(WORDS)
    assert kinds.index(MaskFound) < kinds.index(ImagesReady) < kinds.index(Explained) == len(kinds) - 1
    (ready,) = [event for _, event in found if isinstance(event, ImagesReady)]
    for image in ready.images:
        assert hashlib.sha256(door.get(f"/images/{image.image}").content).hexdigest() == image.image


def test_a_reader_continues_where_it_stopped(door: httpx.Client) -> None:
    submitted(door, asked("a"))
    every = events(door, "a")
    for after in (0, 1, 5, len(every) - 1, len(every), 999):
        assert events(door, "a", after) == every[after:]


def test_events_arrive_while_the_job_runs(door: httpx.Client, server: ScriptedServer) -> None:
    submitted(door, asked("a", question="hold"))
    with door.stream("GET", "/jobs/a/events") as answer:
        kinds = []
        for line in answer.iter_lines():
            if line:
                kinds.append(json.loads(line)["event"]["type"])
            if kinds and kinds[-1] == "mask_found":
                server.explainer.release.set()
    assert kinds[-1] == "explained"


def test_the_same_key_is_the_same_job(door: httpx.Client, server: ScriptedServer) -> None:
    for _ in range(3):
        assert submitted(door, asked("a")).status_code == 202
    first = events(door, "a")
    assert submitted(door, asked("a")).status_code == 202
    assert events(door, "a") == first
    assert server.explainer.started == ["a"]


def test_the_same_key_with_another_question_is_a_conflict(door: httpx.Client, server: ScriptedServer) -> None:
    submitted(door, asked("a"))
    answer = submitted(door, dataclasses.replace(asked("a"), seed=1))
    assert answer.status_code == 409
    assert "another request" in answer.json()["error"]
    events(door, "a")
    assert server.explainer.started == ["a"]


def test_what_is_not_a_request_is_refused(door: httpx.Client, server: ScriptedServer) -> None:
    good = asked("a")
    for body in (
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        request_to_json(good).replace("generated", "guessed").encode(),
        request_to_json(asked("../etc/passwd")).encode(),
        request_to_json(asked("")).encode(),
        request_to_json(asked("k" * 129)).encode(),
        request_to_json(asked("a", question="q" * 2001)).encode(),
        request_to_json(dataclasses.replace(good, photo="../x")).encode(),
        request_to_json(dataclasses.replace(good, photo="0" * 64)).encode(),
    ):
        answer = door.post("/jobs", content=body)
        assert answer.status_code == 422, body
        assert answer.json()["error"]
    assert len(server.queue) == 0


def test_a_request_too_large_is_refused(door: httpx.Client) -> None:
    assert door.post("/jobs", content=b" " * (MAX_REQUEST_BYTES + 1)).status_code == 413


def test_unknown_jobs_and_positions(door: httpx.Client) -> None:
    assert door.get("/jobs/unknown/events").status_code == 404
    assert door.delete("/jobs/unknown").status_code == 404
    submitted(door, asked("a"))
    for after in ("-1", "x", "", "1e3", "9" * 20):
        assert door.get("/jobs/a/events", params={"after": after}).status_code == 422


def test_jobs_wait_their_turn_and_know_their_place(tmp_path: Path) -> None:
    with scripted_server(tmp_path, max_waiting=2) as server, talking_to(server) as door:
        door.put(f"/images/{SHA256}", content=PHOTO)
        until(lambda: server.queue.loading is None)
        submitted(door, asked("a", question="hold"))
        until(lambda: server.explainer.started == ["a"])
        assert submitted(door, asked("b")).status_code == 202
        assert submitted(door, asked("c")).status_code == 202
        full = submitted(door, asked("d"))
        assert full.status_code == 503
        assert "waiting" in full.json()["error"]
        assert submitted(door, asked("a", question="hold")).status_code == 202  # attaching needs no room
        assert door.get("/health").json()["queue"] == 3
        server.explainer.release.set()
        assert isinstance(events(door, "c")[-1][1], Explained)
        assert server.explainer.started == ["a", "b", "c"]
        places = [event.ahead for _, event in events(door, "c") if isinstance(event, Queued)]
        assert places == [2, 1]
        assert not [event for _, event in events(door, "a") if isinstance(event, Queued)]


# Ends ----------------------------------------------------------------------------------------------


def test_cancelling_a_running_job_closes_the_explainer(door: httpx.Client, server: ScriptedServer) -> None:
    submitted(door, asked("a", question="hold"))
    with door.stream("GET", "/jobs/a/events") as answer:
        for line in answer.iter_lines():
            if "image_progress" in line:
                assert door.delete("/jobs/a").status_code == 202
                break
    last = events(door, "a")[-1][1]
    assert isinstance(last, Failed)
    assert (last.reason, last.retryable) == (CANCELLED, True)
    assert server.explainer.closed == ["a"]
    assert submitted(door, asked("b")).status_code == 202  # the worker lives
    assert isinstance(events(door, "b")[-1][1], Explained)
    assert door.delete("/jobs/b").status_code == 202  # too late: stays answered
    assert isinstance(events(door, "b")[-1][1], Explained)


def test_cancelling_a_waiting_job_never_starts_it(door: httpx.Client, server: ScriptedServer) -> None:
    submitted(door, asked("a", question="hold"))
    until(lambda: server.explainer.started == ["a"])
    submitted(door, asked("b"))
    submitted(door, asked("c"))
    assert door.delete("/jobs/b").status_code == 202
    assert isinstance(events(door, "b")[-1][1], Failed)
    server.explainer.release.set()
    assert isinstance(events(door, "c")[-1][1], Explained)
    assert server.explainer.started == ["a", "c"]


def test_an_exception_is_a_plain_failure_and_a_line_in_the_log(
    door: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        submitted(door, asked("a", question="break"))
        last = events(door, "a")[-1][1]
    assert isinstance(last, Failed)
    assert last.reason == BROKE
    assert last.retryable
    body = door.get("/jobs/a/events").text
    assert "secret detail" not in body
    assert "Traceback" not in body
    assert last.reference in caplog.text
    assert "secret detail of the model" in caplog.text
    submitted(door, asked("b"))
    assert isinstance(events(door, "b")[-1][1], Explained)


def test_a_stream_without_its_end_is_a_failure(door: httpx.Client) -> None:
    submitted(door, asked("a", question="stop early"))
    found = events(door, "a")
    assert isinstance(found[-1][1], Failed)
    assert found[-1][1].reason == UNFINISHED
    assert not any(isinstance(event, Explained) for _, event in found)


def test_finished_jobs_are_forgotten_in_time(tmp_path: Path) -> None:
    images = DiskImages(tmp_path)
    queue = JobQueue(lambda: dict.fromkeys(CONDITIONS, Scripted(images)), images, keep_jobs=2)
    queue.start()
    for key in "abcd":
        job = queue.submit(asked(key, "text"))
        until(lambda job=job: job.finished_at is not None)
    queue.submit(asked("e", "text"))
    with pytest.raises(KeyError):
        queue.get("a")
    assert queue.get("d").finished_at is not None
    queue.stop()


def test_a_quiet_server_forgets_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks anything more: jobs and pictures go all the same when their time is over."""
    monkeypatch.setattr(jobqueue, "TIDY_EVERY_S", 0.02)
    images = DiskImages(tmp_path, keep_s=0.3)
    queue = JobQueue(lambda: dict.fromkeys(CONDITIONS, Scripted(images)), images, keep_s=0.2)
    queue.start()
    images.put(PHOTO)
    job = queue.submit(asked("a"))
    until(lambda: job.finished_at is not None)
    assert len(list(tmp_path.glob("*.png"))) > 1
    until(lambda: not queue.uses(SHA256) and not list(tmp_path.iterdir()))
    with pytest.raises(KeyError):
        queue.get("a")
    queue.stop()


# Forgotten on request ------------------------------------------------------------------------------


def test_a_forgotten_job_takes_its_words_and_pictures_along(door: httpx.Client, server: ScriptedServer) -> None:
    submitted(door, asked("a"))
    assert isinstance(events(door, "a")[-1][1], Explained)
    assert len(list(server.images.folder.iterdir())) > 6
    assert door.delete(f"/images/{SHA256}").status_code == 409  # the job is about it
    assert door.delete("/jobs/a", params={"forget": "1"}).status_code == 202
    assert door.get("/jobs/a/events").status_code == 404
    assert door.delete("/jobs/a", params={"forget": "1"}).status_code == 404
    assert [path.stem for path in server.images.folder.iterdir()] == [SHA256]  # the app knows whose photo it is
    assert door.delete(f"/images/{SHA256}").status_code == 204
    assert list(server.images.folder.iterdir()) == []


def test_a_job_forgotten_while_it_draws_stops_and_leaves_nothing(door: httpx.Client, server: ScriptedServer) -> None:
    submitted(door, asked("a", question="hold"))
    until(lambda: list(server.images.folder.glob("*.png"))[1:])
    assert door.delete("/jobs/a", params={"forget": "1"}).status_code == 202
    until(lambda: server.explainer.closed == ["a"])
    until(lambda: [path.stem for path in server.images.folder.iterdir()] == [SHA256])
    assert submitted(door, asked("b")).status_code == 202  # the worker lives
    assert isinstance(events(door, "b")[-1][1], Explained)


def test_a_forgotten_job_that_waited_is_never_begun(door: httpx.Client, server: ScriptedServer) -> None:
    submitted(door, asked("a", question="hold"))
    until(lambda: server.explainer.started == ["a"])
    submitted(door, asked("b"))
    assert door.delete("/jobs/b", params={"forget": "1"}).status_code == 202
    server.explainer.release.set()
    assert isinstance(events(door, "a")[-1][1], Explained)
    assert door.get("/health").json()["queue"] == 0
    assert server.explainer.started == ["a"]


def test_a_picture_that_another_job_put_as_well_stays(door: httpx.Client) -> None:
    """Two were shown the same case: it is one picture."""
    for key in "ab":
        submitted(door, asked(key, "cases"))
    shown = [event.cases[0].image for key in "ab" for _, event in events(door, key) if isinstance(event, CasesFound)]
    assert shown[0] == shown[1]
    door.delete("/jobs/a", params={"forget": "1"})
    assert door.delete(f"/images/{shown[0]}").status_code == 409
    assert door.get(f"/images/{shown[0]}").status_code == 200
    door.delete("/jobs/b", params={"forget": "1"})
    assert door.get(f"/images/{shown[0]}").status_code == 404


# Loading and stopping ------------------------------------------------------------------------------


def test_the_port_is_open_before_the_models_are_loaded(tmp_path: Path) -> None:
    loaded = threading.Event()

    def load(explainers: Explainers) -> Explainers:
        assert loaded.wait(10)
        return explainers

    with scripted_server(tmp_path, load=load) as server, talking_to(server) as door:
        health = door.get("/health").json()
        assert health["ready"] is False
        assert health["loading"]
        door.put(f"/images/{SHA256}", content=PHOTO)
        assert submitted(door, asked("a")).status_code == 202
        loaded.set()
        found = [event for _, event in events(door, "a")]
        assert found[0] == Queued(0)
        assert isinstance(found[-1], Explained)
        assert door.get("/health").json()["ready"] is True


def test_models_that_cannot_be_loaded_stop_the_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = threading.Event()

    def load() -> Explainers:
        raise OSError("weights are missing")

    queue = JobQueue(load, DiskImages(tmp_path), on_broken=broken.set)
    with caplog.at_level(logging.ERROR):
        queue.start()
        assert broken.wait(5)
    assert "weights are missing" in caplog.text
    assert queue.loading is not None
    assert "could not be loaded" in queue.loading


def test_a_job_that_hangs_fails_and_takes_the_server_down(tmp_path: Path) -> None:
    """A thread cannot be stopped; whoever started the server starts it again."""
    broken = threading.Event()
    images = DiskImages(tmp_path)
    explainer = Scripted(images)
    explainers: Explainers = dict.fromkeys(CONDITIONS, explainer)
    queue = JobQueue(lambda: explainers, images, stall_s=0.2, on_broken=broken.set)
    queue.start()
    fine = queue.submit(asked("a"))
    until(lambda: fine.finished_at is not None)
    assert not broken.is_set()
    hanging = queue.submit(asked("b", question="hang"))
    assert broken.wait(5)
    assert reason(hanging) == STALLED
    explainer.release.set()
    queue.stop()


def test_stopping_ends_running_and_waiting_jobs(tmp_path: Path) -> None:
    images = DiskImages(tmp_path)
    explainer = Scripted(images)
    queue = JobQueue(lambda: dict.fromkeys(CONDITIONS, explainer), images)
    queue.start()
    running = queue.submit(asked("a", question="hold"))
    until(lambda: explainer.started == ["a"])
    waiting = queue.submit(asked("b"))
    queue.stop()
    assert reason(running) == CANCELLED
    assert reason(waiting) == STOPPING
    assert explainer.closed == ["a"]


def reason(job: Job) -> str:
    lines, over = job.since(0)
    assert over
    last = event_from_json(lines[-1][1])
    assert isinstance(last, Failed)
    return last.reason


def test_nothing_follows_the_last_event() -> None:
    job = Job(asked("a"))
    job.publish(Failed("first", "1"))
    job.publish(Failed("second", "2"))
    assert reason(job) == "first"
    assert len(job.since(0)[0]) == 1


def test_serving_ends_when_it_is_told_to(tmp_path: Path) -> None:
    opened: list[tuple[str, int]] = []
    stopper = Stopper()
    images = DiskImages(tmp_path)
    app = make_app(ScriptedProfile(), JobQueue(dict, images), images, TOKEN)
    thread = threading.Thread(
        target=serve_app,
        args=(app, "127.0.0.1", 0, lambda url, port: opened.append((url, port)), stopper),
    )
    thread.start()
    until(lambda: opened)
    url, port = opened[0]
    assert url == f"http://127.0.0.1:{port}"
    assert httpx.get(f"{url}/health", trust_env=False).status_code == 401
    stopper.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_the_token_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKINGEN_PIPELINE_TOKEN", TOKEN)
    assert token_from_environment("0.0.0.0") == TOKEN
    monkeypatch.setenv("SKINGEN_PIPELINE_TOKEN", "short")
    with pytest.raises(CannotServe, match="16 random characters"):
        token_from_environment("127.0.0.1")
    monkeypatch.delenv("SKINGEN_PIPELINE_TOKEN")
    assert len(token_from_environment("127.0.0.1")) >= 32
    with pytest.raises(CannotServe, match="SKINGEN_PIPELINE_TOKEN"):
        token_from_environment("0.0.0.0")


def test_a_server_whose_models_cannot_be_loaded_ends_with_1(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKINGEN_PIPELINE_TOKEN", raising=False)

    def load(images: DiskImages) -> Explainers:
        raise OSError("weights are missing")

    assert serve(ScriptedProfile(), load, Options()) == 1
    ready = json.loads(capfd.readouterr().out)
    assert ready["profile"] == "scripted"
    assert ready["url"].endswith(f":{ready['port']}")
    assert len(ready["token"]) >= 32
