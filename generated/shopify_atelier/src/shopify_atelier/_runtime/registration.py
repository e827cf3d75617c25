"""Webhooks at the vendor: which there are, and those that are missing made, so that asking twice changes nothing.

What is asked for is the integration's own: each topic of each webhook whose declaration says how to register, delivered below
`PUBLIC_URL`. What the vendor has beside that is left alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from .declare import Path, Registration, Webhook
from .engine.opened import Opened
from .errors import ApiError, Conflict, IntegrationError, NotFound, RequestRefused
from .hashing import decode_exact
from .json_paths import at

State = Literal["there", "missing", "made", "removed", "not known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One registration that the integration wants."""

    webhook: Webhook
    register: Registration
    topics: tuple[str, ...]
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What is so."""

    topics: tuple[str, ...]
    url: str
    state: State

    def to_json(self) -> dict[str, Any]:
        """As the command shows it."""
        return {"topics": list(self.topics), "url": self.url, "state": self.state}


def wanted(webhooks: Sequence[Webhook], public_url: str | None) -> list[Wanted]:
    """Every registration that the integration wants.

    Raises:
        RequestRefused: there is no public URL, it is not https, or no webhook says how it is registered.
    """
    own = [(webhook, webhook.register) for webhook in webhooks if webhook.register is not None]
    if not own:
        raise RequestRefused("no webhook of this integration says how it is registered: see `register` in its manifest")
    if not public_url:
        raise RequestRefused("PUBLIC_URL is not set: the vendor has to be told where deliveries go")
    if not public_url.startswith("https://"):
        raise RequestRefused("PUBLIC_URL is not https: deliveries would travel in the clear")
    found = []
    for webhook, register in own:
        topics = (*webhook.topics, *webhook.deleted_topics)
        together = any(isinstance(value, str) and "{topics}" in value for _, value in register.body)
        for each in [topics] if together or webhook.topic_path is not None else [(topic,) for topic in topics]:
            url = f"{public_url.rstrip('/')}/webhooks/{each[0]}"
            found.append(Wanted(webhook=webhook, register=register, topics=each, url=url))
    return found


async def registrations(opened: Opened, public_url: str | None) -> list[Registered]:
    """What is so, without changing anything."""
    return [
        Registered(topics=each.topics, url=each.url, state=await _state(opened, each))
        for each in wanted(opened.integration.webhooks, public_url)
    ]


async def register(opened: Opened, public_url: str | None) -> list[Registered]:
    """Make what is missing. A registration whose answer is lost is looked for before anything is said about it."""
    found = []
    for each in wanted(opened.integration.webhooks, public_url):
        state = await _state(opened, each)
        if state in ("missing", "not known"):
            state = await _make(opened, each)
        found.append(Registered(topics=each.topics, url=each.url, state=state))
    return found


async def unregister(opened: Opened, public_url: str | None) -> list[Registered]:
    """Remove those that deliver below a URL: this integration's topics at its own addresses, and nothing else.

    Raises:
        RequestRefused: the API has no operation that removes them, or it cannot be known which there are.
    """
    found = []
    for each in wanted(opened.integration.webhooks, public_url):
        if each.register.delete is None or each.register.list is None:
            raise RequestRefused(
                f"no operation removes webhooks of {', '.join(each.topics)}: remove them at the vendor"
            )
        state: State = "missing"
        own = [listed async for listed in _own(opened, each)]
        for identity in [at(listed, each.register.identity) for listed in own]:
            if isinstance(identity, bool) or not isinstance(identity, str | int):
                raise RequestRefused(f"a webhook of {', '.join(each.topics)} does not say what it is called")
            params = {each.register.delete_argument: identity}
            with suppress(NotFound):  # somebody was faster, or an answer was lost
                await opened.source.request(each.register.delete, params=params, repeatable=True)
            state = "removed"
        found.append(Registered(topics=each.topics, url=each.url, state=state))
    return found


async def _make(opened: Opened, each: Wanted) -> State:
    try:
        await opened.source.request(each.register.operation, body=body_of(each))
    except IntegrationError as error:
        is_there = isinstance(error, Conflict) or (isinstance(error, ApiError) and error.status == 422)
        if (is_there or error.may_have_acted) and await _state(opened, each) == "there":
            return "there" if is_there else "made"
        if is_there and each.register.list is None and isinstance(error, Conflict):
            return "there"
        raise
    return "made"


def body_of(each: Wanted) -> dict[str, Any]:
    """The body of a registration."""
    body: dict[str, Any] = {}
    for path, value in each.register.body:
        here = body
        for step in path[:-1]:
            here = here.setdefault(str(step), {})
        here[str(path[-1])] = _filled(value, each)
    return body


def _filled(value: str | int | bool, each: Wanted) -> Any:
    if not isinstance(value, str):
        return value
    if value == "{topics}":
        return list(each.topics)
    return value.replace("{topic}", each.topics[0]).replace("{url}", each.url)


async def _state(opened: Opened, each: Wanted) -> State:
    """Whether the vendor delivers these topics to this URL."""
    register = each.register
    if register.list is None or register.url is None:
        return "not known"
    told: set[str] = set()
    async for listed in _own(opened, each):
        if register.topic is None:
            return "there"
        told |= _topics(listed, register.topic)
    return "there" if set(each.topics) <= told else "missing"


async def _own(opened: Opened, each: Wanted) -> AsyncIterator[Any]:
    """The listed ones that deliver some of these topics to this URL."""
    register = each.register
    assert register.url is not None
    async for listed in _listed(opened, register):
        if at(listed, register.url) == each.url and (
            register.topic is None or _topics(listed, register.topic) & set(each.topics)
        ):
            yield listed


def _topics(listed: Any, path: Path) -> set[str]:
    topic = at(listed, path)
    return {str(one) for one in (topic if isinstance(topic, list) else [topic])}


async def _listed(opened: Opened, register: Registration) -> Any:
    operation = register.list
    assert operation is not None
    if operation.records is not None:
        async for page in opened.source.pages(operation):
            for raw in page.records:
                yield decode_exact(raw)
        return
    reply = at(decode_exact((await opened.source.request(operation)).body), register.records)
    for one in reply if isinstance(reply, list) else ():
        yield one
