"""`token show` and `token sign-in`: how fetched tokens stand, and a new refresh token that never is an argument."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.actions.tokens import given_token, tokens_of
from runtime.cli import run
from runtime.errors import RequestRefused
from runtime.state import State
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.loopback import listening
from tests.runtime.oauth_sample import ENVIRON, INTEGRATION, behind
from tests.runtime.oauth_server import OAuthServer


class Desk:
    """The command between the fakes, in a folder of its own."""

    def __init__(self, folder: Path, server: OAuthServer, urls: list[str], capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.server, self.capture = folder, server, capture
        self.environ = {
            **ENVIRON,
            "SHOPIFY_SHOP": "shop",
            "SHOPIFY_ACCESS_TOKEN": "shpat_planted",
            "SHOPIFY_BASE_URL": urls[0] + "/admin",
            "CREDO_BASE_URL": urls[1] + "/v1",
        }

    def run(self, *arguments: str, given: str | None = None, **environ: str) -> tuple[int, str, str]:
        """The command in this process: its exit code and what it printed."""
        with pytest.MonkeyPatch.context() as patch:
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in {**self.environ, **environ}.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["shopify-credo", *arguments])
            patch.setattr(sys, "stdin", io.StringIO(given or ""))
            patch.setattr("runtime.actions.runs.setup_logging", lambda *args, **kwargs: None)
            with pytest.raises(SystemExit) as ended:
                run("shopify-credo", lambda: INTEGRATION)
        out, err = self.capture.readouterr()
        assert "refresh-" not in out + err, "a refresh token was shown"
        return int(ended.value.code or 0), out, err

    def state(self) -> State:
        return State(f"sqlite:///{self.folder / 'shopify_credo.db'}", name="shopify-credo")


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    server = OAuthServer()
    with listening(Shopify(5), behind(server, Credo())) as urls:
        yield Desk(tmp_path, server, urls, capsys)


def test_revoked_sign_in_is_told_and_a_new_one_brings_the_sync_back(desk: Desk) -> None:
    """The story of the page: a run that stops, what it says, the way out, and the next run."""
    desk.server.revoked = True
    code, out, _ = desk.run("sync")
    assert code == 1
    assert "token sign-in credo" in out
    assert "invalid_grant" in out
    code, out, _ = desk.run("token", "show", "--json")
    assert code == 1
    [shown] = json.loads(out)
    assert (shown["api"], shown["state"]) == ("credo", "needs_sign_in")

    assert (
        "sign-in to credo: the token endpoint says `invalid_grant`; run `token sign-in credo`" in desk.run("status")[1]
    )

    desk.server.revoked, desk.server.refresh = False, "refresh-anew"
    asked = len(desk.server.asked)
    assert desk.run("sync")[0] == 1
    assert len(desk.server.asked) == asked, "nobody asks again before somebody signs in"
    code, out, err = desk.run("token", "sign-in", "credo", given="refresh-anew\n")
    assert (code, err) == (0, "")
    assert out.startswith("credo: signed in; the access token is valid until ")
    assert desk.run("sync")[0] == 0
    assert desk.run("token", "show")[0] == 0


def test_sign_in_reads_a_variable_or_a_file_and_no_argument(desk: Desk) -> None:
    desk.server.refresh = "refresh-a"
    assert desk.run("token", "sign-in", "credo", "--env", "FRESH", FRESH="refresh-a")[0] == 0
    file = desk.folder / "given"
    file.write_text("refresh-b\n")
    desk.server.refresh = "refresh-b"
    assert desk.run("token", "sign-in", "credo", "--file", str(file))[0] == 0
    code, _, err = desk.run("token", "sign-in", "credo", "by-mistake")
    assert code == 2
    assert "unexpected extra argument" in err


def test_sign_in_that_is_refused_too_says_so(desk: Desk) -> None:
    code, _, err = desk.run("token", "sign-in", "credo", given="refresh-of-somebody-else")
    assert code == 1
    assert "invalid_grant" in err


def test_sign_in_of_an_api_that_takes_none_is_refused(desk: Desk) -> None:
    code, _, err = desk.run("token", "sign-in", "shopify", given="refresh-x")
    assert (code, err) == (1, "error: no API `shopify` signs in with a refresh token; those that do: `credo`\n")


def test_interrupted_refresh_is_told_by_show(desk: Desk) -> None:
    desk.run("sync")
    state = desk.state()
    state.tokens.asked("credo", 1_700_000_000.0)
    [shown] = tokens_of(INTEGRATION, state)
    state.close()
    assert shown["state"] == "interrupted"
    assert "2023-11-14T22:13:20Z" in shown["text"]


@pytest.mark.parametrize("text", ["", "  \n", "two words", "a\nb"])
def test_token_that_cannot_be_one_is_refused_without_being_shown(text: str, tmp_path: Path) -> None:
    file = tmp_path / "given"
    file.write_text(text)
    with pytest.raises(RequestRefused) as caught:
        given_token(path=str(file))
    assert not text.strip() or text.split()[0] not in str(caught.value).split()
