"""Each wire against a server that misbehaves in one way at a time."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import shutil
import socket
import ssl
import subprocess
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import (
    AddressRefused,
    BodyTooLarge,
    ConnectFailed,
    DeadlineExceeded,
    RequestRefused,
    TlsFailed,
    TransportError,
)
from runtime.http.wire import AddressPolicy, Body, Inflater, Origin, WireOptions, tls_context
from runtime.http.wire_aiohttp import AiohttpWire
from tests.runtime.raw_server import Behaviour, Exchange, Server, serving
from tests.waiting import PATIENCE_S, free_port, until

Wire: Any = AiohttpWire


@pytest.fixture(scope="module", autouse=True, params=["aiohttp", "fast"])
def each_wire(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test is run over every wire."""
    global Wire
    if request.param == "fast":
        pytest.importorskip("httptools", reason="needs the extra `fast` of packages")
        from runtime.http.wire_fast import FastWire

        Wire = FastWire
    yield
    Wire = AiohttpWire


@asynccontextmanager
async def wired(behaviour: Behaviour, **options: Any) -> AsyncIterator[tuple[Any, Server]]:
    async with serving(behaviour) as server:
        wire = Wire(Origin.of(server.url), WireOptions(**{"deadline_s": PATIENCE_S, **options}))
        try:
            yield wire, server
        finally:
            await wire.aclose()


def request(
    server: Server, method: str = "GET", path: str = "/", body: bytes = b"", headers: dict[str, str] | None = None
) -> httpx.Request:
    fields = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return httpx.Request(method, server.url + path, headers=fields, stream=Body(body))


async def send(wire: Any, what: httpx.Request) -> bytes:
    response = await wire.handle_async_request(what)
    assert isinstance(response.stream, Body)
    return response.stream.data


async def expire(wire: Any, make: Callable[[], httpx.Request], *, sent: bool | None) -> None:
    """A request meets its deadline; once more where the machine stood still so long that it had not come so far (`sent`)."""
    for _ in range(20):
        with pytest.raises(DeadlineExceeded) as caught:
            await send(wire, make())
        if caught.value.sent is sent:
            return
    raise AssertionError(f"its requests were sent: {caught.value.sent}")


async def answer(exchange: Exchange) -> None:
    await exchange.reply(b'{"ok":true}')


# --- what goes over the wire ------------------------------------------------------------------------------------------


async def test_request_goes_out_byte_for_byte_with_nothing_added_but_framing() -> None:
    """No automatic headers; path and query stay as they were spelled."""
    async with wired(answer) as (wire, server):
        what = request(server, "POST", "/", b'{"a":1}', headers={"X-Name": "ü", "Content-Type": "a/b"})
        what.extensions["target"] = b"/a%2Fb/%7Ec?x=%5B1%5D&y=a+b"
        assert await send(wire, what) == b'{"ok":true}'
    seen = server.requests[0]
    assert seen.line == "POST /a%2Fb/%7Ec?x=%5B1%5D&y=a+b HTTP/1.1"
    assert seen.body == b'{"a":1}'
    names = sorted(name.lower() for name, _ in seen.headers)
    assert names == ["content-length", "content-type", "host", "x-name"]


async def test_connection_is_kept_and_cookies_are_not() -> None:
    """One connection serves request after request; what a server sets is not sent back."""

    async def behave(exchange: Exchange) -> None:
        await exchange.reply(headers=("Set-Cookie: a=b",))

    async with wired(behave) as (wire, server):
        for _ in range(3):
            await send(wire, request(server))
    assert server.connections == 1
    assert [seen.header("cookie") for seen in server.requests] == [None, None, None]


async def test_line_break_in_a_header_is_refused_before_it_is_sent() -> None:
    """No header of ours can become two."""
    async with wired(answer) as (wire, server):
        with pytest.raises(RequestRefused):
            await send(wire, request(server, headers={"X-A": "1\r\nX-B: 2"}))
    assert server.requests == []


async def test_request_for_another_origin_is_refused() -> None:
    """A wire knows one origin; host, port and scheme count."""
    async with wired(answer) as (wire, server):
        for url in ("http://example.org/", f"http://127.0.0.1:{server.port + 1}/", f"https://127.0.0.1:{server.port}/"):
            with pytest.raises(RequestRefused):
                await send(wire, httpx.Request("GET", url, stream=Body(b"")))
    assert server.requests == []


async def test_redirect_is_handed_over_and_not_followed() -> None:
    """The wire makes one exchange."""

    async def behave(exchange: Exchange) -> None:
        await exchange.reply(b"", status="302 Found", headers=("Location: /elsewhere",))

    async with wired(behave) as (wire, server):
        response = await wire.handle_async_request(request(server))
        assert response.status_code == 302
    assert len(server.requests) == 1


