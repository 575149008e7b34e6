"""SkinGPT behind an OpenAI-compatible server: one on loopback that streams, fails, hangs and cuts off on demand."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pipeline import remote
from pipeline.remote import CutOff, RemoteError, RemoteModel, words_of
from pipeline.roles import Remote

ANSWER = ("This looks ", "like psoria", "sis.")


@dataclass
class Server:
    """``trouble``: what happens to the next requests, one each; afterwards all goes well."""

    trouble: list[str] = field(default_factory=list)
    asked: list[dict] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    url: str = ""
    sent: int = 0

    async def answer(self, request: Request) -> Response:
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("authorization", ""))
        trouble = self.trouble.pop(0) if self.trouble else ""
        if trouble.isdecimal():
            return JSONResponse({"error": {"message": "no"}}, int(trouble))
        return StreamingResponse(self.events(trouble), media_type="text/event-stream")

    async def events(self, trouble: str) -> AsyncIterator[str]:
        import asyncio

        yield ": keep-alive\n\n"
        if trouble == "silent":
            await asyncio.sleep(3)
        if trouble == "error event":
            yield 'data: {"error": {"message": "out of memory"}}\n\n'
            return
        if trouble == "empty":
            return
        yield 'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n'
        for i, piece in enumerate(ANSWER if trouble != "endless" else ANSWER * 1000):
            yield f"data: {json.dumps({'choices': [{'delta': {'content': piece}, 'finish_reason': None}]})}\n\n"
            self.sent += 1
            if trouble == "cut" and i == 1:
                return
            if trouble == "endless":
                await asyncio.sleep(0.005)
        yield 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


@contextmanager
def running_server() -> Iterator[Server]:
    served = Server()
    app = Starlette(routes=[Route("/v1/chat/completions", served.answer, methods=["POST"])])
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    served.url = f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}/v1"
    yield served
    running.should_exit = True
    running.force_exit = True
    thread.join(5)


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as served:
        yield served


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "WAITS_S", (0.01,))


def model(server: Server, **more: object) -> RemoteModel:
    options = {"system": "You are a dermatologist.", "tokens": 50, "longest_side": 32}
    return RemoteModel(Remote(server.url, "some-model", silence_s=5, connect_s=5, **more), options)


def photo() -> Image.Image:
    return Image.new("RGB", (64, 40), (200, 150, 120))


def test_an_answer_comes_in_pieces(server: Server) -> None:
    asked = model(server)
    assert list(asked.stream(asked.see(photo()), "What is it?")) == list(ANSWER)
    body = server.asked[0]
    assert (body["model"], body["stream"], body["temperature"], body["max_tokens"]) == ("some-model", True, 0, 50)
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    picture, question = body["messages"][1]["content"]
    assert question == {"type": "text", "text": "What is it?"}
    head, data = picture["image_url"]["url"].split(",")
    assert head == "data:image/jpeg;base64"
    sent = Image.open(io.BytesIO(base64.b64decode(data)))
    assert sent.size == (32, 20)
    assert not sent.getexif()


def test_a_conversation_carries_the_picture_once(server: Server) -> None:
    asked = model(server)
    "".join(asked.stream(asked.see(photo()), "And now?", [("What is it?", "Psoriasis."), ("Sure?", "Yes.")]))
    said = server.asked[0]["messages"]
    assert [m["role"] for m in said] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [json.dumps(m).count("image_url") // 2 for m in said] == [0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("trouble", ["503", "429", "500", "empty", "silent"])
def test_before_the_first_word_it_is_asked_again(server: Server, trouble: str) -> None:
    server.trouble = [trouble]
    asked = RemoteModel(Remote(server.url, "m", silence_s=0.5))
    assert "".join(asked.stream(asked.see(photo()), "What?")) == "".join(ANSWER)
    assert len(server.asked) == 2


def test_it_is_not_asked_for_ever(server: Server) -> None:
    server.trouble = ["503"] * 9
    asked = model(server, retries=2)
    with pytest.raises(RemoteError, match="503"):
        list(asked.stream(asked.see(photo()), "What?"))
    assert len(server.asked) == 3


def test_an_answer_that_was_cut_off_is_no_answer_and_is_not_asked_again(server: Server) -> None:
    server.trouble = ["cut"]
    asked = model(server)
    stream = asked.stream(asked.see(photo()), "What?")
    assert [next(stream), next(stream)] == list(ANSWER[:2])
    with pytest.raises(RemoteError, match="cut off"):
        next(stream)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("trouble", "message"),
    [("401", "check the key"), ("404", "is there a model 'some-model'"), ("error event", "out of memory")],
)
def test_what_asking_again_does_not_help_is_said_at_once(server: Server, trouble: str, message: str) -> None:
    server.trouble = [trouble]
    asked = model(server)
    with pytest.raises(RemoteError, match=message):
        list(asked.stream(asked.see(photo()), "What?"))
    assert len(server.asked) == 1


def test_a_server_that_is_not_there() -> None:
    asked = RemoteModel(Remote("http://127.0.0.1:9/v1", "m", retries=1))
    with pytest.raises(RemoteError, match="is the server running"):
        list(asked.stream(asked.see(photo()), "What?"))


def test_the_key_comes_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = model(server, key_variable="SOME_KEY")
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(RemoteError, match="SOME_KEY, which is not set"):
        list(asked.stream(asked.see(photo()), "What?"))
    assert not server.asked
    monkeypatch.setenv("SOME_KEY", "abc")
    list(asked.stream(asked.see(photo()), "What?"))
    assert server.keys == ["Bearer abc"]


def test_closing_stops_the_server(server: Server) -> None:
    server.trouble = ["endless"]
    asked = model(server)
    stream = asked.stream(asked.see(photo()), "What?")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    time.sleep(0.5)
    sent = server.sent
    time.sleep(0.5)
    assert server.sent == sent < 2000


def test_events_are_read_as_servers_write_them() -> None:
    one = 'data:{"choices":[{"delta":{"content":"a"}}]}'
    assert list(words_of(iter([one, "", ": ping", one, "data: [DONE]", one]))) == ["a", "a"]
    usage = 'data: {"choices": [], "usage": {"total_tokens": 3}}'
    assert list(words_of(iter([one, usage, "data: [DONE]"]))) == ["a"]
    with pytest.raises(CutOff):
        list(words_of(iter([one])))
    with pytest.raises(RemoteError, match="not an event"):
        list(words_of(iter(["data: <html>"])))
