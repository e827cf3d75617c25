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
    try:
        import ryaml
    except ImportError:  # no wheel for this platform
        return _text_keys(_read_with_pyyaml(text))
    try:
        return _text_keys(ryaml.loads(text))  # type: ignore[attr-defined]
    except (ryaml.InvalidYamlError, ValueError, TypeError) as error:  # type: ignore[attr-defined]
        _read_with_pyyaml(text)  # says where, when it sees the fault too
        raise YamlError(f"this is not YAML: {' '.join(str(error).split())}") from None


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

    class Loader(yaml.SafeLoader):
        """YAML 1.2's core schema for plain scalars; no key twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key `{key.value}` stands twice", key.start_mark
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

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


def _text_keys(value: Any) -> Json:
    if isinstance(value, dict):
        return {_key(key): _text_keys(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_text_keys(item) for item in value]
    if value is not None and not isinstance(value, (str, int, float, bool)):
        raise YamlError(f"a value of the kind `{type(value).__name__}` cannot be read here")
    result: Json = value
    return result


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    return json.dumps(key) if key is None or isinstance(key, (bool, int, float)) else str(key)
