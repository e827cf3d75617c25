"""A manifest that says two things which cannot both be: V007 and V008."""

from __future__ import annotations

from ..diagnostics import Diagnostic, Place
from ..forms import pointer
from .form import MANIFEST_FILE, Deploy, Manifest
from .streams import Stream
from .webhooks import SignatureScheme, Webhook


def contradictions(manifest: Manifest) -> list[Diagnostic]:
    """All that a manifest contradicts itself in."""
    return [
        *_deploy(manifest.deploy),
        *(found for name, stream in manifest.streams.items() for found in _stream(name, stream)),
        *(found for index, webhook in enumerate(manifest.webhooks) for found in _webhook(index, webhook, manifest)),
        *_topics_twice(manifest),
        *_order(manifest),
        *(found for name, stream in manifest.streams.items() for found in _conflicts(name, stream, manifest)),
        *_same_api(manifest),
    ]


def _deploy(deploy: Deploy) -> list[Diagnostic]:
    if not deploy.needs_postgresql or deploy.database == "postgresql":
        return []
    if deploy.database is None and deploy.target != "local":
        return []
    why = "more than one replica" if deploy.replicas > 1 or deploy.auto_scale else f"the target `{deploy.target}`"
    return [
        _fault(
            "V007",
            f"{why} cannot share a SQLite file",
            ("deploy", "database" if deploy.database else "replicas"),
            help="set `database: postgresql`, or run one replica locally",
        )
    ]


def _stream(name: str, stream: Stream) -> list[Diagnostic]:
    at = ("streams", name)
    destination = stream.destination
    faults = []
    if stream.mode == "append" and destination.update is not None:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` appends and names an `update` operation",
                (*at, "destination", "update"),
                help="remove `update`, or set `mode: upsert`",
            )
        )
    if stream.mode == "upsert" and destination.update is None:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` upserts but names no `update` operation",
                (*at, "destination"),
                help="add `update`, or set `mode: append` when records never change",
            )
        )
    if stream.adopt in ("prefetch", "lookup") and not stream.match:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` adopts by `{stream.adopt}` but nothing says how records match",
                (*at, "adopt"),
                help="add `match: [{source: …, destination: …}]`, or set `adopt: never`",
            )
        )
    if stream.adopt == "lookup" and destination.find is None:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` adopts by `lookup` but has no `find` operation",
                (*at, "adopt"),
                help="add `find` to the destination, or set `adopt: prefetch`",
            )
        )
    if stream.adopt == "prefetch" and destination.list is None and destination.find is None:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` adopts by `prefetch` but has no `list` operation",
                (*at, "adopt"),
                help="add `list` to the destination, or set `adopt: on_conflict`",
            )
        )
    faults += _removal(name, stream)
    if destination.batch_update is not None and destination.update is None:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` updates in batches but names no `update` operation",
                (*at, "destination", "batch_update"),
                help="add `update`: what a batch leaves open is updated alone",
            )
        )
    if stream.rollback and (why := _not_put_back(name, stream)) is not None:
        faults.append(
            _fault("V008", f"the stream `{name}` is to be rolled back, and {why[0]}", (*at, "rollback"), help=why[1])
        )
    matched = {match.destination for match in stream.match}
    for field in destination.find.by if destination.find else ():
        if field not in matched:
            faults.append(
                _fault(
                    "V008",
                    f"the stream `{name}` finds records by `{field}`, which is not a `match` field",
                    (*at, "destination", "find", "by", field),
                    help=f"add a `match` with `destination: {field}`",
                )
            )
    return faults


def _removal(name: str, stream: Stream) -> list[Diagnostic]:
    """What contradicts a stream's deletes."""
    deletes, destination = stream.removes, stream.destination
    if deletes is None:
        return []
    wrong: list[tuple[str, str]] = []
    if stream.mode == "append":
        wrong.append(("appends, so nothing of it is ever deleted", "remove `deletes`, or set `mode: upsert`"))
    if deletes.mode == "hard" and destination.delete is None:
        wrong.append(("deletes but names no `delete` operation", "add `delete` to the destination, or delete softly"))
    if deletes.mode == "soft" and (destination.update is None or not deletes.set):
        wrong.append(("deletes softly but does not say what is written then", "add `update` and `set: {field: value}`"))
    if deletes.mode == "hard" and deletes.set:
        wrong.append(("takes records away and writes into them", "remove `set`, or write `mode: soft`"))
    if deletes.by == "tombstone" and deletes.tombstone is None:
        wrong.append(("deletes by tombstone but names no field that is one", "add `tombstone: <source field>`"))
    if deletes.by == "reconciliation" and deletes.tombstone is not None:
        wrong.append(("names a tombstone and finds deletes by reconciliation", "remove one of the two"))
    return [
        _fault("V008", f"the stream `{name}` {what}", ("streams", name, "deletes"), help=help) for what, help in wrong
    ]


