"""integration.yaml → Manifest: what a person asks for, exactly as written.

The form of one integration: two systems, the streams between them, how it is deployed. Knows nothing of the specs; whether an
operation or a field exists is found out later, with places in both files.
"""

from __future__ import annotations

from .form import MANIFEST_FILE, Deploy, LanguageModel, Manifest, Prices, Retention, ReviewPolicy
from .load import load_manifest, manifest_schema
from .operations import Batch, DefinedField, Find, ListedFields, Partition, Since, StreamDestination, StreamSource
from .streams import Conflicts, Deletes, Match, StrategyName, Stream
from .systems import Auth, LimitName, System
from .texts import Env, Setting
from .webhooks import Registration, SignatureScheme, Webhook

__all__ = [
    "MANIFEST_FILE",
    "Auth", "Batch", "Conflicts", "DefinedField", "Deletes", "Deploy", "Env", "Find", "LanguageModel", "LimitName",
    "ListedFields", "Manifest", "Match", "Partition", "Prices", "Registration", "Retention", "ReviewPolicy", "Setting",
    "SignatureScheme", "Since", "StrategyName", "Stream", "StreamDestination", "StreamSource", "System", "Webhook",
    "load_manifest", "manifest_schema",
]  # fmt: skip
