"""The app as `python -m study_app serve` starts it, and Chromium to look at it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STARTS_WITHIN_S = max(90.0, int(os.environ.get("SKINGEN_PATIENCE_MS", "0")) / 1000)


def chromium() -> str | None:
    """Path of Chromium: SKINGEN_CHROMIUM, else the first found on PATH."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("SKINGEN_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


class Served:
    """`python -m study_app serve` as a child process that can be killed and started again on its port."""

    def __init__(self, database: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://localhost:{self.port}/"
        self.database = database
        self.printed: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        options = ["--db", str(self.database), "--port", str(self.port), "--no-browser"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "study_app", "serve", *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a group of its own, so that `kill` gets all of it
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        until = time.monotonic() + STARTS_WITHIN_S
        while not any(line.startswith("Participants:") for line in self.printed):
            if self._process.poll() is not None or time.monotonic() > until:
                raise AssertionError("serve did not start:\n" + "".join(self.printed))
            time.sleep(0.1)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.printed.extend(process.stdout)

    def kill(self) -> None:
        """As a power cut would: no goodbye for the app nor for the models."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.printed.clear()

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def setup_code(self) -> str:
        found = re.search(r"setup code: (\S+)", "".join(self.printed))
        assert found is not None, "serve printed no setup code"
        return found.group(1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: while Playwright is open its event loop runs in this thread, and tests after these
    could not start one."""
    path = chromium()
    if path is None:
        if os.environ.get("SKINGEN_REQUIRE_BROWSER") == "1":
            pytest.fail("SKINGEN_REQUIRE_BROWSER=1, and no Chromium: install it or set SKINGEN_CHROMIUM.")
        pytest.skip("no Chromium: install it or set SKINGEN_CHROMIUM to its path")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGS))
        yield opened
        opened.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The app with the embedded models on a free port and an empty database."""
    app = Served(tmp_path / "study.db")
    app.start()
    yield app
    app.stop()
