"""From the environment to settings: what is missing is told at once, what is secret is never told."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.base_urls import build_url
from runtime.declare import Api, ApiKey, Basic, Env
from runtime.errors import SettingMissing, SettingsError
from runtime.options import OPTIONS, Options
from runtime.settings import Settings, is_fast_asked, resolve

SHOP = Api(
    name="shop",
    title="Shop",
    base_url="https://{shop}.shop.example/api/{version}",
    variables=(("shop", Env("SHOP_NAME")), ("version", "2024-01")),
    auth=ApiKey(value=Env("SHOP_TOKEN"), name="X-Token"),
    headers=(("X-Org", Env("SHOP_ORG", default="none")),),
    url_env="SHOP_URL",
)
CRM = Api(
    name="crm",
    title="CRM",
    base_url="https://crm.example",
    auth=Basic(username=Env("CRM_USER"), password=Env("CRM_PASS")),
)
GOOD = {"SHOP_NAME": "acme", "SHOP_TOKEN": "tok-1234", "CRM_USER": "ada", "CRM_PASS": "p4ssword"}


def test_settings_resolve_to_values_and_urls() -> None:
    """Variables are laid in, defaults count, an empty variable is none."""
    settings = resolve((SHOP, CRM), {**GOOD, "SHOP_ORG": ""})
    assert settings.base_url(SHOP) == "https://acme.shop.example/api/2024-01"
    assert settings.text(Env("SHOP_ORG", default="none")) == "none"
    assert settings.options == Options()


def test_everything_missing_is_told_at_once_by_name() -> None:
    """One start, one list."""
    with pytest.raises(SettingMissing) as caught:
        resolve((SHOP, CRM), {"CRM_USER": "ada"})
    assert caught.value.names == ("SHOP_NAME", "SHOP_TOKEN", "CRM_PASS")
    assert "SHOP_TOKEN_FILE" in str(caught.value)


def test_url_override_makes_the_variables_unnecessary() -> None:
    """A test or a sandbox replaces the URL whole; the credential is still needed."""
    environ = {name: text for name, text in GOOD.items() if name != "SHOP_NAME"}
    settings = resolve((SHOP, CRM), {**environ, "SHOP_URL": "http://127.0.0.1:8080/x/"})
    assert settings.base_url(SHOP) == "http://127.0.0.1:8080/x"


def test_credentials_are_secret_even_if_the_declaration_does_not_say_so() -> None:
    """The value is registered for redaction and shown by no repr."""
    settings = resolve((SHOP, CRM), GOOD)
    assert "tok-1234" not in settings.redactor.text("sent tok-1234")
    assert "p4ssword" not in settings.redactor.text("sent p4ssword")
    assert "tok-1234" not in repr(settings.value(Env("SHOP_TOKEN")))


def test_secret_in_a_file_loses_its_line_end(tmp_path: Path) -> None:
    """Mounted secrets end with a newline."""
    (tmp_path / "t").write_bytes("\ufefftok-1234\r\n".encode())
    environ = {name: text for name, text in GOOD.items() if name != "SHOP_TOKEN"}
    settings = resolve((SHOP, CRM), {**environ, "SHOP_TOKEN_FILE": str(tmp_path / "t")})
    assert settings.text(Env("SHOP_TOKEN")) == "tok-1234"


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"SHOP_TOKEN": "tok\nx"}, "`SHOP_TOKEN` holds a line break"),
        ({"SHOP_TOKEN_FILE": "/nowhere/at/all"}, "`SHOP_TOKEN` and `SHOP_TOKEN_FILE` are both set"),
        (
            {"SHOP_TOKEN": "", "SHOP_TOKEN_FILE": "/nowhere/at/all"},
            "`SHOP_TOKEN_FILE` names a file that cannot be read",
        ),
        ({"SHOP_TOKEN": "", "SHOP_TOKEN_FILE": "/dev/null"}, "`SHOP_TOKEN_FILE` names a file that is empty"),
        ({"SHOP_TOKEN": "", "SHOP_TOKEN_FILE": "/dev/zero"}, "`SHOP_TOKEN_FILE` names a file that cannot be read"),
        ({"SHOP_TOKEN": "", "SHOP_TOKEN_FILE": "/"}, "`SHOP_TOKEN_FILE` names a file that cannot be read"),
        ({"BATCH_SIZE": "many"}, "`BATCH_SIZE` is not a whole number"),
        ({"BATCH_SIZE": "0"}, "`BATCH_SIZE` must be between 1 and 10000"),
        ({"SYNC_INTERVAL_SECONDS": "-1"}, "`SYNC_INTERVAL_SECONDS` is not a number"),
        ({"REQUEST_DEADLINE_SECONDS": "1e9"}, "`REQUEST_DEADLINE_SECONDS` is not a number"),
        ({"ALLOW_PRIVATE_NETWORK": "perhaps"}, "`ALLOW_PRIVATE_NETWORK` is not `true` or `false`"),
        ({"LOG_LEVEL": "LOUD"}, "`LOG_LEVEL` is not one of DEBUG, INFO"),
        ({"SHOP_NAME": "evil.example/x"}, "Shop: variable `shop` must be a part of a host name"),
        ({"SHOP_URL": "ftp://x"}, "Shop: the base URL must begin with `https://`"),
    ],
)
def test_value_that_cannot_be_is_named_with_what_would_do(environ: dict[str, str], problem: str) -> None:
    """The variable, never its value; the others are still reported."""
    with pytest.raises(SettingsError) as caught:
        resolve((SHOP, CRM), {**GOOD, "CRM_PASS": "", **environ})
    assert problem in str(caught.value)
    assert "`CRM_PASS` is not set" in str(caught.value)
    assert "tok-1234" not in str(caught.value)


def test_options_are_read_from_the_environment() -> None:
    """Each with its type."""
    environ = {
        "BATCH_SIZE": "50",
        "SYNC_INTERVAL_SECONDS": "90.5",
        "ALLOW_PRIVATE_NETWORK": "Yes",
        "LOG_LEVEL": "debug",
    }
    options = resolve((CRM,), {**GOOD, **environ, "DATABASE_URL": "postgresql://u:hidden-pw@db/x"}).options
    assert (options.batch_size, options.sync_interval_s, options.allow_private_network) == (50, 90.5, True)
    assert options.log_level == "DEBUG"
    assert {option.env for option in OPTIONS} >= {"BATCH_SIZE", "SYNC_MAX_CONCURRENT", "DATABASE_URL"}
    assert all(option.text for option in OPTIONS)


@pytest.mark.parametrize(
    "value", ["a/b", "a@b", "a#b", "a?b", "a:1", "a\\b", "a b", "", "-a", "a..b", ".", "ä", "a\n", "a%2e"]
)
def test_variable_cannot_leave_its_place_in_the_host(value: str) -> None:
    """No value moves the request, or the credential, to another host."""
    with pytest.raises(SettingsError):
        build_url("https://{shop}.shop.example/api", {"shop": value})


@pytest.mark.parametrize("value", ["../admin", "a/../b", "a?b", "a#b", "a b", "", "a\\b", "a%2fb"])
def test_variable_cannot_leave_its_place_in_the_path(value: str) -> None:
    """Neither up nor into the query."""
    with pytest.raises(SettingsError):
        build_url("https://shop.example/{version}/x", {"version": value})


@pytest.mark.parametrize(
    ("template", "variables", "url"),
    [
        ("https://{shop}.shop.example/{v}/", {"shop": "a-1", "v": "2024-01/x"}, "https://a-1.shop.example/2024-01/x"),
        ("https://{host}:{port}", {"host": "a.example", "port": "8443"}, "https://a.example:8443"),
        ("{instance}/services", {"instance": "https://na1.example/"}, "https://na1.example/services"),
        ("https://[::1]:8080/x", {}, "https://[::1]:8080/x"),
    ],
)
def test_url_templates(template: str, variables: dict[str, str], url: str) -> None:
    """Host parts, ports, paths, and an instance URL as a whole."""
    assert build_url(template, variables) == url


@pytest.mark.parametrize(
    "url",
    ["https://u:p@shop.example", "https://", "https:///x", "//shop.example", "https://shop.example?x=1", "https://a b", "{x}",
     "https://shop.example/#x", "javascript:alert(1)", "https://shop.example:99999", "https://sh\\op.example", "{}"],
)  # fmt: skip
def test_url_that_is_no_base_url_is_refused(url: str) -> None:
    """Users, queries, fragments, other schemes, undeclared variables."""
    with pytest.raises(SettingsError):
        build_url(url, {})


def test_setting_that_was_not_resolved_is_missing_when_asked_for() -> None:
    """Whoever serves webhooks asks for their secret, and gets a name, not an empty text."""
    with pytest.raises(SettingMissing, match="WEBHOOK_SECRET"):
        Settings().value(Env("WEBHOOK_SECRET"))


def test_wire_is_aiohttp_unless_the_other_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens to be installed chooses nothing."""
    assert not is_fast_asked()
    monkeypatch.setenv("WIRE", "fast")
    assert is_fast_asked()
    assert resolve((SHOP, CRM), GOOD | {"WIRE": "fast"}).options.wire == "fast"
    with pytest.raises(SettingsError, match="WIRE"):
        resolve((SHOP, CRM), GOOD | {"WIRE": "faster"})
