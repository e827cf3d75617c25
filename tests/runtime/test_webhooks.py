"""Promises of webhooks: only what one of the secrets signed, over these bytes, in time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import pytest

from runtime.declare import SignatureScheme
from runtime.errors import SettingsError
from runtime.webhooks import Delivery, Refused, Verifier
from tests.shared import SHARED, needs_shared
from vitesse.registry.schemes import PRESETS

NOW = 1_760_000_000
BODY = b'{"id":"evt_1","name":"Zo\xc3\xab"}'

VENDORS = {
    "standard-webhooks": "standard",
    "hubspot v3": "hubspot",
    "hubspot v2": "hubspot_v2",
    "twilio (form)": "twilio",
    "meta/facebook/whatsapp": "meta",
    "gitlab (legacy token)": "gitlab",
    "jira/atlassian": "jira",
}
"""Vendors of the published vectors whose scheme has another name."""
PUBLISHED = {preset.name: preset for preset in PRESETS}
SCHEMES: dict[str, SignatureScheme] = {
    vendor: SignatureScheme(**{field.name: getattr(PUBLISHED[name], field.name) for field in fields(SignatureScheme)})
    for vendor, name in {**{name: name for name in PUBLISHED if name not in VENDORS.values()}, **VENDORS}.items()
    if name != "svix"
}
"""What a package gets for each vendor's scheme by name."""
STRIPE = SCHEMES["stripe"]


def delivery(headers: Mapping[str, str], body: bytes = BODY, **more: Any) -> Delivery:
    return Delivery(body=body, headers={name.lower(): [value] for name, value in headers.items()}, **more)


def sign(secret: str, content: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), content, algorithm).digest()


def stripe(body: bytes = BODY, *, secret: str = "s1", at: object = NOW, more: str = "") -> Delivery:
    signature = sign(secret, f"{at}.".encode() + body).hex()
    return delivery({"Stripe-Signature": f"t={at},v1={signature}{more}"}, body)


def vectors() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SHARED / "security" / "webhook_vectors.json").read_text())
    return found


# --- schemes ---


def test_published_example_of_standard_webhooks_is_proved() -> None:
    """From its own documentation: the secret behind `whsec_` is Base64."""
    svix = delivery(
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
    )
    Verifier(SCHEMES["standard-webhooks"], ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).verify(svix, 1614265330)


@needs_shared
def test_every_published_vector_has_a_scheme() -> None:
    """None is left out, and none is there beside."""
    named = [vector["vendor"] for vector in vectors()["vectors"]]
    assert len(named) == len(SCHEMES)
    assert all(sum(each.startswith(vendor) for each in named) == 1 for vendor in SCHEMES)


def test_svix_is_the_standard_under_its_own_headers() -> None:
    """As Svix sends it where nobody asked for the standard's names."""
    standard, svix = PUBLISHED["standard"], PUBLISHED["svix"]
    assert (
        replace(standard, name="svix", header="svix-signature", id_header="svix-id", timestamp_header="svix-timestamp")
        == svix
    )


@needs_shared
@pytest.mark.parametrize("vendor", sorted(SCHEMES))
def test_vector_of_each_vendor_is_proved_and_a_changed_byte_is_not(vendor: str) -> None:
    """One declarative scheme covers all of them."""
    [vector] = [each for each in vectors()["vectors"] if each["vendor"].startswith(vendor)]
    kind = {"content-type": "application/x-www-form-urlencoded"} if vendor.startswith("twilio") else {}
    given = delivery({**vector["headers"], **kind}, vector["body"].encode(), method=vector["method"], url=vector["url"])
    verifier = Verifier(SCHEMES[vendor], [vector["secret"]])
    verifier.verify(given, vector["timestamp"])
    assert verifier.delivery_id(given, None)
    with pytest.raises(Refused):
        Verifier(SCHEMES[vendor], ["another0" * 4]).verify(given, vector["timestamp"])
    if SCHEMES[vendor].construction == "token":
        return  # a token says nothing about the body
    changed = vector["body"].encode().replace(b"1", b"2")
    with pytest.raises(Refused):
        verifier.verify(
            Delivery(body=changed, headers=given.headers, method=given.method, url=given.url), vector["timestamp"]
        )


def test_twilio_json_body_is_proved_by_the_digest_in_its_url() -> None:
    """The URL is signed and names the body's digest."""
    body = b'{"a":1}'
    url = f"https://hooks.example.test/in?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = base64.b64encode(sign("s1", url.encode(), "sha1")).decode()
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/json"}
    verifier = Verifier(SCHEMES["twilio (form)"], ["s1"])
    verifier.verify(delivery(headers, body, url=url), NOW)
    with pytest.raises(Refused, match="not the one that was signed"):
        verifier.verify(delivery(headers, b'{"a":2}', url=url), NOW)


# --- what is refused ---


