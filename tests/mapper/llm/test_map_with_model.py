"""`map --llm` against a real server, with the real client: what it adds, what it may not, what is recorded, what is sent."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vitesse.cli.group import run
from vitesse.diagnostics import DiagnosticError
from vitesse.mapper.llm.run import ModelRun
from vitesse.mapper.llm.settings import ModelSettings
from vitesse.mapper.proposal_file import load_proposal
from vitesse.rules.load import load_rules
from vitesse.workflow.accept import accept
from vitesse.workflow.map import map_streams

from .server import Raw, picks, serving

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "shopify_credo"
DAY = "2026-11-21"
PICKS = {
    "email": "email",
    "first_name": "first_name",
    "last_name": "last_name",
    "phone_number": "phone",
    "created_date": (["created_at"], {"transform": "date", "to": "date", "form": None}),
    "lifetime_value": (["total_spent"], {"transform": "parse", "to": "decimal", "places": 2}),
    "segments": (["tags"], {"transform": "collect", "separator": ","}),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example without its mapping."""
    target = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLE, target)
    for path in (target / "mappings").iterdir():
        path.unlink()
    return target


def asking(url: str, **more: Any) -> ModelRun:
    more = {"model": "test-model", "base_url": url, "key": "secret-key", "timeout_s": 30.0, **more}
    return ModelRun(ModelSettings(**more), pause=lambda seconds: None)


def files(folder: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "mappings").iterdir())}


def test_map_with_a_model_proposes_the_story_and_names_the_model_in_the_evidence(folder: Path) -> None:
    """The rules of the offline proposal stay; the model's sentence stands beside what the names say."""
    with serving(lambda request: picks(request, PICKS)) as server:
        run = asking(server.url)
        (done,) = map_streams(folder, on=DAY, model=run)
    assert run.found == []
    found = {one.id: one for one in done.proposal.proposals}
    assert set(PICKS) <= set(found)
    assert found["segments"].evidence[0] == "the model `test-model` agrees: “they mean the same”"
    assert found["segments"].rule.options == {"separator": ","}
    assert [request.mode for request in server.requests] == ["json_schema"]
    assert server.requests[0].headers["authorization"] == "Bearer secret-key"


def test_map_with_a_model_fills_what_names_cannot_see(folder: Path) -> None:
    """`by` says who decided; the rule is proved like any other and waits for a person."""
    with serving(lambda request: picks(request, {**PICKS, "job_title": "note"})) as server:
        (done,) = map_streams(folder, on=DAY, model=asking(server.url))
    one = next(one for one in done.proposal.proposals if one.id == "job_title")
    assert (one.by, one.rule.sources) == ("test-model", (("note",),))
    assert one.without_adviser is not None
    assert one.without_adviser < 0.35 < one.confidence < 0.9
    rule = load_rules(folder, "customers").rule("job_title")
    assert rule is not None


def test_map_a_second_time_replays_the_recording_without_a_network(folder: Path) -> None:
    """Byte for byte: mapping and proposal, with the server gone."""
    with serving(lambda request: picks(request, {**PICKS, "job_title": "note"})) as server:
        map_streams(folder, on=DAY, model=asking(server.url))
    first = files(folder)
    (folder / "mappings" / "customers.yaml").unlink()
    run = asking(server.url, key="", replay=True)
    map_streams(folder, on=DAY, model=run)
    assert files(folder) == first
    assert (run.found, run.requests) == ([], 0)
    recorded = json.loads(first["customers.proposal.json"])["recorded"]["answers"]
    assert {"model", "prompt", "questions", "reply", "usage"} == set(recorded[0])
    assert recorded[0]["usage"] == {"input": 100, "output": 20}
    assert b"secret-key" not in b"".join(first.values())


def test_what_is_sent_holds_schemas_and_the_intent_and_no_value_of_a_record(folder: Path) -> None:
    """No example, no default, no credential, no address."""
    with serving(lambda request: picks(request, PICKS)) as server:
        map_streams(folder, on=DAY, model=asking(server.url))
    sent = json.dumps([request.body for request in server.requests])
    assert "Sync all customers" in sent
    manifest = (folder / "integration.yaml").read_text()
    assert "SHOPIFY_ACCESS_TOKEN" in manifest
    for text in ("SHOPIFY_ACCESS_TOKEN", "CREDO_API_KEY", "myshopify", "secret-key", str(folder)):
        assert text not in sent
    keys = {key for request in server.requests for one in request.form["source_fields"] for key in one}
    assert keys <= {"path", "type", "format", "values", "more_values", "description"}


