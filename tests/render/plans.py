"""Plans made by hand: the shape of the first example, and what a hostile vendor would make of it."""

from __future__ import annotations

from vitesse.plan.model import (
    ApiPlan,
    AuthPlan,
    BatchPlan,
    Call,
    Constant,
    Construct,
    CopiedFile,
    DestinationPlan,
    FilledField,
    FindPlan,
    FunctionName,
    Import,
    MapperModule,
    MatchPlan,
    MockPlan,
    Model,
    ModelField,
    ModelModule,
    OperationPlan,
    PackageNames,
    PagingPlan,
    ParameterPlan,
    Pick,
    Plan,
    PyType,
    RateLimitPlan,
    Read,
    Reader,
    RuleRow,
    SettingValue,
    SignaturePlan,
    SincePlan,
    SourcePlan,
    StreamPlan,
    StreamTable,
    WebhookPlan,
)

_ID = ParameterPlan(
    argument="id", name="id", location="path", style="simple", explode=False, required=True, type=PyType(scalar="str")
)


def _query(name: str, scalar: str = "str", *, argument: str | None = None) -> ParameterPlan:
    type = PyType(scalar=scalar, may_miss=True)  # type: ignore[arg-type]
    return ParameterPlan(argument=argument or name, name=name, location="query", type=type)


def _text(*, nullable: bool = True, may_miss: bool = True) -> PyType:
    return PyType(scalar="str", nullable=nullable, may_miss=may_miss)


def customer_module(text: str = "") -> ModelModule:
    """Models as they are read. `text` is appended to what comes from outside."""
    return ModelModule(
        module="shopify_customer",
        doc=f"Customer (Shopify{text}), as it is read.",
        reads=True,
        models=(
            Model(
                name="Address",
                doc="Address (Shopify).",
                fields=(
                    ModelField(name="city", wire_name=f"city{text}", type=_text()),
                    ModelField(name="zip", wire_name="zip", type=_text(nullable=False)),
                ),
            ),
            Model(
                name="Customer",
                doc=f"Customer (Shopify{text}).",
                fields=(
                    ModelField(name="id", wire_name="id", type=PyType(scalar="int")),
                    ModelField(name="email", wire_name="email", type=_text()),
                    ModelField(name="phone", wire_name="phone", type=_text()),
                    ModelField(name="created_at", wire_name=f"createdAt{text}", type=_text(nullable=False)),
                    ModelField(name="updated_at", wire_name="updated_at", type=_text(nullable=False)),
                    ModelField(name="total_spent", wire_name="total_spent", type=_text(nullable=False)),
                    ModelField(name="tags", wire_name="tags", type=_text(nullable=False)),
                    ModelField(
                        name="default_address",
                        wire_name="default_address",
                        type=PyType(model="Address", nullable=True, may_miss=True),
                    ),
                    ModelField(
                        name="addresses",
                        wire_name="addresses",
                        type=PyType(items=PyType(model="Address"), may_miss=True),
                    ),
                    ModelField(
                        name="class_",
                        wire_name="class",
                        type=PyType(values=PyType(scalar="Any", nullable=True), nullable=True, may_miss=True),
                    ),
                ),
            ),
        ),
    )


def contact_module(text: str = "") -> ModelModule:
    """The body that is written."""
    return ModelModule(
        module="credo_contact",
        doc=f"Contact (Credo CRM{text}), as it is written.",
        reads=False,
        models=(
            Model(
                name="ContactAddress",
                doc="Contact address (Credo CRM).",
                fields=(ModelField(name="city", wire_name=f"City{text}", type=_text()),),
            ),
            Model(
                name="Contact",
                doc=f"Contact (Credo CRM{text}).",
                fields=(
                    ModelField(name="email", wire_name="email", type=_text(may_miss=False)),
                    ModelField(name="phone_number", wire_name=f"phoneNumber{text}", type=_text()),
                    ModelField(
                        name="created_date",
                        wire_name="created_date",
                        type=PyType(scalar="date", nullable=True, may_miss=True),
                    ),
                    ModelField(
                        name="lifetime_value",
                        wire_name="lifetime_value",
                        type=PyType(scalar="Decimal", nullable=True, may_miss=True),
                    ),
                    ModelField(
                        name="segments",
                        wire_name="segments",
                        type=PyType(items=PyType(scalar="str"), may_miss=True, nullable=True),
                    ),
                    ModelField(name="address", wire_name="address", type=PyType(model="ContactAddress", may_miss=True)),
                    ModelField(name="source", wire_name="source", type=PyType(scalar="Any", may_miss=True)),
                ),
            ),
        ),
    )


