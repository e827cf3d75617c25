"""No secret in any output: not printed, not logged, not answered, not stored, not sent to monitors; in no form.

The vendors of these tests are hostile: whatever they refuse, they quote the whole request back, credentials included, plain and
encoded in every way. Failures of every class, crashes, dead letters, webhooks, metrics, traces and alerts are gone through.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import httpx
import pytest

from runtime.cli import main as command_line
from tests.redaction import planted
from tests.redaction.planted import forms, found_in
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.loopback import listening
from tests.runtime.oauth_server import OAuthServer
from tests.waiting import PATIENCE_S, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
Answer = Callable[[httpx.Request], httpx.Response]


def quoted(request: httpx.Request, more: str = "") -> str:
    """All of a request, plain and as a hostile mind would encode it."""
    whole = f"{request.method} {request.url} {dict(request.headers)} {request.content.decode()} {more}"
    texts = [whole, *(form for value in request.headers.values() for form in forms(value.partition(" ")[2] or value))]
    texts += [form for value in request.url.params.values() for form in forms(value)]
    return " | ".join(texts)


class Tokens(OAuthServer):
    """Gives the planted tokens; quotes what it refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.refresh = planted.REFRESH[0]

    def _token(self, request: httpx.Request) -> httpx.Response:
        reply = super()._token(request)
        if reply.status_code == 200:
            body = reply.json()
            self.refresh = planted.REFRESH[self.granted]
            self.valid = {planted.ACCESS[self.granted]}
            return httpx.Response(
                200, json={**body, "access_token": planted.ACCESS[self.granted], "refresh_token": self.refresh}
            )
        return httpx.Response(reply.status_code, json={**reply.json(), "error_description": quoted(request)})

    @staticmethod
    def _client(request: httpx.Request, form: dict[str, str]) -> tuple[str, str]:
        name, secret = OAuthServer._client(request, form)
        return name, "s3cret:/client" if secret == planted.CLIENT_SECRET else secret


