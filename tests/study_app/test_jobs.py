"""The job runner over the real store and the real door: every question is answered exactly once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import client as client_module
from pipeline.client import JobUnknown, PictureUnknown, PipelineClient
from pipeline.jobqueue import CANCELLED, Explainers
from pipeline.jobqueue import UNFINISHED as UNFINISHED_REASON
from pipeline.types import (
    Condition,
    Diagnosis,
    DiagnosisMade,
    Event,
    Explained,
    ExplainRequest,
    Failed,
    ImageProgress,
    ImagesReady,
    Queued,
    TextDelta,
    event_from_json,
)
from study_app import jobs as jobs_module
from study_app.job_events import Continuation, Diverged, coalesced, gathered
from study_app.job_run import pictures
from study_app.jobs import ASK_AGAIN_AFTER_S, BROKE, FULL, RESTARTED, UNREACHABLE, JobRunner
from study_app.model_copies import ModelCopies
from study_app.study.definition import Study
from study_app.study.errors import NotSaved, Refused
from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Store
from tests.scripted import (
    TOKEN,
    WORDS,
    Scripted,
    ScriptedServer,
    scripted_manifest,
    scripted_server,
    small_png,
)
from tests.study_app.people import arrive, walk_to

PHOTO = small_png((210, 170, 150))
TEXT = "".join(WORDS)


@dataclass
class App:
    """A participant who has chosen a photo, and the runner of their app."""

    store: Store
    media: MediaStore
    client: PipelineClient
    runner: JobRunner
    participant: str

    def request(self, question: str = "What is it?", condition: Condition = "generated") -> ExplainRequest:
        key = self.store.jobs.next_key(self.participant, 1)
        photo = self.store.state(self.participant).exposures[1].photo
        return ExplainRequest(key, condition, photo, question, seed=7)

    def ask(self, question: str = "What is it?", condition: Condition = "generated") -> str:
        request = self.request(question, condition)
        self.runner.start(self.participant, 1, request)
        return request.key

    def events(self, key: str) -> list[Event]:
        return [event_from_json(line) for _, line in self.store.jobs.events(key)]

    def text(self, key: str) -> str:
        return "".join(event.text for event in self.events(key) if isinstance(event, TextDelta))

    def status(self, key: str) -> str:
        job = self.store.jobs.get(key)
        assert job is not None
        return job.status

    def turns(self) -> list[tuple[str, str]]:
        return [(turn.role, turn.text) for turn in self.store.state(self.participant).exposures[1].turns]

    def restarted(
        self, client: PipelineClient | None = None, ask_again_after_s: Sequence[float] = ASK_AGAIN_AFTER_S
    ) -> App:
        """A new app process over the same files."""
        self.runner.stop()
        runner = JobRunner(self.store, self.media, client or self.client, 0.01, ask_again_after_s)
        return dataclasses.replace(self, runner=runner, client=client or self.client)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with scripted_server(tmp_path / "server") as running:
        yield running


@pytest.fixture
def app(db: Path, study: Study, server: ScriptedServer) -> Iterator[App]:
    with an_app(db, study, server.url) as running:
        yield running


@contextmanager
def an_app(db: Path, study: Study, url: str) -> Iterator[App]:
    store = Store.open(db)
    store.register(study)
    state = store.participant_by_token(store.arrive(study, "pilot"))
    assert state is not None
    store.record_consent(state.participant, True)
    store.save_answer(state.participant, "gender", "female")
    store.save_answer(state.participant, "medical_background", "no")
    store.finish_step(state.participant, "demographics")
    store.allocate(state.participant)
    media = MediaStore(folder_of(db), store)
    store.start_exposure(state.participant, 1, media.keep(state.participant, PHOTO), None)
    with PipelineClient(url, TOKEN) as client:
        runner = JobRunner(store, media, client, save_every_s=0.01, ask_again_after_s=(0.01, 0.05, 0.1))
        yield App(store, media, client, runner, state.participant)
        runner.stop()
    store.close()


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.005)


# Answered ------------------------------------------------------------------------------------------


def test_an_answer_is_stored_once_with_its_pictures(app: App, server: ScriptedServer) -> None:
    key = app.ask()
    assert app.runner.wait(key, 10)
    job = app.store.jobs.get(key)
    assert job is not None
    assert job.status == "done"
    assert app.turns() == [("participant", "What is it?"), ("assistant", TEXT)]
    assert json.loads(job.diagnosis or "")["label"] == "psoriasis"
    assert json.loads(job.manifest or "")["key"] == key
    stored = app.events(key)
    assert isinstance(stored[-1], Explained)
    assert app.text(key) == TEXT
    shown = [sha256 for event in stored for sha256 in pictures(event)]
    assert len(shown) >= 6
    for sha256 in shown:
        assert app.media.read(app.participant, sha256)


@pytest.mark.parametrize("condition", ["text", "cases", "generated"])
def test_every_condition_ends(app: App, condition: Condition) -> None:
    key = app.ask(condition=condition)
    assert app.runner.wait(key, 10)
    assert app.status(key) == "done"


def test_an_abstention_is_an_answer(app: App) -> None:
    key = app.ask("cannot tell")
    assert app.runner.wait(key, 10)
    job = app.store.jobs.get(key)
    assert job is not None
    assert job.status == "done"
    assert json.loads(job.diagnosis or "")["label"] is None


def test_progress_is_stored_while_the_answer_is_made(app: App, server: ScriptedServer) -> None:
    key = app.ask("hold")
    until(lambda: any(isinstance(event, ImageProgress) for event in app.events(key)))
    assert app.status(key) == "running"
    assert app.text(key) == TEXT
    server.explainer.release.set()
    assert app.runner.wait(key, 10)
    assert app.status(key) == "done"


def test_a_double_click_is_one_question(app: App, server: ScriptedServer) -> None:
    request = app.request("hold")
    threads = [threading.Thread(target=app.runner.start, args=(app.participant, 1, request)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.explainer.release.set()
    assert app.runner.wait(request.key, 10)
    assert app.turns() == [("participant", "hold"), ("assistant", TEXT)]
    assert server.explainer.started == [request.key]


def test_a_second_question_waits_for_the_first(app: App, server: ScriptedServer) -> None:
    first = app.ask("hold")
    with pytest.raises(Refused):
        app.ask("and now?")
    server.explainer.release.set()
    assert app.runner.wait(first, 10)
    second = app.ask("and now?")
    assert second != first
    assert app.runner.wait(second, 10)
    assert [text for _, text in app.turns()] == ["hold", TEXT, "and now?", TEXT]


# Restarts ------------------------------------------------------------------------------------------


def test_the_app_restarts_in_mid_answer(app: App, server: ScriptedServer) -> None:
    key = app.ask("hold")
    until(lambda: any(isinstance(event, ImageProgress) for event in app.events(key)))
    again = app.restarted()
    assert again.status(key) == "running"
    again.runner.resume()
    server.explainer.release.set()
    assert again.runner.wait(key, 10)
    assert again.turns() == [("participant", "hold"), ("assistant", TEXT)]
    assert again.text(key) == TEXT
    assert [type(event) for event in again.events(key)].count(DiagnosisMade) == 1
    assert [type(event) for event in again.events(key)].count(ImagesReady) == 1
    assert server.explainer.started == [key]
    again.runner.resume()
    assert again.runner.wait(key, 10)
    assert again.turns() == [("participant", "hold"), ("assistant", TEXT)]


def test_the_answer_is_there_although_the_app_was_away(app: App, server: ScriptedServer) -> None:
    key = app.ask("hold")
    until(lambda: app.status(key) == "running")
    app.runner.stop()
    server.explainer.release.set()
    until(lambda: len(server.queue) == 0)
    again = app.restarted()
    again.runner.resume()
    assert again.runner.wait(key, 10)
    assert again.turns()[-1] == ("assistant", TEXT)
    assert server.explainer.started == [key]


def test_app_and_models_restart_in_mid_answer(app: App, server: ScriptedServer, tmp_path: Path) -> None:
    """The new server has never heard of the job: it is run again and joined to what was stored."""
    key = app.ask("hold")
    until(lambda: any(isinstance(event, ImageProgress) for event in app.events(key)))
    app.runner.stop()
    before = app.events(key)
    server.stop()
    with scripted_server(tmp_path / "server2") as second, PipelineClient(second.url, TOKEN) as client:
        second.explainer.release.set()
        again = app.restarted(client)
        again.runner.resume()
        assert again.runner.wait(key, 10)
        assert again.turns() == [("participant", "hold"), ("assistant", TEXT)]
        assert again.events(key)[: len(before)] == before
        assert again.text(key) == TEXT
        assert [type(event) for event in again.events(key)].count(DiagnosisMade) == 1
        again.runner.stop()


def test_the_models_restart_under_a_running_app(
    app: App, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "RECONNECT_AFTER_S", (0.05, 0.1, 0.2, 0.5))
    port = int(server.url.rsplit(":", 1)[1])
    key = app.ask("hold")
    until(lambda: any(isinstance(event, ImageProgress) for event in app.events(key)))
    server.stop()
    with scripted_server(tmp_path / "server2", port=port) as second:
        second.explainer.release.set()
        assert app.runner.wait(key, 15)
    assert app.status(key) == "done"
    assert app.text(key) == TEXT
    assert app.turns() == [("participant", "hold"), ("assistant", TEXT)]


def test_a_second_run_that_differs_is_not_mixed_with_the_first(
    app: App, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = app.ask("hold")
    until(lambda: any(isinstance(event, ImageProgress) for event in app.events(key)))
    app.runner.stop()
    server.stop()
    monkeypatch.setattr("tests.scripted.WORDS", ("Something ", "else."))
    with scripted_server(tmp_path / "server2") as second, PipelineClient(second.url, TOKEN) as client:
        second.explainer.release.set()
        again = app.restarted(client)
        again.runner.resume()
        assert again.runner.wait(key, 10)
        job = again.store.jobs.get(key)
        assert job is not None
        assert (job.status, job.error) == ("failed", RESTARTED)
        assert [role for role, _ in again.turns()] == ["participant"]
        again.runner.stop()


# Failures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["stop early", "break"])
def test_what_is_not_finished_is_failed_and_can_be_asked_again(app: App, question: str) -> None:
    key = app.ask(question)
    assert app.runner.wait(key, 10)
    job = app.store.jobs.get(key)
    assert job is not None
    assert (job.status, job.manifest) == ("failed", None)
    assert job.error
    assert "secret" not in job.error
    if question == "stop early":
        assert job.error == UNFINISHED_REASON
    assert app.turns() == [("participant", question)]
    second = app.ask("better?")
    assert second != key
    assert app.runner.wait(second, 10)
    assert app.turns()[-1] == ("assistant", TEXT)


def test_cancelling_is_at_once_and_reaches_the_models(app: App, server: ScriptedServer) -> None:
    key = app.ask("hold")
    until(lambda: app.status(key) == "running")
    app.runner.cancel(key)
    job = app.store.jobs.get(key)
    assert job is not None
    assert (job.status, job.error) == ("cancelled", CANCELLED)
    until(lambda: server.explainer.closed == [key])
    assert app.runner.wait(key, 10)
    assert app.turns() == [("participant", "hold")]
    app.runner.cancel(key)
    other = app.ask("again")
    assert app.runner.wait(other, 10)
    app.runner.cancel(other)
    assert app.status(other) == "done"


def test_withdrawal_in_mid_answer_leaves_nothing(app: App, server: ScriptedServer) -> None:
    key = app.ask("hold")
    until(lambda: app.status(key) == "running")
    app.media.withdraw(app.participant)
    server.explainer.release.set()
    assert app.runner.wait(key, 10)
    assert app.store.jobs.get(key) is None
    assert list(app.media.folder.rglob("*.png")) == []


def told(app: App) -> MediaStore:
    """The app's own: the models hear of a withdrawal."""
    return MediaStore(app.media.folder, app.store, ModelCopies(app.client))


