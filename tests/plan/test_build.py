"""`vitesse.plan`: what a small integration becomes, and what cannot be planned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.plan.integrations import CUSTOMERS, inputs_for, manifest_for, rules_text
from tests.plan.test_full import spelled
from vitesse.api.facts import ApiFacts
from vitesse.diagnostics import DiagnosticError
from vitesse.manifest import Env, System
from vitesse.openapi import build_api, read_document
from vitesse.plan.build import build_plan
from vitesse.plan.model import Call, Read, SettingValue
from vitesse.plan.systems import address_of, planned_headers
from vitesse.plan.tables import stream_table


def codes(caught):
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


def test_build_plan_of_a_stream_names_operations_models_and_mapper_by_their_resource():
    """A reader of the package finds things where the vendor's words say."""
    plan = build_plan(inputs_for())
    assert [operation.constant for operation in plan.source.operations] == ["LIST_CUSTOMERS", "GET_CUSTOMER"]
    assert [operation.constant for operation in plan.destination.operations] == [
        "CREATE_PERSON",
        "UPDATE_PERSON",
        "GET_PERSON",
        "LIST_PERSONS",
    ]
    assert [module.module for module in plan.models] == ["crm_person", "crm_person_record", "shop_customer"]
    assert plan.mappers[0].function == "to_person"


def test_build_plan_reads_only_the_fields_that_rules_identity_version_and_match_use():
    """A field that nobody maps can change at the vendor without breaking a sync."""
    plan = build_plan(inputs_for())
    customer = next(module for module in plan.models if module.module == "shop_customer").models[-1]
    assert [field.wire_name for field in customer.fields] == ["id", "email", "address", "updated_at"]


def test_build_plan_with_full_models_types_every_field_and_maps_as_before():
    """`models: full`: what nobody maps is there, typed, may be missing, and changes no line of a mapper."""
    narrow, full = build_plan(inputs_for()), build_plan(inputs_for(manifest=manifest_for(models="full")))
    assert full.mappers == narrow.mappers
    assert [module.module for module in full.models] == [module.module for module in narrow.models]
    customers = next(module for module in full.models if module.module == "shop_customer").models
    assert {field.wire_name: spelled(field.type) for field in customers[-1].fields} == {
        "id": "int",
        "email": "str",
        "nickname": "str | MISSING",
        "address": "CustomerAddress | MISSING",
        "lines": "list[CustomerLine] | MISSING",
        "numbers": "list[CustomerNumber] | None | MISSING",
        "updated_at": "str | MISSING",
    }
    assert {model.name: [field.name for field in model.fields] for model in customers[:-1]} == {
        "CustomerAddress": ["city"],
        "CustomerLine": ["text"],
        "CustomerNumber": ["text"],
    }


def test_build_plan_with_full_models_counts_on_no_field_that_nobody_maps():
    """`lines[].text` is required by the description; a reply without it is still a record."""
    full = build_plan(inputs_for(manifest=manifest_for(models="full")))
    customers = next(module for module in full.models if module.module == "shop_customer").models
    line = next(model for model in customers if model.name == "CustomerLine")
    assert [spelled(field.type) for field in line.fields] == ["str | MISSING"]


def test_build_plan_with_full_models_offers_every_field_of_a_body_but_those_it_cannot_write():
    """A body has what the create takes; the server's own fields stay out."""
    full = build_plan(inputs_for(manifest=manifest_for(models="full")))
    narrow = build_plan(inputs_for())
    names = {
        plan: {field.wire_name for field in next(m for m in made.models if m.module == "crm_person").models[-1].fields}
        for plan, made in (("full", full), ("narrow", narrow))
    }
    assert names["narrow"] < names["full"]
    body = next(module for module in full.models if module.module == "crm_person").models[-1]
    filled = {line.name for line in full.mappers[0].body.fields}
    assert all(field.type.may_miss for field in body.fields if field.name not in filled)


def test_build_plan_of_a_path_through_an_absent_object_reads_it_within():
    """`address.city` of a customer without an address is missing, not an error."""
    plan = build_plan(inputs_for())
    city = next(field for field in plan.mappers[0].body.fields if field.name == "town")
    assert isinstance(city.value, Call)
    assert city.value.function == "within"
    assert city.value.arguments[0] == Read(variable="src", names=("address",))