class Site:
    """Both vendors, a collector, a receiver of alerts, and the package in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shopify, self.credo, self.tokens = Shopify(25), Credo(), Tokens()
        self.source: Answer | None = None
        """Instead of the source, when something is to go wrong."""
        self.destination: Answer | None = None
        self.monitored: list[bytes] = []
        """What was sent to the collector and to the receiver of alerts, without their own credentials."""
        self.outputs: dict[str, str | bytes] = {}
        self.environ: dict[str, str] = {}

    def at_source(self, request: httpx.Request) -> httpx.Response:
        if self.source is not None:
            return self.source(request)
        request.headers["x-shopify-access-token"] = "shpat_planted"
        return self.shopify(request)

    def at_destination(self, request: httpx.Request) -> httpx.Response:
        gate = self.tokens(request)
        if request.url.path.endswith("/token"):
            return gate
        if gate.status_code != 200:
            return httpx.Response(gate.status_code, text=quoted(request))
        if self.destination is not None:
            return self.destination(request)
        request.headers["x-api-key"] = "credo_planted"
        return self.credo(request)

    def at_monitor(self, request: httpx.Request) -> httpx.Response:
        own = {"x-key", "webhook-signature"}
        kept = {name: value for name, value in request.headers.items() if name not in own}
        self.monitored.append(f"{kept}".encode() + request.content)
        return httpx.Response(200)

    def environ_of(self, urls: list[str]) -> dict[str, str]:
        for name, text in (("client", planted.CLIENT_SECRET), ("key", planted.STATE_KEY)):
            (self.folder / name).write_text(text)
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'runtime_template'}:{ROOT}",
            "SHOPIFY_SHOP": "shop",
            "SHOPIFY_BASE_URL": urls[0] + "/admin",
            "CREDO_BASE_URL": urls[1] + "/v1",
            "CREDO_CLIENT_SECRET": planted.CLIENT_SECRET,
            "CREDO_REFRESH_TOKEN": planted.REFRESH[0],
            "SHOPIFY_SECRET": planted.API_KEY,
            "SHOPIFY_WEBHOOK_SECRET": " ".join(planted.WEBHOOK),
            "CONTROL_TOKEN": planted.CONTROL["admin"],
            "CONTROL_TOKEN_OPERATE": planted.CONTROL["operate"],
            "CONTROL_TOKEN_READ": planted.CONTROL["read"],
            "STATE_KEY_FILE": str(self.folder / "key"),
            "ALERT_WEBHOOK_URL": f"{urls[2]}/{planted.ALERT_PATH}",
            "ALERT_WEBHOOK_SECRET": planted.ALERT_SECRET,
            "OTEL_EXPORTER_OTLP_ENDPOINT": urls[2],
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={planted.OTEL_HEADER}",
            "LOG_LEVEL": "DEBUG",
            "MAX_ATTEMPTS": "2",
            "MAX_WAIT_SECONDS": "1",
            "REQUEST_DEADLINE_SECONDS": "5",
        }

    def clean(self) -> None:
        """Look for every secret in everything that was put out."""
        leaks = {name: found for name, text in self.outputs.items() if (found := found_in(text))}
        assert leaks == {}


class Commands:
    """The command line, a command at a time, in one process; what it prints and logs is kept."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.log = (site.folder / "stderr").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.redaction.app"],
            cwd=site.folder, env=site.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
        )  # fmt: skip

    def run(self, *arguments: str, kind: str = "header", breaks: bool = False, **environ: str) -> tuple[int, str]:
        """One command: its exit code and what it printed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"kind": kind, "args": arguments, "environ": environ, "breaks": breaks}
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.process.stdin.flush()
        lines: list[str] = []
        while not (line := self.process.stdout.readline().decode()).startswith("<<"):
            assert line, "the process has ended"
            lines.append(line)
        self.site.outputs[f"{len(self.site.outputs)}: {' '.join(arguments)}"] = "".join(lines)
        return int(line[2:-3]), "".join(lines)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.log.seek(0)
        self.site.outputs["standard error of all commands"] = self.log.read()
        self.log.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with listening(made.at_source, made.at_destination, made.at_monitor) as urls:
        made.environ = made.environ_of(urls)
        yield made


@contextmanager
def commands(site: Site) -> Iterator[Commands]:
    made = Commands(site)
    try:
        yield made
    finally:
        made.close()


def stored(site: Site) -> dict[str, bytes]:
    """The bytes of the database, with its log."""
    return {file.name: file.read_bytes() for file in site.folder.glob("*.db*")}


def refusing(status: int, **headers: str) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text=quoted(request), headers=headers)

    return answer


def broken(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("reset", request=request)


FAILURES: dict[str, Answer] = {
    "transient": refusing(503),
    "throttled": refusing(429, **{"Retry-After": "100"}),
    "auth": refusing(401),
    "forbidden": refusing(403),
    "permanent": refusing(422),
    "systematic": refusing(405),
    "redirect": lambda request: httpx.Response(302, headers={"Location": f"https://elsewhere.example/?{request.url}"}),
    "reset": broken,
    "web page": lambda request: httpx.Response(
        200, text=f"<html>{quoted(request)}", headers={"Content-Type": "text/html"}
    ),
    "truncated": lambda request: httpx.Response(200, text=json.dumps({"customers": [{"id": quoted(request)}]})[:-9]),
    "not as described": lambda request: httpx.Response(200, json={"customers": quoted(request)}),
}


@pytest.mark.slow
def test_commands_put_out_no_secret_whatever_goes_wrong(site: Site) -> None:
    """Each way to sign in, each class of failure on both sides, dead letters, doctor, a crash; then the database itself."""
    secrets = {
        "header": planted.API_KEY,
        "query": planted.QUERY_KEY,
        "cookie": planted.COOKIE_KEY,
        "basic": planted.BASIC_PASSWORD,
        "bearer": planted.BEARER,
    }
    with commands(site) as shell:
        assert shell.run("sync")[0] == 0
        assert shell.run("doctor")[0] == 0
        for kind, secret in secrets.items():
            site.source = refusing(503 if kind == "query" else 401)
            assert shell.run("sync", kind=kind, SHOPIFY_SECRET=secret)[0] == 1
            shell.run("doctor", kind=kind, SHOPIFY_SECRET=secret, LOG_FORMAT="text")
        for number, (name, answer) in enumerate(FAILURES.items()):
            site.source = answer
            code, out = shell.run("sync", kind="query", SHOPIFY_SECRET=planted.QUERY_KEY)
            assert code == 1, (name, out)
            site.source, site.destination = None, answer
            for customer in range(1, 4):
                site.shopify.put(customer, first_name=f"{name} {number}")
            assert shell.run("sync", "--json")[0] != 0 or name == "not as described"
            site.destination = None
        site.shopify.put(1, email=f"not an address {planted.API_KEY}", first_name=f"key {planted.API_KEY}")
        shell.run("sync", "--dry-run")
        shell.run("sync")
        for arguments in (
            ("status",), ("status", "--json"), ("history", "--json"), ("dead-letters", "list", "--json"), ("token", "show"),
            ("runs", "list"), ("ledger",), ("audit",), ("verify",), ("conflicts", "list"),
        ):  # fmt: skip
            shell.run(*arguments)
        _, letters = shell.run("dead-letters", "list", "--json")
        for letter in json.loads(letters):
            shell.run("dead-letters", "show", letter["id"])
        shell.run("dead-letters", "retry", "--all", "customers")
        assert shell.run("sync", breaks=True)[0] == 70
        assert shell.run("sync", DATABASE_URL=f"postgresql://u:{planted.DATABASE_PASSWORD}@127.0.0.1:1/db")[0] == 1
        assert shell.run("doctor", DATABASE_URL=f"postgresql://u:{planted.DATABASE_PASSWORD}@127.0.0.1:1/db")[0] == 1
        assert shell.run("doctor", DATABASE_URL=f"nonsense {planted.DATABASE_PASSWORD}")[0] == 1
        assert (
            shell.run("sync", CREDO_CLIENT_SECRET=planted.CLIENT_SECRET + "\n", STATE_KEY="x" + planted.STATE_KEY)[0]
            == 1
        )
        site.tokens.expire()
        site.tokens.revoked = True
        site.shopify.put(5, first_name="Changed")
        assert shell.run("sync", "--resync")[0] == 1
        shell.run("token", "show", "--json")
    site.outputs |= stored(site)
    site.outputs |= {f"to monitors {number}": text for number, text in enumerate(site.monitored)}
    assert len(site.tokens.asked) > 2
    assert sum(b"alert." in text for text in site.monitored) >= 2
    assert sum(b"run customers" in text for text in site.monitored) >= 2
    assert sum(b"[redacted]" in _bytes(text) for text in site.outputs.values()) > 20
    site.clean()


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


@pytest.mark.slow
def test_service_puts_out_no_secret(site: Site) -> None:
    """Every route with each role and with wrong tokens, deliveries that are proved and that are not, metrics, traces, alerts."""
    port = free_port()
    log = (site.folder / "log").open("w+b")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.redaction.app", "serve", "--port", str(port)],
        cwd=site.folder, env=site.environ, stdout=log, stderr=log,
    )  # fmt: skip
    base = f"http://127.0.0.1:{port}"
    try:
        _wait(base, process)
        replies: dict[str, Any] = {}

        def ask(method: str, path: str, token: str | None, **more: Any) -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            headers |= more.pop("headers", {})
            reply = httpx.request(method, base + path, headers=headers, timeout=PATIENCE_S, **more)
            replies[f"{len(replies)}: {method} {path}"] = f"{reply.status_code} {dict(reply.headers)} {reply.text}"
            return reply

        site.source = refusing(401)
        assert ask("POST", "/sync", planted.CONTROL["operate"], json={"stream": "customers"}).status_code in (202, 409)
        wait_until(lambda: _has_ended(base))
        site.source = None
        site.credo.refuse = lambda body: "refused " + planted.CONTROL["admin"]
        for secret in (*planted.WEBHOOK, "wrong"):
            body = json.dumps({**site.shopify.customers[3], "id": 3, "first_name": secret}).encode()
            signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
            ask(
                "POST", "/webhooks/customers/update", None, content=body,
                headers={"X-Shopify-Hmac-Sha256": signature, "X-Shopify-Webhook-Id": secret[-6:]},
            )  # fmt: skip
        for token in (*planted.CONTROL.values(), "wrong", planted.CONTROL["admin"][:-1], None):
            for path in (
                "/status", "/sync/status", "/sync/history", "/runs", "/runs/none", "/metrics", "/health", "/tokens", "/audit",
                "/ledger", "/dead-letters", "/conflicts", "/circuit-breaker/status", "/healthz", "/readyz", "/nothing",
            ):  # fmt: skip
                ask("GET", path, token)
        ask("POST", "/sync", planted.CONTROL["admin"], content=b'{"stream": "' + planted.API_KEY.encode() + b'"')
        for letter in ask("GET", "/dead-letters", planted.CONTROL["operate"]).json()["dead_letters"]:
            ask("GET", f"/dead-letters/{letter['id']}", planted.CONTROL["operate"])
        assert "vitesse_requests_total{" in replies[next(name for name in replies if "/metrics" in name)]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
    log.seek(0)
    site.outputs["log of the service"] = log.read()
    log.close()
    site.outputs |= replies
    site.outputs |= stored(site)
    site.outputs |= {f"to monitors {number}": text for number, text in enumerate(site.monitored)}
    assert site.monitored
    assert b'"level":"' in site.outputs["log of the service"]  # type: ignore[operator]
    # What a caller sends that is no secret of the service comes back as it was sent.
    site.outputs = {name: text for name, text in site.outputs.items() if "POST /sync" not in name or "202" in str(text)}
    site.clean()


def _wait(base: str, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        assert process.poll() is None
        with suppress(httpx.TransportError):
            return httpx.get(f"{base}/healthz", timeout=PATIENCE_S).status_code == 200
        return False

    wait_until(answers)


def _has_ended(base: str) -> bool:
    headers = {"Authorization": f"Bearer {planted.CONTROL['read']}"}
    runs = httpx.get(f"{base}/sync/history", headers=headers, timeout=PATIENCE_S).json()["runs"]
    return bool(runs) and all(run["state"] != "running" for run in runs)


def test_search_finds_each_secret_in_each_form() -> None:
    """The net itself has no hole."""
    for kind, secret in planted.SECRETS.items():
        for form in forms(secret):
            assert any(found.startswith(kind) for found in found_in(f"before {form} behind")), (kind, form)


def test_no_command_takes_a_secret_as_an_argument() -> None:
    """Other users of a machine can read the arguments of a process."""

    def parameters(command: click.Command, name: str) -> Iterator[tuple[str, click.Parameter]]:
        yield from ((name, parameter) for parameter in command.params)
        for child in getattr(command, "commands", {}).values():
            yield from parameters(child, f"{name} {child.name}")

    words = ("secret", "password", "passwd", "api-key", "apikey", "credential", "refresh-token", "access-token")
    for name, parameter in parameters(command_line, ""):
        for option in (*parameter.opts, *parameter.secondary_opts):
            assert not any(word in option.lower().replace("_", "-") for word in words), f"{name} {option}"
        assert parameter.name not in ("token", "key"), f"{name} {parameter.name}"
