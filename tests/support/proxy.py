"""A proxy between the functions and S3 that lets one call of theirs go wrong."""

import http.client
import sys
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
LATE_SECONDS = 1.5


class Call(NamedTuple):
    """One of an execution's calls of S3.

    Attributes
    ----------
    state : str
        Whose function makes it.
    method : str
        Of HTTP.
    what : str
        The last two endings of the key, or of a key without any the bucket's name.
    occurrence : int
        1 if it is the first such call.
    """

    state: str
    method: str
    what: str
    occurrence: int = 1


class Fault(NamedTuple):
    """What goes wrong, at which call, and with how many of the same calls from that one on."""

    kind: str
    call: Call
    times: int = 1


class Proxy(ThreadingHTTPServer):
    """Forwards to the engine, but for the calls that a fault is for.

    Parameters
    ----------
    upstream : str
        The engine's URL.
    kill : callable
        Kills the processes of the function of a state.
    """

    daemon_threads = True

    def __init__(self, upstream: str, kill: Callable[[str], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.kill = kill
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.calls: list[Call] = []
        self.fired = 0
        self.over = threading.Event()
        self._fault: Fault | None = None
        self._counting = threading.Lock()
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Take no notice of clients that are gone: they were killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def begin(self, fault: Fault | None) -> None:
        """Forget the calls so far, and let a fault happen from now on, or none."""
        self.over.set()  # lets go of calls that a former fault keeps waiting
        with self._counting:
            self._fault, self.calls, self.fired = fault, [], 0
            self.over = threading.Event()

    def take(self, state: str, method: str, what: str) -> str | None:
        """Note a call; return what goes wrong with it, or None."""
        with self._counting:
            seen = Counter(call[:3] for call in self.calls)
            call = Call(state, method, what, seen[state, method, what] + 1)
            self.calls.append(call)
            fault = self._fault
            if fault is None or fault.call[:3] != call[:3]:
                return None
            nth = call.occurrence - fault.call.occurrence
            if not 0 <= nth < fault.times:
                return None
            self.fired += 1
            return fault.kind


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Proxy

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        state = self.headers["User-Agent"].rpartition(" app/")[2].split()[0]
        key = PurePosixPath(unquote(urlsplit(self.path).path))
        what = "".join(key.suffixes[-2:]) or key.parts[1]
        over = self.server.over
        kind = self.server.take(state, self.command, what)
        self.close_connection = kind not in (None, "late")
        match kind:
            case "busy":
                self._answer(503, [("Content-Type", "application/xml")], BUSY)
            case "reset":
                pass
            case "killed":
                self.server.kill(state)
            case "never":
                over.wait()
            case _:
                if kind == "late":
                    over.wait(LATE_SECONDS)
                answer = self._ask(body)
                if kind == "killed after":
                    self.server.kill(state)
                elif kind == "cut":
                    self._answer(*answer, part=len(answer[2]) // 2)
                elif kind != "lost":
                    self._answer(*answer)

    do_GET = do_PUT = do_HEAD = do_DELETE = _forward  # noqa: N815 - as the base class calls them

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = http.client.HTTPConnection(self.server.upstream)
        upstream.request(self.command, self.path, body, dict(self.headers.items()))
        response = upstream.getresponse()
        answer = response.status, response.getheaders(), response.read()
        upstream.close()
        return answer

    def _answer(
        self, status: int, headers: list[tuple[str, str]], body: bytes, part: int | None = None
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        length = {n.lower(): v for n, v in headers}.get("content-length", str(len(body)))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body if part is None else body[:part])

    def log_message(self, *_: object) -> None:
        """Say nothing."""
