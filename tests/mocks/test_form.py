"""What is not of the form is refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mocks.form import FormError, load_mock, read_mock

from .forms import crm, shop


def test_form_of_another_number_is_refused() -> None:
    with pytest.raises(FormError, match="form 1 is read, this is 2"):
        read_mock(shop(form=2))


def test_unknown_member_is_refused() -> None:
    form: dict[str, Any] = crm()
    form["auth"]["colour"] = "red"

    with pytest.raises(FormError, match="colour"):
        read_mock(form)


def test_operation_over_a_collection_that_is_not_there_is_refused() -> None:
    form: dict[str, Any] = crm()
    form["operations"][0]["collection"] = "people"

    with pytest.raises(FormError, match="`GET /contacts` names the collection `people`"):
        read_mock(form)


def test_path_written_as_a_text_is_refused() -> None:
    form: dict[str, Any] = shop()
    form["collections"]["customers"]["version"] = "updated_at"

    with pytest.raises(FormError, match="'updated_at' is no path"):
        read_mock(form)


def test_error_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "source.json").write_text(json.dumps({"form": 0}))

    with pytest.raises(FormError, match=r"source\.json: form 1 is read"):
        load_mock(tmp_path / "source.json")