def test_accept_above_does_not_count_what_a_model_added(folder: Path) -> None:
    """A model, or a description that talked it into something, carries no rule past a policy."""
    with serving(lambda request: picks(request, {**PICKS, "job_title": "note"})) as server:
        (done,) = map_streams(folder, on=DAY, model=asking(server.url))
    one = next(one for one in done.proposal.proposals if one.id == "job_title")
    accepted = accept(folder, (), above=one.confidence - 0.01, by="ana", on=DAY).rules
    assert "customers.email" in accepted
    assert "customers.job_title" not in accepted


def test_map_command_with_a_model_takes_the_key_from_the_environment(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Directly or from a file; what it will cost is said before."""
    key = tmp_path / "key"
    key.write_text("from-a-file\n")
    monkeypatch.setenv("VITESSE_LLM_API_KEY_FILE", str(key))
    with serving(lambda request: picks(request, PICKS)) as server:
        options = ["--llm", "--model", "m", "--llm-url", server.url, "--llm-price", "1,2"]
        assert run(["map", str(folder), *options]) == 0
    shown = capsys.readouterr()
    assert "about" in shown.err
    assert "1 answer: 100 tokens sent, 20 answered, 0.0001" in shown.err
    assert "from-a-file" not in shown.err + shown.out
    assert server.requests[0].headers["authorization"] == "Bearer from-a-file"


def test_show_prompt_and_estimate_send_and_write_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They need neither a key nor the extra."""
    never = ["--llm", "--model", "m", "--llm-url", "http://127.0.0.1:9/v1"]
    assert run(["map", str(folder), *never, "--show-prompt"]) == 0
    shown = capsys.readouterr().out
    assert "## system" in shown
    assert '"path":"total_spent"' in shown
    assert run(["map", str(folder), *never, "--estimate", "--llm-price", "1,2"]) == 0
    assert "1 request to m about" in capsys.readouterr().out
    assert not list((folder / "mappings").iterdir())


OPTIONS = ["--llm", "--model", "m", "--llm-url", "http://127.0.0.1:9/v1"]


def test_map_command_without_the_extra_says_how_to_install_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """V460, nothing written; and what sends nothing works without it."""
    monkeypatch.setitem(sys.modules, "openai", None)
    assert run(["map", str(folder), *OPTIONS, "--estimate"]) == 0
    assert run(["map", str(folder), *OPTIONS]) == 1
    shown = capsys.readouterr().err
    assert "error[V460]" in shown
    assert 'pip install "vitesse[llm]"' in shown
    assert not list((folder / "mappings").iterdir())


def test_map_and_replay_never_load_the_client(folder: Path) -> None:
    """A machine without the extra maps, and replays what another one recorded."""
    with serving(lambda request: picks(request, PICKS)) as server:
        map_streams(folder, on=DAY, model=asking(server.url))
    code = f"""
import sys
for name in ("openai", "httpx2"):
    sys.modules[name] = None
from vitesse.cli.group import run
from vitesse.diagnostics import DiagnosticError
for more in ([], ["--llm", "--model", "test-model", "--replay"]):
    assert run(["map", {str(folder)!r}, *more]) == 0, more
    (__import__("pathlib").Path({str(folder)!r}) / "mappings" / "customers.yaml").unlink()
"""
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--llm"], 1, "error[V461]"),
        (["--llm", "--model", "m", "--llm-url", "http://models.example/v1"], 1, "--allow-http"),
        (["--model", "m"], 2, "goes with `--llm`"),
        (["--show-prompt"], 2, "goes with `--llm`"),
        ([*OPTIONS, "--llm-price", "1"], 2, "two numbers"),
        ([*OPTIONS, "--llm-price", "nan,1"], 2, "from 0"),
        ([*OPTIONS, "--llm-limit", "0"], 2, "--llm-limit"),
        ([*OPTIONS, "--llm-limit", "100"], 1, "error[V462]"),
        ([*OPTIONS, "--llm-max-cost", "1"], 1, "error[V462]"),
        ([*OPTIONS, "--llm-max-cost", "0.001", "--llm-price", "10,10"], 1, "error[V462]"),
        ([*OPTIONS, "--replay"], 1, "error[V466]"),
        (["--llm", "--model", "m", "--llm-url", "https://u:p@models.example/v1", "--estimate"], 1, "error[V461]"),
    ],
)
def test_map_command_with_what_cannot_be_asked_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, told: str
) -> None:
    """A code, a way out, exit 1; exit 2 for a command line that makes no sense."""
    assert run(["map", str(folder), *options]) == code
    assert told in capsys.readouterr().err
    assert not list((folder / "mappings").iterdir())