def _order(manifest: Manifest) -> list[Diagnostic]:
    """`after` names other streams."""
    faults = []
    for name, stream in manifest.streams.items():
        for index, first in enumerate(stream.after):
            if first == name or first not in manifest.streams:
                others = ", ".join(other for other in manifest.streams if other != name) or "none"
                faults.append(
                    _fault(
                        "V008",
                        f"the stream `{name}` comes after `{first}`, which is no other stream",
                        ("streams", name, "after", index),
                        help=f"name other streams: {others}",
                    )
                )
    return faults


def _not_put_back(name: str, stream: Stream) -> tuple[str, str] | None:
    """Why what a run of the stream wrote could not be put back, and the way out."""
    if stream.mode == "append":
        return "appends: nothing is replaced", "leave `rollback` out"
    if stream.destination.get is None:
        return (
            "has no `get` operation to see what a write replaces",
            "add `get` to the destination, or leave `rollback` out",
        )
    return None


def _webhook(index: int, webhook: Webhook, manifest: Manifest) -> list[Diagnostic]:
    found = [
        *_registration(index, webhook),
        *_named_record(index, webhook, manifest),
        *_handshake(index, webhook.scheme),
    ]
    if webhook.stream in manifest.streams:
        return found
    return [
        *found,
        _fault(
            "V008",
            f"a webhook goes to the stream `{webhook.stream}`, which is not there",
            ("webhooks", index, "stream"),
            help=f"name one of the streams: {', '.join(manifest.streams)}",
        ),
    ]


def _topics_twice(manifest: Manifest) -> list[Diagnostic]:
    """A topic has one URL, so it belongs to one webhook."""
    first: dict[str, int] = {}
    faults = []
    for index, webhook in enumerate(manifest.webhooks):
        for topic in dict.fromkeys((*webhook.topics, *webhook.deleted_topics)):
            if first.setdefault(topic, index) != index:
                other = manifest.webhooks[first[topic]].stream
                faults.append(
                    _fault(
                        "V008",
                        f"the topic `{topic}` is of two webhooks, and only one of them would get its deliveries",
                        ("webhooks", index),
                        help=f"take it out of one: it is also of a webhook of the stream `{other}`",
                    )
                )
    return faults


def _named_record(index: int, webhook: Webhook, manifest: Manifest) -> list[Diagnostic]:
    """What is wrong with deliveries that name their record and do not hold it."""
    if webhook.record_id is None:
        return []
    at = ("webhooks", index, "record_id")
    stream, wrong = manifest.streams.get(webhook.stream), list[Diagnostic]()
    if stream is not None and stream.source.get is None:
        wrong.append(
            _fault(
                "V008",
                f"a webhook names its records, and the stream `{webhook.stream}` has no operation that reads one",
                at,
                help="add `get` to the stream's source, or say with `record` where a delivery holds the record",
            )
        )
    if webhook.record:
        wrong.append(
            _fault(
                "V008",
                "a webhook's deliveries hold their record and only name it",
                at,
                help="keep `record` where they hold it whole, `record_id` where they name it",
            )
        )
    return wrong


def _handshake(index: int, scheme: str | SignatureScheme) -> list[Diagnostic]:
    """A handshake by GET is answered to those who know a word, so a scheme says where both stand."""
    if isinstance(scheme, str):
        return []
    parts = {"handshake_challenge": scheme.handshake_challenge, "handshake_word": scheme.handshake_word}
    missing = [name for name, value in parts.items() if value is None]
    if not missing or (len(missing) == 2 and scheme.handshake_mode is None):
        return []
    return [
        _fault(
            "V008",
            "a scheme has a handshake by GET and does not say where its challenge and its word stand",
            ("webhooks", index, "scheme"),
            help=f"add `{missing[0]}: <query parameter>`",
        )
    ]


def _registration(index: int, webhook: Webhook) -> list[Diagnostic]:
    register = webhook.register_
    if register is None:
        return []
    at = ("webhooks", index, "register")
    said = " ".join(str(value) for value in register.body.values())
    wrong = []
    if "{url}" not in said:
        wrong.append(("says nowhere where deliveries go", "give one field of `body` the value `{url}`"))
    if register.list is not None and register.url is None:
        wrong.append(("lists what there is and does not say where the URL stands in it", "add `url: <field>`"))
    if register.delete is not None and register.list is None:
        wrong.append(("removes registrations and lists none, so it cannot name them", "add `list` and `url`"))
    if register.delete is not None and "{" not in register.delete:
        wrong.append(("is removed by an operation whose path names none", "use the operation for one webhook, or none"))
    return [_fault("V008", f"the registration of a webhook {what}", at, help=help) for what, help in wrong]


