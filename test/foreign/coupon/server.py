"""HTTP/1.1 with keep-alive, over TCP or a unix socket: docs/seam-protocol.md, Calls."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import select
import socket
import socketserver
import sqlite3
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .errors import Refusal, Undeliverable, internal, unavailable
from .seam import Seam

LARGEST_REQUEST = 1_048_576
#: a body larger than this is not even read to its end
LARGEST_IGNORED = 8 * LARGEST_REQUEST
DEFAULT_TIMEOUT = 10_000
LONGEST_TIMEOUT = 60_000
#: seconds in which a body that has arrived is read, also for a caller that waits no longer: the connection stays good
SHORTEST_READ = 0.1

log = logging.getLogger("coupon")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: seconds that a connection may be idle; callers close theirs sooner
    timeout = 75
    #: an answer leaves in one piece
    wbufsize = -1
    server: "Server"

    def _answer(self) -> None:
        begun = time.monotonic()
        try:
            status, body = 200, self._run(begun)
        except (Refusal, Undeliverable) as error:
            status, body = error.status, error.body
        except socket.timeout:
            status, body = self._hang_up("deadline_exceeded")
        except ConnectionError:
            self.close_connection = True
            return
        except sqlite3.OperationalError as error:
            log.error("%s the database: %s", self._where(), error)
            status, body = unavailable().status, unavailable().body
        except Exception:
            log.exception("%s failed", self._where())
            status, body = internal().status, internal().body
        log.info("%s %d in %.1f ms %s", self._where(), status, (time.monotonic() - begun) * 1_000, body.get("reason", "") if status > 200 else "")
        self._send(status, body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer

    def _run(self, begun: float) -> Any:
        seam = self.server.seam
        deadline = begun + self._timeout() / 1_000
        body = self._body(deadline)
        resource = seam.resource_at(self.path)
        if self.command != resource.http_method:
            raise Undeliverable("method_not_allowed")
        caller = seam.admit(self.headers.get("authorization", ""), resource)
        if time.monotonic() >= deadline:
            raise Undeliverable("deadline_exceeded")
        if self.command == "POST" and not re.match(r"application/(cloudevents\+)?json\b", self.headers.get("content-type", ""), re.I):
            raise Undeliverable("unsupported_media_type")
        if body is None:
            raise Undeliverable("too_large")
        try:
            answer = resource.run(body.decode(), caller, deadline)
        except UnicodeDecodeError:
            raise Undeliverable("contract_violation", "The body is not UTF-8.") from None
        if time.monotonic() >= deadline:
            raise Undeliverable("deadline_exceeded")
        return answer

    def _timeout(self) -> float:
        """Milliseconds; none left for what is no number."""
        try:
            given = float(self.headers.get("kerf-timeout", DEFAULT_TIMEOUT))
        except ValueError:
            return 0
        return min(given, LONGEST_TIMEOUT) if given > 0 else 0

    def _body(self, deadline: float) -> bytes | None:
        """None for one that is too large: it is read all the same, so that the connection stays good for the next call."""
        length = self._content_length()
        if length > LARGEST_IGNORED:
            self.close_connection = True
            return None
        data = self._read(length, max(deadline, time.monotonic() + SHORTEST_READ))
        return data if length <= LARGEST_REQUEST else None

    def _content_length(self) -> int:
        given = self.headers.get("content-length", "0")
        if re.fullmatch(r"[0-9]{1,15}", given) and "transfer-encoding" not in self.headers:
            return int(given)
        self.close_connection = True
        raise Undeliverable("contract_violation", "A body comes with its length.")

    def _read(self, size: int, until: float) -> bytes:
        """A socket's timeout is for one piece: a body that trickles in would be waited for for ever."""
        data = bytearray()
        try:
            while len(data) < size:
                left = until - time.monotonic()
                if left <= 0:
                    raise socket.timeout
                self.connection.settimeout(left)
                piece = self.rfile.read1(size - len(data))
                if not piece:
                    raise ConnectionError("the caller has gone")
                data += piece
        finally:
            self.connection.settimeout(self.timeout)
        return bytes(data)

    def handle_expect_100(self) -> bool:
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def _hang_up(self, reason: str) -> tuple[int, Any]:
        self.close_connection = True
        late = Undeliverable(reason)
        return late.status, late.body

    def _send(self, status: int, body: Any) -> None:
        data = json.dumps(body, separators=(",", ":")).encode()
        self.send_response_only(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("kerf-contract", self.server.seam.hash)
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library refuses by itself: a line that is no HTTP, or a method that nobody has."""
        self._send(*self._hang_up("method_not_allowed" if code == 501 else "contract_violation"))

    def _where(self) -> str:
        return f"trace={self.headers.get('traceparent', '-')} {self.command} {self.path}"

    def log_message(self, format: str, *values: Any) -> None:
        """The library's own words about each request: _answer says more."""


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 256
    seam: Seam

    def __init__(self, address: tuple[str, int], seam: Seam):
        self.seam = seam
        self._connections: set[socket.socket] = set()
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def drain(self) -> None:
        """After `shutdown`: whoever has connected is answered what was asked by now, and nobody is heard any more."""
        while select.select([self.socket], [], [], 0)[0]:
            self.handle_request()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a connection broke", exc_info=True)


class UnixServer(Server):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)


def listen(seam: Seam, host: str, port: int) -> tuple[Server, str]:
    server = Server((host, port), seam)
    return server, f"http://{host}:{server.server_address[1]}"


def listen_on_socket(seam: Seam, path: str) -> tuple[Server, str]:
    server: Server = UnixServer(path, seam)  # type: ignore[arg-type]
    return server, f"unix:{path}"
