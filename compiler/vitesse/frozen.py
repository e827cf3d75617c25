"""`dataclass`, for frozen slotted classes: the same class, without writing and compiling six functions for each.

`dataclasses` makes `__init__`, `__repr__`, `__eq__`, `__hash__`, `__setattr__` and `__delattr__` from text whenever a class is
made: a tenth of a small build for classes most of which it never instantiates. Here five of the six are shared functions, and
`__init__` is written when the first instance is made. Type checkers see `dataclasses.dataclass` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    from operator import attrgetter
    from reprlib import recursive_repr

    def dataclass(*, frozen=False, slots=False, kw_only=False):
        """As `dataclasses.dataclass`; what is not frozen and slotted, or inherits fields, is made by it."""

        def make(cls):
            if not (frozen and slots) or any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:]):
                return dataclasses.dataclass(frozen=frozen, slots=slots, kw_only=kw_only)(cls)
            made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(cls)
            for member in dataclasses.fields(made):
                if not (member.init and member.repr and member.compare and member.hash is None):
                    raise TypeError(f"{made.__qualname__}.{member.name} has options that only `dataclasses` knows")
            for name, method in _METHODS.items():
                if name not in made.__dict__ or (name == "__hash__" and made.__hash__ is None):
                    setattr(made, name, method)
            made.__dataclass_params__.init = made.__dataclass_params__.repr = True
            made.__dataclass_params__.eq = made.__dataclass_params__.frozen = True
            return made

        return make

    def _first_init(self, /, *args, **kwargs):
        """Write the class's `__init__`, put it in this one's place, and go on with it."""
        owner = next(cls for cls in type(self).__mro__ if cls.__dict__.get("__init__") is _first_init)
        owner.__init__ = written = _written_init(owner)
        written(self, *args, **kwargs)

    def _written_init(cls):
        known = {"_set": object.__setattr__, "_absent": object()}
        positional, keyed, lines = ["self"], [], []
        for member in dataclasses.fields(cls):
            name = value = member.name
            given = name
            if member.default_factory is not dataclasses.MISSING:
                known[f"_new_{name}"] = member.default_factory
                given, value = f"{name}=_absent", f"_new_{name}() if {name} is _absent else {name}"
            elif member.default is not dataclasses.MISSING:
                known[f"_default_{name}"] = member.default
                given = f"{name}=_default_{name}"
            (keyed if member.kw_only else positional).append(given)
            lines.append(f" _set(self, {name!r}, {value})")
        if hasattr(cls, "__post_init__"):
            lines.append(" self.__post_init__()")
        parameters = ", ".join([*positional, *(["*"] if keyed else []), *keyed])
        exec(f"def __init__({parameters}):\n" + "\n".join(lines or [" pass"]), known)  # noqa: S102  names of our own members
        return known["__init__"]

    _READERS = {}

    def _values(cls):
        """The function that takes an instance's values, made once a class."""
        reader = _READERS.get(cls)
        if reader is None:
            names = [member.name for member in dataclasses.fields(cls)]
            _READERS[cls] = reader = attrgetter(*names) if names else lambda _: ()
        return reader

    @recursive_repr()
    def _repr(self):
        shown = (f"{member.name}={getattr(self, member.name)!r}" for member in dataclasses.fields(self))
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def _eq(self, other):
        cls = self.__class__
        if other.__class__ is not cls:
            return NotImplemented
        reader = _values(cls)
        return reader(self) == reader(other)

    def _hash(self):
        return hash(_values(self.__class__)(self))

    def _setattr(self, name, value):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def _delattr(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def _getstate(self):
        return [getattr(self, member.name) for member in dataclasses.fields(self)]

    def _setstate(self, state):
        for member, value in zip(dataclasses.fields(self), state, strict=True):
            object.__setattr__(self, member.name, value)

    _METHODS = {
        "__init__": _first_init,
        "__repr__": _repr,
        "__eq__": _eq,
        "__hash__": _hash,
        "__setattr__": _setattr,
        "__delattr__": _delattr,
        "__getstate__": _getstate,
        "__setstate__": _setstate,
    }
