"""The fields that proposing is measured on."""

from __future__ import annotations

import pytest

from benchmarks.mapping.size import SIZES, document


@pytest.mark.parametrize("fields", SIZES)
def test_document_has_as_many_fields_as_it_is_asked_for(fields: int):
    for side in (0, 1):
        objects = document(fields, side)["components"]["schemas"]["Record"]["properties"]
        assert sum(len(each["properties"]) for each in objects.values()) == fields


def test_document_of_a_number_that_cannot_be_made_is_refused():
    with pytest.raises(ValueError, match="of 7 fields"):
        document(7, 0)
