"""The queue of conflicts, for the command line and the control API: look at them, and answer.

An answer is carried out by a run of the stream, under its lease and with intents like every other write. It counts only for the
two versions that the person saw: when either side has changed since, the conflict stays open with what is there now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..declare import Merge, Stream
from ..engine import Engine, RunReport, RunRequest
from ..engine.merge import Answer, Side, View, laid_in, view_of
from ..errors import RequestRefused
from ..hashing import decode_exact
from ..mask import Mask
from ..redact import Redactor
from ..state import State
from .past import NotNow, NotThere


def conflicts_of(
    state: State, stream: str | None, *, state_name: str = "open", limit: int = 50
) -> list[dict[str, Any]]:
    """Conflicts without what is in the records, newest first."""
    return state.conflicts.latest(stream, state=state_name, limit=limit)


def conflict_of(state: State, stream: Stream[Any, Any] | None, redactor: Redactor, conflict_id: str) -> dict[str, Any]:
    """One conflict: each field as it was agreed on and as each side has it now; masked fields hidden."""
    row = _row(state, conflict_id)
    base, source, destination = _versions(state, row)
    if stream is not None and stream.merge is not None:
        base, source, destination = (_masked(stream, stream.merge, view) for view in (base, source, destination))
    names = dict.fromkeys((*row["fields"], *base, *source, *destination))

    def shown(view: View, name: str) -> Any:
        return redactor.value(view.get(name))

    told = {name: value for name, value in row.items() if name not in ("base", "source", "destination", "link_hash")}
    return {
        **told,
        "gone": _gone(state, row),
        "values": {
            name: {
                "base": shown(base, name),
                "source": shown(source, name),
                "destination": shown(destination, name),
                "is_conflict": name in row["fields"],
            }
            for name in names
        },
    }


def given_values(texts: Sequence[str]) -> dict[str, Any]:
    """`FIELD=JSON` each. Raises `RequestRefused` for what is none."""
    values: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        try:
            values[name.strip()] = decode_exact(value.encode())
        except (msgspec.MsgspecError, UnicodeError):
            sign = ""
        if not sign or not name.strip():
            raise RequestRefused(f'`{text[:80]}` is not FIELD=JSON: `price=19.90`, `title="A title"`')
    return values


async def resolve(
    engine: Engine, conflict_id: str, *, take: Side | None, values: Mapping[str, Any], by: str, trigger: str = "cli"
) -> tuple[RunReport, bool]:
    """Carry out a person's answer.

    Returns:
        The run that did it, and whether the conflict is resolved now. It is not when a side has changed meanwhile or the
        write was not carried out; then it waits on, as things stand now.

    Raises:
        RequestRefused: no such conflict, not open any more, or the answer leaves a field open.
    """
    state = engine.state
    row = await state.call(lambda: _row(state, conflict_id))
    if row["state"] != "open":
        raise NotNow(f"the conflict `{conflict_id}` is resolved already: {row['resolution']}")
    stream = engine.stream(row["stream"])
    _, source, destination = _versions(state, row)
    gone = _gone(state, row)
    if gone is not None and (values or take is None):
        raise RequestRefused(f"the {gone} has deleted its record: take `source` or `destination`, whole")
    answer = _answer(stream, row["fields"], take, values, source, destination, by)
    request = RunRequest(
        trigger="http" if trigger == "http" else "cli",
        answers={row["source_id"]: answer},
        **_asked(engine, stream, row, gone),
    )
    report = await engine.run(request)
    after = await state.call(lambda: state.conflicts.get(conflict_id))
    return report, after is not None and after["state"] == "resolved"


def _asked(engine: Engine, stream: Stream[Any, Any], row: Mapping[str, Any], gone: Side | None) -> dict[str, Any]:
    """What the run that carries out an answer reads."""
    if gone == "destination":
        links = engine.links[stream.name]
        assert links.backward is not None, "only the direction that goes back finds that out"
        return {"stream": links.backward.name, "ids": (row["destination_id"],)}
    if stream.source.get is not None:
        return {"stream": stream.name, "ids": (row["source_id"],)}
    if gone == "source":
        return {"stream": stream.name, "gone": (row["source_id"],)}
    form = decode_exact(engine.state.sealer.open(bytes(row["source"])))
    if "record" not in form:
        raise RequestRefused(f"{stream.name}: the source cannot be asked for the record, and it was not kept")
    return {"stream": stream.name, "records": (form["record"].encode(),)}


def _gone(state: State, row: Mapping[str, Any]) -> Side | None:
    """The side that has deleted its record, if one has."""
    sides: tuple[Side, Side] = ("source", "destination")
    return next((side for side in sides if _form(state, row, side).get("gone")), None)


def _answer(
    stream: Stream[Any, Any],
    fields: Sequence[str],
    take: Side | None,
    values: Mapping[str, Any],
    source: View,
    destination: View,
    by: str,
) -> Answer:
    known = {each.name for each in stream.merge.fields} if stream.merge is not None else set()
    for name in values:
        if name not in known:
            raise RequestRefused(f"`{name}` is no field of {stream.name}; there is {', '.join(sorted(known))}")
    missing = [name for name in fields if name not in values]
    if take is None and missing:
        raise RequestRefused(
            f"still open: {', '.join(missing)}; take `source` or `destination`, or give a value for each"
        )
    return Answer(
        take=take, values=dict(values), by=by, fields=tuple(fields), source=dict(source), destination=dict(destination)
    )


def _row(state: State, conflict_id: str) -> dict[str, Any]:
    row = state.conflicts.get(conflict_id)
    if row is None:
        raise NotThere(f"there is no conflict `{conflict_id}`")
    return row


def _versions(state: State, row: Mapping[str, Any]) -> tuple[View, View, View]:
    source, destination = (_form(state, row, side).get("fields", {}) for side in ("source", "destination"))
    return _form(state, row, "base"), source, destination


def _form(state: State, row: Mapping[str, Any], name: str) -> Any:
    return decode_exact(state.sealer.open(bytes(row[name]))) if row[name] else {}


def _masked(stream: Stream[Any, Any], rule: Merge, view: View) -> View:
    """A version without what nobody is shown."""
    envelope = stream.destination.envelope
    size = len(envelope)
    mask = Mask([path[size:] if size and path[:size] == envelope else path for path in stream.mask_destination])
    return view_of(mask.value(laid_in({}, view, rule.fields, view)), rule.fields)
