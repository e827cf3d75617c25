"""OAuth2 from the manifest and the spec to the plan, the package and its mocks."""

from __future__ import annotations

from typing import Any

import pytest

from vitesse.api.model import Api
from vitesse.diagnostics import DiagnosticError
from vitesse.manifest import System
from vitesse.openapi import build_api, read_document
from vitesse.plan.systems import sign_in

SPEC = """
openapi: 3.1.0
info: {title: CRM, version: "1"}
servers: [{url: "https://crm.example/v1"}]
paths: {/contacts: {get: {responses: {"200": {description: all}}}}}
components:
  securitySchemes:
    machine: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://login.example/token", scopes: {read: r}}}}
    person:
      type: oauth2
      flows:
        authorizationCode:
          authorizationUrl: https://login.example/authorize
          tokenUrl: https://login.example/token
          refreshUrl: https://login.example/refresh
          scopes: {read: r, write: w}
    both:
      type: oauth2
      flows:
        clientCredentials: {tokenUrl: https://login.example/machine, scopes: {}}
        authorizationCode: {authorizationUrl: https://login.example/a, tokenUrl: /oauth/token, scopes: {}}
    implicit: {type: oauth2, flows: {implicit: {authorizationUrl: https://login.example/a, scopes: {}}}}
"""
SECRET = {"client_id": "abc", "client_secret": {"env": "CRM_SECRET"}}
REFRESH = {"client_id": {"env": "CRM_CLIENT"}, "refresh_token": {"env": "CRM_REFRESH"}}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    file = tmp_path_factory.mktemp("spec") / "crm.yaml"
    file.write_text(SPEC)
    return build_api(read_document(file)).api


def planned(api: Api, **auth: Any) -> Any:
    return sign_in(System.model_validate({"api": "crm", "auth": auth}), api, "source", "CRM_TOKEN_URL")


@pytest.mark.parametrize(
    ("auth", "grant", "url"),
    [
        ({"scheme": "machine", **SECRET}, "client_credentials", "https://login.example/token"),
        ({"scheme": "person", **REFRESH}, "refresh_token", "https://login.example/refresh"),
        ({"scheme": "person", **SECRET}, "refresh_token", "https://login.example/refresh"),
        ({"scheme": "both", **REFRESH}, "refresh_token", "/oauth/token"),
        ({"scheme": "both", **SECRET, "grant": "client_credentials"}, "client_credentials", "https://login.example/machine"),
        ({"scheme": "machine", **SECRET, "token_url": "https://eu.example/t"}, "client_credentials", "https://eu.example/t"),
        ({"kind": "oauth2", **SECRET, "token_url": "https://eu.example/t"}, "client_credentials", "https://eu.example/t"),
        ({"kind": "oauth2", **REFRESH, "token_url": "/token"}, "refresh_token", "/token"),
    ],
)  # fmt: skip
def test_grant_and_token_url_come_from_the_manifest_or_the_scheme(
    api: Api, auth: dict[str, Any], grant: str, url: str
) -> None:
    plan = planned(api, **auth)
    assert (plan.kind, plan.grant, dict(plan.values)["token_url"].text) == ("oauth2", grant, url)
    assert plan.url_env == "CRM_TOKEN_URL"


def test_secrets_of_the_sign_in_are_secret_and_scopes_and_audience_stay(api: Api) -> None:
    plan = planned(
        api, scheme="machine", **SECRET, scopes=("a.read", "a.write"), audience="https://crm", client_auth="body"
    )
    assert {name: value.secret for name, value in plan.values} == {
        "token_url": False,
        "client_id": False,
        "client_secret": True,
    }
    assert (plan.scopes, plan.audience, plan.client_auth) == (("a.read", "a.write"), "https://crm", "body")


@pytest.mark.parametrize(
    ("auth", "says"),
    [
        ({"scheme": "both", **SECRET}, "which grant"),
        ({"scheme": "implicit", **REFRESH}, "where the grant `refresh_token`"),
        ({"scheme": "machine", **REFRESH}, "where the grant `refresh_token`"),
    ],
)
def test_sign_in_that_nobody_describes_is_refused_with_what_the_scheme_offers(
    api: Api, auth: dict[str, Any], says: str
) -> None:
    with pytest.raises(DiagnosticError) as caught:
        planned(api, **auth)
    [found] = caught.value.diagnostics
    assert found.code == "V518"
    assert says in found.message
    assert auth["scheme"] in found.notes[0]


@pytest.mark.parametrize(
    "auth",
    [
        {"kind": "oauth2", "token_url": "https://l.example/t"},
        {"kind": "oauth2", "client_id": "a", "client_secret": {"env": "S"}},
        {"scheme": "machine", "client_id": "a", "token": {"env": "T"}},
        {"scheme": "machine", "client_id": "a", "grant": "client_credentials"},
        {"scheme": "machine", **SECRET, "scopes": ("two words",)},
        {"scheme": "machine", **SECRET, "token_url": "ftp://l.example/t"},
        {"kind": "bearer", **SECRET, "token_url": "https://l.example/t"},
        {"kind": "oauth2", "client_id": "a", "client_secret": "written out", "token_url": "https://l.example/t"},
    ],
)
def test_form_that_contradicts_itself_is_refused(auth: dict[str, Any]) -> None:
    """Secrets of OAuth2 are never written into the manifest."""
    with pytest.raises(ValueError, match=r"."):
        System.model_validate({"api": "crm", "auth": auth})