def source_api(text: str = "") -> ApiPlan:
    return ApiPlan(
        name=f"shopify{text}",
        title=f"Shopify Admin API{text}",
        module="shopify",
        constant="SHOPIFY",
        client="ShopifyClient",
        base_url=SettingValue(text="https://{shop}.myshopify.com/admin/api/2024-01" + text),
        variables=(
            (f"shop{text}", SettingValue(env="SHOPIFY_SHOP")),
            (f"version{text}", SettingValue(env="SHOPIFY_API_VERSION", text=f"2024-01{text}")),
        ),
        url_env="SHOPIFY_BASE_URL",
        auth=AuthPlan(
            kind="api_key",
            values=(("value", SettingValue(env="SHOPIFY_ACCESS_TOKEN", secret=True)),),
            name=f"X-Shopify-Access-Token{text}",
            location="header",
            prefix=f"Token {text}",
        ),
        rate_limit=RateLimitPlan(per_s=2.0, burst=40, used_header=f"X-Shopify-Shop-Api-Call-Limit{text}"),
        headers=((f"Accept{text}", SettingValue(text=f"application/json{text}")),),
        operations=(
            OperationPlan(
                id=f"GET /customers.json{text}",
                constant="LIST_CUSTOMERS",
                method_name="list_customers",
                method="GET",
                path=f"/customers.json{text}",
                parameters=(_query("limit", "int"), _query(f"updated_at_min{text}", argument="updated_at_min")),
                result="records",
                result_type=PyType(model="Customer", module="shopify_customer"),
                records=(f"customers{text}",),
                paging=PagingPlan(style="link", limit=f"limit{text}", max=250),
            ),
            OperationPlan(
                id=f"GET /customers/{{id}}.json{text}",
                constant="GET_CUSTOMER",
                method_name="get_customer",
                method="GET",
                path=f"/customers/{{id}}.json{text}",
                parameters=(_ID,),
                result="record",
                result_type=PyType(model="Customer", module="shopify_customer"),
                record=(f"customer{text}",),
            ),
        ),
    )


def destination_api(text: str = "") -> ApiPlan:
    return ApiPlan(
        name="credo",
        title=f"Credo CRM{text}",
        module="credo",
        constant="CREDO",
        client="CredoClient",
        base_url=SettingValue(text="https://api.credo.example/v1"),
        url_env="CREDO_BASE_URL",
        auth=AuthPlan(kind="bearer", values=(("token", SettingValue(env="CREDO_API_KEY", secret=True)),)),
        operations=(
            OperationPlan(
                id="GET /contacts",
                constant="LIST_CONTACTS",
                method_name="list_contacts",
                method="GET",
                path="/contacts",
                parameters=(_query("email"), _query("limit", "int"), _query("cursor")),
                result="records",
                records=("contacts",),
                paging=PagingPlan(style="cursor", limit="limit", max=100, cursor="cursor", next=("next_cursor",)),
            ),
            OperationPlan(
                id=f"POST /contacts{text}",
                constant="CREATE_CONTACT",
                method_name="create_contact",
                method="POST",
                path=f"/contacts{text}",
                body="json",
                media_type=f"application/vnd.credo+json{text}",
                body_type=PyType(model="Contact", module="credo_contact"),
                result="record",
                idempotency_header=f"Idempotency-Key{text}",
            ),
            OperationPlan(
                id="GET /contacts/{id}",
                constant="GET_CONTACT",
                method_name="get_contact",
                method="GET",
                path="/contacts/{id}",
                parameters=(_ID,),
                result="record",
            ),
            OperationPlan(
                id="PUT /contacts/{id}",
                constant="UPDATE_CONTACT",
                method_name="update_contact",
                method="PUT",
                path="/contacts/{id}",
                parameters=(_ID,),
                body="json",
                body_type=PyType(model="Contact", module="credo_contact"),
                result="record",
            ),
            OperationPlan(
                id="DELETE /contacts/{id}",
                constant="DELETE_CONTACT",
                method_name="delete_contact",
                method="DELETE",
                path="/contacts/{id}",
                parameters=(_ID,),
                result="nothing",
            ),
            OperationPlan(
                id="POST /contacts/batch",
                constant="BATCH_CONTACTS",
                method_name="batch_contacts",
                method="POST",
                path="/contacts/batch",
                body="json",
                result="reply",
            ),
        ),
    )


