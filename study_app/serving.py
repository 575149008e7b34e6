"""Starting the app and its models, and ending both: what `python -m study_app serve` does."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

import httpx

from pipeline.localserver import start_local_server
from study_app.study.definition import Study
from study_app.study.errors import Refused
from study_app.study.running import Running
from study_app.study.state import RunKind
from study_app.study.store import Store

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 60.0
END_WITHIN_S = 10.0


class CannotServe(RuntimeError):
    """The app cannot start, or did not; the message says what to do."""


def app_environment(
    study_file: Path, study: Study, database: Path, run_kind: RunKind | None
) -> tuple[dict[str, str], str | None]:
    """Environment of the app's process and, as long as no password is set, the researcher's setup code.

    ``run_kind``: None for the one set before, else pilot (`Running.start`). Opens the database, so that a mistake is
    told before anything starts. Raises CannotOpen, and Refused for a live run in a database of simulated participants,
    for a reconstruction, and for another run than is set.
    """
    store = Store.open(database)
    try:
        store.register(study)
        if run_kind == "live" and store.meta("simulated"):
            raise Refused(f"{database} holds simulated participants; give people a database of their own (--db).")
        if store.meta("reconstruction"):
            raise Refused(
                f"{database} holds a reconstruction of the paper; give people a database of their own (--db)."
            )
        kind = Running(store.database).start(study.id, run_kind)
        code = None if store.researcher.is_set() else secrets.token_hex(4)
    finally:
        store.close()
    environment = {
        "SKINGEN_STUDY": str(study_file.resolve()),
        "SKINGEN_DB": str(database.resolve()),
        "SKINGEN_RUN_KIND": kind,
    }
    return environment | ({"SKINGEN_SETUP_CODE": code} if code else {}), code


def serve(environment: Mapping[str, str], profile: str, address: str, port: int, on_ready: Callable[[], None]) -> int:
    """Run the model server and the app until one is told to stop; the exit code. Raises CannotServe when the
    port is taken or the app does not answer, ServerDidNotStart for the models."""
    _check_port(address, port)
    with start_local_server(profile) as models:
        app = subprocess.Popen(
            _command(address, port),
            cwd=ROOT,  # Streamlit finds .streamlit/config.toml there
            env={**os.environ, **environment, **models.environment(), "PYTHONPATH": _python_path()},
        )
        with _Ending(app) as ending:
            _wait_until_ready(app, ending, address, port)
            if not ending.asked:
                on_ready()
            code = app.wait()
    return 0 if ending.asked else code


def _command(address: str, port: int) -> list[str]:
    options = ["--server.address", address, "--server.port", str(port), "--server.headless", "true"]
    quiet = ["--logger.hideWelcomeMessage", "true"]  # the addresses are printed by `serve`
    return [sys.executable, "-m", "streamlit", "run", str(ROOT / "study_app" / "app.py"), *options, *quiet]


def open_browser(url: str) -> None:
    """Only where there is a screen: without one, Python would look for a text browser."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)


class _Ending:
    """Ctrl-C, a closed terminal and `kill` end the app; leaving the block makes sure of it."""

    def __init__(self, app: subprocess.Popen[bytes]) -> None:
        self.asked = False
        self._app = app
        self._before: dict[int, signal.Handlers | int | Callable[[int, FrameType | None], object] | None] = {}

    def __enter__(self) -> _Ending:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._app.terminate()
        try:
            self._app.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._app.kill()
            self._app.wait()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._app.terminate()


def _check_port(address: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise CannotServe(f"Port {port} on {address} is not free; choose another with --port.") from error


def _wait_until_ready(app: subprocess.Popen[bytes], ending: _Ending, address: str, port: int) -> None:
    host = "localhost" if address == "0.0.0.0" else address
    until = time.monotonic() + READY_WITHIN_S
    while not ending.asked:
        if app.poll() is not None:
            raise CannotServe(f"The app ended with {app.returncode} at its start; its message is above.")
        try:
            if httpx.get(f"http://{host}:{port}/_stcore/health", timeout=2, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass  # not open yet
        if time.monotonic() > until:
            raise CannotServe(f"The app did not answer on port {port} within {READY_WITHIN_S:.0f} s.")
        time.sleep(0.2)


def _python_path() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