def test_build_plan_twice_gives_the_same_plan():
    """Deciding is a function."""
    assert build_plan(inputs_for()) == build_plan(inputs_for())


def test_build_plan_when_a_path_parameter_has_no_value_says_how_to_give_it_one():
    """V501: a request with a hole in its path cannot be sent."""
    manifest = manifest_for(create="POST /teams/{team}/persons")
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest))
    assert codes(caught) == ["V501"]
    assert "destination.team" in (caught.value.diagnostics[0].help or "")


def test_build_plan_with_a_fixed_parameter_sends_it_with_every_request():
    """The manifest's `parameters` fill what no record fills."""
    manifest = manifest_for(create="POST /teams/{team}/persons", parameters={"destination.team": {"env": "CRM_TEAM"}})
    plan = build_plan(inputs_for(manifest=manifest))
    assert [(fixed.name, fixed.value.env) for fixed in plan.streams[0].destination.parameters] == [("team", "CRM_TEAM")]
    assert "CRM_TEAM" in [setting.env for setting in plan.settings]


def test_build_plan_when_a_required_header_is_the_credential_or_the_systems_own_asks_for_no_value():
    """Vendors list their sign-in headers among the parameters; they are sent with every request anyway."""
    manifest = manifest_for(create="POST /signed/persons", headers={"x-version": "2"})
    [create, *_] = build_plan(inputs_for(manifest=manifest)).destination.operations
    assert create.parameters == ()
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest_for(create="POST /signed/persons")))
    assert [found.message.split("`")[3] for found in caught.value.diagnostics] == ["X-Version"]


def test_build_plan_fits_the_body_to_an_update_that_takes_less_and_repeats_the_identity():
    """`town` has no place in the update; the body's `id` is the one of the path."""
    plan = build_plan(inputs_for(manifest=manifest_for(update="PATCH /persons/{id}/details")))
    [update] = [known for known in plan.destination.operations if known.method == "PATCH"]
    assert update.not_taken == (("town",),)
    assert update.repeats == ((("id",), "id", "string"),)


def test_build_plan_tells_the_reviewer_which_fields_only_creations_write():
    """A change of them never reaches the destination: it says so beside the rule."""
    inputs = inputs_for(manifest=manifest_for(update="PATCH /persons/{id}/details"))
    table = stream_table(inputs.rules[CUSTOMERS])
    plan = build_plan(replace(inputs, tables=(table,)))
    notes = {row.destination: row.notes for row in plan.tables[0].rows}
    assert notes.pop("town") == ("written when the record is created; PATCH /persons/{id}/details does not take it",)
    assert set(notes.values()) == {()}


def test_build_plan_when_nothing_fills_what_an_update_requires_refuses_it():
    """V508: every update would fail at the vendor's."""
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest_for(update="PATCH /persons/{id}/card")))
    assert codes(caught) == ["V508"]


def test_build_plan_when_the_items_of_an_updated_list_require_more_takes_a_waiver_for_it():
    """The create knows no `key`; the mapping may still say why the update does without."""
    manifest = manifest_for(update="PATCH /persons/{id}/phones")
    rule = '  "phones[].number": {from: "numbers[].text", transform: mapping}\n'
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest, rules=rules_text(rule)))
    assert codes(caught) == ["V508"]
    waived = rules_text(rule + 'waive: {"phones[].key": the CRM gives it}\n')
    plan = build_plan(inputs_for(manifest=manifest, rules=waived))
    [update] = [known for known in plan.destination.operations if known.method == "PATCH"]
    assert update.not_taken == (("email",), ("town",))


def test_build_plan_of_an_operation_that_answers_without_a_body_reads_none():
    """A description may draw a schema under 204; there is nothing to read all the same."""
    manifest = manifest_for(update="PATCH /persons/{id}/phones")
    [update] = [
        known for known in build_plan(inputs_for(manifest=manifest)).destination.operations if known.method == "PATCH"
    ]
    assert (update.result, update.result_type) == ("nothing", None)


