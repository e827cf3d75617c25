"""The manifest's form: closed, exact, and with a way out for each fault."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml

from vitesse.diagnostics import Diagnostic, DiagnosticError
from vitesse.manifest import Env, Manifest, ReviewPolicy, load_manifest

BASE: dict[str, Any] = {
    "vitesse": 1,
    "name": "shop-crm",
    "source": {"api": "shop", "auth": {"scheme": "token", "token": {"env": "SHOP_TOKEN"}}},
    "destination": {"api": "crm", "auth": {"scheme": "basic", "username": "u", "password": {"env": "CRM_PASSWORD"}}},
    "streams": {
        "customers": {
            "source": {"list": "GET /customers.json", "identity": "id", "version": "updated_at"},
            "destination": {"create": "POST /contacts", "update": "PUT /contacts/{id}"},
            "match": [{"source": "email", "destination": "email", "compare": ["trim", "lower"]}],
        }
    },
}


def load(tmp_path: Path, form: object) -> Manifest:
    (tmp_path / "integration.yaml").write_text(form if isinstance(form, str) else pyyaml.safe_dump(form))
    return load_manifest(tmp_path)


def with_value(path: str, value: object) -> dict[str, Any]:
    form = deepcopy(BASE)
    *steps, last = path.split("/")
    at = form
    for step in steps:
        at = at.setdefault(step, {})
    at[last] = value
    return form


def faults(tmp_path: Path, form: object) -> tuple[Diagnostic, ...]:
    with pytest.raises(DiagnosticError) as caught:
        load(tmp_path, form)
    return caught.value.diagnostics


def test_load_manifest_of_the_smallest_form_fills_in_what_is_left_out(tmp_path: Path) -> None:
    """What a person need not say has one meaning."""
    manifest = load(tmp_path, BASE)
    stream = manifest.streams["customers"]
    assert (manifest.module, manifest.version, manifest.models) == ("shop_crm", "0.1.0", "narrow")
    assert (stream.mode, stream.adopt, stream.overlap_s, stream.max_dead_share) == ("upsert", "on_conflict", 60, 0.1)
    assert manifest.source.auth is not None
    assert manifest.source.auth.secret == Env(env="SHOP_TOKEN")


def test_load_manifest_of_the_whole_form_reads_every_part(tmp_path: Path) -> None:
    """The form as a person meets it in the documentation."""
    manifest = load(
        tmp_path,
        """
vitesse: 1
name: shopify-credo
version: 1.2.0
python: "3.12"
models: full
intent: Sync all customers
review: {accept_above: 0.95}
plugins: [vitesse-shopify]
source:
  api: shopify
  base_url: "https://{shop}.example/admin"
  variables: {shop: {env: SHOP, default: demo}}
  auth: {kind: api_key, header: X-Token, key: {env: TOKEN}, prefix: "Token "}
  headers: {X-Version: "2024-01"}
  timezone: America/New_York
