"""A server of the tests' own that speaks the OpenAI protocol over real HTTP, and does to clients whatever a test asks for."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.waiting import PATIENCE_S

Answer = dict[str, Any]
DATA = ("<data>\n", "\n</data>")


@dataclass
class Raw:
    """An HTTP answer, byte for byte."""

    status: int = 200
    body: bytes | str | Mapping[str, Any] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False
    """Nothing is answered as long as the server is there."""
    drip_s: float = 0.0
    """Between single bytes."""
    drop_after: int | None = None
    """Bytes after which the connection is cut."""


@dataclass
class Request:
    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def mode(self) -> str:
        return str(self.body.get("response_format", {}).get("type", "prompt"))

    @property
    def form(self) -> Any:
        """What the request says of the fields."""
        content = self.body["messages"][1]["content"]
        return json.loads(content[len(DATA[0]) : -len(DATA[1])])

    @property
    def destinations(self) -> list[str]:
        return [one["path"] for one in self.form["destination_fields"]]


Behaviour = Callable[[Request], "Raw | Answer | str | list[Answer]"]


@dataclass
class Server:
    """What it was asked, and what it does."""

    url: str
    behaviour: Behaviour
    requests: list[Request] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def chats(self) -> list[Request]:
        return [one for one in self.requests if one.path.endswith("/chat/completions")]


def completion(content: str | None, *, finish: str = "stop", refusal: str | None = None) -> Answer:
    """A chat completion as the protocol has it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "served",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def none_for(path: str, why: str = "") -> Answer:
    return {"destination": path, "sources": [], "use": {"transform": "none"}, "why": why}


def picks(request: Request, table: Mapping[str, Any], why: str = "they mean the same") -> list[Answer]:
    """An answer for every field asked about: `destination: source` or `destination: ([sources], use)`; nothing for the rest."""
    found = []
    for path in request.destinations:
        said = table.get(path)
        if said is None:
            found.append(none_for(path))
            continue
        sources, use = ([said], {"transform": "mapping"}) if isinstance(said, str) else said
        found.append({"destination": path, "sources": sources, "use": use, "why": why})
    return found


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Server]:
    """A server on a free port of this machine, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, json.loads(self.rfile.read(length)))
            server.requests.append(request)
            found = server.behaviour(request)
            if isinstance(found, list):
                found = json.dumps({"answers": found})
            if isinstance(found, str):
                found = completion(found)
            raw = found if isinstance(found, Raw) else Raw(body=found)
            self._send(raw)

        def _send(self, raw: Raw) -> None:
            body = raw.body
            if not isinstance(body, bytes | str):
                body = json.dumps(body)
            content = body.encode() if isinstance(body, str) else body
            if raw.silent:
                server.over.wait(PATIENCE_S)
            headers = {"content-type": "application/json", "content-length": str(len(content)), **raw.headers}
            self.send_response(raw.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if raw.drop_after is not None:
                self.wfile.write(content[: raw.drop_after])
                self.wfile.flush()
                self.close_connection = True
                return
            if raw.drip_s:
                for index in range(len(content)):
                    self.wfile.write(content[index : index + 1])
                    self.wfile.flush()
                    time.sleep(raw.drip_s)
                return
            self.wfile.write(content)

        def handle(self) -> None:
            try:
                super().handle()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *arguments: Any) -> None:
            """Tests are quiet."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    server = Server(f"http://127.0.0.1:{httpd.server_address[1]}/v1", behaviour)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()