def test_build_plan_of_a_list_that_may_be_null_says_nothing_where_the_destination_takes_no_null():
    """Rules have policies, lists have none: a null never reaches a place that refuses it."""
    rules = rules_text('  "phones[].number": {from: "numbers[].text", transform: mapping}\n')
    [mapper] = build_plan(inputs_for(rules=rules)).mappers
    [phones] = [line.value for line in mapper.body.fields if line.name == "phones"]
    assert phones.function == "null_as_missing"
    assert phones.arguments[0].function == "each"


def test_build_plan_when_the_manifest_names_an_operation_that_is_not_there_suggests_the_nearest():
    """V502: a slip in a path is told with the right one beside it."""
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest_for(update="PUT /person/{id}")))
    assert codes(caught) == ["V502"]
    assert "PUT /persons/{id}" in (caught.value.diagnostics[0].help or "")


def test_build_plan_when_one_operation_is_to_be_a_list_and_one_record_says_so():
    """V511: a reply is read in one way; the other use would fail in every run."""
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest_for(update="GET /persons")))
    assert codes(caught) == ["V511"]


def test_build_plan_when_no_plugin_knows_the_signature_scheme_lists_the_known_ones():
    """V503: a webhook without a scheme is not accepted on trust."""
    webhooks = [{"topics": ["customers/update"], "scheme": "acme", "secret": {"env": "SECRET"}, "stream": CUSTOMERS}]
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest_for(webhooks=webhooks)))
    assert codes(caught) == ["V503"]


def test_build_plan_when_a_delivery_has_its_records_name_refuses_it():
    """V520: each later change of a record would count as a repetition of the first delivery."""
    scheme = {"header": "X-Sign", "id_path": "id"}
    webhook = {"topics": ["customers/update"], "scheme": scheme, "secret": {"env": "SECRET"}, "stream": CUSTOMERS}
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest_for(webhooks=[webhook])))
    assert codes(caught) == ["V520"]
    assert "`id`" in caught.value.diagnostics[0].message
    inner = {**webhook, "record": "data.object"}
    assert build_plan(inputs_for(manifest=manifest_for(webhooks=[inner]))).webhooks[0].record == ("data", "object")


@pytest.mark.parametrize(
    ("text", "lists"),
    [
        ("", ((),)),
        ("[]", ((),)),
        ("events", (("events",),)),
        ("data.events[]", (("data", "events"),)),
        ("entry[].changes", (("entry",), ("changes",))),
        ('entry[]."a.b"[].c[]', (("entry",), ("a.b",), ("c",))),
        ("[][]", ((), ())),
    ],
)
def test_build_plan_takes_the_lists_around_events_one_by_one(text: str, lists: Any):
    scheme = {"header": "X-Sign"}
    webhook = {"topics": ["a"], "scheme": scheme, "secret": {"env": "SECRET"}, "stream": CUSTOMERS, "events": text}
    [plan] = build_plan(inputs_for(manifest=manifest_for(webhooks=[{**webhook, "record_id": "objectId"}]))).webhooks
    assert (plan.events, plan.record_id) == (lists, ("objectId",))


def test_build_plan_when_a_delivery_has_the_name_it_gives_its_record_refuses_it():
    """V520, where the record is only named; the record's own name may stand anywhere else."""
    scheme = {"header": "X-Sign", "id_path": "objectId"}
    webhook = {"topics": ["a"], "scheme": scheme, "secret": {"env": "SECRET"}, "stream": CUSTOMERS, "events": ""}
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest_for(webhooks=[{**webhook, "record_id": "objectId"}])))
    assert codes(caught) == ["V520"]
    build_plan(inputs_for(manifest=manifest_for(webhooks=[{**webhook, "record_id": "id"}])))


def test_build_plan_when_a_scheme_has_no_handshake_refuses_its_word():
    """V521: a GET would never be answered, and the sender would never deliver."""
    webhook = {"topics": ["a"], "secret": {"env": "SECRET"}, "stream": CUSTOMERS, "handshake_secret": {"env": "WORD"}}
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest_for(webhooks=[{**webhook, "scheme": {"header": "X-Sign"}}])))
    assert codes(caught) == ["V521"]
    assert caught.value.diagnostics[0].places[0].pointer == "#/webhooks/0/handshake_secret"
    scheme = {"header": "X-Sign", "handshake_challenge": "c", "handshake_word": "w", "handshake_mode": "m=yes"}
    plan = build_plan(inputs_for(manifest=manifest_for(webhooks=[{**webhook, "scheme": scheme}])))
    assert plan.webhooks[0].handshake_secret == SettingValue(env="WORD", secret=True)
    assert SettingValue(env="WORD", secret=True) in plan.settings
    assert plan.mocks.source["environment"]["WORD"]


