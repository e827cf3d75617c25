"""Our frozen classes behave as those of `dataclasses`, which writes all six functions of each at once."""

from __future__ import annotations

import copy
import dataclasses
import os
import pickle
import subprocess
import sys

import pytest

from vitesse import frozen


def classes(decorator):
    @decorator(frozen=True, slots=True, kw_only=True)
    class Thing:
        """A thing."""

        name: str
        size: int = 3
        parts: tuple[str, ...] = ()
        more: dict[str, int] = dataclasses.field(default_factory=dict)

    return Thing


OURS, THEIRS = classes(frozen.dataclass), classes(dataclasses.dataclass)


@frozen.dataclass(frozen=True, slots=True)
class Pair:
    """Two things by position."""

    left: int
    right: int = 2


@frozen.dataclass(frozen=True, slots=True, kw_only=True)
class Even:
    """Refuses odd numbers."""

    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError(self.number)


@pytest.mark.parametrize("given", [{"name": "a"}, {"name": "b", "size": 1, "parts": ("x",), "more": {"y": 1}}])
def test_instance_shows_compares_and_changes_as_one_of_dataclasses(given: dict[str, object]):
    ours, theirs = OURS(**given), THEIRS(**given)
    assert repr(ours) == repr(theirs)
    assert ours == OURS(**given) != OURS(name="other")
    assert ours != theirs
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert dataclasses.replace(ours, size=9) == OURS(**{**given, "size": 9})


@pytest.mark.parametrize("given", [{}, {"name": "a", "other": 1}])
def test_missing_and_unknown_arguments_are_refused(given: dict[str, object]):
    for decorator in (frozen.dataclass, dataclasses.dataclass):
        cls = classes(decorator)
        for _ in range(2):  # the first instance is made otherwise than the second
            with pytest.raises(TypeError):
                cls(**given)


def test_assignment_and_deletion_are_refused_and_new_attributes_too():
    thing = OURS(name="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        thing.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        thing.other = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        del thing.name


def test_hash_is_that_of_the_values():
    assert len({Pair(1), Pair(1, 2), Pair(1, right=3)}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(OURS(name="a"))


def test_factory_makes_a_new_value_for_each_instance():
    assert OURS(name="a").more is not OURS(name="a").more


def test_copies_and_pickles_are_equal():
    pair = Pair(1)
    assert copy.deepcopy(pair) == copy.copy(pair) == pickle.loads(pickle.dumps(pair)) == pair


@pytest.mark.parametrize("number", [1, 3])
def test_post_init_is_called_for_every_instance(number: int):
    assert Even(number=number + 1).number == number + 1
    with pytest.raises(ValueError, match=str(number)):
        Even(number=number)


def test_option_that_only_dataclasses_knows_is_refused():
    with pytest.raises(TypeError, match="options that only `dataclasses` knows"):

        @frozen.dataclass(frozen=True, slots=True)
        class _:
            """Compared by less than all."""

            number: int = dataclasses.field(compare=False)


def test_importing_the_plan_writes_no_function():
    """The gain: hundreds of functions would be compiled for classes that a command never makes."""
    code = "from vitesse import frozen; from vitesse.plan.model import Plan; print(Plan.__init__ is frozen._first_init)"
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True)
    assert done.stdout == "True\n"