def _conflicts(name: str, stream: Stream, manifest: Manifest) -> list[Diagnostic]:
    """What is wrong with `conflicts` and `reverse_of`."""
    at, rule, faults = ("streams", name), stream.rules_of_conflict, list[Diagnostic]()

    def fault(message: str, *steps: str, help: str) -> None:
        faults.append(_fault("V008", f"the stream `{name}` {message}", (*at, *steps), help=help))

    if stream.mode == "append" and not rule.is_plain:
        fault("appends, so nothing can conflict", "conflicts", help="remove `conflicts`, or set `mode: upsert`")
    if rule.compares_times and (rule.clock_skew is None or rule.version is None):
        fault(
            "decides by time and does not say by which: two clocks never agree",
            "conflicts",
            help="write `conflicts: {strategy: timestamp_based, version: <the destination's field>, clock_skew: 5 seconds}`",
        )
    to = stream.destination
    if not rule.is_plain and to.get is None and to.find is None and to.list is None:
        fault(
            "merges, and no operation reads a record of the destination",
            "conflicts",
            help="add `get`, `find` or `list` to the destination, or set `conflicts: source_priority`",
        )
    if not rule.is_plain and stream.removes is not None and to.get is None:
        fault(
            "merges and deletes, and cannot read the record that it would delete",
            "deletes",
            help="add `get` to the destination: a record that was changed there is a conflict, and not deleted",
        )
    if stream.reverse_of is not None:
        faults += _reverse(name, stream, manifest)
    return faults


def _reverse(name: str, stream: Stream, manifest: Manifest) -> list[Diagnostic]:
    """A pair shares links, so both have to find a record that is there already, and to read it."""
    faults: list[Diagnostic] = []

    def fault(of: str, message: str, *steps: str, help: str) -> None:
        faults.append(_fault("V008", f"the stream `{of}` {message}", ("streams", of, *steps), help=help))

    forward = manifest.streams.get(stream.reverse_of or "")
    if forward is None or forward.reverse_of is not None or forward is stream:
        others = [each for each, one in manifest.streams.items() if one.reverse_of is None]
        fault(
            name,
            f"goes back for `{stream.reverse_of}`, which is no stream that goes on",
            "reverse_of",
            help=f"name one of: {', '.join(others) or 'a stream without `reverse_of`'}",
        )
        return faults
    twin = next(each for each, one in manifest.streams.items() if one.reverse_of == stream.reverse_of)
    if twin != name:
        fault(name, f"goes back for `{stream.reverse_of}`, and so does `{twin}`", "reverse_of", help="keep one of them")
    if not stream.rules_of_conflict.is_plain:
        fault(
            name,
            f"has a rule for conflicts of its own; that of `{stream.reverse_of}` counts for both directions",
            "conflicts",
            help=f"say it in `{stream.reverse_of}`",
        )
    for of, one in ((stream.reverse_of or "", forward), (name, stream)):
        if one.mode == "append":
            fault(of, "goes both ways and appends", "mode", help="remove `mode: append`")
        if not one.match:
            fault(of, "goes both ways and nothing says how records match", "match", help="add `match`")
        if one.source.get is None:
            fault(of, "goes both ways and cannot ask for one record", "source", help="add `get` to the source")
        if one.destination.get is None:
            fault(
                of, "goes both ways and cannot read what it writes", "destination", help="add `get` to the destination"
            )
        if one.destination.find is None and one.destination.list is None:
            fault(
                of,
                "goes both ways and cannot find records that are there already",
                "destination",
                help="add `find` to the destination",
            )
        if "adopt" in one.model_fields_set and one.adopt not in ("lookup", "prefetch"):
            fault(of, f"goes both ways and adopts by `{one.adopt}`", "adopt", help="remove `adopt`, or set `lookup`")
    return faults


def _same_api(manifest: Manifest) -> list[Diagnostic]:
    if manifest.source.api != manifest.destination.api:
        return []
    return [
        _fault(
            "V008",
            f"source and destination are both named `{manifest.source.api}`",
            ("destination", "api"),
            help="give each its own name; with `spec` both can share a file",
        )
    ]


def _fault(code: str, message: str, at: tuple[str | int, ...], help: str) -> Diagnostic:
    return Diagnostic(code=code, message=message, places=(Place(file=MANIFEST_FILE, pointer=pointer(*at)),), help=help)
