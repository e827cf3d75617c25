"""The guarded client: what it fetches, and all that it does not."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from tests.ingest.loopback import Loopback, serve
from tests.shared import REPOSITORY
from tests.waiting import PATIENCE_S
from vitesse.cli.group import run
from vitesse.diagnostics import DiagnosticError
from vitesse.ingest.fetch import Policy, fetch, refusal, shown
from vitesse.ingest.remote import fetch_spec

EXAMPLE = REPOSITORY / "examples" / "shopify_credo"
OPEN = Policy(allow_http=True, allow_private=True, total_s=5)
HEAD = b'openapi: 3.0.3\ninfo: {title: t, version: "1"}\npaths: {}\n'


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serve() as running:
        yield running


def here(host: str, port: int) -> list[str]:
    """A resolver for which every name is this machine."""
    return ["127.0.0.1"]


def code(url: str, policy: Policy = OPEN, **more) -> str:
    with pytest.raises(DiagnosticError) as caught:
        fetch(url, policy, **more)
    (found,) = caught.value.diagnostics
    assert found.help
    return f"{found.code} {found.message}"


def test_what_is_there_comes_back_whole_with_the_name_in_host(server):
    server.replies["/x"] = (200, {"x-a": "1"}, b"body")
    got = fetch(server.url("/x?q=1", "api.example"), OPEN, resolve=here)
    assert (got.status, got.content, got.headers["x-a"], got.address) == (200, b"body", "1", "127.0.0.1")
    assert server.asked[0][0] == "/x?q=1"
    assert server.asked[0][1]["host"] == f"api.example:{server.port}"


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "240.0.0.1",
        ),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1"),
        *("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1", "192.0.2.1"),
    ],
)
def test_addresses_that_are_not_public_are_refused_before_anything_is_sent(address):
    """By what the name resolves to, not by how it looks."""
    assert refusal(ip_address(address), allow_private=False)
    text = code("https://api.example/openapi.json", Policy(), resolve=lambda *_: [address])
    assert text.startswith("V304")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34"])
def test_public_addresses_are_not_refused(address):
    assert refusal(ip_address(address), allow_private=False) == ""


def test_one_private_address_among_public_ones_is_enough_to_refuse():
    assert code("https://x.example/", Policy(), resolve=lambda *_: ["93.184.216.34", "10.0.0.1"]).startswith("V304")


@pytest.mark.parametrize(
    "address",
    [
        *("224.0.0.1", "0.0.0.0", "::", "240.0.0.1", "169.254.169.254", "fe80::1", "::ffff:169.254.169.254"),
        *("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "64:ff9b::a9fe:a9fe"),
    ],
)
def test_what_is_no_host_is_refused_even_when_private_is_allowed(address):
    assert refusal(ip_address(address), allow_private=True)


@pytest.mark.parametrize("text", ["http://127.0.0.1/", "https://2130706433/", "https://[::1]/", "https://localhost/"])
def test_spellings_of_this_machine_are_refused(text):
    assert code(text, Policy(allow_http=True)).startswith(("V304", "V305 nothing usable came from `https://2130706433"))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x.example/a", "gopher://x.example/", "data:,x", "x", ""])
def test_other_schemes_are_refused(url):
    assert code(url, resolve=here).startswith("V304")


def test_http_is_refused_unless_allowed(server):
    assert "allow-http" not in code(server.url(), Policy(allow_private=True))
    assert code(server.url(), Policy(allow_private=True)).startswith("V304")
    assert server.asked == []


def test_a_password_in_the_address_is_refused_and_not_shown():
    text = code("https://me:secret@api.example/x?token=abc", resolve=here)
    assert text.startswith("V304")
    assert "secret" not in text
    assert "abc" not in text
    assert shown("https://me:secret@api.example/x?token=abc#f") == "https://api.example/x"


def test_the_name_is_resolved_once_for_each_connection(server):
    """A name that changes its address between check and use gains nothing."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    server.replies["/"] = (200, {}, b"ok")
    assert fetch(server.url("/", "api.example"), OPEN, resolve=lambda *_: next(answers)).content == b"ok"
    assert next(answers) == ["10.0.0.1"]


