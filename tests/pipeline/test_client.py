"""The app's side of the door: a cut stream goes on where it stopped; the local server is started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import client as client_module
from pipeline import localserver
from pipeline.client import (
    JobUnknown,
    LocalServer,
    PictureUnknown,
    PipelineClient,
    PipelineUnavailable,
    QueueFull,
    RequestRefused,
    start_local_server,
)
from pipeline.localserver import ServerDidNotStart
from pipeline.picturefolder import PictureFolder
from pipeline.types import (
    Condition,
    Event,
    Explained,
    ExplainRequest,
    Failed,
    Queued,
    TextDelta,
    event_to_json,
)
from tests.scripted import TOKEN, WORDS, ScriptedServer, scripted_server, small_png

ROOT = Path(__file__).resolve().parents[2]
PHOTO = small_png()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with scripted_server(tmp_path, max_waiting=1) as running:
        yield running


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[PipelineClient]:
    with PipelineClient(server.url, TOKEN) as talking:
        yield talking


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "RECONNECT_AFTER_S", (0.01, 0.05, 0.1))


def asked(
    client: PipelineClient, key: str, question: str = "What is it?", condition: Condition = "generated"
) -> ExplainRequest:
    return ExplainRequest(key, condition, client.put_image(PHOTO), question)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.01)


# Talking -------------------------------------------------------------------------------------------


def test_health_labels_and_pictures(client: PipelineClient) -> None:
    until(lambda: client.health().ready)
    health = client.health()
    assert (health.profile, health.demonstration, health.queue) == ("scripted", True, 0)
    assert client.labels()[0].concepts == ("plaque", "scale")
    assert client.get_image(client.put_image(PHOTO)) == PHOTO
    with pytest.raises(PictureUnknown):
        client.get_image("0" * 64)


def test_a_question_and_its_events(client: PipelineClient) -> None:
    assert client.submit(asked(client, "a")) == "a"
    numbered = list(client.events("a"))
    assert [n for n, _ in numbered] == list(range(1, len(numbered) + 1))
    words = "".join(event.text for _, event in numbered if isinstance(event, TextDelta))
    assert words == "".join(WORDS)
    assert isinstance(numbered[-1][1], Explained)
    assert list(client.events("a", after=4)) == numbered[4:]


def test_typed_errors(client: PipelineClient, server: ScriptedServer) -> None:
    with pytest.raises(JobUnknown):
        list(client.events("nothing"))
    with pytest.raises(JobUnknown):
        client.cancel("nothing")
    with pytest.raises(RequestRefused, match="photo"):
        client.submit(ExplainRequest("x", "text", "0" * 64))
    client.submit(asked(client, "a", "hold"))
    until(lambda: server.explainer.started)
    client.submit(asked(client, "b"))
    with pytest.raises(QueueFull):
        client.submit(asked(client, "c"))
    with pytest.raises(RequestRefused, match="another request"):
        client.submit(asked(client, "a", "something else"))


def test_cancelling(client: PipelineClient, server: ScriptedServer) -> None:
    client.submit(asked(client, "a", "hold"))
    until(lambda: server.explainer.started)
    client.cancel("a")
    assert isinstance(list(client.events("a"))[-1][1], Failed)


def test_forgetting(client: PipelineClient) -> None:
    request = asked(client, "a")
    client.submit(request)
    assert isinstance(list(client.events("a"))[-1][1], Explained)
    with pytest.raises(RequestRefused, match="forget the job"):
        client.erase_image(request.photo)
    client.forget("a")
    client.erase_image(request.photo)
    client.erase_image(request.photo)
    with pytest.raises(JobUnknown):
        client.forget("a")
    with pytest.raises(PictureUnknown):
        client.get_image(request.photo)


def test_a_server_that_is_not_there(impatient: None) -> None:
    for url in (f"http://127.0.0.1:{closed_port()}", "", "nonsense"):
        with PipelineClient(url, TOKEN) as client:
            for ask in (client.health, client.labels, lambda: client.put_image(PHOTO)):
                with pytest.raises(PipelineUnavailable):
                    ask()
            with pytest.raises(PipelineUnavailable):
                list(client.events("a"))


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_wrong_token_is_a_server_that_does_not_answer(server: ScriptedServer, token: str) -> None:
    with PipelineClient(server.url, token) as client, pytest.raises(PipelineUnavailable, match="token"):
        client.health()


def test_the_environment_names_the_server(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKINGEN_PIPELINE_URL", server.url)
    monkeypatch.setenv("SKINGEN_PIPELINE_TOKEN", TOKEN)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    with PipelineClient.from_environment() as client:
        assert client.health().profile == "scripted"


# Cut streams ---------------------------------------------------------------------------------------


class CuttingServer:
    """Speaks just enough HTTP to send prepared events and cut the connection after some of them."""

    def __init__(self, events: list[Event], sent_per_connection: list[int]) -> None:
        self.asked_after: list[int] = []
        self._events = events
        self._plan = sent_per_connection
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for count in self._plan:
            connection, _ = self._listener.accept()
            with connection:
                head = connection.recv(65536).decode()
                after = int(head.split("after=")[1].split(" ")[0])
                self.asked_after.append(after)
                body = "".join(
                    f'{{"n": {n}, "event": {event_to_json(event)}}}\n'
                    for n, event in enumerate(self._events, start=1)
                    if after < n <= after + count
                )
                start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                torn = '{"n": 99, "ev' if count else ""
                chunk = (body + torn).encode()
                connection.sendall(start.encode() + b"%x\r\n" % max(1, len(chunk)) + chunk)
        self._listener.close()


WORDS_AND_END: list[Event] = [
    Queued(1),
    TextDelta("one "),
    TextDelta("two "),
    TextDelta("three"),
    Failed("The end of the script.", "r"),
]


def test_a_cut_stream_goes_on_where_it_stopped(impatient: None) -> None:
    server = CuttingServer(WORDS_AND_END, [2, 0, 1, 5])
    with PipelineClient(server.url, TOKEN) as client:
        numbered = list(client.events("a"))
    assert numbered == list(enumerate(WORDS_AND_END, start=1))
    assert server.asked_after == [0, 2, 2, 3]


def test_a_stream_that_stays_cut_is_given_up(impatient: None) -> None:
    server = CuttingServer(WORDS_AND_END, [2])
    with PipelineClient(server.url, TOKEN) as client:
        stream = client.events("a")
        assert [next(stream)[1], next(stream)[1]] == WORDS_AND_END[:2]
        with pytest.raises(PipelineUnavailable):
            next(stream)


def test_a_restarted_server_does_not_know_the_job(tmp_path: Path, impatient: None) -> None:
    with scripted_server(tmp_path) as first:
        port = int(first.url.rsplit(":", 1)[1])
        with PipelineClient(first.url, TOKEN) as client:
            client.submit(asked(client, "a", "hold"))
            stream = client.events("a")
            assert next(stream)[0] == 1
            first.stop()
            with scripted_server(tmp_path, port=port), pytest.raises(JobUnknown):
                to_the_end(stream)


def to_the_end(stream: Iterator[tuple[int, Event]]) -> None:
    for _, event in stream:
        assert not isinstance(event, Explained | Failed)


# The local server ----------------------------------------------------------------------------------


@pytest.fixture
def scripted_child(tmp_path: Path) -> tuple[str, ...]:
    """A command that answers as `python -m pipeline serve` does, with the scripted explainer."""
    script = tmp_path / "child.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from pipeline.serving import Options, serve\n"
        "from tests.scripted import CONDITIONS, Scripted, ScriptedProfile\n"
        "port = int(sys.argv[sys.argv.index('--port') + 1])\n"
        "options = Options(port=port, stop_on_eof='--stop-on-eof' in sys.argv)\n"
        "serve(ScriptedProfile(), lambda images: dict.fromkeys(CONDITIONS, Scripted(images)), options)\n"
    )
    return sys.executable, str(script)


def test_a_local_server_answers_and_ends(scripted_child: tuple[str, ...]) -> None:
    with start_local_server(command=scripted_child) as server:
        environment = server.environment()
        assert environment["SKINGEN_PIPELINE_URL"] == server.url
        with PipelineClient(server.url, environment["SKINGEN_PIPELINE_TOKEN"]) as client:
            client.submit(asked(client, "a"))
            assert isinstance(list(client.events("a"))[-1][1], Explained)
        folder = server.folder
        assert len(list(folder.rglob("*.png"))) > 1
        pid = server.pid
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_killed_local_server_comes_back_at_its_address(
    scripted_child: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(localserver, "RESTART_AFTER_S", (0.01, 0.01))
    with (
        start_local_server(command=scripted_child) as server,
        PipelineClient(server.url, server.token) as client,
    ):
        for restarts in (1, 2):
            os.kill(server.pid, signal.SIGKILL)
            until(lambda: server.restarts == restarts)  # noqa: B023
            assert client.health().profile == "scripted"
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not server.alive)
        with pytest.raises(PipelineUnavailable):
            client.health()


def test_a_killed_child_leaves_no_picture_behind(
    scripted_child: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(localserver, "RESTART_AFTER_S", (0.01,))
    with (
        start_local_server(command=scripted_child) as server,
        PipelineClient(server.url, server.token) as client,
    ):
        for restarts in (1, 2):  # the second time it is not started again
            client.put_image(PHOTO)
            assert list(server.folder.rglob("*.png"))
            os.kill(server.pid, signal.SIGKILL)
            until(lambda: server.restarts == restarts or not server.alive)  # noqa: B023
            assert list(server.folder.rglob("*.png")) == []


HOLDER = """
import sys, time
from pathlib import Path
from pipeline.picturefolder import PictureFolder
folder = PictureFolder()
(folder.path / "photo.png").write_bytes(b"skin")
print(folder.path, flush=True)
time.sleep(600)
"""


def test_a_start_removes_what_killed_processes_left_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "skingen-pictures-by-hand").write_text("a file of somebody's")
    earlier, abandoned = tmp_path / "skingen-pictures-in-use", tmp_path / "skingen-pictures-of-last-week"
    for folder in (earlier, abandoned):  # of a version that locked nothing
        folder.mkdir()
    os.utime(abandoned, (0, 0))
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLDER]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as killed,
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as alive,
    ):
        assert killed.stdout is not None
        assert alive.stdout is not None
        left, used = Path(killed.stdout.readline().strip()), Path(alive.stdout.readline().strip())
        assert left.parent == used.parent == tmp_path
        killed.kill()
        killed.wait()
        assert (left / "photo.png").exists()
        with PictureFolder() as mine:
            assert not left.exists()
            assert (used / "photo.png").exists()
            assert mine.path.is_dir()
        assert not mine.path.exists()
        alive.kill()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [used.name, "skingen-pictures-by-hand", earlier.name]
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_its_pictures(
    scripted_child: tuple[str, ...], tmp_path: Path, number: int
) -> None:
    """Served by hand: the temporary folder goes with the server, and the exit code is 0."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder), "SKINGEN_PIPELINE_TOKEN": TOKEN}
    with subprocess.Popen(
        [*scripted_child, "--port", "0"], stdout=subprocess.PIPE, env=environment, text=True
    ) as child:
        assert child.stdout is not None
        url = json.loads(child.stdout.readline())["url"]
        with PipelineClient(url, TOKEN) as client:
            client.put_image(PHOTO)
        assert len(list(folder.rglob("*.png"))) == 1
        child.send_signal(number)
        assert child.wait(10) == 0
    assert list(folder.iterdir()) == []


def test_a_local_server_that_cannot_start_says_so() -> None:
    with pytest.raises(ServerDidNotStart, match="by hand"):
        start_local_server(command=(sys.executable, "-c", "import sys; sys.exit('no weights')"))


def test_the_child_ends_with_its_parent_and_takes_the_pictures_along(scripted_child: tuple[str, ...]) -> None:
    """A killed parent closes nothing but the pipe."""
    server = start_local_server(command=scripted_child)
    assert isinstance(server, LocalServer)
    with PipelineClient(server.url, server.token) as client:
        client.put_image(PHOTO)
    assert list(server.folder.rglob("*.png"))
    assert server._child.stdin is not None
    server._stopping.set()
    server._child.stdin.close()
    assert server._child.wait(10) == 0
    assert list(server.folder.rglob("*.png")) == []
    server.stop()