def test_body_that_was_serialised_again_is_refused() -> None:
    """The bytes count, not what they mean."""
    given = stripe()
    again = json.dumps(json.loads(BODY)).encode()
    with pytest.raises(Refused):
        Verifier(STRIPE, ["s1"]).verify(Delivery(body=again, headers=given.headers), NOW)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1760000000",
        "v1=00",
        f"t={NOW},v1=",
        f"t={NOW},v1=é",
        f"t={NOW},v1=zz",
        f"t={NOW},v2=00",
        f"t={NOW},t={NOW},v1=00",
    ],
)
def test_signature_that_is_none_is_refused(header: str) -> None:
    """Missing, empty, not hexadecimal, not ASCII, of another version: never an exception of another kind."""
    with pytest.raises(Refused):
        Verifier(STRIPE, ["s1"]).verify(delivery({"Stripe-Signature": header}), NOW)


def test_two_signature_headers_are_refused() -> None:
    """Whoever comes first would decide which one counts."""
    good = stripe()
    twice = Delivery(body=BODY, headers={"stripe-signature": ["t=1,v1=00", *good.headers["stripe-signature"]]})
    with pytest.raises(Refused, match="2 times"):
        Verifier(STRIPE, ["s1"]).verify(twice, NOW)


@pytest.mark.parametrize(("offset", "is_fine"), [(299, True), (-299, True), (301, False), (-301, False)])
def test_timestamp_counts_within_the_tolerance(offset: int, is_fine: bool) -> None:
    """Old deliveries cannot be replayed, nor ones from the future kept for later."""
    verifier = Verifier(STRIPE, ["s1"])
    if is_fine:
        verifier.verify(stripe(), NOW + offset)
    else:
        with pytest.raises(Refused, match="timestamp"):
            verifier.verify(stripe(), NOW + offset)


@pytest.mark.parametrize("stamp", ["1e9", "9" * 40, "-1", "", "NaN", "١٧٦٠٠٠٠٠٠٠"])
def test_timestamp_that_is_no_number_is_refused(stamp: str) -> None:
    """Also when it is signed."""
    with pytest.raises(Refused):
        Verifier(STRIPE, ["s1"]).verify(stripe(at=stamp), NOW)


def test_secret_that_is_being_rotated_counts_until_it_is_removed() -> None:
    """Several secrets, separated by blanks or from several variables."""
    for secrets in (["new old"], ["new", "old"], ["old\nnew"]):
        Verifier(STRIPE, secrets).verify(stripe(secret="old"), NOW)
    with pytest.raises(Refused):
        Verifier(STRIPE, ["new"]).verify(stripe(secret="old"), NOW)


def test_any_one_of_several_signatures_is_enough() -> None:
    """The sender rotates too."""
    own = sign("s1", f"{NOW}.".encode() + BODY).hex()
    Verifier(STRIPE, ["s1"]).verify(delivery({"Stripe-Signature": f"t={NOW},v1={'0' * 64},v1={own},v0=x"}), NOW)


@pytest.mark.parametrize("secret", ["", "  ", "\n"])
def test_empty_secret_refuses_to_start(secret: str) -> None:
    """It would prove everybody."""
    with pytest.raises(SettingsError, match="empty"):
        Verifier(STRIPE, [secret])


def test_uppercase_hexadecimal_is_the_same_signature() -> None:
    """The digest is compared, not its spelling."""
    given = stripe().headers["stripe-signature"][0]
    stamp, _, signature = given.partition(",v1=")
    Verifier(STRIPE, ["s1"]).verify(delivery({"Stripe-Signature": f"{stamp},v1={signature.upper()}"}), NOW)


def test_request_does_not_choose_the_algorithm() -> None:
    """A prefix that names another algorithm is no signature."""
    signature = sign("s1", BODY, "sha1").hex()
    with pytest.raises(Refused):
        Verifier(SCHEMES["jira/atlassian"], ["s1"]).verify(delivery({"X-Hub-Signature": f"sha1={signature}"}), NOW)


def test_handshakes_are_answered() -> None:
    """Slack wants its text back, Zoom a proof."""
    assert Verifier(SCHEMES["slack"], ["s1"]).challenge({"challenge": "abc"}) == {"challenge": "abc"}
    answer = Verifier(SCHEMES["zoom"], ["s1"]).challenge({"payload": {"plainToken": "abc"}})
    assert answer == {"plainToken": "abc", "encryptedToken": sign("s1", b"abc").hex()}
    assert Verifier(SCHEMES["slack"], ["s1"]).challenge({"event": 1}) is None


def test_delivery_without_a_name_is_known_by_its_content() -> None:
    """The same bytes are the same delivery."""
    verifier = Verifier(SCHEMES["xero"], ["s1"])
    one, two = delivery({}, b"1"), delivery({}, b"2")
    assert verifier.delivery_id(one, None) == verifier.delivery_id(delivery({}, b"1"), None)
    assert verifier.delivery_id(one, None) != verifier.delivery_id(two, None)
    assert Verifier(STRIPE, ["s"]).delivery_id(one, {"id": "evt_9"}) == "evt_9"


def test_form_of_twilio_is_sorted_by_name() -> None:
    """As its documentation signs it."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    given = delivery(
        {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
        urllib.parse.urlencode(form).encode(),
        url="https://mycompany.com/myapp.php?foo=1&bar=2",
    )
    Verifier(SCHEMES["twilio (form)"], ["12345"]).verify(given, NOW)