# --- whether it was sent ----------------------------------------------------------------------------------------------


async def test_refused_connection_was_not_sent() -> None:
    """Nobody listens: sent is False."""
    wire = Wire(Origin.of(f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(ConnectFailed) as caught:
        await send(wire, httpx.Request("POST", f"http://127.0.0.1:{wire._origin.port}/", stream=Body(b"x")))
    await wire.aclose()
    assert caught.value.sent is False
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_lost_connection_is_unknown_and_the_wire_does_not_send_again(method: str) -> None:
    """A kept connection that dies as the request arrives: sent is None, and only the caller decides about a second time."""

    async def behave(exchange: Exchange) -> None:
        if len(server.requests) == 1:
            await exchange.reply()
        else:
            exchange.writer.close()

    async with wired(behave) as (wire, server):
        await send(wire, request(server))
        with pytest.raises(TransportError) as caught:
            await send(wire, request(server, method, body=b"{}" if method != "GET" else b""))
    assert caught.value.sent is None
    assert len(server.requests) == 2


async def test_reset_after_the_request_is_unknown() -> None:
    """RST instead of a reply: it may have been carried out."""

    async def behave(exchange: Exchange) -> None:
        exchange.reset()

    async with wired(behave) as (wire, server):
        with pytest.raises(TransportError) as caught:
            await send(wire, request(server, "POST", body=b"{}"))
    assert caught.value.sent is None


async def test_silence_until_the_deadline_is_unknown() -> None:
    """The request went out and nothing came back."""

    async def behave(exchange: Exchange) -> None:
        await exchange.reader.read(1)

    async with wired(behave, deadline_s=1) as (wire, server):
        await expire(wire, lambda: request(server, "POST", body=b"{}"), sent=None)
        await until(lambda: server.requests)


async def test_deadline_in_the_queue_for_a_connection_was_not_sent() -> None:
    """With every connection taken nothing has left the process."""

    async def behave(exchange: Exchange) -> None:
        await exchange.reader.read(1)

    async with wired(behave, max_connections=1) as (wire, server):
        first = asyncio.create_task(send(wire, request(server)))
        while not server.requests:
            await asyncio.sleep(0.005)
        second = request(server, "POST", body=b"{}")
        second.extensions["deadline_s"] = 0.05
        with pytest.raises(DeadlineExceeded) as caught:
            await send(wire, second)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    assert caught.value.sent is False
    assert len(server.requests) == 1


async def test_cancelled_request_closes_its_connection() -> None:
    """Cancelling is not swallowed, and the server sees the end."""
    gone = asyncio.Event()

    async def behave(exchange: Exchange) -> None:
        assert await exchange.reader.read(1) == b""
        gone.set()

    async with wired(behave) as (wire, server):
        task = asyncio.create_task(send(wire, request(server)))
        while not server.requests:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), PATIENCE_S)
        assert task.cancelling() == 1


async def test_deadline_leaves_the_task_as_it_was() -> None:
    """A deadline is not a cancellation: the task goes on, and a later one still works."""

    async def behave(exchange: Exchange) -> None:
        await exchange.reader.read(1)

    async with wired(behave, deadline_s=0.03) as (wire, server):
        for _ in range(2):
            with pytest.raises(DeadlineExceeded):
                await send(wire, request(server))
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


# --- replies that end badly -------------------------------------------------------------------------------------------


async def test_dripping_body_ends_at_the_deadline() -> None:
    """A byte now and then does not keep a request alive: the deadline covers the body."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:  # without the deadline it would go on for ever
            await exchange.send(b"x")
            await asyncio.sleep(0.02)

    async with wired(behave, deadline_s=1) as (wire, server):
        await expire(wire, lambda: request(server), sent=True)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\nhello",
    ],
    ids=["content-length", "chunked", "bad-chunk", "two-lengths", "odd-transfer-encoding"],
)
async def test_reply_that_is_not_whole_is_no_reply(reply: bytes) -> None:
    """Half a page is never handed over."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(reply)
        exchange.writer.close()

    async with wired(behave) as (wire, server):
        with pytest.raises(TransportError) as caught:
            await send(wire, request(server))
    assert caught.value.sent in (True, None)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 2_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(10_000)) + b"\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ],
    ids=["long-header", "many-headers", "not-http"],
)
async def test_reply_head_that_is_too_large_or_not_http_is_refused(head: bytes) -> None:
    """What is not a sensible HTTP head ends the exchange."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(head)
        exchange.writer.close()

    async with wired(behave) as (wire, server):
        with pytest.raises(TransportError) as caught:
            await send(wire, request(server))
    assert "aaaa" not in str(caught.value)


async def test_announced_body_above_the_cap_is_not_read() -> None:
    """The length alone is enough to say no."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")

    async with wired(behave, max_body_bytes=1000) as (wire, server):
        with pytest.raises(BodyTooLarge):
            await send(wire, request(server))