def mapper(text: str = "") -> MapperModule:
    def read(*names: str) -> Read:
        return Read(variable="src", names=names)

    return MapperModule(
        module="customers",
        doc=f"Customer (Shopify{text}) → Contact (Credo CRM{text}).",
        imports=(
            Import(module="_runtime.matching", name="identity_text"),
            Import(module="_runtime.matching", name="optional_text"),
            Import(module="_runtime.transforms", name="parse_iso8601_to_date"),
            Import(module="_runtime.transforms", name="to_decimal"),
            Import(module="_runtime.values", name="apply"),
            Import(module="_runtime.values", name="collect"),
            Import(module="_runtime.values", name="within"),
            Import(module="custom.dates", name="tidy"),
            Import(module="models.credo_contact", name="Contact"),
            Import(module="models.credo_contact", name="ContactAddress"),
            Import(module="models.shopify_customer", name="Customer"),
        ),
        function="to_contact",
        source_model="Customer",
        destination_model="Contact",
        body=Construct(
            model="Contact",
            fields=(
                FilledField(name="email", value=Call(function="tidy", arguments=(read("email"),)), rule="email"),
                FilledField(name="phone_number", value=read("phone"), rule="phone_number"),
                FilledField(
                    name="created_date",
                    value=Call(
                        function="apply", arguments=(FunctionName(name="parse_iso8601_to_date"), read("created_at"))
                    ),
                ),
                FilledField(
                    name="lifetime_value",
                    value=Call(
                        function="to_decimal",
                        arguments=(read("total_spent"),),
                        keywords=(("places", Constant(value=2)),),
                    ),
                ),
                FilledField(
                    name="segments",
                    value=Call(
                        function="collect",
                        arguments=(read("tags"),),
                        keywords=(("separator", Constant(value=f",{text}")),),
                    ),
                ),
                FilledField(
                    name="address",
                    value=Construct(
                        model="ContactAddress",
                        fields=(
                            FilledField(
                                name="city",
                                value=Call(
                                    function="within",
                                    arguments=(
                                        read("default_address"),
                                        Pick(variable="it", body=Read(variable="it", names=("city",))),
                                    ),
                                ),
                            ),
                        ),
                    ),
                ),
                FilledField(
                    name="source",
                    value=Constant(
                        value={f"name{text}": [1, 2.5, None, True, f"x{text}"], "n": {}}  # type: ignore[dict-item]
                    ),
                ),
            ),
        ),
        readers=(
            Reader(
                name="source_identity",
                doc=f"Name the record in Shopify{text}.",
                returns="str",
                value=Call(function="identity_text", arguments=(read("id"),)),
            ),
            Reader(
                name="source_version",
                doc="Order the states of the record.",
                returns="str | None",
                value=Call(function="optional_text", arguments=(read("updated_at"),)),
            ),
            Reader(
                name="match_email",
                doc=f"Tell which contact is the same thing, by `email{text}`.",
                returns="str | None",
                value=Call(function="optional_text", arguments=(read("email"),)),
            ),
        ),
    )


