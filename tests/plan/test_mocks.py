"""Plans and whole types become mock APIs that serve and check them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mocks.form import MockForm, read_mock
from mocks.store import Duplicate, Store
from vitesse.api.facts import ApiFacts, Fact, Paging
from vitesse.api.model import (
    Api,
    Array,
    Body,
    Field,
    Json,
    Object,
    Operation,
    Parameter,
    Place,
    Ref,
    Response,
    Scalar,
    Type,
    Union,
)
from vitesse.api.paths import Path, parse_path
from vitesse.plan.mock_builder import Side, StreamRecords
from vitesse.plan.mock_schemas import SchemaWriter, type_at
from vitesse.plan.mocks import plan_mocks
from vitesse.plan.model import (
    ApiPlan,
    AuthPlan,
    BatchPlan,
    DestinationPlan,
    FindPlan,
    FixedPlan,
    MatchPlan,
    OperationPlan,
    PagingPlan,
    RateLimitPlan,
    RegistrationPlan,
    SettingValue,
    SignaturePlan,
    SincePlan,
    SourcePlan,
    StreamPlan,
    WebhookPlan,
)

AT = Place(file="specs/x.json", pointer="#")


def scalar(kind: Any = "string", **members: Any) -> Scalar:
    return Scalar(kind=kind, place=AT, **members)


def obj(required: tuple[str, ...] = (), read_only: tuple[str, ...] = (), **types: Type) -> Object:
    return Object(
        fields=tuple(
            Field(name=name, type=type, required=name in required, read_only=name in read_only, place=AT)
            for name, type in types.items()
        ),
        place=AT,
    )


def ref(name: str, **members: Any) -> Ref:
    return Ref(name=name, place=AT, **members)


def operation(id: str, reply: Type | None = None, body: Type | None = None, **members: Any) -> Operation:
    method, path = id.split(" ")
    status = members.pop("status", "200")
    others = members.pop("others", ())
    return Operation(
        id=id,
        method=method,
        path=path,
        body=Body(media_type="application/json", type=body, place=AT) if body is not None else None,
        responses=(
            Response(status=status, type=reply, example=members.pop("example", None), place=AT),
            *(Response(status=other, place=AT) for other in others),
        ),
        place=AT,
        **members,
    )


def parameter(name: str, location: Any = "query", **members: Any) -> Parameter:
    return Parameter(name=name, location=location, type=members.pop("type", scalar()), place=AT, **members)


CUSTOMER = obj(
    ("id",),
    id=scalar("integer", format="int64"),
    email=scalar(format="email", nullable=True),
    size=scalar(),
    state=scalar(),
    seen=scalar(),
    address=ref("Address", nullable=True),
    created_at=scalar(format="date-time"),
    updated_at=scalar(format="date-time"),
)
ADDRESS = obj(city=scalar(), owner=ref("Customer"))
CONTACT = obj(
    ("id", "email", "owner_id"),
    ("id", "created_at", "updated_at"),
    id=scalar(),
    email=scalar(format="email"),
    status=scalar(enum=("lead", "active")),
    owner_id=scalar(),
    created_at=scalar(format="date-time"),
    updated_at=scalar(format="date-time"),
)

SHOP = Api(
    title="Shop",
    version="1",
    spec_file="specs/shop.json",
    spec_version="3.0",
    operations=(
        operation(
            "GET /customers.json",
            obj(("customers",), customers=Array(items=ref("Customer"), place=AT)),
            parameters=(parameter("limit", type=scalar("integer")), parameter("since"), parameter("unused")),
            example={"customers": [{"email": "bob@example.com"}, "no record"]},
        ),
        operation("GET /customers/{id}.json", obj(customer=ref("Customer")), parameters=(parameter("id", "path"),)),
    ),
    types={"Address": ADDRESS, "Customer": CUSTOMER},
)
CRM = Api(
    title="CRM",
    version="1",
    spec_file="specs/crm.json",
    spec_version="3.0",
    operations=(
        operation(
            "GET /realms/{realm}/contacts",
            obj(("data",), data=Array(items=ref("Contact"), place=AT)),
            parameters=(parameter("realm", "path", type=scalar("integer")), parameter("mail"), parameter("page")),
        ),
        operation(
            "POST /realms/{realm}/contacts",
            obj(contact=ref("Contact")),
            obj(("contact",), contact=ref("Contact")),
            status="201",
            others=("422",),
            parameters=(parameter("realm", "path"), parameter("Accept", "header"), parameter("X-Key", "header")),
        ),
        operation("PUT /realms/{realm}/contacts/{id}", obj(contact=ref("Contact")), obj(contact=ref("Contact"))),
        operation("DELETE /realms/{realm}/contacts/{id}", status="204", others=("400",)),
        operation("POST /contacts/batch", obj(results=Array(items=obj(), place=AT)), obj(), status="207"),
    ),
    types={"Contact": CONTACT},
)

SHOP_PLAN = ApiPlan(
    name="shop",
    title="Shop",
    module="shop",
    constant="SHOP",
    client="ShopClient",
    base_url=SettingValue(text="https://{shop}.example/admin/api"),
    variables=(("shop", SettingValue(env="SHOP_NAME")),),
    url_env="SHOP_BASE_URL",
    auth=AuthPlan(kind="api_key", values=(("value", SettingValue(env="SHOP_TOKEN", secret=True)),), name="X-Token"),
    rate_limit=RateLimitPlan(per_s=2, burst=40),
    operations=(
        OperationPlan(
            id="GET /customers.json",
            constant="LIST",
            method_name="list",
            method="GET",
            path="/customers.json",
            records=("customers",),
            paging=PagingPlan(style="link", limit="limit", max=250),
        ),
        OperationPlan(
            id="GET /customers/{id}.json",
            constant="GET",
            method_name="get",
            method="GET",
            path="/customers/{id}.json",
            record=("customer",),
        ),
    ),
)


def _crm_operation(constant: str, id: str, **members: Any) -> OperationPlan:
    method, path = id.split(" ")
    return OperationPlan(id=id, constant=constant, method_name=constant.lower(), method=method, path=path, **members)


CRM_PLAN = ApiPlan(
    name="crm",
    title="CRM",
    module="crm",
    constant="CRM",
    client="CrmClient",
    base_url=SettingValue(text="https://crm.example/v1/"),
    url_env="CRM_BASE_URL",
    auth=AuthPlan(
        kind="basic",
        values=(("username", SettingValue(text="me")), ("password", SettingValue(env="CRM_PASSWORD", secret=True))),
    ),
    operations=(
        _crm_operation(
            "FIND",
            "GET /realms/{realm}/contacts",
            records=("data",),
            paging=PagingPlan(style="page", page="page"),
        ),
        _crm_operation("CREATE", "POST /realms/{realm}/contacts", record=("contact",), body="json"),
        _crm_operation("UPDATE", "PUT /realms/{realm}/contacts/{id}", record=("contact",), body="json"),
        _crm_operation("DELETE", "DELETE /realms/{realm}/contacts/{id}"),
        _crm_operation("BATCH", "POST /contacts/batch", body="json", idempotency_header="Idempotency-Key"),
    ),
)

STREAM = StreamPlan(
    name="customers",
    constant="CUSTOMERS",
    mapper_module="customers",
    mapper_function="to_contact",
    source=SourcePlan(
        list="LIST",
        get="GET",
        model="Customer",
        model_module="shop_customer",
        identity="source_identity",
        version="source_version",
        since=SincePlan(parameter="since"),
        sorted_by_version=True,
    ),
    destination=DestinationPlan(
        model="Contact",
        model_module="crm_contact",
        create="CREATE",
        update="UPDATE",
        update_is="replace",
        list="FIND",
        delete="DELETE",
        find=FindPlan(operation="FIND", parameters=(("email", "mail"),)),
        batch=BatchPlan(operation="BATCH", items=("contacts",), results=("results",), status=("status",)),
        envelope=("contact",),
        parameters=(FixedPlan(name="realm", value=SettingValue(env="CRM_REALM")),),
    ),
    match=(MatchPlan(source="match_email", destination=("email",), compare=("lower",)),),
    mapping_digest="sha256:0",
)


@dataclass(frozen=True)
class Rule:
    """As `rules.model.Rule`, as far as mocks read it."""

    to: str
    sources_text: tuple[str, ...]
    transform: str = "mapping"
    options: Mapping[str, Json] = field(default_factory=dict)

    @property
    def destination(self) -> Path:
        return parse_path(self.to)

    @property
    def sources(self) -> tuple[Path, ...]:
        return tuple(parse_path(text) for text in self.sources_text)


RULES = (
    Rule("contact.email", ("email",)),
    Rule("contact.lifetime", ("size",), "parse", {"to": "decimal"}),
    Rule("contact.status", ("state",)),
    Rule("contact.day", ("seen",), "date", {"form": "%d/%m/%Y", "to": "date"}),
    Rule("contact.city", ("address.city",)),
)
RECORDS = StreamRecords(
    identity=("id",),
    version=("updated_at",),
    match=(("email",),),
    rules=RULES,
    waived=(("contact", "owner_id"),),
)


def planned(**records: Any) -> tuple[MockForm, MockForm]:
    plan = plan_mocks(
        source=Side(plan=SHOP_PLAN, api=SHOP),
        destination=Side(
            plan=CRM_PLAN,
            api=CRM,
            facts=ApiFacts(
                api="crm",
                operations={
                    "GET /realms/{realm}/contacts": {
                        "paging": Fact(kind="paging", value=Paging(style="page", page="page", total="meta.total"))
                    }
                },
            ),
        ),
        streams=(STREAM,),
        records={"customers": RECORDS},
        webhooks=(
            WebhookPlan(
                topics=("customers/update",),
                scheme=SignaturePlan(header="X-Hmac", secret_encoding="whsec_base64"),
                secret=SettingValue(env="HOOK_SECRET", secret=True),
                stream="customers",
            ),
        ),
    )
    assert json.loads(json.dumps(plan.source)) == plan.source
    return read_mock(plan.source), read_mock(plan.destination)


def test_plan_mocks_is_read_by_the_mocks_and_says_what_the_plan_says() -> None:
    source, destination = planned()
    listing = source.operation("GET /customers.json")

    assert (source.base_path, destination.base_path) == ("/admin/api", "/v1")
    assert (listing.paging.style, listing.paging.max, listing.order) == ("link", 250, "version")
    assert listing.since is not None
    assert [parameter.name for parameter in listing.parameters] == ["limit", "since", "unused"]
    assert source.operation("GET /customers/{id}.json").identity_parameter == "id"
    assert source.collections["customers"].identity == ("id",)
    assert source.collections["customers"].version == ("updated_at",)
    assert source.collections["customers"].created == (("created_at",),)
    assert destination.operation("GET /realms/{realm}/contacts").paging.total == ("meta", "total")


def test_source_records_are_whole_and_fit_the_rules() -> None:
    """Unpruned types, yet each field as its rule and the destination expect it."""
    source, _ = planned()
    store = Store(source, count=20)
    records = [stored.record for stored in store.collections["customers"]]

    assert set(records[1]) == {known.name for known in CUSTOMER.fields}
    assert all(float(record["size"]) >= 0 for record in records)
    assert {record["state"] for record in records} == {"lead", "active"}
    assert all(record["seen"][2] == record["seen"][5] == "/" for record in records)
    assert records[0]["email"] == "bob@example.com"


def test_destination_declares_body_envelope_waivers_and_statuses() -> None:
    _, destination = planned()
    create = destination.operation("POST /realms/{realm}/contacts")
    update = destination.operation("PUT /realms/{realm}/contacts/{id}")
    assert create.body is not None

    assert (create.body.record, create.body.waived) == (("contact",), (("contact", "owner_id"),))
    assert (create.reply.status, create.reply.invalid, create.reply.record) == (201, 422, ("contact",))
    assert (update.does, update.replaces, update.identity_parameter) == ("update", True, "id")
    assert destination.operation("DELETE /realms/{realm}/contacts/{id}").reply.invalid == 400
    assert [parameter.name for parameter in create.parameters] == ["realm", "X-Key"]
    assert destination.collections["contacts"].version == ("updated_at",)
    assert not destination.collections["contacts"].seeded


def test_operation_with_two_roles_is_one_operation() -> None:
    """The list of the destination is also how one contact is found."""
    _, destination = planned()
    found = [each for each in destination.operations if each.id == "GET /realms/{realm}/contacts"]

    assert len(found) == 1
    assert [(one.parameter, one.path, one.compare) for one in found[0].filters] == [("mail", ("email",), ("lower",))]


def test_batch_items_are_checked_below_the_envelope() -> None:
    _, destination = planned()
    batch = destination.operation("POST /contacts/batch")
    assert batch.batch is not None
    assert batch.body is not None

    assert (batch.does, batch.batch.items, batch.batch.results) == ("batch", ("contacts",), ("results",))
    assert batch.body.waived == (("owner_id",),)
    assert batch.idempotency_header == "Idempotency-Key"


def test_environment_has_a_value_for_every_variable_of_its_type() -> None:
    source, destination = planned()

    assert source.environment == {
        "HOOK_SECRET": "whsec_bW9jay1ob29rLXNlY3JldA==",
        "SHOP_NAME": "mock-shop-name",
        "SHOP_TOKEN": "mock-shop-token",
    }
    assert destination.environment == {"CRM_PASSWORD": "mock-crm-password", "CRM_REALM": "1001"}
    assert source.auth is not None
    assert source.auth.value == "mock-shop-token"
    assert destination.auth is not None
    assert (destination.auth.username, destination.auth.password) == ("me", "mock-crm-password")


def test_streams_name_their_operations_and_rules() -> None:
    source, destination = planned()

    assert source.stream("customers").operations == ("GET /customers.json", "GET /customers/{id}.json")
    assert source.stream("customers").rules[4].sources == (("address", "city"),)
    assert destination.stream("customers").operations == (
        "POST /realms/{realm}/contacts",
        "PUT /realms/{realm}/contacts/{id}",
        "GET /realms/{realm}/contacts",
        "DELETE /realms/{realm}/contacts/{id}",
        "POST /contacts/batch",
    )
    assert source.webhooks[0].collection == "customers"


@pytest.mark.parametrize("is_listed", [True, False])
def test_webhooks_that_are_registered_have_a_collection_of_their_own(is_listed: bool) -> None:
    """None is there at first, and one of the same topic and URL is refused."""
    hook = obj(("topic", "url"), ("hook_id",), hook_id=scalar("integer"), topic=scalar(), url=scalar())
    wrapped = obj(("hook",), hook=hook)
    make = operation("POST /hooks", wrapped, wrapped, status="201")
    listed = operation("GET /hooks", Array(items=hook, place=AT))
    plans = (
        OperationPlan(id="POST /hooks", constant="MAKE", method_name="make", method="POST", path="/hooks", body="json"),
        OperationPlan(id="GET /hooks", constant="HOOKS", method_name="hooks", method="GET", path="/hooks"),
    )
    register = RegistrationPlan(
        operation="MAKE",
        list="HOOKS" if is_listed else None,
        body=((("hook", "topic"), "{topic}"), (("hook", "url"), "{url}")),
        topic=("topic",),
        url=("url",),
    )
    webhook = WebhookPlan(
        topics=("customers/update",),
        scheme=SignaturePlan(header="X-Hmac"),
        secret=SettingValue(env="HOOK_SECRET", secret=True),
        stream="customers",
        register=register,
    )
    plan = plan_mocks(
        source=Side(
            plan=replace(SHOP_PLAN, operations=(*SHOP_PLAN.operations, *plans)),
            api=replace(SHOP, operations=(*SHOP.operations, make, listed)),
        ),
        destination=Side(plan=CRM_PLAN, api=CRM),
        streams=(STREAM,),
        records={"customers": RECORDS},
        webhooks=(webhook,),
    )
    form = read_mock(plan.source)
    hooks = form.collections["hooks"]

    assert not hooks.seeded
    assert [part.path for part in hooks.unique[0]] == [("topic",), ("url",)]
    body = form.operation("POST /hooks").body
    assert body is not None
    assert body.record == ("hook",)
    assert ("GET /hooks" in {operation.id for operation in form.operations}) is is_listed
    store = Store(form)
    assert len(store.collections["hooks"]) == 0
    sent = {"topic": "customers/update", "url": "https://a.example"}
    store.collections["hooks"].create(sent)
    with pytest.raises(Duplicate):
        store.collections["hooks"].create(sent)


def test_two_streams_over_one_operation_share_a_collection() -> None:
    plan = plan_mocks(
        source=Side(plan=SHOP_PLAN, api=SHOP),
        destination=Side(plan=CRM_PLAN, api=CRM),
        streams=(STREAM, StreamPlan(**{**_members(STREAM), "name": "vips"})),
        records={"customers": RECORDS, "vips": RECORDS},
    )
    form = read_mock(plan.source)

    assert list(form.collections) == ["customers"]
    assert {stream.name: stream.collection for stream in form.streams} == {
        "customers": "customers",
        "vips": "customers",
    }


def _members(plan: StreamPlan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in plan.__dataclass_fields__}


# --- schemas ----------------------------------------------------------------------------------------------------------


def test_schema_is_closed_under_its_references() -> None:
    writer = SchemaWriter(SHOP)
    assert writer.schema(ref("Customer")) == {"$ref": "#/$defs/Customer"}

    definitions = writer.close()
    assert set(definitions) == {"Customer", "Address"}
    assert definitions["Customer"]["properties"]["address"] == {
        "anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}]
    }
    assert definitions["Customer"]["required"] == ["id"]
    assert definitions["Customer"]["properties"]["email"] == {"type": ["string", "null"], "format": "email"}


def test_schema_over_the_cap_stays_open_instead_of_growing() -> None:
    """Nearest first: what is written is whole, what is not admits everything."""
    types: dict[str, Type] = {
        f"T{number}": obj(next=ref(f"T{number + 1}"), **{f"f{i}": scalar() for i in range(9)}) for number in range(50)
    }
    types["T50"] = scalar()
    writer = SchemaWriter(Api(title="", version="", spec_file="", spec_version="3.0", types=types), max_nodes=100)
    writer.schema(ref("T0"))
    definitions = writer.close()

    assert len(definitions["T0"]["properties"]) == 10
    assert definitions["T9"] != {}
    last = max(definitions, key=lambda name: int(name[1:]))
    assert definitions[last] == {}
    assert len(definitions) < 20


def test_definition_that_a_rule_reaches_is_written_over_the_cap() -> None:
    types: dict[str, Type] = {f"T{number}": obj(next=ref(f"T{number + 1}"), text=scalar()) for number in range(50)}
    types["T50"] = scalar("integer")
    writer = SchemaWriter(Api(title="", version="", spec_file="", spec_version="3.0", types=types), max_nodes=5)
    writer.follow(ref("T0"), ("next",) * 9)
    writer.schema(ref("T0"))
    definitions = writer.close()

    assert definitions["T9"] != {}
    assert definitions["T10"] == {}


@pytest.mark.parametrize(
    ("type", "schema"),
    [
        (scalar(enum=("a",), nullable=True), {"type": ["string", "null"], "enum": ["a", None]}),
        (scalar(max_length=3), {"type": "string", "maxLength": 3}),
        (
            Union(members=(scalar(), scalar("integer")), nullable=True, place=AT),
            {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        ),
        (Object(fields=(), extra=scalar(), place=AT), {"type": "object", "additionalProperties": {"type": "string"}}),
    ],
)
def test_schema_of_a_type(type: Type, schema: dict[str, Any]) -> None:
    assert SchemaWriter(SHOP).schema(type) == schema


def test_type_at_looks_through_unions_lists_and_maps() -> None:
    either = Union(members=(scalar(), obj(city=Array(items=obj(zip=scalar("integer")), place=AT))), place=AT)
    found = type_at(SHOP, obj(address=either), parse_path("address.city[].zip"))

    assert isinstance(found, Scalar)
    assert found.kind == "integer"
    assert type_at(SHOP, Object(fields=(), extra=scalar(), place=AT), ("any",)) == scalar()
    assert type_at(SHOP, scalar(), ("any",)) is None
