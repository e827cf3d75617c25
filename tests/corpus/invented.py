"""Descriptions that nobody wrote: random operations over random schemas, with the names that hurt. The same for the same seed."""

from __future__ import annotations

import random
import re
from typing import Any

FIELDS = (
    "id name from self class MISSING Record model_config model_fields copy json dict list str int Any Decimal date "
    "None True x-y x_y xY XY 1a 日本 é __x__ _a $ref2 a.b a[b] a/b type items Field Annotated validate schema fields "
    "values keys get Reply Page bytes bool float set tuple datetime annotations Kind1 Kind0 field_1 wire-1 root "
    "model_dump model_extra self_ cls Union List typing async match case _ print import lambda"
).split()
COMPONENTS = (
    "Thing Record MISSING Any Decimal list dict str Field Annotated Reply ApiClient Operation Api Parameter Page "
    "Kind1 class None thing THING thing_ Thing_2 Thing2 thing-2 a.b.C <T> C[T] C«T» 1st Model BaseModel date "
    "datetime AsyncIterator Settings Env Client self int bytes Part"
).split()
RESOURCES = ("things", "class", "list", "from", "records", "Any", "1", "x-y", "a.b", "self")
TAILS = ("", "/{id}", "/{from}/{self}", "/{x-y}", "/{a.b}", "/{1}")
BODIES = (
    "application/json",
    "application/json",
    "multipart/form-data",
    "application/x-www-form-urlencoded",
    "application/vnd.x+json",
)
_DEEP = 4


class Inventor:
    """Makes one description."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._version = self._chance.choice(("3.0.3", "3.1.0"))
        self._components = self._chance.sample(COMPONENTS, k=self._chance.randint(2, 10))

    def document(self) -> dict[str, Any]:
        chance = self._chance
        paths: dict[str, Any] = {}
        for _ in range(chance.randint(2, 6)):
            path = f"/{chance.choice(RESOURCES)}{chance.choice(TAILS)}"
            methods = chance.sample(("get", "post", "put", "patch", "delete"), k=chance.randint(1, 3))
            paths[path] = {method: self._operation(method, path) for method in methods}
        return {
            "openapi": self._version,
            "info": {"title": chance.choice(("T", "class", "Record", '1st "x"', "é")), "version": "1"},
            "paths": paths,
            "components": {
                "schemas": {
                    name: self._schema(0, self._components[:index]) for index, name in enumerate(self._components)
                }
            },
        }

    def _operation(self, method: str, path: str) -> dict[str, Any]:
        chance = self._chance
        parameters = {
            (name, place): {"name": name, "in": place, "schema": self._schema(2), "required": chance.random() < 0.3}
            for name, place in (
                (chance.choice(FIELDS), chance.choice(("query", "query", "cookie")))
                for _ in range(chance.randint(0, 4))
            )
            if place == "query" or (name.isidentifier() and name.isascii())
        }
        for one in parameters.values():
            if one["in"] == "query":
                one["style"] = chance.choice(("form", "deepObject", "pipeDelimited", "spaceDelimited"))
        listed = list(parameters.values())
        for name in re.findall(r"\{(.*?)\}", path):
            listed.append(
                {"name": name, "in": "path", "required": True, "schema": {"type": chance.choice(("string", "integer"))}}
            )
        found: dict[str, Any] = {"parameters": listed}
        if chance.random() < 0.5:
            found["operationId"] = chance.choice(FIELDS + COMPONENTS)
        if method in ("post", "put", "patch"):
            found["requestBody"] = {"required": True, "content": {chance.choice(BODIES): {"schema": self._schema(0)}}}
        status = chance.choice(("200", "201", "2XX", "default"))
        reply = {"description": "", "content": {"application/json": {"schema": self._schema(0)}}}
        found["responses"] = {status: reply}
        return found

    def _schema(self, depth: int, bases: list[str] | None = None) -> dict[str, Any]:
        """A schema; `bases` are what an `allOf` may build on, so that nothing is built on itself."""
        chance = self._chance
        kinds = ["scalar", "ref", "object", "object", "array", "map", "union", "all", "anything", "enum", "format"]
        kind = chance.choice(kinds if depth <= _DEEP else ["scalar", "ref"])
        made = self._made(kind, depth, bases or [])
        if kind in ("scalar", "object", "array", "format") and chance.random() < 0.15:
            if self._version == "3.0.3":
                made["nullable"] = True
            else:
                made["type"] = [made["type"], "null"]
        if kind not in ("ref", "all") and chance.random() < 0.08:
            made[chance.choice(("readOnly", "writeOnly"))] = True
        return made

    def _made(self, kind: str, depth: int, bases: list[str]) -> dict[str, Any]:
        chance = self._chance
        match kind:
            case "ref":
                return _ref(chance.choice(self._components))
            case "object":
                names = [chance.choice(FIELDS) for _ in range(chance.randint(0, 5))]
                made: dict[str, Any] = {
                    "type": "object",
                    "properties": {name: self._schema(depth + 1) for name in names},
                }
                made["required"] = [name for name in made["properties"] if chance.random() < 0.4]
                if chance.random() < 0.2:
                    made["additionalProperties"] = chance.choice((True, False, self._schema(depth + 1)))
                return made
            case "array":
                return {"type": "array", "items": self._schema(depth + 1)}
            case "map":
                return {"type": "object", "additionalProperties": self._schema(depth + 1)}
            case "union":
                return {
                    chance.choice(("oneOf", "anyOf")): [self._schema(depth + 1) for _ in range(chance.randint(1, 4))]
                }
            case "all":
                more: dict[str, Any] = {
                    "type": "object",
                    "properties": {chance.choice(FIELDS): self._schema(depth + 1)},
                }
                usable = bases if depth == 0 else self._components
                return {"allOf": [*([_ref(chance.choice(usable))] if usable else []), more]}
            case "anything":
                return {}
            case "enum":
                return {"type": "string", "enum": chance.sample(("a", "b", "", "None", "x y"), k=3)}
            case "format":
                return {
                    "type": "string",
                    "format": chance.choice(("date", "date-time", "binary", "byte", "uuid", "decimal")),
                }
            case _:
                return {"type": chance.choice(("string", "integer", "number", "boolean"))}


def _ref(name: str) -> dict[str, Any]:
    quoted = name.replace("~", "~0").replace("/", "~1").replace("%", "%25")
    return {"$ref": f"#/components/schemas/{quoted}"}