def stream(text: str = "") -> StreamPlan:
    return StreamPlan(
        name=f"customers{text}",
        constant="CUSTOMERS",
        mapper_module="customers",
        mapper_function="to_contact",
        source=SourcePlan(
            list="LIST_CUSTOMERS",
            get="GET_CUSTOMER",
            model="Customer",
            model_module="shopify_customer",
            identity="source_identity",
            version="source_version",
            since=SincePlan(parameter=f"updated_at_min{text}"),
        ),
        destination=DestinationPlan(
            model="Contact",
            model_module="credo_contact",
            create="CREATE_CONTACT",
            update="UPDATE_CONTACT",
            update_is="replace",
            get="GET_CONTACT",
            list="LIST_CONTACTS",
            delete="DELETE_CONTACT",
            find=FindPlan(operation="LIST_CONTACTS", parameters=((f"email{text}", "email"),)),
            batch=BatchPlan(
                operation="BATCH_CONTACTS",
                items=(f"contacts{text}",),
                max=100,
                results=("results",),
                index=("index",),
                status=("status",),
                identity=("id",),
                error=("error", -1),
            ),
            never_sent=(("id",), (f"created_at{text}",)),
        ),
        match=(MatchPlan(source="match_email", destination=(f"email{text}",), compare=("trim", "lower")),),
        schedule=f"hourly{text}",
        mapping_digest="sha256:4a7d1ed414474e4033ac29ccb8653d9b0f3c6b2b7b1d3d6f1a0b6d3a0f8c1c55",
    )


def table(text: str = "") -> StreamTable:
    return StreamTable(
        stream=f"customers{text}",
        source=f"GET /customers.json{text}",
        source_api=f"Shopify{text}",
        destination=f"POST /contacts{text}",
        destination_api=f"Credo CRM{text}",
        rows=(
            RuleRow(
                destination=f"email{text}",
                sources=(f"email{text}",),
                transform="direct",
                detail=f"missing: omit{text}",
                destination_type="string",
                source_types=("string or null",),
                state=f"accepted by ana{text} on 2026-11-21",
                notes=(f"the CRM stores two places{text}",),
            ),
        ),
        waived=((f"owner_id{text}", f"set by the CRM{text}"),),
        unfilled=(f"nickname{text}",),
        unread=(f"note{text}",),
    )


def plan(text: str = "") -> Plan:
    """The whole example. `text` is appended to every string that a vendor or a user may write."""
    return Plan(
        names=PackageNames(distribution="shopify-credo", module="shopify_credo", version="0.1.0"),
        intent=f"Sync all customers from Shopify to Credo CRM{text}",
        contract=2,
        source=source_api(text),
        destination=destination_api(text),
        models=(contact_module(text), customer_module(text)),
        mappers=(mapper(text),),
        streams=(stream(text),),
        webhooks=(
            WebhookPlan(
                topics=(f"customers/create{text}", f"customers/update{text}"),
                scheme=SignaturePlan(
                    header=f"X-Shopify-Hmac-Sha256{text}", encoding="base64", id_header=f"X-Shopify-Webhook-Id{text}"
                ),
                secret=SettingValue(env="SHOPIFY_WEBHOOK_SECRET", secret=True),
                stream=f"customers{text}",
                record=(f"customer{text}",),
                secrets=(SettingValue(env="SHOPIFY_WEBHOOK_SECRET_NEXT", secret=True),),
                topic_path=(f"topic{text}", 0),
                events=((), (f"entry{text}", f"changes{text}")),
                record_id=(f"objectId{text}",),
                handshake_secret=SettingValue(env="SHOPIFY_WEBHOOK_WORD", secret=True),
            ),
        ),
        settings=(
            SettingValue(env="CREDO_API_KEY", secret=True),
            SettingValue(env="SHOPIFY_ACCESS_TOKEN", secret=True),
            SettingValue(env="SHOPIFY_API_VERSION", text=f"2024-01{text}"),
            SettingValue(env="SHOPIFY_SHOP"),
            SettingValue(env="SHOPIFY_WEBHOOK_SECRET", secret=True),
            SettingValue(env="SHOPIFY_WEBHOOK_WORD", secret=True),
        ),
        copied=(CopiedFile(path="custom/dates.py", content=CUSTOM.encode(), origin="custom/dates.py"),),
        tables=(table(text),),
        mocks=MockPlan(source={"form": 1, "title": f"Shopify{text}"}, destination={"form": 1, "title": "Credo"}),
        inputs={"integration.yaml": "0" * 64, "specs/shopify.yaml": "1" * 64},
    )


CUSTOM = '''"""Written by hand."""

from __future__ import annotations

from .._runtime.records import MISSING


def tidy(value: str | None | MISSING) -> str | None:
    """Blanks at the ends are no part of a name; a missing name is none."""
    return None if value is MISSING or value is None else value.strip()
'''
