"""A provider's API on a local port: it answers what was recorded, and keeps every request that came."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

RECORDED = Path(__file__).parent / "recorded"

Answer = tuple[int, Any]
"""Status and document: text as it is, anything else as JSON."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: str
    headers: dict[str, str]


@dataclass(kw_only=True)
class Api:
    """What is answered, by path or by a function of the request; a path of which nobody spoke is not found."""

    answers: dict[str, Answer | Callable[[Asked], Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    missing: Answer = (404, {"error": {"code": "not_found", "message": "not found"}})
    address: str = ""

    def answer(self, request: Asked) -> Answer:
        """What is said to a request."""
        self.asked.append(request)
        found = self.answers.get(request.path) or self.answers.get("*", self.missing)
        return found(request) if callable(found) else found

    @property
    def methods(self) -> set[str]:
        """How things were asked for."""
        return {request.method for request in self.asked}


def recorded(name: str) -> Any:
    """A recorded answer; of a `.json` parsed anew each time, so that a test may change it."""
    text = (RECORDED / name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else text


@contextmanager
def answering(api: Api) -> Iterator[Api]:
    """The API at `api.address` while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Bound", (_Handler,), {"api": api}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    api.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    api: Api
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing: requests are kept."""

    def _take(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        asked = Asked(
            method=self.command, path=parts.path, query=parse_qs(parts.query), body=body, headers=dict(self.headers)
        )
        status, document = self.api.answer(asked)
        text = document if isinstance(document, str) else json.dumps(document)
        kind = "text/xml" if text.startswith("<?xml") else "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _take  # noqa: N815  the names that http.server looks for
