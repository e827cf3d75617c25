"""Whatever a server does: the offline proposal, told with a code, or an error before anything is written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vitesse.diagnostics import DiagnosticError
from vitesse.mapper.llm.run import ModelRun
from vitesse.mapper.llm.settings import ModelSettings, Price
from vitesse.workflow.map import map_streams

from .server import Raw, Request, completion, none_for, picks, serving
from .test_map_with_model import DAY, PICKS, asking, files, folder

__all__ = ["folder"]

Behaviour = Callable[[Request], Any]


_OFFLINE: list[bytes] = []


def offline(folder: Path) -> bytes:
    """The mapping that no model had a part in, made once; the folder is left as it was."""
    if not _OFFLINE:
        map_streams(folder, on=DAY)
        _OFFLINE.append(files(folder)["customers.yaml"])
        for path in (folder / "mappings").iterdir():
            path.unlink()
    return _OFFLINE[0]


def codes(run: ModelRun) -> list[str]:
    return [found.code for found in run.found]


FAILURES: dict[str, tuple[Behaviour, str, str]] = {
    "server error": (lambda request: Raw(status=500, body="oops"), "V463", "it answers 500"),
    "busy for longer than is waited": (
        lambda request: Raw(status=429, headers={"Retry-After": "600"}),
        "V463",
        "asks to wait 600 s",
    ),
    "quota used up": (
        lambda request: Raw(status=429, body={"error": {"message": "no more", "code": "insufficient_quota"}}),
        "V463",
        "it answers 429",
    ),
    "slow": (lambda request: Raw(body=completion("{}"), silent=True), "V463", "no answer within 1 s"),
    "dripping": (lambda request: Raw(body=completion("x" * 4000), drip_s=0.05), "V463", "no answer within 1 s"),
    "dropped in the middle": (
        lambda request: Raw(body=completion("{}"), drop_after=20),
        "V463",
        "no connection",
    ),
    "a redirect": (
        lambda request: Raw(status=307, headers={"location": "http://127.0.0.1:9/v1"}),
        "V463",
        "it answers 307",
    ),
    "another content type": (
        lambda request: Raw(body="<html>sign in</html>", headers={"content-type": "text/html"}),
        "V465",
        "no chat completion",
    ),
    "broken JSON": (lambda request: Raw(body='{"choices": [{"mess'), "V465", "no chat completion"),
    "not UTF-8": (lambda request: Raw(body=b'{"choices": "\xff\xfe"}'), "V465", "no chat completion"),
    "no choices": (lambda request: {"choices": []}, "V465", "no choice"),
    "choices of another form": (lambda request: {"choices": [{"text": "hi"}]}, "V465", "no chat completion"),
    "huge": (lambda request: Raw(body=b" " * (5 * 1024 * 1024)), "V465", "larger than 4 MiB"),
    "huge when unpacked": (
        lambda request: Raw(body=gzip.compress(b" " * (64 * 1024 * 1024)), headers={"content-encoding": "gzip"}),
        "V465",
        "larger than 4 MiB",
    ),
    "a refusal": (lambda request: completion(None, refusal="I cannot help."), "V465", "it refused: I cannot help."),
    "a content filter": (lambda request: completion("", finish="content_filter"), "V465", "content filter"),
    "prose": (lambda request: "Sure! Here is your mapping: email goes to email.", "V465", "no JSON object"),
    "nothing": (lambda request: completion(None), "V465", "no JSON object"),
    "JSON of another form": (lambda request: '{"mapping": {"email": "email"}}', "V465", '"answers"'),
    "deep nesting": (lambda request: "{" + '"a":[' * 5000 + "]" * 5000 + "}", "V465", "nested too deep"),
    "a number that is none": (lambda request: '{"answers": NaN}', "V465", "not JSON"),
    "a very long number": (lambda request: '{"answers": ' + "9" * 5000 + "}", "V465", "not JSON"),
    "a very long reply": (lambda request: "{" + " " * 300_000 + "}", "V465", "longer than"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_map_with_a_model_that_fails_proposes_what_it_would_offline(folder: Path, name: str) -> None:
    """The same bytes as without a model, and a warning that says why."""
    behaviour, code, why = FAILURES[name]
    expected = offline(folder)
    with serving(behaviour) as server:
        run = asking(server.url, timeout_s=1.0 if name in ("slow", "dripping") else 30.0, attempts=2)
        map_streams(folder, on=DAY, model=run)
    assert files(folder)["customers.yaml"] == expected
    assert set(codes(run)) == {code}
    assert all(found.severity == "warning" for found in run.found)
    assert why in run.found[0].message
    assert "recorded" not in json.loads(files(folder)["customers.proposal.json"])
    run.close()


def test_map_with_nobody_listening_proposes_what_it_would_offline(folder: Path) -> None:
    """No network is no reason to stop."""
    expected = offline(folder)
    run = asking("http://127.0.0.1:9/v1", attempts=1)
    map_streams(folder, on=DAY, model=run)
    assert (files(folder)["customers.yaml"], codes(run)) == (expected, ["V463"])


HOSTILE: dict[str, list[Any]] = {
    "a field that does not exist": [{"destination": "nope", "sources": ["email"], "use": {"transform": "mapping"}}],
    "a source that does not exist": [{"destination": "email", "sources": ["passwd"], "use": {"transform": "mapping"}}],
    "code as transform": [{"destination": "email", "sources": ["email"], "use": {"transform": "__import__('os')"}}],
    "code as separator": [
        {"destination": "segments", "sources": ["tags"], "use": {"transform": "collect", "separator": "{{7*7}}"}}
    ],
    "code as time form": [
        {"destination": "created_date", "sources": ["created_at"], "use": {"transform": "date", "to": "%(x)s"}}
    ],
    "a function that is not registered": [
        {"destination": "email", "sources": ["email"], "use": {"transform": "custom", "function": "os.system"}}
    ],
    "a template": [{"destination": "email", "sources": ["email"], "use": {"transform": "template", "template": "x"}}],
    "a constant": [
        {"destination": "email", "sources": [], "use": {"transform": "constant", "value": "evil@x.example"}}
    ],
    "a path of another kind": [{"destination": "email", "sources": [["email"]], "use": {"transform": "mapping"}}],
    "no object": ["email", 1, None, [], {}],
    "too many sources": [{"destination": "email", "sources": ["email", "phone"], "use": {"transform": "mapping"}}],
    "keys of its own": [
        {"destination": "email", "sources": ["email"], "use": {"transform": "mapping"}, "accept": True}
    ],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_map_with_a_model_that_answers_outside_the_form_proposes_what_it_would_offline(folder: Path, name: str) -> None:
    """A closed form: names of the request, transforms of the table, typed arguments; asked again, then done without."""
    expected = offline(folder)
    with serving(lambda request: json.dumps({"answers": HOSTILE[name]})) as server:
        run = asking(server.url)
        map_streams(folder, on=DAY, model=run)
    assert files(folder)["customers.yaml"] == expected
    assert codes(run) == ["V465"]
    assert len(server.requests) == 3
    again = server.requests[1].body["messages"]
    assert [one["role"] for one in again] == ["system", "user", "assistant", "user"]
    assert again[-1]["content"].startswith("That does not fit:\n- ")
    run.close()


def test_a_reply_that_fits_only_in_part_is_used_in_that_part(folder: Path) -> None:
    """The rest is told, and keeps what names propose."""

    def behaviour(request: Request) -> Any:
        found = picks(request, {**PICKS, "job_title": "note"})
        return [one for one in found if one["destination"] != "email"]

    with serving(behaviour) as server:
        run = asking(server.url)
        (done,) = map_streams(folder, on=DAY, model=run)
    assert codes(run) == ["V465"]
    assert "`email`" in run.found[0].message
    by = {one.id: one.by for one in done.proposal.proposals}
    assert (by["email"], by["job_title"]) == ("names", "test-model")
    run.close()


def test_a_reply_that_does_not_fit_is_asked_for_again_with_what_is_wrong(folder: Path) -> None:
    """And the second one is used."""

    def behaviour(request: Request) -> Any:
        return picks(request, PICKS) if len(request.body["messages"]) > 2 else "I think it is the email."

    with serving(behaviour) as server:
        run = asking(server.url)
        map_streams(folder, on=DAY, model=run)
    assert (codes(run), len(server.requests)) == ([], 2)
    run.close()


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "Here you are:\n{}\nAnything else?"])
def test_a_reply_with_something_around_the_json_is_read(folder: Path, fence: str) -> None:
    """As servers without a JSON mode give it."""

    def behaviour(request: Request) -> Any:
        return fence.replace("{}", json.dumps({"answers": picks(request, PICKS)}))

    with serving(behaviour) as server:
        run = asking(server.url)
        map_streams(folder, on=DAY, model=run)
    assert (codes(run), len(server.requests)) == ([], 1)
    run.close()


def test_a_server_without_structured_outputs_is_asked_in_json_mode_then_by_prompt(folder: Path) -> None:
    """Found out once, remembered for the run, and so is the name of the limit."""

    def behaviour(request: Request) -> Any:
        if "max_completion_tokens" in request.body:
            return Raw(status=400, body={"error": {"message": "Unknown parameter: 'max_completion_tokens'."}})
        if request.mode != "prompt":
            return Raw(status=400, body={"error": {"message": f"response_format {request.mode} is not supported"}})
        return picks(request, PICKS)

    with serving(behaviour) as server:
        run = asking(server.url)
        map_streams(folder, on=DAY, model=run)
        assert codes(run) == []
        assert [one.mode for one in server.requests] == ["json_schema", "json_schema", "json_object", "prompt"]
        assert "max_tokens" in server.requests[-1].body
        for path in (folder / "mappings").iterdir():
            path.unlink()
        map_streams(folder, on=DAY, model=run)
        assert [one.mode for one in server.requests[4:]] == ["prompt"]
    run.close()


@pytest.mark.parametrize("status", [429, 503, 500, 408])
def test_a_busy_server_is_waited_for_as_it_asks(folder: Path, status: int) -> None:
    """Retry-After in seconds; then its answer is used."""
    waits: list[float] = []

    def behaviour(request: Request) -> Any:
        return Raw(status=status, headers={"Retry-After": "3"}) if not waits else picks(request, PICKS)

    with serving(behaviour) as server:
        run = ModelRun(ModelSettings(model="m", base_url=server.url, timeout_s=30), pause=waits.append)
        map_streams(folder, on=DAY, model=run)
    assert (codes(run), waits) == ([], [3.0])
    run.close()


def test_a_cut_answer_is_asked_for_in_halves(folder: Path) -> None:
    """Until it fits."""

    def behaviour(request: Request) -> Any:
        if len(request.destinations) > 4:
            return completion('{"answers": [{"dest', finish="length")
        return picks(request, PICKS)

    with serving(behaviour) as server:
        run = asking(server.url)
        map_streams(folder, on=DAY, model=run)
    assert codes(run) == []
    assert len(server.requests) > 3
    run.close()


def test_a_request_that_is_too_long_for_the_model_is_halved(folder: Path) -> None:
    """The same for a context that is too small."""

    def behaviour(request: Request) -> Any:
        if len(request.destinations) > 6:
            error = {"message": "This model's maximum context length is 100 tokens.", "code": "context_length_exceeded"}
            return Raw(status=400, body={"error": error})
        return picks(request, PICKS)

    with serving(behaviour) as server:
        run = asking(server.url)
        map_streams(folder, on=DAY, model=run)
    assert codes(run) == []
    assert {one.mode for one in server.requests} == {"json_schema"}
    run.close()


@pytest.mark.parametrize(
    ("status", "what"), [(401, "does not take the key"), (403, "does not take the key"), (404, "knows no such model")]
)
def test_a_server_that_refuses_the_key_or_the_model_stops_before_anything_is_written(
    folder: Path, status: int, what: str
) -> None:
    """V464: asking again would change nothing. What it says of the key is not repeated."""
    body = {"error": {"message": "Incorrect API key provided: secret-key."}}
    with serving(lambda request: Raw(status=status, body=body)) as server:
        run = asking(server.url)
        with pytest.raises(DiagnosticError) as caught:
            map_streams(folder, on=DAY, model=run)
    (found,) = caught.value.diagnostics
    assert (found.code, what in found.message) == ("V464", True)
    assert "secret-key" not in str(found)
    assert not list((folder / "mappings").iterdir())
    run.close()


@pytest.mark.parametrize(
    ("settings", "help"),
    [
        ({"max_tokens": 500}, "--llm-limit"),
        ({"max_cost": 0.001, "price": Price(input=100, output=100)}, "--llm-max-cost"),
        ({"max_cost": 0.001}, "--llm-price"),
    ],
)
def test_what_is_over_a_limit_is_not_sent(folder: Path, settings: dict[str, Any], help: str) -> None:
    """V462, before the first request and before anything is written."""
    with serving(lambda request: picks(request, PICKS)) as server, pytest.raises(DiagnosticError) as caught:
        map_streams(folder, on=DAY, model=asking(server.url, **settings))
    (found,) = caught.value.diagnostics
    assert (found.code, help in str(found.help), server.requests) == ("V462", True, [])
    assert not list((folder / "mappings").iterdir())


def test_a_limit_that_is_reached_on_the_way_ends_the_asking(folder: Path) -> None:
    """A server that counts more than was estimated is not asked again."""

    def behaviour(request: Request) -> Any:
        found = completion("no JSON at all")
        found["usage"] = {"prompt_tokens": 60_000, "completion_tokens": 50_000}
        return found

    with serving(behaviour) as server:
        run = asking(server.url, max_tokens=100_000)
        map_streams(folder, on=DAY, model=run)
    assert (codes(run), len(server.requests)) == (["V465"], 1)
    run.close()


def test_replay_without_a_recording_is_refused(folder: Path) -> None:
    """V466, and V466 again when what was asked about changed since."""
    with pytest.raises(DiagnosticError) as caught:
        map_streams(folder, on=DAY, model=asking("http://127.0.0.1:9/v1", replay=True))
    assert [found.code for found in caught.value.diagnostics] == ["V466"]
    with serving(lambda request: picks(request, PICKS)) as server:
        map_streams(folder, on=DAY, model=asking(server.url))
        (folder / "mappings" / "customers.yaml").unlink()
        manifest = folder / "integration.yaml"
        manifest.write_text(manifest.read_text().replace("Sync all customers", "Sync some customers"))
        with pytest.raises(DiagnosticError) as caught:
            map_streams(folder, on=DAY, model=asking(server.url, replay=True))
        assert [found.code for found in caught.value.diagnostics] == ["V466"]
        before = len(server.requests)
        map_streams(folder, on=DAY, model=asking(server.url))
        assert len(server.requests) == before + 1


@pytest.mark.parametrize(
    "url",
    [
        "ftp://models.example/v1",
        "models.example/v1",
        "https://user:pass@models.example/v1",
        "https://models.example/v1?key=1",
        "http://models.example/v1",
        "http://[::1/v1",
    ],
)
def test_an_address_that_is_none_or_unsafe_is_refused(folder: Path, url: str) -> None:
    """V461: the key goes nowhere unencrypted, and is not part of an address."""
    with pytest.raises(DiagnosticError) as caught:
        map_streams(folder, on=DAY, model=asking(url))
    assert [found.code for found in caught.value.diagnostics] == ["V461"]
    assert not list((folder / "mappings").iterdir())


def test_a_model_that_finds_nothing_takes_no_proposal_away(folder: Path) -> None:
    """It lowers, and says so; the rules are those of the offline proposal."""
    expected = offline(folder)
    with serving(lambda request: [none_for(path, "nothing there") for path in request.destinations]) as server:
        run = asking(server.url)
        (done,) = map_streams(folder, on=DAY, model=run)
    assert files(folder)["customers.yaml"] == expected
    email = next(one for one in done.proposal.proposals if one.id == "email")
    assert email.evidence[0] == "the model `test-model` finds nothing that fits: “nothing there”"
    assert email.without_adviser is not None
    assert email.confidence < email.without_adviser
    run.close()


def test_map_without_the_extra_says_how_to_install_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """V460, before anything is written."""
    import sys

    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(DiagnosticError) as caught:
        map_streams(folder, on=DAY, model=asking("http://127.0.0.1:9/v1"))
    (found,) = caught.value.diagnostics
    assert (found.code, 'pip install "vitesse[llm]"' in str(found.help)) == ("V460", True)
    assert not list((folder / "mappings").iterdir())


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("stopped", [False, True])
def test_answers_that_were_paid_for_are_kept_when_a_run_ends_early(folder: Path, mapped: bool, stopped: bool) -> None:
    """A key that is withdrawn on the way, or Ctrl-C: the next run asks only for the rest."""
    if mapped:
        map_streams(folder, on=DAY)
    before = dict(files(folder))

    def behaviour(request: Request) -> Any:
        if len(request.destinations) > 12:
            return completion("", finish="length")
        if request.destinations[0] != "email":
            return Raw(status=503 if stopped else 401, headers={"Retry-After": "1"})
        return picks(request, PICKS)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with serving(behaviour) as server:
        run = ModelRun(ModelSettings(model="m", base_url=server.url, timeout_s=30), pause=interrupt)
        with pytest.raises(KeyboardInterrupt if stopped else DiagnosticError):
            map_streams(folder, on=DAY, model=run)
        run.close()
        assert files(folder).get("customers.yaml") == before.get("customers.yaml")
        server.behaviour = lambda request: picks(request, PICKS)
        run = ModelRun(ModelSettings(model="m", base_url=server.url, timeout_s=30))
        map_streams(folder, on=DAY, model=run)
        run.close()
    assert "email" not in server.requests[-1].destinations
    assert server.requests[-1].destinations
    assert codes(run) == []
