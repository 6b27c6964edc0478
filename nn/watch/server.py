"""A server for one person: a page on this machine, and events that keep it up to date.

It listens on 127.0.0.1 only, knows a fixed handful of paths, and serves no files.  Each request
must carry the token of its URL, which nobody can guess, and name this machine as its host: so
neither other users nor other pages in the same browser, by whatever name they call this machine,
get an answer.  The page itself may load nothing from elsewhere.

A training never waits for a page: each page's thread reads the frames from where they are kept,
when it is ready for more.  One that no longer takes what it is sent is left.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import compare_digest, token_urlsafe
from threading import Event, Thread
from time import monotonic
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .store import START, Folder, Memory, Place

__all__ = ["Request", "Server", "follow"]

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline' blob:; worker-src blob:; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""With every answer: nothing is kept, nothing from elsewhere is loaded, the token is not told."""

LARGEST = 1 << 16
"""Bytes that a request may send."""

PATIENCE = 10.0
"""Seconds after which a page that takes nothing more is left."""

STREAMS = 32
"""So many pages may listen at a time."""

HEARTBEAT, PAUSE = 10.0, 0.1
"""Seconds after which a silent stream says that it lives, and between two looks for frames."""


class Request(BaseHTTPRequestHandler):
    """One request: let in or not, and answered by the route of its path."""

    server: Server
    timeout = PATIENCE
    server_version, sys_version = "glassgrad", ""

    def do_GET(self) -> None:
        self._answer(self.server.pages)

    def do_POST(self) -> None:
        self._answer(self.server.controls)

    def _answer(self, routes: dict[str, Callable[[Request], None]]) -> None:
        url = urlsplit(self.path)
        token = parse_qs(url.query).get("token", [""])[0]
        hosts = self.server.hosts
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in hosts:
            self.refuse(403, "this server answers to its own address only")
        elif origin is not None and origin.removeprefix("http://") not in hosts:
            self.refuse(403, "this server answers to its own page only")
        elif not compare_digest(token.encode(), self.server.token.encode()):
            self.refuse(403, "the token is missing: open the URL as it was printed")
        elif url.path not in routes:
            self.refuse(404, "there is no such page")
        else:
            try:
                routes[url.path](self)
            except (ConnectionError, TimeoutError):
                self.close_connection = True

    def refuse(self, status: int, why: str) -> None:
        """Answer with an error, in words."""
        self.give(f"{why}\n".encode(), "text/plain; charset=utf-8", status)

    def give(self, data: bytes, kind: str, status: int = 200) -> None:
        """Answer with this."""
        self.begin(kind, status, {"Content-Length": str(len(data))})
        self.wfile.write(data)

    def begin(self, kind: str, status: int = 200, more: dict[str, str] | None = None) -> None:
        """The head of an answer."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, **HEADERS, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def body(self) -> Any:
        """The JSON that was sent; ValueError for anything else."""
        if self.headers.get_content_type() != "application/json":
            raise ValueError("send JSON, with Content-Type: application/json")
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 < size <= LARGEST:
            raise ValueError(f"send between 1 and {LARGEST} bytes, not {size}")
        return json.loads(self.rfile.read(size))

    def send(self, event: str, data: str, mark: object = None) -> None:
        """One event of a stream; the page names the last `mark` when it comes back."""
        lines = [f"event: {event}", *[f"data: {line}" for line in data.splitlines()]]
        if mark is not None:
            lines.insert(0, f"id: {mark}")
        self.wfile.write(("\n".join(lines) + "\n\n").encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the program's own output is what people look at."""


class Server(ThreadingHTTPServer):
    """Serves until it is closed, or the program ends, which it never delays."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        page: Callable[[Server], str],
        events: Callable[[Server, Request], None],
        control: Callable[[Any], Any] | None = None,
        port: int = 0,
    ) -> None:
        self.page, self.events, self.control = page, events, control
        self.token = token_urlsafe(24)
        self.pages: dict[str, Callable[[Request], None]] = {
            "/": self._page, "/events": self._events,
        }  # fmt: skip
        self.controls = {"/control": self._control} if control is not None else {}
        self.closed = Event()
        self.streams = 0
        try:
            super().__init__(("127.0.0.1", port), Request)
        except (OSError, OverflowError) as error:
            raise OSError(
                f"port {port} cannot be used: {getattr(error, 'strerror', None) or error}. "
                "Another program may use it; port 0 takes any that is free."
            ) from None
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}
        self.thread = Thread(target=self.serve_forever, name="glassgrad server", daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/?token={self.token}"

    @property
    def live(self) -> dict[str, str]:
        """What the page needs to know of this server."""
        told = {"events": f"/events?token={self.token}"}
        return told | ({"control": f"/control?token={self.token}"} if self.controls else {})

    def close(self) -> None:
        """Serve no longer."""
        if not self.closed.is_set():
            self.closed.set()
            self.shutdown()
            self.server_close()

    def _page(self, request: Request) -> None:
        request.give(self.page(self).encode(), "text/html; charset=utf-8")

    def _events(self, request: Request) -> None:
        if self.streams >= STREAMS:
            request.refuse(503, f"{STREAMS} pages listen already; close one")
            return
        self.streams += 1
        try:
            request.begin("text/event-stream; charset=utf-8")
            self.events(self, request)
        finally:
            self.streams -= 1

    def _control(self, request: Request) -> None:
        assert self.control is not None
        try:
            told, status = self.control(request.body()), 200
        except (ValueError, ImportError) as error:
            told, status = {"error": str(error)}, 400
        request.give(json.dumps(told).encode(), "application/json", status)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that went away is no error of ours."""

    def __repr__(self) -> str:
        return f"Server({'closed' if self.closed.is_set() else self.url})"


def follow(store: Memory | Folder) -> Callable[[Server, Request], None]:
    """The events of a run that is being written: "header", "frame", "end", and "reset".

    After "reset" all frames come anew: some were dropped, or the training was taken up again
    further back.
    """

    def events(server: Server, request: Request) -> None:
        place = Place.of(request.headers.get("Last-Event-ID"))
        seen, ended, spoke = 0, False, monotonic()
        while not server.closed.is_set():
            changed = store.changed
            now, lines = store.read(place)
            if place != START and now.version != place.version:
                request.send("reset", "{}")
            if changed and changed != seen:
                header = store.header
                seen, ended = changed, False
                request.send("header", json.dumps(header, ensure_ascii=False))
            for line in lines[:-1]:
                request.send("frame", line)
            for line in lines[-1:]:
                request.send("frame", line, now)
            place = now
            if changed and not ended and not lines and header.get("ended"):
                ended = True
                request.send("end", "{}")
            if lines:
                spoke = monotonic()
            elif monotonic() - spoke > HEARTBEAT:
                request.wfile.write(b": still here\n\n")
                spoke = monotonic()
            server.closed.wait(PAUSE)

    return events
