"""A page for one person on this machine: loopback only, and nothing is told or done without the token.

Other programs and other people's browsers can reach a loopback address too: a page from anywhere can send requests to
it, under a name that its owner points here. So what is asked must come to a loopback name (Host), from a page of ours
(Origin), with the token, which is in no address that is sent or logged.
"""

from __future__ import annotations

import re
import secrets
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import orjson

from dedup.errors import SettingsError

HOST = "127.0.0.1"
TOKEN = "X-Dedup-Token"
Answer = tuple[int, dict[str, Any]]
"""An HTTP status and the content."""
_MOST_SENT = 4096  # bytes of a request's content
_PATIENCE = 30.0  # seconds: browsers open connections ahead and may not use them
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?\Z")  # any port: it may be forwarded
_ALWAYS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Site(Protocol):
    """What is served. Several threads ask."""

    def page(self) -> tuple[str, str]:
        """The page, which anybody may have, and its content security policy."""

    def get(self, path: str) -> Answer | None:
        """The answer to a question: status and content; None where nothing has this path."""

    def post(self, path: str, fields: Mapping[str, Any]) -> Answer | None:
        """The answer to an order; None where nothing has this path."""

    def knows(self, path: str) -> bool:
        """Whether the path is that of an order."""


class LocalServer:
    """Serves a site until it is finished with, or nobody asks for a while.

    Raises:
        SettingsError: the port can't be used.
    """

    def __init__(self, site: Site, port: int = 0) -> None:
        self.site = site
        self.token = secrets.token_urlsafe(32)
        self._once = {secrets.token_urlsafe(32)}
        self._finished = threading.Event()
        self._last = time.monotonic()
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError as error:
            raise SettingsError(
                f"--port {port} can't be used: {error.strerror}\nLeave it out, and a free one is taken"
            ) from error
        self._server.local = self
        self.port: int = self._server.server_address[1]

    @property
    def address(self) -> str:
        """The page's address with the token, behind a # and so never sent."""
        return f"http://{HOST}:{self.port}/#token={self.token}"

    @property
    def address_for_one_use(self) -> str:
        """An address that works once: what a browser is started with can be seen in the list of processes."""
        [code] = self._once
        return f"http://{HOST}:{self.port}/#once={code}"

    def serve(self, idle: float) -> bool:
        """Answer until the site is finished with (True), or nobody has asked for ``idle`` seconds (False)."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            while not self._finished.wait(0.2):
                if time.monotonic() - self._last > idle:
                    return False
            return True
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def finish(self) -> None:
        """Stop serving; called once the last answer has been sent."""
        self._finished.set()

    def used(self) -> None:
        """Somebody with the token asked for something."""
        self._last = time.monotonic()

    def may(self, given: str | None) -> bool:
        """Whether this is the token."""
        return given is not None and secrets.compare_digest(given.encode(), self.token.encode())

    def entered(self, given: str | None) -> str | None:
        """The token, for the code that works once."""
        try:
            self._once.remove(given or "")
        except KeyError:
            return None
        return self.token


class _Server(ThreadingHTTPServer):
    """One thread a connection, since a browser's idle connections would stop a single one."""

    daemon_threads = True
    local: LocalServer

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own would ask the network for this machine's name
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks off is nobody's error; what goes wrong in an answer is answered."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    server: _Server

    def do_GET(self) -> None:
        site = self.server.local.site
        if not self._comes_from_here():
            return
        if self.path == "/":
            page, policy = site.page()
            self._send(200, page.encode("utf-8"), "text/html; charset=utf-8", {"Content-Security-Policy": policy})
            return
        if not self._has_token():
            return
        if site.knows(self.path):
            self._say(405, "this changes something: it takes POST", {"Allow": "POST"})
            return
        self._answer(lambda: site.get(self.path))

    def do_POST(self) -> None:
        local = self.server.local
        fields = self._fields()
        if fields is None or not self._comes_from_here(writes=True):
            return
        if self.path == "/enter":
            token = local.entered(self.headers.get(TOKEN))
            if token is None:
                self._say(403, _WRONG_TOKEN)
            else:
                self._send_json(200, {"token": token})
            return
        if self._has_token():
            self._answer(lambda: local.site.post(self.path, fields))
            if self.path == "/finish":
                local.finish()

    # --- what is looked at first --------------------------------------------------------------------------------------

    def _comes_from_here(self, writes: bool = False) -> bool:
        """Whether the request is to a loopback name, and from a page of ours where it must be."""
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or not _LOOPBACK.match(hosts[0]):
            self._say(403, "this is no name of this machine's loopback address")
            return False
        origins = self.headers.get_all("Origin") or []
        # Anybody may have the page without the token: a link to it from elsewhere does no harm.
        ours = origins == [f"http://{hosts[0]}"] or (not origins and not writes)
        if not ours or (self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and self.path != "/"):
            self._say(403, "only the page of this review may ask")
            return False
        return True

    def _has_token(self) -> bool:
        if not self.server.local.may(self.headers.get(TOKEN)):
            self._say(403, _WRONG_TOKEN)
            return False
        self.server.local.used()
        return True

    def _fields(self) -> dict[str, Any] | None:
        """The content of an order, read in any case: what is left would be taken for the next request."""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,9}", length) or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._say(411, "how long is the content?")
            return None
        if int(length) > _MOST_SENT:
            self.close_connection = True
            self._say(413, "too long")
            return None
        content = self.rfile.read(int(length))
        if self.headers.get("Content-Type") != "application/json":
            self._say(415, "it must be application/json")
            return None
        try:
            fields = orjson.loads(content)
        except orjson.JSONDecodeError:
            fields = None
        if not isinstance(fields, dict):
            self._say(400, "it must be a JSON object")
            return None
        return fields

    # --- what is sent -------------------------------------------------------------------------------------------------

    def _answer(self, ask: Callable[[], Answer | None]) -> None:
        try:
            answer = ask()
        except Exception as error:  # the page must be told; the review goes on
            self._say(500, f"this went wrong: {type(error).__name__}: {error}")
            return
        if answer is None:
            self._say(404, "there is nothing here")
        else:
            self._send_json(*answer)

    def _say(self, status: int, words: str, headers: Mapping[str, str] | None = None) -> None:
        self._send_json(status, {"error": words}, headers)

    def _send_json(self, status: int, content: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self._send(status, orjson.dumps(content), "application/json", headers)

    def _send(self, status: int, content: bytes, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**_ALWAYS, "Content-Security-Policy": "default-src 'none'", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses: a method that there isn't, a request that is none."""
        self.close_connection = True
        if not hasattr(self, "headers"):
            self.request_version = "HTTP/1.0"
        self.command = getattr(self, "command", None) or "GET"
        self._say(code, "this is no request that is answered here")

    def version_string(self) -> str:
        return "dedup"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: every decision is in the decisions file."""


_WRONG_TOKEN = "this page has no valid token: open the address that dedup review printed"
