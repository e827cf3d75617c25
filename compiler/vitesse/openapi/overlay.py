"""A description × an overlay → the description as it should have been published, with a reason for each correction.

The form is that of OpenAPI Overlay 1.0 and 1.1; its targets are a part of JSONPath: members by name, items by number, `*`, and one
comparison (`[?@.name == 'limit']`). Each action needs a `description`: it is shown to whoever reviews the mapping.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .limits import LimitExceeded, Limits, count_nodes

_MEMBER = r"[A-Za-z_$][A-Za-z0-9_$\-]*"
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_STEP = re.compile(
    rf"""\.(?P<name>{_MEMBER})|(?P<all>\.\*|\[\*\])|\[(?P<index>0|[1-9][0-9]{{0,8}})\]|\[(?P<quoted>{_QUOTED})\]
    |\[\?[ ]*\(?[ ]*@\.(?P<key>{_MEMBER})[ ]*==[ ]*(?P<value>{_QUOTED})[ ]*\)?[ ]*\]""",
    re.VERBOSE,
)
_MAX_ACTIONS = 1000
_MAX_PATH = 2000

Change: TypeAlias = Literal["update", "copy", "remove"]
Step: TypeAlias = "str | int | None | tuple[str, str]"
"""A name, a number, None for all, or (name, value) for the members or items that have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One action that was carried out."""

    target: str
    reason: str
    removes: bool
    matches: int
    """How many places it found; none says that the description is no longer as the overlay thinks."""
    pointer: str
    """Into the overlay."""


class OverlayError(Exception):
    """What is not as the form asks, with its pointer into the overlay."""

    def __init__(self, message: str, pointer: str) -> None:
        self.pointer = pointer
        super().__init__(message)


def apply_overlay(value: dict[str, Any], overlay: Any, limits: Limits) -> tuple[dict[str, Any], tuple[Correction, ...]]:
    """Correct a description; the given value stays as it is.

    Raises:
        OverlayError: For what is not as the form asks.
        LimitExceeded: When the corrected description is too large.
    """
    actions = _actions(overlay)
    root: dict[str, Any] = _unshared(value)
    done: list[Correction] = []
    for number, action in enumerate(actions):
        at = f"#/actions/{number}"
        target, reason, change = _checked(action, at)
        steps = _parse(target, f"{at}/target")
        places = list(_find(root, steps))
        removes = change == "remove"
        if removes:
            _remove(places, f"{at}/target")
        else:
            update = action["update"] if change == "update" else _copied(root, action["copy"], f"{at}/copy")
            size = count_nodes(update, limits)
            if size * len(places) > limits.nodes:
                raise LimitExceeded("nodes", limits.nodes, "the overlay adds more values")
            for _, _, node in places:
                _merge(node, update, f"{at}/{change}")
            count_nodes(root, limits)
        done.append(Correction(target=target, reason=reason, removes=removes, matches=len(places), pointer=at))
    return root, tuple(done)


# --- the form ---------------------------------------------------------------------------------------------------------


def _actions(overlay: Any) -> list[Any]:
    if not isinstance(overlay, dict):
        raise OverlayError("an overlay is an object", "#")
    unknown = next((key for key in overlay if key not in ("overlay", "info", "extends", "actions", *_x(overlay))), None)
    if unknown is not None:
        raise OverlayError(f"an overlay has no `{unknown[:80]}`", "#")
    version = str(overlay.get("overlay", ""))
    if not version.startswith(("1.0.", "1.1.")) and version not in ("1.0", "1.1"):
        raise OverlayError(f"the version `overlay: {version[:40]}` is neither 1.0 nor 1.1", "#")
    actions = overlay.get("actions")
    if not isinstance(actions, list) or not actions:
        raise OverlayError("an overlay lists `actions`", "#")
    if len(actions) > _MAX_ACTIONS:
        raise OverlayError(f"there are more than {_MAX_ACTIONS} actions", "#/actions")
    return actions


def _x(form: dict[str, Any]) -> list[str]:
    return [key for key in form if key.startswith("x-")]


def _checked(action: Any, at: str) -> tuple[str, str, Change]:
    """(target, reason, which of the three it is)."""
    if not isinstance(action, dict):
        raise OverlayError("an action is an object", at)
    unknown = next(
        (key for key in action if key not in ("target", "description", "update", "copy", "remove", *_x(action))), None
    )
    if unknown is not None:
        raise OverlayError(f"an action has no `{unknown[:80]}`", at)
    target, reason, removes = action.get("target"), action.get("description"), action.get("remove", False)
    if not isinstance(target, str) or len(target) > _MAX_PATH:
        raise OverlayError("an action has a `target`, a path as text", at)
    if not isinstance(reason, str) or not reason.strip():
        raise OverlayError("an action says its reason in `description`", at)
    if not isinstance(removes, bool):
        raise OverlayError("`remove` is true or false", f"{at}/remove")
    changes: list[Change] = [key for key in ("update", "copy") if key in action]
    if removes:
        changes.append("remove")
    if len(changes) != 1:
        raise OverlayError("an action has either `update`, `copy` or `remove: true`", at)
    return target, " ".join(reason.split())[:400], changes[0]


def _parse(text: str, at: str) -> list[Step]:
    if not text.startswith("$"):
        raise OverlayError(f"the target `{text[:80]}` does not start with `$`", at)
    steps: list[Step] = []
    position = 1
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise OverlayError(f"the target is not read from `{text[position : position + 60]}` on", at)
        position = found.end()
        if found["name"] is not None:
            steps.append(found["name"])
        elif found["index"] is not None:
            steps.append(int(found["index"]))
        elif found["quoted"] is not None:
            steps.append(_text(found["quoted"]))
        elif found["key"] is not None:
            steps.append((found["key"], _text(found["value"])))
        else:
            steps.append(None)
    return steps


def _text(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted[1:-1])


# --- carrying out -----------------------------------------------------------------------------------------------------


def _find(root: Any, steps: list[Step]) -> Iterator[tuple[Any, Any, Any]]:
    """(parent, key, value) of each place; the root has no parent."""
    found: list[tuple[Any, Any, Any]] = [(None, None, root)]
    for step in steps:
        found = [inner for _, _, node in found for inner in _into(node, step)]
    yield from found


def _into(node: Any, step: Step) -> Iterator[tuple[Any, Any, Any]]:
    if isinstance(step, str):
        if isinstance(node, dict) and step in node:
            yield node, step, node[step]
    elif isinstance(step, int):
        if isinstance(node, list) and step < len(node):
            yield node, step, node[step]
    elif isinstance(node, dict | list):
        for key, member in node.items() if isinstance(node, dict) else enumerate(node):
            if step is None or (isinstance(member, dict) and member.get(step[0]) == step[1]):
                yield node, key, member


def _copied(root: Any, path: Any, at: str) -> Any:
    """The one value at a path, as `copy` of Overlay 1.1 has it."""
    if not isinstance(path, str) or len(path) > _MAX_PATH:
        raise OverlayError("`copy` is a path as text", at)
    found = list(_find(root, _parse(path, at)))
    if len(found) != 1:
        raise OverlayError(f"`copy` finds {len(found) or 'no'} values at `{path[:80]}`, and one is copied", at)
    return _unshared(found[0][2])


def _remove(places: list[tuple[Any, Any, Any]], at: str) -> None:
    for parent, key, _ in reversed(places):  # later items of a list first
        if parent is None:
            raise OverlayError("the whole description cannot be removed", at)
        del parent[key]


def _merge(node: Any, update: Any, at: str) -> None:
    if isinstance(node, list):
        node.append(_unshared(update))
    elif not isinstance(node, dict):
        raise OverlayError("the target is a plain value: name the object it stands in, and update its member", at)
    elif not isinstance(update, dict):
        raise OverlayError("what an object is updated with is an object", at)
    else:
        _merge_objects(node, update)


def _merge_objects(node: dict[str, Any], update: dict[str, Any]) -> None:
    for key, value in update.items():
        there = node.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            _merge_objects(there, value)
        elif isinstance(there, list) and isinstance(value, list):
            there.extend(_unshared(value))
        else:
            node[key] = _unshared(value)


def _unshared(value: Any) -> Any:
    """A copy in which nothing stands twice: aliases of YAML are one value in several places."""
    if isinstance(value, dict):
        return {key: _unshared(member) for key, member in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value
