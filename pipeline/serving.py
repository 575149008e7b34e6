"""Running the door as a process: the port first, then the models, until a signal or the parent's end."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from pipeline.images import DiskImages
from pipeline.jobqueue import MAX_WAITING, Explainers, JobQueue
from pipeline.localserver import TOKEN_VARIABLE
from pipeline.picturefolder import PictureFolder
from pipeline.server import ServedProfile, make_app

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

Load = Callable[[DiskImages], Explainers]
"""Loads the models, in the worker's thread."""


class CannotServe(RuntimeError):
    """The options do not fit together; the message says what to change."""


@dataclass(frozen=True)
class Options:
    """``port`` 0 picks a free one. ``images``: folder of the pictures, None for one that ends with the
    server. ``stop_on_eof``: stop when standard input ends, as it does when the parent dies."""

    host: str = "127.0.0.1"
    port: int = 0
    images: str | None = None
    max_waiting: int = MAX_WAITING
    stop_on_eof: bool = False


def token_from_environment(host: str) -> str:
    """The token, which a server beyond loopback must be given. Raises CannotServe."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    if len(token) >= 16:
        return token
    if token or host not in LOOPBACK:
        raise CannotServe(f"set {TOKEN_VARIABLE} to at least 16 random characters")
    return secrets.token_urlsafe(32)


def serve(profile: ServedProfile, load: Load, options: Options) -> int:
    """Serve until told to stop; returns the exit code: 1 when the models could not be loaded.

    Prints one line of JSON when the port is open: url, port, profile, and the token if it was made here.
    Raises CannotServe, and OSError when the port is taken.
    """
    token = token_from_environment(options.host)
    broken = threading.Event()
    with ExitStack() as stack:
        images = DiskImages(options.images or stack.enter_context(PictureFolder()).path)
        stopper = Stopper()

        def give_up() -> None:
            broken.set()
            stopper.stop()

        queue = JobQueue(lambda: load(images), images, max_waiting=options.max_waiting, on_broken=give_up)

        def opened(url: str, port: int) -> None:
            ready = {"url": url, "port": port, "profile": profile.name}
            if TOKEN_VARIABLE not in os.environ:
                ready["token"] = token
            print(json.dumps(ready), flush=True)
            queue.start()

        if options.stop_on_eof:
            threading.Thread(target=_stop_on_eof, args=(stopper,), daemon=True).start()
        serve_app(make_app(profile, queue, images, token), options.host, options.port, opened, stopper)
        queue.stop()
    return 1 if broken.is_set() else 0


class Stopper:
    """Stops a server from any thread, also before it has started."""

    def __init__(self) -> None:
        self._server: uvicorn.Server | None = None
        self._wanted = threading.Event()

    def attach(self, server: uvicorn.Server) -> None:
        self._server = server
        if self._wanted.is_set():
            self.stop()

    def stop(self) -> None:
        self._wanted.set()
        if self._server is not None:
            self._server.should_exit = True


def serve_app(app: ASGIApp, host: str, port: int, opened: Callable[[str, int], None], stopper: Stopper) -> None:
    """Serve until a signal comes or ``stopper`` is used; ``opened(url, port)`` is called when the port
    accepts connections. Raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2, lifespan="off")
    )
    stopper.attach(server)
    if threading.current_thread() is threading.main_thread():
        # uvicorn raises a signal again once it has stopped; this handler then lets the cleaning up go on.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopper.stop())
    port = listener.getsockname()[1]
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    opened(f"http://{shown}:{port}", port)
    server.run(sockets=[listener])


def _stop_on_eof(stopper: Stopper) -> None:
    while sys.stdin.readline():
        pass
    stopper.stop()