async def test_chunked_body_above_the_cap_is_cut_off() -> None:
    """Without a length the cap counts what has come."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await exchange.send(b"400\r\n" + b"x" * 1024 + b"\r\n")

    async with wired(behave, max_body_bytes=100_000) as (wire, server):
        with pytest.raises(BodyTooLarge):
            await send(wire, request(server))


# --- compression ------------------------------------------------------------------------------------------------------


async def test_gzip_body_is_decoded_in_one_and_in_many_pieces() -> None:
    """With and without a length; several gzip members are one body."""
    text = b'{"n":%d}' % 1 * 5000
    packed = gzip.compress(text) + gzip.compress(b"!")

    async def behave(exchange: Exchange) -> None:
        if len(server.requests) == 1:
            await exchange.reply(packed, headers=("Content-Encoding: gzip",))
            return
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(packed), 7):
            piece = packed[at : at + 7]
            await exchange.send(b"%x\r\n" % len(piece) + piece + b"\r\n")
        await exchange.send(b"0\r\n\r\n")

    async with wired(behave) as (wire, server):
        assert await send(wire, request(server)) == text + b"!"
        assert await send(wire, request(server)) == text + b"!"
    assert server.connections == 1


async def test_gzip_bomb_is_stopped_in_small_memory() -> None:
    """A megabyte that would become a gigabyte never becomes more than the cap."""
    engine = zlib.compressobj(9, wbits=31)
    bomb = b"".join(engine.compress(b"\0" * 2**20) for _ in range(256)) + engine.flush()

    async def behave(exchange: Exchange) -> None:
        await exchange.reply(bomb, headers=("Content-Encoding: gzip",))

    async with wired(behave, max_body_bytes=2**23) as (wire, server):
        tracemalloc.start()
        try:
            with pytest.raises(BodyTooLarge):
                await send(wire, request(server))
            assert tracemalloc.get_traced_memory()[1] < 2**25
        finally:
            tracemalloc.stop()


def test_inflater_refuses_a_ratio_that_no_json_has() -> None:
    """Below the cap, but a thousandfold: still refused."""
    inflater = Inflater(2**30)
    with pytest.raises(BodyTooLarge, match="inflates"):
        inflater.feed(gzip.compress(b"\0" * 2**23))


def test_inflater_tells_an_early_end_from_garbage() -> None:
    """Both are no reply, for different reasons."""
    cut = Inflater(1000)
    cut.feed(gzip.compress(b"hello")[:-4])
    with pytest.raises(TransportError, match="ends early"):
        cut.finish()
    with pytest.raises(TransportError, match="broken"):
        Inflater(1000).feed(b"not gzip at all")
    empty = Inflater(1000)
    assert empty.finish() == b""


async def test_encoding_that_was_not_asked_for_is_refused() -> None:
    """Brotli bytes are not handed over as JSON."""

    async def behave(exchange: Exchange) -> None:
        await exchange.reply(b"\x0b\x02\x80", headers=("Content-Encoding: br",))

    async with wired(behave) as (wire, server):
        with pytest.raises(TransportError, match="content encoding"):
            await send(wire, request(server))


# --- addresses and certificates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "address", "allow", "is_open"),
    [
        ("https://api.example", "93.184.216.34", False, True),
        ("https://api.example", "2606:2800:220:1::1", False, True),
        ("http://api.example", "93.184.216.34", True, False),
        ("https://api.example", "10.1.2.3", False, False),
        ("https://api.example", "10.1.2.3", True, True),
        ("http://api.example", "10.1.2.3", True, True),
        ("https://api.example", "127.0.0.1", False, False),
        ("https://api.example", "::1", False, False),
        ("http://localhost", "127.0.0.1", False, True),
        ("http://localhost", "169.254.169.254", False, False),
        ("https://api.example", "169.254.169.254", True, False),
        ("https://api.example", "::ffff:169.254.169.254", True, False),
        ("https://api.example", "::ffff:10.0.0.1", False, False),
        ("https://api.example", "64:ff9b::a9fe:a9fe", True, False),
        ("https://api.example", "2002:a9fe:a9fe::", True, False),
        ("https://api.example", "fd00:ec2::254", True, False),
        ("https://api.example", "fd12::1", True, True),
        ("https://api.example", "100.100.100.200", True, False),
        ("https://api.example", "100.64.0.1", True, True),
        ("https://api.example", "0.0.0.0", True, False),
        ("https://api.example", "224.0.0.1", True, False),
        ("https://api.example", "fe80::1", True, False),
        ("https://api.example", "240.0.0.1", True, False),
    ],
)
def test_address_policy(url: str, address: str, allow: bool, is_open: bool) -> None:
    """The table of where a name may lead."""
    policy = AddressPolicy(Origin.of(url), allow_private_network=allow)
    assert (policy.problem(ipaddress.ip_address(address)) is None) is is_open


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "https://[fe80::1]/", "http://8.8.8.8/", "http://0.0.0.0/"])
def test_literal_address_that_is_closed_is_refused_when_the_wire_is_made(url: str) -> None:
    """No name is needed to reach the metadata service: the literal is checked too."""
    with pytest.raises(AddressRefused):
        Wire(Origin.of(url), WireOptions(allow_private_network=True))


async def test_name_that_leads_to_a_private_address_is_refused_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is the address the name has now, whoever answers for it; the setting opens it."""

    async def resolve(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    async def addresses(self: object, host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", addresses)
    async with serving(answer) as server:
        url = f"http://rebound.example:{server.port}/"
        for allow in (False, True):
            wire = Wire(Origin.of(url), WireOptions(allow_private_network=allow))
            try:
                if allow:
                    assert await send(wire, httpx.Request("GET", url, stream=Body(b""))) == b'{"ok":true}'
                else:
                    with pytest.raises(AddressRefused, match="ALLOW_PRIVATE_NETWORK"):
                        await send(wire, httpx.Request("GET", url, stream=Body(b"")))
                    assert server.requests == []
            finally:
                await wire.aclose()


async def test_unknown_name_was_not_sent() -> None:
    """A name server's no is a failed connection."""
    wire = Wire(Origin.of("https://nowhere.invalid"))
    with pytest.raises(ConnectFailed) as caught:
        await send(wire, httpx.Request("GET", "https://nowhere.invalid/", stream=Body(b"")))
    await wire.aclose()
    assert caught.value.sent is False


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for `localhost` that signs itself, with its key in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    both = folder / "both.pem"
    both.write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return both


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    """A self-signed certificate: nothing is sent, and it is no reason to try again."""
    async with serving(answer, tls=server_tls(certificate)) as server:
        url = f"https://localhost:{server.port}/"
        wire = Wire(Origin.of(url))
        with pytest.raises(TlsFailed) as caught:
            await send(wire, httpx.Request("POST", url, stream=Body(b"secret")))
        await wire.aclose()
    assert (caught.value.sent, caught.value.failure, server.requests) == (False, "systematic", [])


async def test_certificate_is_accepted_for_its_own_name_only(certificate: Path) -> None:
    """With the certificate trusted, `localhost` works and the address does not."""
    trusted = tls_context()
    trusted.load_verify_locations(certificate)
    async with serving(answer, tls=server_tls(certificate)) as server:
        for host, good in (("localhost", True), ("127.0.0.1", False)):
            url = f"https://{host}:{server.port}/"
            wire = Wire(Origin.of(url), tls=trusted)
            try:
                if good:
                    assert await send(wire, httpx.Request("GET", url, stream=Body(b""))) == b'{"ok":true}'
                else:
                    with pytest.raises(TlsFailed):
                        await send(wire, httpx.Request("GET", url, stream=Body(b"")))
            finally:
                await wire.aclose()


async def test_handshake_that_never_ends_was_not_sent() -> None:
    """The connect timeout covers TLS."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire = Wire(Origin.of(f"https://127.0.0.1:{port}"), WireOptions(connect_timeout_s=0.1, deadline_s=PATIENCE_S))
    with pytest.raises(ConnectFailed) as caught:
        await send(wire, httpx.Request("GET", f"https://127.0.0.1:{port}/", stream=Body(b"")))
    await wire.aclose()
    server.close()
    assert caught.value.sent is False


def test_origin_compares_default_ports_and_case_and_refuses_users() -> None:
    """`HTTPS://API.example:443` is the same place; a user in the URL is none."""
    assert Origin.of("HTTPS://API.Example:443/x") == Origin.of("https://api.example.")
    assert Origin.of("https://api.example") != Origin.of("http://api.example")
    for bad in (
        "https://api.example@evil.example/",
        "ftp://api.example/",
        "//api.example/",
        "https:///x",
        "https://a\\b/",
    ):
        with pytest.raises(ValueError, match="absolute"):
            Origin.of(bad)


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"]),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_whatever_bytes_come_back_the_wire_answers_or_names_the_failure(garbage: bytes, head: bytes) -> None:
    """No other exception, no hanging, no connection left behind."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(head + garbage)
        exchange.writer.close()

    async def main() -> bool | None:
        async with wired(behave) as (wire, server):
            try:
                await send(wire, request(server))
            except TransportError as error:
                return error.sent
            return True

    assert asyncio.run(main()) is not False
