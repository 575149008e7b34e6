"""A model hub on loopback: what huggingface_hub asks of one, with ranges, and with connections that break."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """``files`` of the one repository ``name``; ``cut``: bytes after which a file's connection breaks, once each."""

    name: str
    files: dict[str, bytes]
    large: tuple[str, ...] = ()
    """Files that the hub knows by SHA-256 (LFS)"""
    cut: dict[str, int] = field(default_factory=dict)
    lie: bool = False
    """Sends other bytes than it announced"""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(path, Range header)"""
    url: str = ""

    def info(self) -> dict[str, object]:
        rows = []
        for name, data in self.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            row: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": blob}
            if name in self.large:
                row["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            rows.append(row)
        return {"id": self.name, "modelId": self.name, "sha": COMMIT, "siblings": rows, "private": False, "tags": []}


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, wanted = unquote(urlsplit(self.path).path), self.headers.get("Range", "")
            hub.asked.append((path, wanted))
            known = (f"/api/models/{hub.name}/revision/main", f"/api/models/{hub.name}/revision/{COMMIT}")
            if path in known:
                self.reply(200, json.dumps(hub.info()).encode())
            elif path.startswith(start := f"/{hub.name}/resolve/{COMMIT}/") and path[len(start) :] in hub.files:
                self.send_file(path[len(start) :], wanted)
            else:
                missing = "RevisionNotFound" if f"/{hub.name}/" in path else "RepoNotFound"
                self.reply(404, b"{}", {"X-Error-Code": missing})

        def reply(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(code)
            for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def send_file(self, name: str, wanted: str) -> None:
            data = hub.files[name]
            begin = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
            body = data[begin:] if not hub.lie else bytes(len(data) - begin)
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(body)))
            if wanted:
                self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if (most := hub.cut.get(name)) is not None:
                self.wfile.write(body[:most])
                self.close_connection = True
            else:
                self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
