"""Faults of the network between a package and its APIs, through the package's own wire."""

from __future__ import annotations

import resource
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from runtime.declare import Paging
from tests.faults.conftest import Wired
from tests.faults.rows import fault
from tests.faults.server import Proxy, Step, Vendor, vendor
from tests.runtime.engine.conftest import SINGLE
from tests.runtime.fakes import Shopify
from tests.runtime.sample.clients.shopify import LIST_CUSTOMERS

LIST = "/customers.json"


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> list[str]:
    """The machine's resolver gives these answers, the last one for ever: an address, or the error it raises."""
    asked: list[str] = []
    left = list(answers)
    real = socket.getaddrinfo

    def answer(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host != "shop.example":
            return real(host, port, *rest, **options)
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


# --- names ---


@fault("net-dns")
@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL])
async def test_net_dns_that_fails_is_tried_again_then_ends_the_run(
    wired: Wired, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """No such name, no answer, a server that fails: nothing was sent, and the next run goes on."""
    wired.shopify = Shopify(10)
    port = wired.source.url.rsplit(":", 1)[1]
    wired.environ |= {"SHOPIFY_BASE_URL": f"http://shop.example:{port}/admin", "ALLOW_PRIVATE_NETWORK": "true"}
    asked = resolving(monkeypatch, socket.gaierror(code, "as asked"))
    report = await wired.sync()
    assert (report.state, report.failure, len(asked)) == ("failed", "transient", 3)
    resolving(monkeypatch, socket.gaierror(code, "once more"), "127.0.0.1")
    report = await wired.sync()
    assert (report.state, report.counts.created) == ("done", 10)


@fault("net-dns")
@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.8", "169.254.169.254", "100.64.0.1", "0.0.0.0"])
async def test_net_dns_that_leads_inside_is_refused_when_connecting(
    wired: Wired, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """The name is as it should be, its address is not: not even a connection."""
    port = wired.source.url.rsplit(":", 1)[1]
    wired.environ["SHOPIFY_BASE_URL"] = f"https://shop.example:{port}/admin"
    resolving(monkeypatch, address)
    report = await wired.sync()
    assert (report.state, report.failure) == ("failed", "systematic")
    assert address in (report.error or "")
    assert wired.source.server is not None
    assert wired.source.server.connections == 0


@fault("net-dns")
async def test_net_dns_that_changes_to_a_private_address_is_refused(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: each connection checks the address that it connects to."""
    port = wired.source.url.rsplit(":", 1)[1]
    wired.environ["SHOPIFY_BASE_URL"] = f"https://shop.example:{port}/admin"
    asked = resolving(monkeypatch, socket.gaierror(socket.EAI_AGAIN, "later"), "192.168.0.5")
    report = await wired.sync()
    assert (report.state, report.failure, len(asked)) == ("failed", "systematic", 2)


# --- TLS ---


def secure(
    authority: trustme.CA, name: str = "localhost", *, expired: bool = False, old: bool = False
) -> ssl.SSLContext:
    """What a server proves itself with."""
    until = datetime.now(UTC) - timedelta(days=1) if expired else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=until).configure_cert(context)
    if old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this machine trusts for the time of a test."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


async def over_tls(wired: Wired, context: ssl.SSLContext) -> tuple[Any, Vendor]:
    """One run whose source speaks TLS."""
    async with vendor(lambda request: wired.shopify(request), tls=context) as source:
        assert source.server is not None
        wired.environ["SHOPIFY_BASE_URL"] = f"https://localhost:{source.server.port}/admin"
        return await wired.sync(), source


@fault("net-tls")
async def test_net_tls_certificate_that_is_right_is_accepted(wired: Wired, trusted: trustme.CA) -> None:
    """So that the refusals below are about the certificate."""
    wired.shopify = Shopify(10)
    report, _ = await over_tls(wired, secure(trusted))
    assert (report.state, report.counts.created) == ("done", 10)


@fault("net-tls")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("wrong", ["expired", "another name", "another authority", "TLS 1.1"])
async def test_net_tls_that_is_wrong_is_a_lasting_error_without_a_storm(
    wired: Wired, trusted: trustme.CA, wrong: str
) -> None:
    """One attempt; the request and its credential are never sent."""
    context = {
        "expired": lambda: secure(trusted, expired=True),
        "another name": lambda: secure(trusted, "shop.example"),
        "another authority": lambda: secure(trustme.CA()),
        "TLS 1.1": lambda: secure(trusted, old=True),
    }[wrong]()
    report, source = await over_tls(wired, context)
    assert report.state == "failed"
    assert source.requests == []
    assert source.server is not None
    if wrong == "TLS 1.1":
        assert source.server.connections <= 3  # the server ends such a handshake without a word: that may pass
        return
    assert report.failure == "systematic"
    assert "secure connection" in (report.error or "")
    assert source.server.connections <= 1


@fault("net-tls")
def test_net_tls_check_has_no_switch() -> None:
    """No setting, no declaration and no code of the runtime turns verification off."""
    runtime = Path(__file__).resolve().parents[2] / "runtime_template" / "runtime"
    for file in runtime.rglob("*.py"):
        text = file.read_text("utf-8")
        assert not [
            word for word in ("CERT_NONE", "check_hostname = False", "verify=False", "ssl=False") if word in text
        ]


# --- proxies ---


@fault("net-proxy")
@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 Bad Gateway"])
async def test_net_proxy_of_the_environment_is_not_used(
    wired: Wired, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """Whatever the environment names, a package talks to its two APIs itself; the proxy hears nothing, credentials least."""
    wired.shopify = Shopify(10)
    async with Proxy(status).listening() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        report = await wired.sync()
        assert (report.state, report.counts.created, proxy.connections) == ("done", 10, 0)


@fault("net-proxy")
async def test_net_proxy_error_of_a_gateway_is_named(wired: Wired) -> None:
    """A 407 from somebody in between is about a credential, and says so."""
    wired.source.script(Step(does="status", status=407, path=LIST, times=10))
    report = await wired.sync()
    assert (report.state, report.failure) == ("failed", "auth")
    assert "407" in (report.error or "")


# --- connections ---


@fault("net-keepalive")
@pytest.mark.parametrize("changes", [{}, SINGLE], ids=["batch", "single"])
async def test_net_keepalive_that_ends_at_reuse_costs_nothing(wired: Wired, changes: dict[str, Any]) -> None:
    """Every connection is closed behind its first answer: reads are sent again, writes have their effect once."""
    wired.shopify = Shopify(30)
    wired.shopify.page_size = 5
    wired.source.script(Step(does="close_after", times=1000))
    wired.destination.script(Step(does="close_after", times=1000))
    for _ in range(3):
        report = await wired.sync(changes=changes)
        if report.state == "done":
            break
    assert report.state == "done"
    assert wired.is_whole()


@fault("net-http2-goaway")
async def test_net_http2_goaway_what_stands_before_the_answer_is_passed_over(wired: Wired) -> None:
    """100 and 103 are no answers."""
    wired.shopify = Shopify(10)
    wired.source.script(Step(does="hints", times=1000))
    wired.destination.script(Step(does="hints", times=1000))
    report = await wired.sync()
    assert (report.state, report.counts.created) == ("done", 10)
    assert wired.is_whole()


@fault("net-http2-goaway")
@pytest.mark.parametrize("step", [Step(does="upgrade", path=LIST), Step(does="status", status=421, path=LIST)])
async def test_net_http2_goaway_and_421_are_no_answers(wired: Wired, step: Step) -> None:
    """A frame of HTTP/2 is no HTTP/1.1; a server that is the wrong one is asked again or named."""
    wired.shopify = Shopify(10)
    wired.source.script(replace(step))
    first = await wired.sync()
    second = await wired.sync()
    assert first.state in ("done", "failed")
    assert second.state == "done"
    assert wired.is_whole()


@fault("net-http2-goaway")
async def test_net_http2_goaway_cannot_come_where_only_http_1_is_offered(wired: Wired, trusted: trustme.CA) -> None:
    """In the handshake HTTP/1.1 alone is offered."""
    wired.shopify = Shopify(3)
    context = secure(trusted)
    context.set_alpn_protocols(["h2", "http/1.1"])
    report, source = await over_tls(wired, context)
    assert report.state == "done"
    assert all(seen.line.endswith("HTTP/1.1") for seen in source.requests)


# --- sizes ---


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@fault("net-gzip-bomb")
async def test_net_gzip_bomb_is_stopped_in_small_memory(wired: Wired) -> None:
    """A tenth of a megabyte on the wire, hundreds unpacked: refused while unpacking."""
    wired.source.script(Step(does="bomb", path=LIST, megabytes=150, times=1000))
    before = peak_mb()
    report = await wired.sync()
    assert (report.state, report.failure) == ("failed", "systematic")
    assert "inflates" in (report.error or "") or "larger" in (report.error or "")
    assert peak_mb() - before < 200  # the bomb itself is made in this process


@fault("net-huge-page")
async def test_net_huge_page_is_a_clear_error(wired: Wired) -> None:
    """Above the cap, without a length: cut off where the cap is."""
    wired.environ["MAX_BODY_BYTES"] = str(4 << 20)
    wired.source.script(Step(does="huge", path=LIST, megabytes=50, times=50))
    report = await wired.sync()
    assert (report.state, report.failure) == ("failed", "systematic")
    assert "larger than 4194304 bytes" in (report.error or "")


@fault("net-huge-page")
async def test_net_huge_page_is_asked_for_in_smaller_ones(wired: Wired) -> None:
    """Where the page size can be asked for, half of it is, until the reply fits."""
    wired.shopify = Shopify(60)
    wired.environ["MAX_BODY_BYTES"] = "8192"
    paging = Paging(style="link", limit="limit", max=60)
    report = await wired.sync(changes={"source__list": replace(LIST_CUSTOMERS, paging=paging)})
    assert (report.state, report.counts.created) == ("done", 60)
    assert wired.is_whole()


@fault("net-header-bomb")
@pytest.mark.parametrize(
    "step", [Step(does="headers", count=10_000), Step(does="headers", count=3, bytes_each=3_000_000)]
)
async def test_net_header_bomb_of_a_reply_is_refused(wired: Wired, step: Step) -> None:
    """Ten thousand fields, or three of megabytes."""
    wired.shopify = Shopify(10)
    wired.source.script(replace(step, path=LIST))
    report = await wired.sync()
    assert report.state in ("done", "failed")
    assert len(wired.source.requests) <= 4
    assert (await wired.sync()).state == "done"
    assert wired.is_whole()


@fault("net-header-bomb")
async def test_net_header_bomb_line_breaks_in_ours_are_refused(tmp_path: Path) -> None:
    """A credential with a line break would be a header of its own: the package does not start with it."""
    from runtime.errors import SettingsError

    async with AsyncExitStack() as stack:
        world = await Wired.start(f"sqlite:///{tmp_path / 'state.db'}", stack)
        world.environ["CREDO_API_KEY"] = "planted\r\nX-Admin: yes"
        with pytest.raises(SettingsError) as caught:
            await world.sync()
        assert "CREDO_API_KEY" in str(caught.value)
        assert "planted" not in str(caught.value)
        world.state.close()