def test_build_plan_when_the_spec_has_no_such_security_scheme_names_those_it_has():
    """V504: nothing is sent without the credential that was asked for."""
    manifest = manifest_for(auth={"scheme": "token", "token": {"env": "CRM_TOKEN"}})
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest))
    assert codes(caught) == ["V504"]
    assert "`key`" in caught.value.diagnostics[0].notes[0]


def test_build_plan_when_nobody_says_where_an_api_is_asks_for_its_base_url():
    """V505: an address is never made up."""
    inputs = inputs_for()
    with pytest.raises(DiagnosticError) as caught:
        build_plan(replace(inputs, destination=replace(inputs.destination, servers=())))
    assert codes(caught) == ["V505"]


def test_build_plan_when_nothing_names_the_records_asks_for_an_identity():
    """V506: a record that has no name cannot be found again."""
    with pytest.raises(DiagnosticError) as caught:
        build_plan(inputs_for(manifest=manifest_for(identity=None)))
    assert codes(caught) == ["V506"]


def test_build_plan_when_no_fact_describes_the_batch_operation_refuses_it():
    """V507: how each item fared must be readable from the reply."""
    manifest = manifest_for(batch="POST /persons/batch")
    inputs = inputs_for(manifest=manifest)
    with pytest.raises(DiagnosticError) as caught:
        build_plan(replace(inputs, destination_facts=ApiFacts(api="crm")))
    assert codes(caught) == ["V507"]


def test_build_plan_of_rules_on_items_makes_one_loop():
    """`phones[].number` from `lines[].text` is one list of objects, filled item by item."""
    plan = build_plan(
        inputs_for(rules=rules_text(extra='  phones[].number: {from: "lines[].text", transform: mapping}\n'))
    )
    phones = next(field for field in plan.mappers[0].body.fields if field.name == "phones")
    assert isinstance(phones.value, Call)
    assert phones.value.function == "each"


def test_operations_at_servers_of_their_own_need_one_that_serves_them_all(tmp_path):
    """V510: a request goes to one address, and it is the one the operations have in common."""
    path = tmp_path / "files.yaml"
    path.write_text(
        """
openapi: 3.0.3
info: {title: Files, version: "1"}
servers: [{url: "{scheme}://api.example", variables: {scheme: {default: https}}}]
paths:
  /things: {get: {responses: {"204": {description: done}}}}
  /files:
    servers: [{url: "https://files.example/v2/"}]
    get: {responses: {"204": {description: done}}}
    post: {responses: {"204": {description: done}}}
"""
    )
    api = build_api(read_document(path)).api
    things, *files = api.operations
    system = System(api="files")
    assert address_of(system, api, "source", [things])[0] == SettingValue(text="https://api.example")
    assert address_of(system, api, "source", files)[0] == SettingValue(text="https://files.example/v2")
    with pytest.raises(DiagnosticError) as caught:
        address_of(system, api, "source", api.operations)
    assert codes(caught) == ["V510"]
    given = System(api="files", base_url="https://all.example")
    assert address_of(given, api, "source", api.operations)[0] == SettingValue(text="https://all.example")


def test_header_that_the_spec_calls_a_key_is_a_secret(tmp_path):
    """A second key beside the one that signs in is redacted as that is; a version is shown."""
    path = tmp_path / "keys.yaml"
    path.write_text(
        """
openapi: 3.0.3
info: {title: Keys, version: "1"}
components: {securitySchemes: {app: {type: apiKey, in: header, name: X-App-Id}}}
paths: {}
"""
    )
    system = System(api="keys", headers={"x-app-id": Env(env="APP_ID"), "Version": Env(env="API_VERSION")})
    assert planned_headers(system, build_api(read_document(path)).api) == (
        ("x-app-id", SettingValue(env="APP_ID", secret=True)),
        ("Version", SettingValue(env="API_VERSION")),
    )