def test_a_redirect_to_an_address_that_is_not_allowed_is_refused(server):
    server.redirect("/a", "http://inside.example/")
    names = {"api.example": ["127.0.0.1"], "inside.example": ["224.0.0.1"]}
    assert code(server.url("/a", "api.example"), resolve=lambda host, _: names[host]).startswith("V304")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x.example/", "http://me:pw@x.example/"])
def test_a_redirect_to_what_is_not_fetched_is_refused(server, target):
    server.redirect("/a", target)
    assert code(server.url("/a"), resolve=here).startswith("V304")


def test_a_redirect_from_a_public_address_does_not_lead_inside_even_when_private_is_allowed(server):
    """The option is for hosts that a person names."""
    from vitesse.ingest import fetch as module

    server.redirect("/out", server.url("/in", "inside.example"))
    server.replies["/in"] = (200, {}, b"secret")

    def is_public(address, *, allow_private):
        return "" if allow_private or seen.pop(0) == "out.example" else "a private or reserved address"

    seen: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        seen.append(host)
        return ["127.0.0.1"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "refusal", is_public)
        said = code(server.url("/out", "out.example"), OPEN, resolve=resolve)
    assert said.startswith("V304")
    assert [path for path, _ in server.asked] == ["/out"]


def test_endless_redirects_end(server):
    server.redirect("/a", "/a")
    assert code(server.url("/a")).startswith("V305")
    assert len(server.asked) == OPEN.redirects + 1


def test_credentials_stay_with_their_origin_and_cookies_with_nobody(server):
    server.redirect("/a", "/b")
    server.redirect("/b", server.url("/c", "other.example"))
    server.replies["/c"] = (200, {}, b"ok")
    fetch(server.url("/a", "api.example"), OPEN, headers={"Authorization": "Bearer s3cret"}, resolve=here)
    sent = dict(server.asked)
    assert sent["/a"]["authorization"] == sent["/b"]["authorization"] == "Bearer s3cret"
    assert "authorization" not in sent["/c"]
    assert all("cookie" not in headers for headers in sent.values())