destination: {api: credo, base_url: https://api.credo.example/v1, auth: {scheme: api_key, key: {env: CREDO_API_KEY}}}
streams:
  customers:
    source: {list: GET /customers.json, get: "GET /customers/{id}.json", identity: id, version: updated_at, since: updated_at_min}
    destination:
      create: POST /contacts
      update: "PUT /contacts/{id}"
      update_is: replace
      find: {operation: GET /contacts, by: {email: query.email}}
      batch: {operation: POST /contacts/batch, max: 50}
      identity: id
    match: [{source: email, destination: email, compare: [trim, lower]}]
    adopt: lookup
    duplicates: first
    conflicts: {strategy: timestamp_based, version: changed_at, clock_skew: 5 seconds}
    schedule: every 30 minutes
    overlap: 5 minutes
    max_dead_share: 0.25
    parameters: {destination.realm-id: {env: QB_REALM_ID}}
    mapping_hints: {total_spent: lifetime_value, name: [first_name, last_name]}
webhooks:
  - {topics: [customers/create], deleted_topics: [customers/delete], scheme: shopify, secret: {env: HOOK}, stream: customers}
  - {topics: [other], scheme: {header: X-Sig, encoding: base64}, secret: {env: HOOK}, stream: customers, record: data.object}
deploy: {target: ecs, replicas: 2, memory_mb: 1024, cpu_cores: 1, auto_scale: true}
""",
    )
    stream = manifest.streams["customers"]
    assert manifest.review == ReviewPolicy(accept_above=0.95)
    assert stream.source.since == "updated_at_min"
    assert stream.mapping_hints["name"] == ("first_name", "last_name")
    assert stream.overlap_s == 300
    assert manifest.webhooks[1].record == "data.object"


@pytest.mark.parametrize(
    ("path", "value", "code", "pointer", "words"),
    [
        ("intnet", "x", "V003", "#/intnet", "`intent`"),
        ("streams/customers/source/verison", "x", "V003", "#/streams/customers/source/verison", "`version`"),
        ("source/auth/tokn", "x", "V003", "#/source/auth/tokn", "`token`"),
        ("source/auth/token/nev", "x", "V003", "#/source/auth/token/nev", "`env`"),
        ("streams/customers/mode", "upserts", "V005", "#/streams/customers/mode", "`upsert`"),
        ("streams/customers/max_dead_share", "0.1", "V005", "#/streams/customers/max_dead_share", "number"),
        ("streams/customers/source/list", "/customers", "V005", "#/streams/customers/source/list", "GET /customers"),
        ("streams/customers/source/identity", "a..b", "V005", "#/streams/customers/source/identity", "character 3"),
        ("streams/customers/schedule", "sometimes", "V005", "#/streams/customers/schedule", "every 30 minutes"),
        ("streams/customers/overlap", "a while", "V005", "#/streams/customers/overlap", "5 minutes"),
        ("streams", {}, "V005", "#/streams", "at least 1"),
        ("name", "Shop CRM", "V005", "#/name", "small letters"),
        ("source/base_url", 5, "V005", "#/source/base_url", "object"),
        ("source/auth/token/env", "lower", "V005", "#/source/auth/token/env", "capitals"),
        ("source/auth/password", "x", "V005", "#/source/auth", "one credential"),
        ("source/auth", {"token": "x"}, "V005", "#/source/auth", "`scheme`"),
        ("source/auth", {"kind": "api_key", "key": "x"}, "V005", "#/source/auth", "`header`"),
        ("review", {"accept_above": 0.2}, "V005", "#/review/accept_above", "0.5"),
        ("review", "never", "V005", "#/review", "`required`"),
        ("vitesse", 2, "V006", "#/vitesse", "`1`"),
        ("deploy", {"replicas": 2}, "V007", "#/deploy/replicas", "postgresql"),
        ("deploy", {"target": "eks", "database": "sqlite"}, "V007", "#/deploy/database", "postgresql"),
        ("streams/customers/mode", "append", "V008", "#/streams/customers/destination/update", "`update`"),
        ("streams/customers/adopt", "prefetch", "V008", "#/streams/customers/adopt", "`list`"),
        ("destination/api", "shop", "V008", "#/destination/api", "`spec`"),
        ("streams/customers/rollback", True, "V008", "#/streams/customers/rollback", "`get`"),
        ("streams/customers/mask", ["a..b"], "V005", "#/streams/customers/mask/0", "character 3"),
        ("retention", {"runs": "forever"}, "V005", "#/retention/runs", "5 minutes"),
        ("retention", {"links": "1 day"}, "V003", "#/retention/links", "links"),
    ],
)
def test_load_manifest_of_one_fault_names_its_place_and_a_way_out(
    tmp_path: Path, path: str, value: object, code: str, pointer: str, words: str
) -> None:
    """A person finds the line and knows what to write."""
    (found,) = faults(tmp_path, with_value(path, value))
    assert (found.code, found.places[0].pointer) == (code, pointer)
    assert words in " ".join([found.message, *found.notes, found.help or ""])


def test_load_manifest_without_a_needed_key_points_at_the_object(tmp_path: Path) -> None:
    """The place exists in the file."""
    form = deepcopy(BASE)
    del form["streams"]["customers"]["source"]["list"]
    (found,) = faults(tmp_path, form)
    assert (found.code, found.places[0].pointer) == ("V004", "#/streams/customers/source")
    assert found.help == "add `list`"


def test_load_manifest_of_several_faults_shows_all_of_them(tmp_path: Path) -> None:
    """One run of the compiler, one list to work through."""
    form = with_value("intnet", "x")
    form["streams"]["customers"]["mode"] = "both"
    form["deploy"] = {"replicas": 0}
    assert [found.code for found in faults(tmp_path, form)] == ["V005", "V003", "V005"]


def test_load_manifest_of_streams_that_contradict_themselves(tmp_path: Path) -> None:
    """Contradictions are found before any spec is read."""
    form = deepcopy(BASE)
    stream = form["streams"]["customers"]
    del stream["match"], stream["destination"]["update"]
    stream["adopt"] = "lookup"
    stream["destination"]["find"] = {"operation": "GET /contacts", "by": {"email": "query.email"}}
    form["webhooks"] = [{"topics": ["x"], "scheme": "standard", "secret": {"env": "S"}, "stream": "orders"}]
    assert {(found.code, found.places[0].pointer) for found in faults(tmp_path, form)} == {
        ("V008", "#/streams/customers/destination"),
        ("V008", "#/streams/customers/adopt"),
        ("V008", "#/streams/customers/destination/find/by/email"),
        ("V008", "#/webhooks/0/stream"),
    }


def test_load_manifest_when_a_topic_is_of_two_webhooks_names_it(tmp_path: Path) -> None:
    """V008: a topic has one URL, and one of the two would never hear of a delivery."""
    form = deepcopy(BASE)
    hook = {"scheme": "standard", "secret": {"env": "S"}, "stream": "customers"}
    form["webhooks"] = [{**hook, "topics": ["x", "y"]}, {**hook, "topics": ["z"], "deleted_topics": ["y"]}]
    [found] = faults(tmp_path, form)
    assert (found.code, found.places[0].pointer) == ("V008", "#/webhooks/1")
    assert "`y`" in found.message
    form["webhooks"][1]["deleted_topics"] = ["z"]
    load(tmp_path, form)


def test_load_manifest_when_a_handshake_does_not_say_where_its_word_stands(tmp_path: Path) -> None:
    """V008: a challenge is never answered to those who know no word."""
    form = deepcopy(BASE)
    hook = {"topics": ["x"], "secret": {"env": "S"}, "stream": "customers"}
    for scheme, wanted in (
        ({"handshake_challenge": "c"}, "`handshake_word: <query parameter>`"),
        ({"handshake_word": "w"}, "`handshake_challenge: <query parameter>`"),
        ({"handshake_mode": "m=s"}, "`handshake_challenge: <query parameter>`"),
    ):
        form["webhooks"] = [{**hook, "scheme": {"header": "X-Sign", **scheme}}]
        [found] = faults(tmp_path, form)
        assert (found.code, found.places[0].pointer) == ("V008", "#/webhooks/0/scheme")
        assert wanted in (found.help or "")
    whole = {"handshake_challenge": "c", "handshake_word": "w", "handshake_mode": "m=s"}
    form["webhooks"] = [{**hook, "scheme": {"header": "X-Sign", **whole}}]
    load(tmp_path, form)
    form["webhooks"][0]["scheme"]["handshake_mode"] = "subscribe"
    assert [found.code for found in faults(tmp_path, form)] == ["V005"]


def test_load_manifest_when_a_delivery_names_its_record_asks_for_an_operation_that_reads_one(tmp_path: Path) -> None:
    """V008: nothing of the record is in the delivery; the way out is `get`, or `record`."""
    form = deepcopy(BASE)
    hook = {"topics": ["x"], "scheme": "hubspot", "secret": {"env": "S"}, "stream": "customers", "events": ""}
    form["webhooks"] = [{**hook, "record_id": "objectId"}]
    [found] = faults(tmp_path, form)
    assert (found.code, found.places[0].pointer) == ("V008", "#/webhooks/0/record_id")
    assert "`get`" in (found.help or "")
    form["streams"]["customers"]["source"]["get"] = "GET /customers/{id}"
    load(tmp_path, form)
    form["webhooks"][0]["record"] = "object"
    [found] = faults(tmp_path, form)
    assert (found.code, found.places[0].pointer) == ("V008", "#/webhooks/0/record_id")
    assert "`record`" in (found.help or "")


def test_load_manifest_of_a_missing_file_says_so(tmp_path: Path) -> None:
    """No traceback for a wrong folder."""
    with pytest.raises(DiagnosticError) as caught:
        load_manifest(tmp_path)
    assert [found.code for found in caught.value.diagnostics] == ["V001"]


def test_load_manifest_of_text_that_is_not_yaml_names_the_line(tmp_path: Path) -> None:
    """The line is where reading stopped."""
    (found,) = faults(tmp_path, "vitesse: 1\nname: [a\nsource: }\n")
    assert found.code == "V002"
    assert found.places[0].pointer.startswith("#L")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("streams/customers/parameters", {"source.filter by": "x", 'destination.a"]\n': "y"}),
        ("streams/customers/source/list", "GET /a  b/{c d}\n"),
        ("streams/customers/destination/find", {"operation": "GET /contacts", "by": {"email": "query.e mail"}}),
    ],
)
def test_load_manifest_takes_any_wire_name(tmp_path: Path, path: str, value: object) -> None:
    """Vendors name parameters and paths as they like; a manifest can name what a description has."""
    load(tmp_path, with_value(path, value))


@pytest.mark.parametrize("conflicts", ["merge_fields", {"strategy": "source_priority", "fields": {"a": "skip"}}])
def test_load_manifest_of_a_merging_stream_is_rolled_back_where_it_can_be_read(
    tmp_path: Path, conflicts: object
) -> None:
    """What somebody else has changed since can only be told from what a run wrote by reading the record."""
    form = deepcopy(BASE)
    stream = form["streams"]["customers"]
    stream |= {"rollback": True, "conflicts": conflicts}
    found = faults(tmp_path, form)
    assert ("V008", "#/streams/customers/rollback") in {(one.code, one.places[0].pointer) for one in found}
    stream["destination"]["get"] = "GET /persons/{id}"
    assert load(tmp_path, form).streams["customers"].rollback