def test_map_command_reads_the_key_from_no_file_that_is_not_there(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """V461 with the variable's name."""
    monkeypatch.setenv("OPENAI_API_KEY_FILE", "/nowhere/key")
    assert run(["map", str(folder), *OPTIONS]) == 1
    shown = capsys.readouterr().err
    assert "error[V461]" in shown
    assert "OPENAI_API_KEY_FILE" in shown


def test_map_command_takes_the_model_and_its_limits_from_the_manifest(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address never: it comes from the command line or the environment."""
    manifest = folder / "integration.yaml"
    text = manifest.read_text()
    manifest.write_text(
        text + "llm: {model: said-here, embeddings: e, max_tokens: 90000, price: {input: 1, output: 2}}\n"
    )
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert run(["map", str(folder), "--llm", "--estimate"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("127.0.0.1:9: 1 request to said-here about")
    assert "texts to e, " in shown
    manifest.write_text(text + "llm: {model: m, base_url: http://127.0.0.1:9/v1}\n")
    assert run(["map", str(folder), "--llm", "--estimate"]) == 1
    assert "error[V003]" in capsys.readouterr().err


def test_map_command_prints_warnings_of_a_model_and_goes_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0: the offline proposal is a result."""
    with serving(lambda request: "no JSON") as server:
        assert run(["map", str(folder), "--llm", "--model", "m", "--llm-url", server.url]) == 0
    shown = capsys.readouterr()
    assert "warning[V465]: the model `m` gave no usable answer" in shown.err
    assert "rules proposed" in shown.out
    assert (folder / "mappings" / "customers.yaml").exists()


def test_a_key_that_a_server_gives_back_is_not_written_down(folder: Path) -> None:
    """Nor shown: it is cut out of the reply before anything reads it."""
    with serving(lambda request: picks(request, PICKS, why=request.headers["authorization"])) as server:
        (done,) = map_streams(folder, on=DAY, model=asking(server.url))
    assert b"secret-key" not in b"".join(files(folder).values())
    assert any("Bearer ***" in text for one in done.proposal.proposals for text in one.evidence)


def test_map_without_a_model_keeps_what_is_recorded(folder: Path) -> None:
    """And what was recorded is used again by a later run with one."""
    with serving(lambda request: picks(request, PICKS)) as server:
        map_streams(folder, on=DAY, model=asking(server.url))
        map_streams(folder, on=DAY)
        assert "recorded" in json.loads(files(folder)["customers.proposal.json"])
        (folder / "mappings" / "customers.yaml").unlink()
        map_streams(folder, on=DAY, model=asking(server.url))
    assert len(server.requests) == 1


def test_map_with_another_model_asks_again(folder: Path) -> None:
    """An answer belongs to the model that gave it; both are kept."""
    with serving(lambda request: picks(request, PICKS)) as server:
        for model in ("one", "other", "one"):
            map_streams(folder, on=DAY, model=asking(server.url, model=model))
            (folder / "mappings" / "customers.yaml").unlink()
    assert [request.body["model"] for request in server.requests] == ["one", "other"]


@pytest.mark.parametrize("damage", ['"reply": 1', '"reply": "{}", "more": 1'])
def test_a_recording_that_is_not_as_the_form_asks_is_refused(folder: Path, damage: str) -> None:
    """Like any other file of the folder."""
    with serving(lambda request: picks(request, PICKS)) as server:
        map_streams(folder, on=DAY, model=asking(server.url))
    path = folder / "mappings" / "customers.proposal.json"
    form = json.loads(path.read_text())
    form["recorded"]["answers"][0] |= json.loads("{" + damage + "}")
    path.write_text(json.dumps(form))
    with pytest.raises(DiagnosticError):
        map_streams(folder, on=DAY, model=asking(server.url, replay=True))


def test_a_recording_that_somebody_edited_is_held_to_the_same_form(folder: Path) -> None:
    """What stands in it is checked like a reply: a field that was not offered is no answer, recorded or not."""
    with serving(lambda request: picks(request, PICKS)) as server:
        map_streams(folder, on=DAY, model=asking(server.url))
    path = folder / "mappings" / "customers.proposal.json"
    path.write_text(path.read_text().replace('\\"sources\\": [\\"phone\\"]', '\\"sources\\": [\\"../../etc\\"]'))
    (folder / "mappings" / "customers.yaml").unlink()
    with pytest.raises(DiagnosticError) as caught:
        map_streams(folder, on=DAY, model=asking(server.url, replay=True))
    (found,) = caught.value.diagnostics
    assert (found.code, found.notes) == ("V466", ("the first is `phone_number` of `customers`",))


def test_review_and_why_tell_what_the_model_added(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reviewer sees both numbers and the model's sentence."""
    with serving(lambda request: picks(request, {**PICKS, "job_title": "note"})) as server:
        map_streams(folder, on=DAY, model=asking(server.url))
    proposed = load_proposal(folder, "customers")
    assert proposed is not None
    assert proposed.rules["job_title"].proposer.startswith("test-model; 0.")
    assert proposed.rules["job_title"].proposer.endswith(" without it")
    assert proposed.rules["email"].proposer.endswith(" without the model")
    run(["review", str(folder)])
    shown = capsys.readouterr()
    assert "without the model" in shown.out + shown.err


def proposals(folder: Path) -> Any:
    return json.loads(files(folder)["customers.proposal.json"])["rules"]


def test_a_model_is_asked_about_rules_that_are_open_and_leaves_the_mapping_alone(folder: Path) -> None:
    """After an offline run: what it agrees with is said so, what it would do otherwise becomes an alternative."""
    map_streams(folder, on=DAY)
    mapping = files(folder)["customers.yaml"]
    with serving(lambda request: picks(request, {**PICKS, "notes": "tags"})) as server:
        (done,) = map_streams(folder, on=DAY, model=asking(server.url))
    assert files(folder)["customers.yaml"] == mapping
    found = proposals(folder)
    assert found["email"]["evidence"][0] == "the model `test-model` agrees: “they mean the same”"
    assert found["email"]["without_model"] <= found["email"]["confidence"]
    assert {"email", "notes"} <= {one.id for one in done.again}
    assert done.proposal.proposals == ()
    assert server.requests[0].destinations != []


def test_a_model_that_would_fill_an_open_rule_otherwise_leaves_it_and_says_so(folder: Path) -> None:
    """The rule, its number and its place stay; the model's way is the first alternative, once, however often it is asked."""
    map_streams(folder, on=DAY)
    mapping = files(folder)["customers.yaml"]
    before = proposals(folder)["address.city"]
    other = "default_address.name"
    with serving(lambda request: picks(request, {**PICKS, "address.city": other})) as server:
        map_streams(folder, on=DAY, model=asking(server.url))
        after = proposals(folder)["address.city"]
        map_streams(folder, on=DAY, model=asking(server.url))
    assert files(folder)["customers.yaml"] == mapping
    assert proposals(folder)["address.city"] == after
    assert {key: after[key] for key in ("rule", "digest", "confidence", "by")} == {
        key: before[key] for key in ("rule", "digest", "confidence", "by")
    }
    assert after["alternatives"][0]["from"] == [other]
    assert after["evidence"][0].startswith("the model `test-model` would take this")
    assert f"({other}, mapping)" in after["evidence"][0]
    assert len(server.requests) == 1


def test_a_run_after_one_that_failed_asks_again(folder: Path) -> None:
    """What was proposed without the model gets its opinion; a rule that somebody reviewed or edited does not."""
    with serving(lambda request: Raw(status=500)) as server:
        map_streams(folder, on=DAY, model=asking(server.url, attempts=1))
        accept(folder, ("customers.email",), by="ana", on=DAY)
        server.behaviour = lambda request: picks(request, PICKS)
        map_streams(folder, on=DAY, model=asking(server.url))
    asked = server.requests[-1].destinations
    assert "email" not in asked
    assert "first_name" in asked
    assert "without_model" in proposals(folder)["first_name"]
    assert "without_model" not in proposals(folder)["email"]