def test_proxies_of_the_environment_are_not_asked(server, monkeypatch):
    """A proxy would connect to what it resolves itself."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.replies["/"] = (200, {}, b"ok")
    assert fetch(server.url(), OPEN).content == b"ok"


def test_what_is_too_large_is_not_read_on(server):
    small = Policy(allow_http=True, allow_private=True, max_bytes=1000)
    server.replies["/fits"] = (200, {}, b"x" * 1000)
    server.replies["/large"] = (200, {}, b"x" * 1001)
    server.replies["/bomb"] = (200, {"content-encoding": "gzip"}, gzip.compress(b"x" * 10_000_000))
    assert len(fetch(server.url("/fits"), small).content) == 1000
    assert "larger than 1000" in code(server.url("/large"), small)
    assert "larger than 1000" in code(server.url("/bomb"), small)


def test_packed_replies_are_unpacked_and_broken_ones_refused(server):
    packed = gzip.compress(b"hello" * 100)
    server.replies["/a"] = (200, {"content-encoding": "gzip"}, packed)
    server.replies["/cut"] = (200, {"content-encoding": "gzip"}, packed[:-9])
    server.replies["/not"] = (200, {"content-encoding": "gzip"}, b"hello")
    server.replies["/br"] = (200, {"content-encoding": "br"}, b"hello")
    assert fetch(server.url("/a"), OPEN).content == b"hello" * 100
    for path in ("/cut", "/not", "/br"):
        assert code(server.url(path)).startswith("V305")


def test_a_server_that_drips_is_left_when_the_time_is_over(server):
    """Each byte comes in time, the whole never does: the head as well as the body."""

    def head(handler) -> None:
        for char in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 10_000:
            handler.wfile.write(bytes([char]))
            time.sleep(0.05)

    def body(handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
        for _ in range(10_000):
            handler.wfile.write(b"z")
            time.sleep(0.05)

    server.replies |= {"/head": head, "/body": body}
    brief = Policy(allow_http=True, allow_private=True, total_s=0.3)
    for path in ("/head", "/body"):
        start = time.monotonic()
        assert "0.3 seconds" in code(server.url(path), brief)
        assert time.monotonic() - start < PATIENCE_S  # to its end it would take twice as long


def test_nobody_there_and_no_http_are_said(server):
    server.replies["/odd"] = lambda handler: handler.wfile.write(b"SSH-2.0-x\r\n") and None
    assert code(server.url("/odd")).startswith("V305")
    assert code("http://127.0.0.1:1/").startswith("V305")
    assert "has no address" in code("https://nowhere.example/", resolve=lambda *_: [])


def test_a_description_at_its_own_address_is_kept_as_it_is(server, tmp_path):
    server.replies["/spec"] = (200, {}, HEAD)
    got = fetch_spec(server.url("/spec"), tmp_path, OPEN)
    assert (got.path.name, got.path.read_bytes(), len(server.asked)) == ("openapi.yaml", HEAD, 1)


def test_the_usual_places_are_asked_below_the_path_and_then_at_the_top(server, tmp_path):
    server.replies["/api/v9"] = (200, {"content-type": "text/html"}, b"<html>docs</html>")
    server.replies["/v1/openapi.json"] = (200, {}, b'{"openapi": "3.0.3", "info": {}, "paths": {}}')
    got = fetch_spec(server.url("/api/v9"), tmp_path, OPEN)
    assert got.url == server.url("/v1/openapi.json")
    assert got.path.name == "openapi.json"
    asked = [path for path, _ in server.asked]
    assert asked[:2] == ["/api/v9", "/api/v9/openapi.json"]
    assert "/openapi.json" in asked


def test_nothing_at_any_place_names_what_was_asked(server, tmp_path):
    with pytest.raises(DiagnosticError) as caught:
        fetch_spec(server.url(), tmp_path, OPEN)
    (found,) = caught.value.diagnostics
    assert found.code == "V306"
    assert any("/swagger.json: status 404" in note for note in found.notes)


def test_an_address_of_a_file_is_asked_alone(server, tmp_path):
    server.replies["/openapi.json"] = (200, {}, b'{"hello": 1}')
    with pytest.raises(DiagnosticError) as caught:
        fetch_spec(server.url("/openapi.json"), tmp_path, OPEN)
    assert caught.value.diagnostics[0].code == "V108"
    assert len(server.asked) == 1


def test_ingest_and_create_take_an_address(server, tmp_path, capsys):
    """From the command line, with the switches that a server on this machine needs."""
    specs = EXAMPLE / "specs"
    server.replies["/swagger.json"] = (200, {}, (specs / "credo.json").read_bytes())
    open_ = ["--allow-http", "--allow-private"]
    options = ["--source", str(specs / "shopify.yaml"), "--destination", "credo", "--dir", str(tmp_path / "new")]
    options += ["--spec-url", f"credo={server.url()}", "--intent", "Sync"]
    options += ["--stream", "GET /customers.json=POST /contacts"]
    assert run(["create", "shopify-credo", *options]) == 1
    assert "error[V304]" in capsys.readouterr().err
    assert server.asked == []
    assert run(["create", "shopify-credo", *options, *open_]) == 0
    assert (tmp_path / "new" / "specs" / "credo.json").read_bytes() == (specs / "credo.json").read_bytes()
    url = f"credo={server.url('/swagger.json')}"
    assert run(["ingest", str(tmp_path / "new"), "--spec-url", url, *open_]) == 0
    assert "credo.json (as before)" in capsys.readouterr().out
    assert run(["ingest", str(tmp_path / "new"), "--spec-url", "credo"]) == 2
