"""The model process killed in mid-generation, as the system does when memory runs out: a real process, SIGKILL."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import client as client_module
from pipeline import localserver
from pipeline.client import PipelineClient, PipelineUnavailable
from pipeline.localserver import LocalServer, start_local_server
from pipeline.types import DiagnosisMade, ImageProgress
from study_app.jobs import BROKE, RESTARTED, RUNS, UNREACHABLE
from study_app.study.definition import Study
from tests.study_app.test_jobs import TEXT, App, an_app, until

ROOT = Path(__file__).resolve().parents[2]
CHILD = f"""
import sys, threading, time
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from pipeline.serving import Options, serve
from tests.scripted import CONDITIONS, Scripted, ScriptedProfile

def load(images):
    explainer = Scripted(images)
    def release():
        while not Path(sys.argv[1]).exists():
            time.sleep(0.02)
        explainer.release.set()
    threading.Thread(target=release, daemon=True).start()
    return dict.fromkeys(CONDITIONS, explainer)

port = int(sys.argv[sys.argv.index("--port") + 1])
serve(ScriptedProfile(), load, Options(port=port, stop_on_eof="--stop-on-eof" in sys.argv))
"""
"""Stops at the first picture of a question with "hold" until a file is there."""
ABSENCES = (1.0,) * 7
"""Seconds to wait while the models do not answer: as often as in the app, a minute less."""
DEATHS = len(ABSENCES) + RUNS
"""After so many at the latest a question is given up: each is met as an absence, or as a job that nobody knows."""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return tmp_path / "release"


@pytest.fixture
def models(tmp_path: Path, release: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    monkeypatch.setattr(localserver, "RESTART_AFTER_S", (0.05,) * (DEATHS + 1))
    monkeypatch.setattr(client_module, "RECONNECT_AFTER_S", (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0))
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    with start_local_server(command=(sys.executable, str(script), str(release))) as server:
        yield server


@pytest.fixture
def app(db: Path, study: Study, models: LocalServer) -> Iterator[App]:
    with an_app(db, study, models.url) as begun, PipelineClient(models.url, models.token) as client:
        begun.runner.stop()
        running = begun.restarted(client, ABSENCES)
        yield running
        running.runner.stop()


def drawing(app: App, key: str, more_than: int = 0) -> bool:
    """A picture is half drawn: the models are in mid-generation."""
    return sum(isinstance(event, ImageProgress) for event in app.events(key)) > more_than


def waiting(app: App) -> int | None:
    """Questions the models have; None while they do not answer."""
    try:
        return app.client.health().queue
    except PipelineUnavailable:
        return None


def kill(models: LocalServer) -> None:
    before = models.restarts
    os.kill(models.pid, signal.SIGKILL)
    until(lambda: models.restarts > before, 60)


def test_killed_once_the_answer_comes_all_the_same_and_once(app: App, models: LocalServer, release: Path) -> None:
    key = app.ask("hold")
    until(lambda: drawing(app, key), 60)
    release.touch()
    kill(models)
    assert app.runner.wait(key, 60)
    assert app.status(key) == "done"
    assert app.turns() == [("participant", "hold"), ("assistant", TEXT)]
    assert [type(event) for event in app.events(key)].count(DiagnosisMade) == 1


def test_killed_every_time_the_participant_can_ask_again_and_nothing_is_lost(
    app: App, models: LocalServer, release: Path
) -> None:
    earlier = app.ask("What is it?")
    assert app.runner.wait(earlier, 60)
    told = app.turns()
    key = app.ask("hold")
    for _ in range(DEATHS):
        until(lambda: app.status(key) == "failed" or waiting(app) == 1, 60)
        if app.status(key) == "failed":
            break
        kill(models)
    assert app.runner.wait(key, 60)
    job = app.store.jobs.get(key)
    assert job is not None
    assert (job.status, job.error) in {("failed", said) for said in (RESTARTED, BROKE, UNREACHABLE)}
    assert "again" in job.error, "what to do next"
    assert app.turns()[: len(told)] == told, "what was said before is still there"
    assert [role for role, _ in app.turns()[len(told) :]] == ["participant"], "half an answer is no answer"

    release.touch()
    again = app.ask("hold")
    assert app.runner.wait(again, 60)
    assert app.status(again) == "done"
    assert app.turns()[-1] == ("assistant", TEXT)
