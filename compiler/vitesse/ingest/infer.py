"""One operation → its facts, each with the place of its evidence and a confidence. No evidence, no fact.

Confidence is how often such evidence is right, as the hand-checked operations of `tests/facts/` show; a fact under 0.8 is shown
to a person as a question before anything is built on it.
"""

from __future__ import annotations

from ..api.facts import Fact, FactKind
from ..api.fields import find_field
from ..api.model import Operation, Type
from .announced import infer_webhooks
from .keys import infer_identity, infer_since, infer_sorted_by, infer_version
from .paging import infer_paging
from .rates import infer_rate_limit
from .reading import Reading
from .replies import infer_record, infer_records
from .words import stem
from .writes import infer_batch, infer_find, infer_idempotency, infer_success, infer_update_is


def infer_facts(reading: Reading, operation: Operation) -> dict[FactKind, Fact]:
    """Infer all facts of one operation, in the order of their kinds."""
    found: list[Fact | None] = []
    records = infer_records(reading, operation)
    record = None if records is not None else infer_record(reading, operation)
    type = record_type(reading, operation, records or record)
    held = records or record
    holder = str(held.value).rpartition(".")[2] if held is not None else ""
    identity = (
        infer_identity(reading, operation, type, holder, is_list=records is not None) if type is not None else None
    )
    if records is not None:
        path = str(records.value)
        named = str(identity.value) if identity is not None else None
        found += [records, infer_paging(reading, operation, path, named)]
    else:
        found.append(record)
    found += [infer_rate_limit(reading, operation), infer_success(reading, operation)]
    if type is not None:
        version = infer_version(reading, operation, type)
        found += [identity, version]
        if records is not None:
            found.append(infer_since(reading, operation, str(version.value) if version is not None else None))
            found.append(infer_sorted_by(reading, operation, type))
            found.append(infer_find(reading, operation, type))
            found.append(infer_webhooks(reading, operation))
    found += [
        infer_idempotency(reading, operation),
        infer_batch(reading, operation),
        infer_update_is(reading, operation),
    ]
    return {fact.kind: fact for fact in found if fact is not None}


def record_type(reading: Reading, operation: Operation, fact: Fact | None) -> Type | None:
    """The type of one record of an operation's reply, by its `records` or `record` fact."""
    reply = reading.reply(operation)
    if fact is None or reply is None or not isinstance(fact.value, str):
        return None
    found = find_field(reading.api, reply, fact.value)
    if found is None:
        return None
    return reading.item(found.type) if fact.kind == "records" else found.type


def lists(reading: Reading) -> list[Operation]:
    """The operations that list records, those that are plainly lists first."""
    found = [(operation, infer_records(reading, operation)) for operation in reading.api.operations]
    listing = [(operation, fact) for operation, fact in found if fact is not None]
    listing.sort(key=lambda one: (-one[1].confidence, len(stem(one[0].path)), one[0].id))
    return [operation for operation, _ in listing]
