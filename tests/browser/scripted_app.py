"""The app in a process of its own, with scripted models behind the real door: quick, for any study and any step."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from study_app.study.definition import Study, load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.state import ParticipantState
from study_app.study.store import Store
from tests.browser.conftest import ROOT, STARTS_WITHIN_S
from tests.scripted import TOKEN, ScriptedProfile, scripted_server
from tests.study_app.people import walk_to


@dataclass(frozen=True)
class ScriptedApp:
    url: str
    study: Study
    store: Store
    media: MediaStore

    def arrive(self) -> tuple[str, ParticipantState]:
        """A new participant's link."""
        token = self.store.arrive(self.study, "pilot")
        state = self.store.participant_by_token(token)
        assert state is not None
        return f"{self.url}?t={token}", state

    def at(self, step: str) -> str:
        """The link of a participant whom the store brought to ``step``."""
        link, state = self.arrive()
        walk_to(self.store, self.media, state.participant, step)
        return link

    def at_first(self, condition: str) -> str:
        """The link of a participant who meets ``condition`` first and has a photo; the page asks by itself."""
        while True:
            link, state = self.arrive()
            walk_to(self.store, self.media, state.participant, "conversation:1")
            if self.store.state(state.participant).sequence[0] == condition:
                return link


@contextlib.contextmanager
def scripted_app(study: Path, folder: Path, database: Path | None = None) -> Iterator[ScriptedApp]:
    """``study``: its file; the models have the name of the embedded ones, so that their gallery is offered."""
    db = database or folder / "study.db"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with scripted_server(folder / "pictures", profile=ScriptedProfile(name="phantom")) as server:
        environment = {
            "SKINGEN_STUDY": str(study),
            "SKINGEN_DB": str(db),
            "SKINGEN_PIPELINE_URL": server.url,
            "SKINGEN_PIPELINE_TOKEN": TOKEN,
            "PYTHONPATH": str(ROOT),
        }
        app = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "study_app/app.py", "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(f"http://localhost:{port}/_stcore/health")
            store, definition = Store.open(db), load_study(study)
            store.register(definition)
            yield ScriptedApp(f"http://localhost:{port}/", definition, store, MediaStore(folder_of(db), store))
            store.close()
        finally:
            app.terminate()
            try:
                app.wait(STARTS_WITHIN_S)
            except subprocess.TimeoutExpired:
                app.kill()
                app.wait()


def _wait_for(url: str) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer")
