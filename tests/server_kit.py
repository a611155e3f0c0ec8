"""A real HTTP server on loopback that goes wrong on command and keeps a log of what it was asked."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Served:
    """One file on the server. Each fault serves one request; after them the file is served rightly."""

    content: bytes = b""
    etag: str = '"v1"'
    modified: str = ""
    ranges: bool = True
    """Whether it answers Range requests with 206."""
    heeds: bool = True
    """Whether it looks at If-Range, as it should."""
    stated: bool = True
    """Whether it says Content-Length; else the body ends with the connection."""
    headers: dict[str, str] = field(default_factory=dict)
    faults: list[Callable[[Answer], None]] = field(default_factory=list)


@dataclass
class Asked:
    """One line of the server's log."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0
    """Bytes of the body."""


class Answer(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    server: Any
    asked: Asked
    file: Served

    def do_GET(self) -> None:
        """GET and HEAD."""
        self.asked = Asked(self.command, self.path, dict(self.headers))
        self.server.log.append(self.asked)
        self.file = self.server.files.get(self.path)
        if self.file is None:
            self.status(404)
        elif self.file.faults:
            self.file.faults.pop(0)(self)
        else:
            self.right()

    do_HEAD = do_GET

    def status(
        self, code: int, body: bytes = b"a body that nobody shall see", **headers: str
    ) -> None:
        """An answer without the file."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.head(code, {"Content-Length": str(len(body)), **named})
        self.send(body)

    def right(self, end: int | None = None) -> None:
        """The file, or the piece that was asked for; only its first ``end`` bytes if given."""
        start, code = self.start()
        piece = self.file.content[start:]
        headers = {"ETag": self.file.etag, "Last-Modified": self.file.modified, **self.file.headers}
        if code == 416:
            headers["Content-Range"] = f"bytes */{len(self.file.content)}"
        if code == 206:
            headers["Content-Range"] = (
                f"bytes {start}-{len(self.file.content) - 1}/{len(self.file.content)}"
            )
        if self.file.stated:
            headers["Content-Length"] = str(len(piece))
        self.head(code, headers)
        self.send(piece[:end])

    def start(self) -> tuple[int, int]:
        """First byte to send and the status."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        validators = ("", self.file.etag, self.file.modified)
        fits = not self.file.heeds or self.headers.get("If-Range", "") in validators
        if wanted is None or not self.file.ranges or not fits:
            return 0, 200
        start = int(wanted[1])
        return (start, 206) if start < len(self.file.content) else (len(self.file.content), 416)

    def head(self, code: int, headers: dict[str, str]) -> None:
        """Status and headers."""
        self.asked.status = code
        self.send_response_only(code)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def send(self, body: bytes) -> None:
        """Bytes of the body."""
        if self.command == "HEAD":
            return
        with contextlib.suppress(OSError):  # the client may have gone
            self.wfile.write(body)
            self.wfile.flush()
            self.asked.sent += len(body)

    def log_message(self, *args: object) -> None:
        """Be quiet."""


Fault = Callable[[Answer], None]


def cut(after: int) -> Fault:
    """All headers, ``after`` bytes of the body, then the end of the connection."""

    def fault(answer: Answer) -> None:
        answer.right(after)
        with contextlib.suppress(OSError):
            answer.connection.shutdown(socket.SHUT_RDWR)

    return fault


def status(code: int, **headers: str) -> Fault:
    """Another answer."""
    return lambda answer: answer.status(code, **headers)


def hang(after: int = -1) -> Fault:
    """Nothing at all, or all headers and ``after`` bytes; then silence until the server is closed."""

    def fault(answer: Answer) -> None:
        if after >= 0:
            answer.right(after)
        answer.server.closing.wait(30)

    return fault


class Server(ThreadingHTTPServer):
    """Files by path, and a log."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, Served] = {}
        self.log: list[Asked] = []
        self.closing = threading.Event()

    def url(self, path: str, user: str = "") -> str:
        """The address of a path."""
        return f"http://{user}127.0.0.1:{self.server_address[1]}{path}"

    def serve(self, path: str, content: bytes, *faults: Fault, **facts: Any) -> str:
        """Put a file there; returns its address."""
        self.files[path] = Served(content, faults=list(faults), **facts)
        return self.url(path)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server for the time of a test."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
