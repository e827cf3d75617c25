"""What a stream reads and writes with: operations, the fields that only a vendor lists, parts, batches."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from ..forms import Form
from .texts import LENGTH, OperationId, PathText, matching, seconds, shape

_DAY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


class Since(Form):
    """The list operation's filter on `version`."""

    parameter: str
    format: Literal["iso8601", "unix_s", "unix_ms", "date"] = "iso8601"


class DefinedField(Form):
    """One field that the manifest lists."""

    type: Literal["text", "integer", "decimal", "boolean", "date", "datetime", "choice", "list", "json"] = "text"
    """What it holds. Where the description says that all values are texts, a number is one of digits."""
    description: str = ""
    choices: tuple[str, ...] = ()
    """The values of a `choice`, or of the entries of a `list`."""
    max_length: Annotated[int, Field(ge=1)] | None = None
    required: bool = False
    read_only: bool = False
    nullable: bool | None = None
    """Whether it may be null. When it is left out: as the description says of all values, and null where it is read and not set."""


class ListedFields(Form):
    """The fields of records that are bags of properties, or have one: which there are is not in the description."""

    reply: (
        Annotated[str, matching(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.(json|ya?ml)"), "a file in `fields/`")] | None
    ) = None
    """A file in `fields/`: the saved reply of the vendor's operation that lists them."""
    records: PathText | None = None
    """Where the list is in the reply; the longest list of named objects when it is left out."""
    name: str | None = None
    """What an entry of the list calls its field: `name`, `schema.key`; found by the usual names when it is left out."""
    type: str | None = None
    """What an entry calls its type."""
    define: dict[str, DefinedField] = Field(default_factory=dict)
    """Fields written out here; they win over those of the reply."""
    ask: str | None = None
    """The query parameter that names the fields wanted: `properties`. It is sent with those that are used."""


class Partition(Form):
    """How a pass over everything is cut into parts that replicas share."""

    by: Literal["window", "range", "parent"]
    """`window`: a time that does not change. `range`: a whole number that does not change. `parent`: another stream's records."""
    first: Annotated[str | None, Field(alias="from")] = None
    """The list's parameter for a part's lower bound: `created_at_min`, `id_min`. What stands on the bound is included."""
    last: Annotated[str | None, Field(alias="to")] = None
    """The one for its upper bound. Without it each part is read to the end, which only `by: range` with paging bears."""
    size: Annotated[int, Field(ge=1)] | str | None = None
    """Of a window, a length of time: `30 days`. Of a range, how many numbers: `100000`."""
    start: Annotated[int, Field(ge=0)] | Annotated[str, matching(_DAY, "a day: `2015-01-01`")] | None = None
    """Where the first part begins: a day, or a number. What lies before is not read."""
    format: Literal["iso8601", "unix_s", "unix_ms", "date"] | None = None
    """How a time is written; as the description says when it is left out."""
    stream: str | None = None
    """Of `by: parent`: the stream whose records have a list each."""
    parameter: str | None = None
    """Of `by: parent`: the list's parameter that takes such a record's identity."""

    @property
    def size_s(self) -> int | None:
        """The size of a window in seconds; None when it is not a length of time."""
        return seconds(self.size) if isinstance(self.size, str) and LENGTH.fullmatch(self.size) else None


class StreamSource(Form):
    """Where a stream's records come from."""

    list: OperationId
    get: OperationId | None = None
    identity: PathText | None = None
    """The field that names the record; the fact's when it is left out."""
    version: PathText | None = None
    """The field that orders a record's states."""
    since: Annotated[Annotated[str, Tag("(text)")] | Annotated[Since, Tag("(object)")], Discriminator(shape)] | None = (
        None
    )
    """The query parameter that filters on `version`."""
    partition: Partition | None = None
    """Cuts a pass over everything into parts."""
    fields: dict[PathText, ListedFields] = Field(default_factory=dict)
    """Where a record holds properties under free names (`properties`; empty for the record itself) → which there are."""

    @property
    def operations(self) -> tuple[str, ...]:
        """Ids of all operations that it names."""
        return (self.list, self.get) if self.get is not None else (self.list,)


class Find(Form):
    """Looks up destination records by match value."""

    operation: OperationId
    by: dict[
        PathText, Annotated[str, matching(re.compile(r"query\..+", re.DOTALL), "a query parameter: `query.email`")]
    ] = Field(min_length=1)
    """Destination field path → `query.<parameter>`."""


class Batch(Form):
    """Writes many records with one request."""

    operation: OperationId
    max: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Records a request; the fact's when it is left out."""


class StreamDestination(Form):
    """Where a stream's records go."""

    create: OperationId
    update: OperationId | None = None
    update_is: Literal["replace", "merge"] | None = None
    """PATCH merges, PUT replaces, unless a fact or this line says otherwise."""
    get: OperationId | None = None
    list: OperationId | None = None
    delete: OperationId | None = None
    find: Find | None = None
    batch: (
        Annotated[Annotated[OperationId, Tag("(text)")] | Annotated[Batch, Tag("(object)")], Discriminator(shape)]
        | None
    ) = None
    """Creates many records with one request."""
    batch_update: (
        Annotated[Annotated[OperationId, Tag("(text)")] | Annotated[Batch, Tag("(object)")], Discriminator(shape)]
        | None
    ) = None
    """Updates many records with one request, each named in its item."""
    identity: PathText | None = None
    """The field of a written record that names it; the fact's when it is left out."""
    fields: dict[PathText, ListedFields] = Field(default_factory=dict)
    """Where a written body holds properties under free names → which there are."""

    @property
    def operations(self) -> tuple[str, ...]:
        """Ids of all operations that it names."""
        find = self.find.operation if self.find is not None else None
        named = (self.create, self.update, self.get, self.list, self.delete, find, *self.batches)
        return tuple(id for id in named if id is not None)

    @property
    def batches(self) -> tuple[str, ...]:
        """The operations that write many records with one request."""
        given = (one for one in (self.batch, self.batch_update) if one is not None)
        return tuple(dict.fromkeys(one.operation if isinstance(one, Batch) else one for one in given))
