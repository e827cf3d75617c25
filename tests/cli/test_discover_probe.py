"""`vitesse discover` and `vitesse probe`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ingest.loopback import Loopback, serve
from vitesse.api.facts import Fact, RateLimit
from vitesse.cli.group import run
from vitesse.diagnostics import DiagnosticError
from vitesse.hooks import Plugin, Vendor, VendorFact
from vitesse.ingest.catalogue import Entry, load_catalogue, plugin_entries, search

OPEN = ("--allow-http", "--allow-private")


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serve() as running:
        yield running


def test_the_bundled_catalogue_holds_what_an_entry_needs_and_no_name_twice():
    entries = load_catalogue()
    assert len({entry.name.lower() for entry in entries}) == len(entries) >= 25
    for entry in entries:
        assert entry.base_url.startswith("https://"), entry.name
        assert entry.docs.startswith("https://"), entry.name
        assert entry.auth, entry.name
        assert all(url.startswith("https://") for url in entry.specs), entry.name
        assert 0 < entry.confidence <= 1


@pytest.mark.parametrize(
    ("words", "name"),
    [("shopify", "Shopify Admin"), ("Stripe", "Stripe"), ("zendsk", "Zendesk Support"), ("api.github.com", "GitHub")],
)
def test_a_word_finds_its_api_first_also_misspelt(words, name):
    assert search(load_catalogue(), words)[0].name == name


def test_words_that_mean_nothing_find_nothing():
    assert search(load_catalogue(), "qqqqwwww") == ()
    assert search(load_catalogue(), " ") == ()


def test_a_plugins_vendors_are_entries():
    rate = Fact(kind="rate_limit", value=RateLimit(per_s=2, burst=40), confidence=0.9)
    vendor = Vendor(name="shop", hosts=("*.shop.example",), facts=(VendorFact(operation="*", fact=rate),))
    (entry,) = plugin_entries([Plugin(name="p", version="1", hooks=1, vendors=(vendor,))])
    assert entry == Entry(
        name="shop",
        base_url="https://*.shop.example",
        limits="2 requests per second, bursts of 40",
        confidence=0.9,
        origin="p",
    )


def test_discover_prints_where_and_how_and_says_when_nothing_is_known(capsys):
    assert run(["discover", "shopify"]) == 0
    assert "https://{shop}.myshopify.com/admin/api/{version}" in capsys.readouterr().out
    assert run(["discover", "qqqqwwww"]) == 1
    assert "nothing is known" in capsys.readouterr().err


def test_a_file_of_ones_own_is_looked_in_too(tmp_path, capsys):
    file = tmp_path / "house.toml"
    file.write_text('[[api]]\nname = "Our billing"\nbase_url = "https://billing.example"\n')
    assert run(["discover", "our", "billing", "--catalogue", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found[0]["name"], found[0]["origin"]) == ("Our billing", "house.toml")


@pytest.mark.parametrize(
    "text",
    [
        *("x", "a = 1", "api = 1", "[[api]]\n", '[[api]]\nname = ""', '[[api]]\nname = "a"\nsecret = "b"'),
        *(
            '[[api]]\nname = "a"\nspecs = "b"',
            '[[api]]\nname = "a"\nspecs = [1]',
            '[[api]]\nname = "a"\nconfidence = 2',
        ),
        *('[[api]]\nname = "a"\nconfidence = true', "\ud800"),
    ],
)
def test_what_is_no_catalogue_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "bad.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(DiagnosticError) as caught:
        load_catalogue(file)
    assert caught.value.diagnostics[0].code == "V308"


def test_the_bundled_file_is_toml():
    assert tomllib.loads(Path(load_catalogue.__code__.co_filename).with_name("catalogue.toml").read_text())["api"]


def test_probe_sends_the_credential_and_prints_it_nowhere(server, monkeypatch, capsys):
    """Not in what is printed, however the server throws it back."""
    monkeypatch.setenv("CREDO_TOKEN", "s3cret-value")
    server.replies["/me"] = (200, {"content-type": "s3cret-value"}, b"you sent s3cret-value")
    assert run(["probe", server.url("/me?key=s3cret-value"), "--bearer", "CREDO_TOKEN", *OPEN]) == 0
    assert server.asked[0][1]["authorization"] == "Bearer s3cret-value"
    assert run(["probe", server.url("/me"), "--header", "X-Key=CREDO_TOKEN", "--json", *OPEN]) == 0
    assert server.asked[1][1]["x-key"] == "s3cret-value"
    assert run(["probe", server.url("/me"), "--basic", "CREDO_TOKEN:CREDO_TOKEN", *OPEN]) == 0
    said = capsys.readouterr()
    assert "takes the credential" in said.out
    assert "s3cret" not in said.out + said.err


def test_probe_after_a_redirect_to_another_origin_does_not_say_that_the_credential_was_taken(
    server, monkeypatch, capsys
):
    """It was not sent there."""
    monkeypatch.setenv("CREDO_TOKEN", "s3cret-value")
    server.redirect("/me", server.url("/there", "localhost"))
    server.replies["/there"] = (200, {}, b"public")
    run(["probe", server.url("/me"), "--bearer", "CREDO_TOKEN", *OPEN])
    said = capsys.readouterr().out
    assert "takes the credential" not in said
    assert "another origin" in said
    assert ["authorization" in headers for _, headers in server.asked] == [True, False]


@pytest.mark.parametrize("value", ["s3cret\r\nX-Evil: 1", "s3cret\u20ac"])
def test_a_credential_that_is_no_header_is_said_without_it(server, monkeypatch, capsys, value):
    monkeypatch.setenv("CREDO_TOKEN", value)
    run(["probe", server.url("/me"), "--bearer", "CREDO_TOKEN", *OPEN])
    said = capsys.readouterr()
    assert "s3cret" not in said.out + said.err
    assert "internal error" not in said.err
    assert all("x-evil" not in headers for _, headers in server.asked)


@pytest.mark.parametrize(
    ("status", "words"), [(401, "refuses the credential"), (404, "nothing at this path"), (500, "fails on its side")]
)
def test_probe_says_what_a_refusal_means_and_ends_with_one(server, monkeypatch, capsys, status, words):
    monkeypatch.setenv("CREDO_TOKEN", "x")
    server.replies["/me"] = (status, {}, b"")
    assert run(["probe", server.url("/me"), "--bearer", "CREDO_TOKEN", *OPEN]) == 1
    assert words in capsys.readouterr().out


def test_probe_without_the_variable_asks_nobody(server, monkeypatch, capsys):
    monkeypatch.delenv("CREDO_TOKEN", raising=False)
    assert run(["probe", server.url("/me"), "--bearer", "CREDO_TOKEN", *OPEN]) == 1
    assert "error[V307]" in capsys.readouterr().err
    assert run(["probe", server.url("/me"), "--bearer", "s3cret-itself", *OPEN]) == 2
    assert "s3cret" not in capsys.readouterr().err
    assert server.asked == []
