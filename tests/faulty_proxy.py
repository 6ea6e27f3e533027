"""A proxy before a server that spoils what passes through it, by a seeded schedule.

Which faults a request meets depends on the seed and on its body alone, not on when it comes: the
same run meets the same faults, however many requests are under way at once.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GARBAGE = bytes(range(128, 256)) * 3
SHAPES: tuple[object, ...] = (
    {}, [], None, 7, "text", {"choices": []}, {"choices": [{"index": 0}]}, {"choices": None},
    {"choices": [{"index": 0, "message": {"role": "assistant"}}]}, {"error": "overloaded"},
    {"choices": [{"index": 0, "message": {"content": ["a", "list"]}}]}, {"content": "text"},
    {"content": [{"type": "text"}]}, {"choices": [{"message": {"content": "a"}}] * 2},
)  # fmt: skip
FAULTS = (
    "drop", "delay", "truncate", "429", "429 after", "500", "garbage", "half", "empty", "shape",
)  # fmt: skip


class FaultyProxy(ThreadingHTTPServer):
    """Passes requests on to a server on 127.0.0.1.

    Args:
        port: of the server.
        seed: of the schedule.
        faults: kinds that happen.
        most: faults that one request meets at most before it is passed on.
        delay: seconds until a delayed request is dropped; longer than the client's time-out.

    Attributes:
        met: how often each kind has happened.
    """

    daemon_threads = True

    def __init__(
        self, port: int, *, seed: int = 0, faults: Sequence[str] = FAULTS, most: int = 3,
        delay: float = 1.5,
    ) -> None:  # fmt: skip
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.seed, self.faults, self.delay = port, seed, tuple(faults), delay
        self.most = most
        self.met: Counter[str] = Counter()
        self._schedules: dict[bytes, list[str]] = {}
        self._lock = threading.Lock()
        self.shapes = random.Random(seed)
        self.arrivals: dict[bytes, int] = defaultdict(int)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def refusal(self) -> tuple[int, bytes]:
        """Give the status and body of a refused request."""
        return 400, b"no"

    def next_fault(self, body: bytes) -> str | None:
        """Give what happens to this request this time; None: it passes."""
        with self._lock:
            self.arrivals[body] += 1
            if body not in self._schedules:
                draw = random.Random(f"{self.seed} {hashlib.sha256(body).hexdigest()}")
                many = draw.randint(0, self.most)
                self._schedules[body] = [draw.choice(self.faults) for _ in range(many)]
            schedule = self._schedules[body]
            fault = schedule.pop(0) if schedule else None
            self.met[fault or "passed"] += 1
            return fault


class _Handler(BaseHTTPRequestHandler):
    server: FaultyProxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.server.next_fault(body)
        if fault in ("drop", "delay"):
            time.sleep(self.server.delay if fault == "delay" else 0)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif fault == "429":
            self.reply(429, b'{"error": {"message": "slow down"}}')
        elif fault == "429 after":
            self.reply(429, b"slow down", **{"Retry-After": "0"})
        elif fault == "500":
            self.reply(500, b"<html>Internal \x1b[31mServer Error</html>")
        elif fault == "garbage":
            self.reply(200, GARBAGE)
        elif fault == "empty":
            self.reply(200, b"")
        elif fault == "refused":
            self.reply(*self.server.refusal())
        elif fault == "slow":
            time.sleep(self.server.delay)
            self.pass_on(body, None)
        elif fault == "shape":
            self.reply(200, json.dumps(self.server.shapes.choice(SHAPES)).encode())
        else:
            self.pass_on(body, fault)

    def pass_on(self, body: bytes, fault: str | None) -> None:
        """Ask the server; an answer may then be cut: with its whole length told, or a half's."""
        there = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=300)
        kept = {name: self.headers[name] for name in ("Content-Type", "Authorization", "x-api-key")}
        there.request("POST", self.path, body, {k: v for k, v in kept.items() if v})
        response = there.getresponse()
        told = response.read()
        there.close()
        length = len(told) if fault == "truncate" else None
        self.reply(response.status, told[: len(told) // 2] if fault else told, length)

    def reply(self, status: int, text: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""
