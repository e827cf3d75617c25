"""The base of every generated model: how records are read from and written to the wire.

Missing, null and a value are three things all the way: a field that a reply leaves out is `MISSING`, and a `MISSING`
field is left out of what is sent.
"""

from __future__ import annotations

from pydantic import MISSING, BaseModel, ConfigDict

__all__ = ["MISSING", "Record"]


class Record(BaseModel):
    """A JSON object, narrowed to the fields that are used. Unknown keys are ignored."""

    model_config = ConfigDict(
        extra="ignore",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        protected_namespaces=(),
    )
