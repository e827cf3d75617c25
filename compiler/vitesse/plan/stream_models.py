"""The models of one stream: what is read of a record, the body that is written, the record as it comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..api.model import Type
from ..api.paths import Path
from ..rules.model import ReviewedRules
from .full import FullModels
from .mapping import BodyMaker
from .model import Construct, JsonPath, Model, ModelModule, PyType
from .names import Scope, singular, snake
from .record_types import without_positions
from .shape import ModelMaker, Shape, shape_of
from .sides import StreamSide
from .typed import Imports, Root


class StreamModels:
    """Makes them; `modules` holds them in the order in which they were made."""

    def __init__(self, names: Scope, *, is_full: bool) -> None:
        """`is_full`: models have every field, not only those that are used."""
        self._names = names
        self._is_full = is_full
        self.modules: list[ModelModule] = []
        self.is_exact = False
        """Whether a record that is read holds decimals."""

    def source(
        self, side: StreamSide, record: Type | None, paths: Sequence[Path], class_name: str, resource: str
    ) -> tuple[Shape, str]:
        """A record as it is read: its shape, and the module that holds its model."""
        shape = shape_of(paths)
        models = self._read_models(side, record, shape, class_name)
        self.is_exact = any(_holds_decimal(field.type) for model in models for field in model.fields)
        module = self._claim(side, singular(resource), otherwise="source_record")
        self._add(module, f"{class_name} ({side.names.title}), as it is read.", models, reads=True)
        return shape, module

    def body(
        self,
        side: StreamSide,
        body: Type | None,
        rules: ReviewedRules,
        root: Root,
        class_name: str,
        resource: str,
        imports: Imports,
    ) -> tuple[Construct, str]:
        """A body as it is written: the expression that fills it, and the module that holds its model."""
        full = self._full(side, class_name, reads=False)
        maker = BodyMaker(
            api=side.api,
            system=side.names.title,
            classes=full.classes,
            imports=imports,
            others=full.type_of if self._is_full else None,
        )
        filled = maker.body(body, rules.rules, root, class_name)
        module = self._claim(side, singular(resource), otherwise="body")
        full.finish()
        self._add(
            module, f"{class_name} ({side.names.title}), as it is written.", (*full.models, *maker.models), reads=False
        )
        for model in maker.models[:-1]:
            imports.use(f"models.{module}", model.name)
        return filled, module

    def result(
        self, side: StreamSide, record: Type | None, paths: list[JsonPath], class_name: str, resource: str
    ) -> PyType:
        """The record as the destination gives it back, where anything that is used may be missing."""
        models = self._read_models(side, record, shape_of(without_positions(paths)), class_name, may_miss=True)
        module = self._claim(side, f"{singular(resource)}_record", otherwise="record")
        self._add(module, f"{class_name} ({side.names.title}), as it comes back.", models, reads=True)
        return PyType(model=class_name, module=module)

    def _read_models(
        self, side: StreamSide, record: Type | None, shape: Shape, class_name: str, *, may_miss: bool = False
    ) -> tuple[Model, ...]:
        full = self._full(side, class_name, reads=True)
        maker = ModelMaker(
            api=side.api,
            system=side.names.title,
            classes=full.classes,
            others=full.type_of if self._is_full else None,
        )
        maker.record(record, shape, class_name)
        full.finish()
        made = [_missing(model) for model in maker.models] if may_miss else maker.models
        return (*full.models, *made)

    def _full(self, side: StreamSide, class_name: str, *, reads: bool) -> FullModels:
        """What types the fields that nothing uses. In replies none of them is counted on."""
        return FullModels(
            api=side.api, system=side.names.title, classes=Scope((class_name,)), reads=reads, required=not reads
        )

    def _claim(self, side: StreamSide, name: str, *, otherwise: str) -> str:
        return self._names.claim(snake(f"{side.names.module}_{name}", otherwise=otherwise))

    def _add(self, module: str, doc: str, models: tuple[Model, ...], *, reads: bool) -> None:
        self.modules.append(ModelModule(module=module, doc=doc, reads=reads, models=models))


def _missing(model: Model) -> Model:
    """The model, with fields that may all be missing."""
    return replace(
        model, fields=tuple(replace(field, type=replace(field.type, may_miss=True)) for field in model.fields)
    )


def _holds_decimal(type: PyType) -> bool:
    return type.scalar == "Decimal" or any(
        _holds_decimal(inner) for inner in (type.items, type.values) if inner is not None
    )
