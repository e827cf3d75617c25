"""IR 2: everything the package will do, decided; plain data.

Made by `plan.build`, read by `render`, which only spells it. Names here are final: Python identifiers are unique in their
scope and safe, module and file lists are in output order. Text from outside (wire names, paths, prose) is carried as plain
`str` and reaches Python only as a literal.
"""

from __future__ import annotations

from .clients import (
    ApiPlan,
    AuthPlan,
    FieldStyle,
    OperationPlan,
    PagingPlan,
    ParameterPlan,
    RateLimitPlan,
    SettingValue,
    Style,
    SuccessPlan,
)
from .mappers import (
    Call,
    Constant,
    Construct,
    Expression,
    FilledField,
    FunctionName,
    Import,
    Items,
    MapperModule,
    Pick,
    Read,
    Reader,
)
from .package import CopiedFile, DeployPlan, MockPlan, MonitoringPlan, PackageNames, Plan
from .streams import (
    BatchPlan,
    DeletesPlan,
    DestinationPlan,
    FindPlan,
    FixedPlan,
    MatchPlan,
    MergeFieldPlan,
    MergePlan,
    PartitionPlan,
    RetentionPlan,
    SincePlan,
    SourcePlan,
    StrategyName,
    StreamPlan,
)
from .tables import CorrectionRow, RuleRow, StreamTable
from .types import JsonPath, Model, ModelField, ModelModule, PyType, ScalarName
from .webhooks import RegistrationPlan, SignaturePlan, WebhookPlan

__all__ = [
    "ApiPlan", "AuthPlan", "BatchPlan", "Call", "Constant", "Construct", "CopiedFile", "CorrectionRow", "DeletesPlan",
    "DeployPlan", "DestinationPlan", "Expression", "FieldStyle", "FilledField", "FindPlan", "FixedPlan",
    "FunctionName", "Import", "Items", "JsonPath", "MapperModule", "MatchPlan", "MergeFieldPlan", "MergePlan",
    "MockPlan", "Model", "ModelField", "ModelModule", "MonitoringPlan", "OperationPlan", "PackageNames", "PagingPlan",
    "ParameterPlan", "PartitionPlan", "Pick", "Plan", "PyType", "RateLimitPlan", "Read", "Reader", "RegistrationPlan",
    "RetentionPlan", "RuleRow", "ScalarName", "SettingValue", "SignaturePlan", "SincePlan", "SourcePlan",
    "StrategyName", "StreamPlan", "StreamTable", "Style", "SuccessPlan", "WebhookPlan",
]  # fmt: skip