def test_a_withdrawal_reaches_the_models(app: App, server: ScriptedServer) -> None:
    key = app.ask()
    assert app.runner.wait(key, 10)
    photo = app.store.state(app.participant).exposures[1].photo
    drawn = [sha256 for event in app.events(key) for sha256 in pictures(event)]
    assert app.client.get_image(photo) == PHOTO
    erased = told(app).withdraw(app.participant)
    assert erased.jobs == (key,)
    assert {photo, *drawn} <= set(erased.pictures)
    for sha256 in (photo, *drawn):
        with pytest.raises(PictureUnknown):
            app.client.get_image(sha256)
    with pytest.raises(JobUnknown):
        list(app.client.events(key))
    assert list(server.images.folder.iterdir()) == []


def test_a_withdrawal_keeps_what_another_participant_has(app: App, server: ScriptedServer, study: Study) -> None:
    other = arrive(app.store, study)
    walk_to(app.store, app.media, other, "photo:1")
    app.store.start_exposure(other, 1, app.media.keep(other, PHOTO), None)
    assert app.runner.wait(app.ask(condition="text"), 10)
    told(app).withdraw(app.participant)
    assert [path.read_bytes() for path in server.images.folder.iterdir()] == [PHOTO]
    assert app.media.get(hashlib.sha256(PHOTO).hexdigest()) == PHOTO


