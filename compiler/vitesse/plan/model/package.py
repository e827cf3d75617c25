"""The whole package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from ...api.model import Json
from ...frozen import dataclass
from .clients import ApiPlan, SettingValue
from .mappers import MapperModule
from .streams import RetentionPlan, StreamPlan
from .tables import CorrectionRow, StreamTable
from .types import ModelModule
from .webhooks import WebhookPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class MockPlan:
    """Both mock APIs as one JSON value each, in the form `runtime_template/mocks` reads (documented there)."""

    source: Json
    destination: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringPlan:
    """What monitors are given with the package, as JSON values."""

    dashboard: Json
    """Becomes `deploy/grafana/dashboard.json`."""
    alert_rules: Json
    """Becomes `deploy/prometheus/alerts.yaml`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedFile:
    """A file that goes into the package as it is: `custom/dates.py`, `_plugins/vitesse_shopify/timestamps.py`."""

    path: str
    """Relative to the package's import folder (`src/<import name>/`)."""
    content: bytes
    origin: str
    """Where it came from, for the lock: `custom/dates.py`, `vitesse-shopify 0.1.0`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageNames:
    distribution: str
    """`shopify-credo`."""
    module: str
    """`shopify_credo`."""
    version: str
    python: str = "3.11"
    """The lowest Python it runs on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployPlan:
    target: str = "local"
    replicas: int = 1
    memory_mb: int = 512
    cpu_cores: float = 0.5
    auto_scale: bool = False
    port: int = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One package, decided."""

    names: PackageNames
    intent: str
    """The user's own sentence. Outside text."""
    contract: int
    """The runtime contract the derived code is written for."""
    draft: tuple[str, ...] = ()
    """Open rules that were compiled all the same (`stream.rule`); empty unless the build was a draft."""
    source: ApiPlan
    destination: ApiPlan
    models: tuple[ModelModule, ...]
    mappers: tuple[MapperModule, ...]
    streams: tuple[StreamPlan, ...]
    webhooks: tuple[WebhookPlan, ...] = ()
    retention: RetentionPlan = RetentionPlan()
    settings: tuple[SettingValue, ...] = ()
    """Every environment variable, sorted by name."""
    copied: tuple[CopiedFile, ...] = ()
    tables: tuple[StreamTable, ...] = ()
    corrections: tuple[CorrectionRow, ...] = ()
    """What overlays correct in the specs."""
    mocks: MockPlan
    monitoring: MonitoringPlan | None = None
    deploy: DeployPlan = field(default_factory=DeployPlan)
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Input file (relative to the integration's folder) → sha256 of its bytes; for the lock."""
