"""A small integration of our own, for tests of the plan: a shop's customers become persons of a CRM."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vitesse.api.facts import ApiFacts, Fact
from vitesse.api.model import Api
from vitesse.manifest import Manifest
from vitesse.openapi import build_api, read_document
from vitesse.plan.build import Inputs
from vitesse.registry import load_registry
from vitesse.rules.check import check_rules
from vitesse.rules.ends import stream_ends
from vitesse.rules.load import load_rules
from vitesse.rules.review import load_review

CUSTOMERS = "customers"

SHOP = """
openapi: 3.0.3
info: {title: Shop, version: "1"}
servers: [{url: "https://shop.example/api"}]
paths:
  /customers:
    get:
      parameters: [{name: changed_after, in: query, schema: {type: string}}]
      responses:
        "200":
          description: customers
          content:
            application/json:
              schema:
                type: object
                properties:
                  customers: {type: array, items: {$ref: "#/components/schemas/Customer"}}
  /customers/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses:
        "200":
          description: one customer
          content: {application/json: {schema: {$ref: "#/components/schemas/Customer"}}}
components:
  schemas:
    Customer:
      type: object
      required: [id, email]
      properties:
        id: {type: integer}
        email: {type: string}
        nickname: {type: string}
        address: {type: object, properties: {city: {type: string}}}
        lines: {type: array, items: {type: object, required: [text], properties: {text: {type: string}}}}
        numbers: {type: array, nullable: true, items: {type: object, properties: {text: {type: string}}}}
        updated_at: {type: string, format: date-time}
"""

CRM = """
openapi: 3.1.0
info: {title: CRM, version: "1"}
servers: [{url: "https://crm.example"}]
components:
  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}
  schemas:
    Person:
      type: object
      required: [email]
      properties:
        id: {type: string, readOnly: true}
        email: {type: string}
        town: {type: string}
        phones: {type: array, items: {type: object, properties: {number: {type: string}}}}
  parameters: {id: {name: id, in: path, required: true, schema: {type: string}}}
  requestBodies:
    Person: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Person"}}}}
  responses:
    Person: {description: a person, content: {application/json: {schema: {$ref: "#/components/schemas/Person"}}}}
paths:
  /persons:
    get:
      responses:
        "200":
          description: persons
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Person"}}}}
    post:
      requestBody: {$ref: "#/components/requestBodies/Person"}
      responses: {"201": {$ref: "#/components/responses/Person"}}
  /persons/batch:
    post:
      requestBody: {$ref: "#/components/requestBodies/Person"}
      responses: {"200": {$ref: "#/components/responses/Person"}}
  /persons/{id}:
    parameters: [{$ref: "#/components/parameters/id"}]
    get: {responses: {"200": {$ref: "#/components/responses/Person"}}}
    put:
      requestBody: {$ref: "#/components/requestBodies/Person"}
      responses: {"200": {$ref: "#/components/responses/Person"}}
  /signed/persons:
    post:
      parameters:
        - {name: x-key, in: header, required: true, schema: {type: string}}
        - {name: X-Version, in: header, required: true, schema: {type: string}}
      requestBody: {$ref: "#/components/requestBodies/Person"}
      responses: {"201": {$ref: "#/components/responses/Person"}}
  /persons/{id}/details:
    parameters: [{$ref: "#/components/parameters/id"}]
    patch:
      requestBody:
        content:
          application/json:
            schema: {type: object, required: [id, email], properties: {id: {type: string}, email: {type: string}}}
      responses: {"200": {$ref: "#/components/responses/Person"}}
  /persons/{id}/phones:
    parameters: [{$ref: "#/components/parameters/id"}]
    patch:
      requestBody:
        content:
          application/json:
            schema:
              type: object
              properties:
                phones:
                  type: array
                  items: {type: object, required: [key], properties: {key: {type: string}, number: {type: string}}}
      responses: {"204": {description: done, content: {application/json: {schema: {}}}}}
  /persons/{id}/card:
    parameters: [{$ref: "#/components/parameters/id"}]
    patch:
      requestBody:
        content:
          application/json: {schema: {type: object, required: [reason], properties: {reason: {type: string}}}}
      responses: {"200": {$ref: "#/components/responses/Person"}}
  /teams/{team}/persons:
    parameters: [{name: team, in: path, required: true, schema: {type: string}}]
    post:
      requestBody: {$ref: "#/components/requestBodies/Person"}
      responses: {"201": {$ref: "#/components/responses/Person"}}
"""


def rules_text(extra: str = "") -> str:
    """The mapping file, with further rules behind its own."""
    return (
        "vitesse: 1\nstream: customers\nrules:\n"
        "  email: {from: email, transform: direct}\n"
        "  town: {from: address.city, transform: mapping}\n" + extra
    )


def manifest_for(
    *,
    create: str = "POST /persons",
    update: str = "PUT /persons/{id}",
    identity: str | None = "id",
    batch: str | None = None,
    auth: dict[str, Any] | None = None,
    parameters: dict[str, Any] | None = None,
    webhooks: list[dict[str, Any]] | None = None,
    headers: dict[str, str] | None = None,
    models: str = "narrow",
) -> Manifest:
    """The manifest, with what a test wants otherwise."""
    import json

    form = {
        "vitesse": 1,
        "name": "shop-crm",
        "models": models,
        "source": {"api": "shop"},
        "destination": {
            "api": "crm",
            "auth": auth or {"scheme": "key", "key": {"env": "CRM_KEY"}},
            "headers": headers or {},
        },
        "streams": {
            CUSTOMERS: {
                "source": {
                    "list": "GET /customers",
                    "get": "GET /customers/{id}",
                    "identity": identity,
                    "version": "updated_at",
                    "since": "changed_after",
                },
                "destination": {
                    "create": create,
                    "update": update,
                    "get": "GET /persons/{id}",
                    "list": "GET /persons",
                    "batch": batch,
                    "identity": "id",
                },
                "match": [{"source": "email", "destination": "email"}],
                "parameters": parameters or {},
            }
        },
        "webhooks": webhooks or [],
    }
    return Manifest.model_validate_json(json.dumps(form))


def inputs_for(manifest: Manifest | None = None, rules: str | None = None) -> Inputs:
    """Everything `build_plan` needs, read the way the pipeline reads it; rules are not reviewed."""
    manifest = manifest or manifest_for()
    facts = ApiFacts(
        api="shop",
        operations={"GET /customers": {"records": Fact(kind="records", value="customers", confidence=1.0)}},
    )
    their_facts = ApiFacts(
        api="crm", operations={"GET /persons": {"records": Fact(kind="records", value="", confidence=1.0)}}
    )
    with TemporaryDirectory() as name:
        folder = Path(name)
        source, destination = _api(folder, "shop", SHOP), _api(folder, "crm", CRM)
        (folder / "mappings").mkdir()
        (folder / "mappings" / "customers.yaml").write_text(rules or rules_text())
        ends = stream_ends(manifest, CUSTOMERS, source, destination, facts)
        reviewed = check_rules(
            load_rules(folder, CUSTOMERS),
            source=ends[0],
            destination=ends[1],
            registry=load_registry((), folder),
            review=load_review(folder, CUSTOMERS),
            draft=True,
        )
    return Inputs(
        manifest=manifest,
        source=source,
        destination=destination,
        source_facts=facts,
        destination_facts=their_facts,
        rules={CUSTOMERS: reviewed},
    )


def _api(folder: Path, name: str, text: str) -> Api:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return build_api(read_document(path)).api
