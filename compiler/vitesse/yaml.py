"""YAML and JSON text → plain values, for the files of an integration's folder.

YAML as version 1.2 means it: `no`, `on`, dates and times stay text; a key that stands twice is refused.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .api.model import Json


class YamlError(ValueError):
    """The text is not what its name says. `line` counts from 1, None where nothing is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def read_yaml(text: str) -> Json:
    """Parse one YAML document. Keys come as text, whatever they look like.

    Raises:
        YamlError: Where it is not YAML or means two things at once.
    """
    # ryaml is quick, but drops tags in silence and turns keys that look like numbers into numbers.
    if not any(mark in text for mark in "!&*"):
        try:
            import ryaml

            value = ryaml.loads(text)  # type: ignore[attr-defined]
            if _has_text_keys(value):
                return _plain(value)
        except (ImportError, ValueError, TypeError):
            pass  # no wheel for this platform, or a fault that the other parser gives a line to
    return _plain(_read_with_pyyaml(text))


def read_json(text: str) -> Json:
    """Parse one JSON document.

    Raises:
        YamlError: Where it is not JSON.
    """
    try:
        value: Json = json.loads(text)
    except json.JSONDecodeError as error:
        raise YamlError(f"this is not JSON: {error.msg.lower()}", error.lineno) from None
    except RecursionError:
        raise YamlError("this is nested too deeply") from None
    return value


def _read_with_pyyaml(text: str) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506  # a safe loader without dates
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be read"
        raise YamlError(f"this is not YAML: {problem}", mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise YamlError(f"this is not YAML: {' '.join(str(error).split())}") from None


def _loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """YAML 1.2's core schema for plain scalars; keys are text; no key twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            self.flatten_mapping(node)
            found: dict[str, Any] = {}
            for key, value in node.value:
                if not isinstance(key.value, str) or key.value in found:
                    what = f"the key `{key.value}` stands twice" if isinstance(key.value, str) else "a key is no text"
                    raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
                found[key.value] = self.construct_object(value, deep=True)
            return found

    Loader.yaml_implicit_resolvers = {}
    for kind, pattern, starts in (
        ("null", r"(?:~|null|Null|NULL|)\Z", "~nN\0"),
        ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
        ("int", r"[-+]?(?:0|[1-9][0-9]*)\Z", "-+0123456789"),
        ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", "-+.0123456789"),
    ):
        first = [start if start != "\0" else "" for start in starts]
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(pattern), first)
    return Loader


def _has_text_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_has_text_keys, value.values()))
    return all(map(_has_text_keys, value)) if isinstance(value, list) else True


def _plain(value: Any, left: list[int] | None = None) -> Json:
    """The value without shared parts; aliases that name aliases would grow without end."""
    left = [1_000_000] if left is None else left
    left[0] -= 1
    if left[0] < 0:
        raise YamlError("this holds more values than a form can have")
    if isinstance(value, dict):
        return {key: _plain(member, left) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(item, left) for item in value]
    if value is not None and not isinstance(value, (str, int, float, bool)):
        raise YamlError(f"a value of the kind `{type(value).__name__}` cannot be read here")
    result: Json = value
    return result
