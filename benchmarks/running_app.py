"""The app as a participant meets it: `python -m study_app serve`, one visitor, all its processes."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from pipeline.client import TOKEN_VARIABLE, URL_VARIABLE, PipelineClient

ROOT = Path(__file__).resolve().parents[1]
START_WITHIN_S = 120.0


class DidNotStart(RuntimeError):
    """The app or its models were not ready in time."""


@dataclass(frozen=True)
class Memory:
    """One process's memory in MB. ``shared_fairly`` counts a page used by n processes as 1/n (PSS, Linux)."""

    name: str
    resident: float
    shared_fairly: float
    peak: float
    """The most it was ever resident (VmHWM, Linux; elsewhere what it is now)"""


@dataclass(frozen=True)
class RunningApp:
    port: int
    launcher: psutil.Process

    def client(self) -> PipelineClient:
        """The door between the app and its models, found where the app finds it: in its environment."""
        for process in self.launcher.children(recursive=True):
            environment = process.environ()
            if URL_VARIABLE in environment:
                return PipelineClient(environment[URL_VARIABLE], environment[TOKEN_VARIABLE])
        raise DidNotStart("the app's process has no model server in its environment")

    @contextmanager
    def visited(self) -> Iterator[None]:
        """One open page: the first makes the app's process import and open everything."""
        address = f"ws://127.0.0.1:{self.port}/_stcore/stream"
        # Nobody reads what the page sends on: no limits on it, and no pings that wait behind it.
        options = {"ping_interval": None, "max_queue": None, "max_size": None}
        with connect(address, subprotocols=[Subprotocol("streamlit")], **options) as socket_:
            message = BackMsg()
            message.rerun_script.query_string = ""
            socket_.send(message.SerializeToString())
            socket_.recv(timeout=START_WITHIN_S)
            yield

    def memory(self) -> list[Memory]:
        found = []
        for process in (self.launcher, *self.launcher.children(recursive=True)):
            info = process.memory_full_info()
            name = " ".join(process.cmdline()[1:4])
            shared = getattr(info, "pss", info.rss) / 1e6
            found.append(Memory(name, info.rss / 1e6, shared, _peak(process.pid) or info.rss / 1e6))
        return found


def _peak(pid: int) -> float | None:
    """VmHWM in MB; None where /proc does not tell."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), None)


@contextmanager
def running_app(profile: str) -> Iterator[RunningApp]:
    """Starts it over a database of its own, and ends it. Raises DidNotStart."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="skingen-bench-") as folder:
        options = ["--db", str(Path(folder) / "study.db"), "--port", str(port), "--profile", profile]
        command = [sys.executable, "-m", "study_app", "serve", *options, "--no-browser"]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            _wait_for_port(child, port)
            yield RunningApp(port, psutil.Process(child.pid))
        finally:
            child.send_signal(signal.SIGINT)
            child.wait(30)


def _wait_for_port(child: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_WITHIN_S
    while time.monotonic() < end and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise DidNotStart("`python -m study_app serve` did not open its port; its message is above")


def wait_for_models(client: PipelineClient) -> float:
    """Seconds until the models are loaded. Raises DidNotStart."""
    began = time.monotonic()
    while not client.health().ready:
        if time.monotonic() - began > START_WITHIN_S:
            raise DidNotStart("the models did not load in time")
        time.sleep(0.1)
    return time.monotonic() - began