@pytest.mark.parametrize("models_told", [True, False])
def test_a_withdrawal_in_mid_answer_stops_the_drawing_and_leaves_nothing(
    app: App, server: ScriptedServer, models_told: bool
) -> None:
    """Not told, as from the command line: the app finds out at the answer's next word."""
    key = app.ask("hold")
    until(lambda: any(isinstance(event, ImageProgress) for event in app.events(key)))
    (told(app) if models_told else app.media).withdraw(app.participant)
    until(lambda: server.explainer.closed == [key])
    assert app.runner.wait(key, 10)
    until(lambda: list(server.images.folder.iterdir()) == [])
    with pytest.raises(JobUnknown):
        app.client.cancel(key)


def test_a_withdrawal_while_a_picture_is_copied_stops_the_drawing(
    app: App, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is refused: the participant is gone between the picture's event and its copy."""
    keep = app.media.keep

    def withdrawn_before(participant: str, png: bytes) -> str:
        app.media.withdraw(participant)
        return keep(participant, png)

    monkeypatch.setattr(app.media, "keep", withdrawn_before)
    key = app.ask("hold")
    until(lambda: server.explainer.closed == [key])
    assert app.runner.wait(key, 10)
    until(lambda: list(server.images.folder.iterdir()) == [])
    assert list(app.media.folder.rglob("*.png")) == []


def test_a_withdrawal_does_not_wait_for_models_that_are_away(app: App, server: ScriptedServer) -> None:
    assert app.runner.wait(app.ask(), 10)
    server.stop()
    told(app).withdraw(app.participant)
    assert app.store.state(app.participant).status == "withdrawn"


def test_a_full_queue_is_said(tmp_path: Path, db: Path, study: Study) -> None:
    with (
        scripted_server(tmp_path / "server", max_waiting=0) as server,
        an_app(db, study, server.url) as app,
    ):
        key = app.ask()
        assert app.runner.wait(key, 10)
        job = app.store.jobs.get(key)
        assert job is not None
        assert (job.status, job.error) == ("failed", FULL)


def test_models_that_stay_away(db: Path, study: Study) -> None:
    with an_app(db, study, "http://127.0.0.1:9") as app:
        key = app.ask()
        assert app.runner.wait(key, 10)
        job = app.store.jobs.get(key)
        assert job is not None
        assert (job.status, job.error) == ("failed", UNREACHABLE)


def test_models_that_load_slowly_answer_later(tmp_path: Path, db: Path, study: Study) -> None:
    loaded = threading.Event()

    def load(explainers: Explainers) -> Explainers:
        assert loaded.wait(10)
        return explainers

    with scripted_server(tmp_path / "server", load=load) as server, an_app(db, study, server.url) as app:
        key = app.ask()
        until(lambda: Queued(0) in app.events(key))
        assert app.status(key) == "queued"
        loaded.set()
        assert app.runner.wait(key, 10)
        assert app.status(key) == "done"


def test_a_database_that_is_busy_for_a_while(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost: writes are repeated until the database takes them."""
    monkeypatch.setattr(jobs_module, "SAVE_AGAIN_AFTER_S", 0.01)
    refused = iter([True] * 5)
    finish, append = app.store.jobs.finish, app.store.jobs.append_events

    def busy(write: Callable[..., bool]) -> Callable[..., bool]:
        def written(*arguments: object) -> bool:
            if next(refused, False):
                raise NotSaved("busy")
            return write(*arguments)

        return written

    monkeypatch.setattr(app.store.jobs, "finish", busy(finish))
    monkeypatch.setattr(app.store.jobs, "append_events", busy(append))
    key = app.ask()
    assert app.runner.wait(key, 10)
    assert app.turns()[-1] == ("assistant", TEXT)
    assert next(refused, None) is None


def test_a_bug_is_a_plain_failure_with_a_reference(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(*_: object) -> bool:
        raise sqlite3.ProgrammingError("no such column: secret")

    monkeypatch.setattr(app.store.jobs, "append_events", wrong)
    key = app.ask()
    assert app.runner.wait(key, 10)
    job = app.store.jobs.get(key)
    assert job is not None
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.startswith(BROKE)
    assert "secret" not in job.error
    reference = job.error.split("Reference ")[1][:8]
    assert reference in caplog.text


# Events --------------------------------------------------------------------------------------------


def step(number: int) -> ImageProgress:
    return ImageProgress(number, 9)


def test_words_and_steps_in_a_row_become_one() -> None:
    events = [Queued(2), Queued(1), TextDelta("a"), TextDelta("b"), step(1), step(2), TextDelta("c"), step(3)]
    assert coalesced(events) == [Queued(1), TextDelta("ab"), step(2), TextDelta("c"), step(3)]


def test_gathering_gives_the_first_at_once_and_the_rest_in_lists() -> None:
    def numbered() -> Iterator[tuple[int, Event]]:
        for n in range(40):
            yield n, step(n)
            time.sleep(0.005)

    batches = list(gathered(numbered(), 0.05, threading.Event()))
    assert batches[0][0] == step(0)
    assert len(batches[0]) < 5
    assert len(batches) < 20
    assert [event for batch in batches for event in batch] == [step(n) for n in range(40)]


def test_gathering_raises_what_reading_raised_after_what_was_read() -> None:
    def numbered() -> Iterator[tuple[int, Event]]:
        yield 1, step(1)
        raise ConnectionError("cut")

    seen = []
    batches = gathered(numbered(), 0.01, threading.Event())
    with pytest.raises(ConnectionError):
        seen.extend(batch for batch in batches)
    assert [event for batch in seen for event in batch] == [step(1)]


EVENTS: list[Event] = [
    Queued(1),
    DiagnosisMade(Diagnosis("acne", (), 1.0, 2.0)),
    TextDelta("It may "),
    TextDelta("be acne."),
    step(1),
    step(2),
    ImagesReady(()),
    Explained(scripted_manifest(ExplainRequest("k", "text", "p"), Diagnosis("acne", (), 1.0, 2.0))),
]


@pytest.mark.parametrize("kept", range(len(EVENTS) + 1))
@pytest.mark.parametrize("cut_text", [0, 3])
def test_a_stream_read_again_adds_only_what_is_new(kept: int, cut_text: int) -> None:
    stored = EVENTS[:kept]
    if stored and isinstance(stored[-1], TextDelta) and cut_text:
        stored = [*stored[:-1], TextDelta(stored[-1].text[:cut_text])]
    continuation = Continuation(stored)
    new = [continuation.new(event) for event in EVENTS]
    joined = stored + [event for event in new if event is not None]
    assert coalesced(joined) == coalesced(EVENTS)


def test_a_stream_read_again_in_other_pieces_is_the_same() -> None:
    continuation = Continuation([TextDelta("It m"), TextDelta("ay ")])
    assert continuation.new(TextDelta("It")) is None
    assert continuation.new(TextDelta(" may be")) == TextDelta("be")
    assert continuation.new(TextDelta(" acne.")) == TextDelta(" acne.")


def test_a_stream_that_differs_is_found_out() -> None:
    with pytest.raises(Diverged):
        Continuation([TextDelta("It may")]).new(TextDelta("It is"))
    with pytest.raises(Diverged):
        Continuation(EVENTS[:2]).new(DiagnosisMade(Diagnosis("psoriasis", (), 1.0, 2.0)))


def test_a_failure_is_never_skipped() -> None:
    failed = Failed("Cut.", "r")
    assert Continuation(EVENTS).new(failed) == failed


def test_the_scripted_explainer_is_deterministic(tmp_path: Path) -> None:
    """What the tests of restarts rest on."""
    media: dict[str, bytes] = {}

    class Images:
        def put(self, png: bytes) -> str:
            name = str(hash(png))
            media[name] = png
            return name

        def get(self, sha256: str) -> bytes:
            return media[sha256]

    request = ExplainRequest("k", "generated", "p")
    assert list(Scripted(Images()).explain(request)) == list(Scripted(Images()).explain(request))
