"""Mock APIs written by hand, as JSON: the shop and the CRM of the tests beside this file."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

CUSTOMER = {
    "type": "object",
    "required": ["id", "email", "created_at", "updated_at"],
    "properties": {
        "id": {"type": "integer", "format": "int64", "readOnly": True},
        "email": {"type": ["string", "null"], "format": "email"},
        "first_name": {"type": ["string", "null"], "maxLength": 40},
        "last_name": {"type": ["string", "null"]},
        "phone": {"type": ["string", "null"]},
        "total_spent": {"type": "string", "examples": ["199.65"]},
        "orders_count": {"type": "integer", "format": "int32"},
        "tags": {"type": "string"},
        "state": {"type": "string", "enum": ["disabled", "enabled", "invited"]},
        "verified_email": {"type": "boolean"},
        "note": {"type": ["string", "null"]},
        "created_at": {"type": "string", "format": "date-time"},
        "updated_at": {"type": "string", "format": "date-time"},
        "default_address": {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}]},
        "addresses": {"type": "array", "items": {"$ref": "#/$defs/Address"}},
        "password": {"type": "string", "writeOnly": True},
    },
}

SHOP: dict[str, Any] = {
    "form": 1,
    "api": "shop",
    "title": "A shop",
    "side": "source",
    "url_env": "SHOP_BASE_URL",
    "base_path": "/admin/api",
    "environment": {"SHOP_TOKEN": "mock-shop-token"},
    "auth": {"kind": "api_key", "location": "header", "name": "X-Token", "value": "mock-shop-token"},
    "rate_limit": {"per_s": 2, "burst": 40, "used_header": "X-Call-Limit"},
    "collections": {
        "customers": {
            "record": {"$ref": "#/$defs/Customer"},
            "identity": ["id"],
            "version": ["updated_at"],
            "created": [["created_at"]],
            "unique": [[{"path": ["email"], "compare": ["trim", "lower"]}]],
            "examples": [
                {"id": 7, "email": "bob.norman@example.com", "first_name": "Bob", "note": None, "state": "enabled"}
            ],
        }
    },
    "operations": [
        {
            "id": "GET /customers.json",
            "method": "GET",
            "path": "/customers.json",
            "does": "list",
            "collection": "customers",
            "parameters": [
                {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                {"name": "page_info", "in": "query", "schema": {"type": "string"}},
                {"name": "updated_at_min", "in": "query", "schema": {"type": "string", "format": "date-time"}},
            ],
            "since": {"parameter": "updated_at_min", "format": "iso8601"},
            "paging": {"style": "link", "limit": "limit", "max": 250},
            "reply": {
                "schema": {
                    "type": "object",
                    "required": ["customers"],
                    "properties": {"customers": {"type": "array", "items": {"$ref": "#/$defs/Customer"}}},
                },
                "records": ["customers"],
            },
        },
        {
            "id": "GET /customers/{id}.json",
            "method": "GET",
            "path": "/customers/{id}.json",
            "does": "get",
            "collection": "customers",
            "identity_parameter": "id",
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "reply": {"schema": {"type": "object", "properties": {}}, "record": ["customer"]},
        },
    ],
    "webhooks": [
        {
            "topics": ["customers/update"],
            "scheme": {"header": "X-Hmac", "encoding": "base64", "id_header": "X-Delivery"},
            "secret": "mock-secret",
            "collection": "customers",
        }
    ],
    "streams": [
        {
            "name": "customers",
            "collection": "customers",
            "operations": ["GET /customers.json", "GET /customers/{id}.json"],
            "rules": [
                {"destination": ["email"], "sources": [["email"]], "transform": "direct"},
                {"destination": ["city"], "sources": [["default_address", "city"]], "transform": "mapping"},
            ],
        }
    ],
    "$defs": {
        "Customer": CUSTOMER,
        "Address": {
            "type": "object",
            "properties": {
                "city": {"type": ["string", "null"]},
                "zip": {"type": "string"},
                "country_code": {"type": "string", "maxLength": 2},
                "customer": {"$ref": "#/$defs/Customer"},
            },
        },
    },
}

_CONTACT_BODY: dict[str, Any] = {
    "type": "object",
    "required": ["email", "id", "owner_id"],
    "properties": {
        "id": {"type": "string", "readOnly": True, "examples": ["ctc_0v7h3n9w5rbe"]},
        "email": {"type": "string", "format": "email"},
        "first_name": {"type": ["string", "null"]},
        "lifetime_value": {"type": "number"},
        "segments": {"type": "array", "items": {"type": "string"}},
        "owner_id": {"type": "string"},
        "address": {"type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": "string"}}},
        "created_at": {"type": "string", "format": "date-time", "readOnly": True},
        "updated_at": {"type": "string", "format": "date-time", "readOnly": True},
    },
}

_KEY = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_BODY = {"schema": {"$ref": "#/$defs/Contact"}, "waived": [["owner_id"]]}

CRM: dict[str, Any] = {
    "form": 1,
    "api": "crm",
    "title": "A CRM",
    "side": "destination",
    "url_env": "CRM_BASE_URL",
    "environment": {"CRM_KEY": "mock-crm-key"},
    "auth": {"kind": "bearer", "token": "mock-crm-key"},
    "collections": {
        "contacts": {
            "record": {"$ref": "#/$defs/Contact"},
            "identity": ["id"],
            "version": ["updated_at"],
            "created": [["created_at"]],
            "unique": [[{"path": ["email"], "compare": ["trim", "lower"]}]],
            "seeded": False,
        }
    },
    "operations": [
        {
            "id": "GET /contacts",
            "method": "GET",
            "path": "/contacts",
            "does": "list",
            "collection": "contacts",
            "parameters": [
                {"name": "page", "in": "query", "schema": {"type": "integer"}},
                {"name": "per_page", "in": "query", "schema": {"type": "integer"}},
                {"name": "email", "in": "query", "schema": {"type": "string"}},
            ],
            "filters": [{"parameter": "email", "path": ["email"], "compare": ["lower"]}],
            "paging": {"style": "page", "page": "page", "limit": "per_page", "max": 200, "total": ["total"]},
            "reply": {"schema": {"$ref": "#/$defs/ContactPage"}, "records": ["data"]},
        },
        {
            "id": "POST /contacts",
            "method": "POST",
            "path": "/contacts",
            "does": "create",
            "collection": "contacts",
            "parameters": [_KEY],
            "body": _BODY,
            "idempotency_header": "Idempotency-Key",
            "reply": {"status": 201, "schema": {"$ref": "#/$defs/Contact"}},
        },
        {
            "id": "GET /contacts/{id}",
            "method": "GET",
            "path": "/contacts/{id}",
            "does": "get",
            "collection": "contacts",
            "identity_parameter": "id",
            "parameters": [_ID],
            "reply": {"schema": {"$ref": "#/$defs/Contact"}},
        },
        {
            "id": "PUT /contacts/{id}",
            "method": "PUT",
            "path": "/contacts/{id}",
            "does": "update",
            "replaces": True,
            "collection": "contacts",
            "identity_parameter": "id",
            "parameters": [_ID],
            "body": _BODY,
            "reply": {"schema": {"$ref": "#/$defs/Contact"}},
        },
        {
            "id": "PATCH /contacts/{id}",
            "method": "PATCH",
            "path": "/contacts/{id}",
            "does": "update",
            "collection": "contacts",
            "identity_parameter": "id",
            "parameters": [_ID],
            "body": {"schema": {"type": "object"}},
            "reply": {"schema": {"$ref": "#/$defs/Contact"}},
        },
        {
            "id": "DELETE /contacts/{id}",
            "method": "DELETE",
            "path": "/contacts/{id}",
            "does": "delete",
            "collection": "contacts",
            "identity_parameter": "id",
            "parameters": [_ID],
            "reply": {"status": 204},
        },
        {
            "id": "POST /contacts/batch",
            "method": "POST",
            "path": "/contacts/batch",
            "does": "batch",
            "collection": "contacts",
            "parameters": [_KEY],
            "body": {
                "schema": {
                    "type": "object",
                    "required": ["contacts"],
                    "properties": {"contacts": {"type": "array", "items": {"$ref": "#/$defs/Contact"}}},
                },
                "waived": [["owner_id"]],
            },
            "batch": {
                "items": ["contacts"],
                "max": 100,
                "results": ["results"],
                "index": ["index"],
                "status": ["status"],
                "ok": [201],
                "identity": ["id"],
                "error": ["error"],
            },
            "idempotency_header": "Idempotency-Key",
            "reply": {"status": 207, "schema": {"$ref": "#/$defs/BatchReply"}},
        },
    ],
    "$defs": {
        "Contact": _CONTACT_BODY,
        "ContactPage": {
            "type": "object",
            "required": ["data", "total", "page"],
            "properties": {
                "data": {"type": "array", "items": {"$ref": "#/$defs/Contact"}},
                "total": {"type": "integer"},
                "page": {"type": "integer"},
            },
        },
        "BatchReply": {
            "type": "object",
            "required": ["results"],
            "properties": {
                "results": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["index", "status"],
                        "properties": {
                            "index": {"type": "integer"},
                            "status": {"type": "integer", "enum": [201, 409, 422]},
                            "id": {"type": ["string", "null"]},
                            "error": {
                                "anyOf": [
                                    {
                                        "type": "object",
                                        "required": ["code", "message"],
                                        "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
                                    },
                                    {"type": "null"},
                                ]
                            },
                        },
                    },
                }
            },
        },
    },
}


def shop(**changes: Any) -> dict[str, Any]:
    """The shop with other top-level members."""
    return {**deepcopy(SHOP), **changes}


def crm(**changes: Any) -> dict[str, Any]:
    return {**deepcopy(CRM), **changes}


def listing(form: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The form with other members in its first operation, the list."""
    form["operations"][0].update(changes)
    return form
