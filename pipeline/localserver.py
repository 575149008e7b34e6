"""The model server on this machine: started as a child, watched, started again when it dies.

The child gets a random token through its environment and ends with its parent, whose end it reads off
its standard input. The app need not wait for the models: the port is open seconds before they are loaded.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from pipeline.picturefolder import PictureFolder

URL_VARIABLE = "SKINGEN_PIPELINE_URL"
TOKEN_VARIABLE = "SKINGEN_PIPELINE_TOKEN"
OPEN_WITHIN_S = 60.0
RESTART_AFTER_S = (0.2, 1.0, 3.0, 10.0, 30.0)
"""Waits before each start after a death; when these are used up the server stays down."""
HEALTHY_AFTER_S = 600.0
"""A server that lived this long starts again with the first wait."""

log = logging.getLogger(__name__)


class ServerDidNotStart(RuntimeError):
    """The child ended, or said nothing, before its port was open. Its stderr says why."""


def start_local_server(
    profile: str = "phantom", threads: int | None = None, port: int = 0, command: Sequence[str] = ()
) -> LocalServer:
    """Start `python -m pipeline serve` and return when its port is open; models load afterwards.

    ``profile``: name or path; ``threads``: CPU threads for the models, None leaves them to torch;
    ``port``: 0 picks a free one; ``command`` replaces the command line up to the options (tests).
    Use the result as a context manager, or call its ``stop``. Raises ServerDidNotStart.
    """
    return LocalServer(
        tuple(command) or (sys.executable, "-m", "pipeline", "serve", "--profile", profile),
        ("--threads", str(threads)) if threads else (),
        port,
    )


class LocalServer:
    """A running child. ``url`` and ``token`` stay the same when it is started again."""

    def __init__(self, command: Sequence[str], options: Sequence[str], port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self._pictures = PictureFolder()
        self._command = (*command, *options, "--stop-on-eof")
        self._stopping = threading.Event()
        self.restarts = 0
        try:
            self._child, self.url, self._port = self._start(port)
        except BaseException:
            self._pictures.remove()
            raise
        self._watch = threading.Thread(target=self._watched, name="model server", daemon=True)
        self._watch.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def folder(self) -> Path:
        """Where the child's temporary folder is, with the pictures it has."""
        return self._pictures.path

    @property
    def alive(self) -> bool:
        """False once it is stopped, or died more often than it is started again."""
        return self._watch.is_alive() and not self._stopping.is_set()

    def environment(self) -> Mapping[str, str]:
        """What the app's process needs to find the door."""
        return {URL_VARIABLE: self.url, TOKEN_VARIABLE: self.token}

    def stop(self) -> None:
        """End the child, at the latest after ten seconds, and remove its pictures. May be repeated."""
        self._stopping.set()
        _end(self._child)
        self._watch.join(15)
        self._pictures.remove()

    def __enter__(self) -> LocalServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, port: int) -> tuple[subprocess.Popen[str], str, int]:
        child = subprocess.Popen(
            (*self._command, "--port", str(port)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment(),
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends the child
        )
        late = threading.Timer(OPEN_WITHIN_S, child.kill)
        late.daemon = True
        late.start()
        assert child.stdout is not None
        line = child.stdout.readline()
        late.cancel()
        try:
            ready = json.loads(line)
            return child, ready["url"], ready["port"]
        except (ValueError, KeyError, TypeError):
            _end(child)
            raise ServerDidNotStart(
                f"`{' '.join(self._command[:6])}` ended with {child.returncode} before its port was open; "
                "its message is above, or run the command by hand"
            ) from None

    def _environment(self) -> dict[str, str]:
        """This process's, with the token, and with this package importable from any folder.

        The child's temporary folder, which holds participants' photos, is made inside ours: the child removes it
        when it ends, also when this process was killed. When the child was killed, `_watched` does; when both
        were, the next start (`PictureFolder`).
        """
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        own = {TOKEN_VARIABLE: self.token, "TMPDIR": str(self.folder), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **own}

    def _watched(self) -> None:
        """Forward what the child prints until it dies; then start it again on the same port."""
        waits = iter(RESTART_AFTER_S)
        while True:
            began = time.monotonic()
            assert self._child.stdout is not None
            for line in self._child.stdout:
                sys.stderr.write(line)
            code = self._child.wait()
            self._pictures.empty()
            if time.monotonic() - began > HEALTHY_AFTER_S:
                waits = iter(RESTART_AFTER_S)
            if self._stopping.is_set() or not self._started_again(waits, code):
                return

    def _started_again(self, waits: Iterator[float], code: int) -> bool:
        """False when it was stopped meanwhile, or when no waits are left."""
        for wait in waits:
            log.warning("The model server ended with %s; starting it again in %g s", code, wait)
            if self._stopping.wait(wait):
                return False
            try:
                self._child, _, _ = self._start(self._port)
            except (ServerDidNotStart, OSError):
                log.exception("The model server did not start")
                continue
            self.restarts += 1
            if self._stopping.is_set():  # stopped between the wait and the start
                _end(self._child)
            return True
        log.error("The model server died too often and is not started again")
        return False


def _end(child: subprocess.Popen[str]) -> None:
    """Ask by closing its input, then by SIGTERM, then by SIGKILL."""
    if child.stdin is not None:
        child.stdin.close()
    for ask in (lambda: None, child.terminate, child.kill):
        ask()
        try:
            child.wait(5)
            return
        except subprocess.TimeoutExpired:
            continue
