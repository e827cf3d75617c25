"""One run's dealings with a model: what it may cost, what it has cost, and whether the server is still worth asking."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ...diagnostics import Diagnostic, DiagnosticError, Place
from .client import Failed, ModelClient, Reply
from .prompt import Prompt
from .settings import ModelSettings, check_address


@dataclass(slots=True, kw_only=True)
class Estimate:
    """What is to be asked, of all streams."""

    prompts: list[tuple[str, Prompt]] = field(default_factory=list)
    """(stream, request)."""
    texts: list[tuple[str, list[str]]] = field(default_factory=list)
    """(stream, what is to be embedded)."""
    recorded: int = 0
    """Destination fields that recorded answers cover."""

    @property
    def tokens_in(self) -> int:
        embedded = sum(len(text.encode()) for _, texts in self.texts for text in texts)
        return sum(prompt.tokens_in for _, prompt in self.prompts) + -(-embedded // 3)

    @property
    def tokens_out(self) -> int:
        """At most."""
        return sum(prompt.tokens_out for _, prompt in self.prompts)

    @property
    def fields(self) -> int:
        return sum(len(prompt.group.questions) for _, prompt in self.prompts)


class ModelRun:
    """Shared by the streams of one `map`."""

    def __init__(self, settings: ModelSettings, pause: Callable[[float], None] = time.sleep) -> None:
        self.settings = settings
        self.found: list[Diagnostic] = []
        """What went wrong without stopping the run."""
        self.tokens_in = 0
        self.tokens_out = 0
        self.requests = 0
        self._pause = pause
        self._client: ModelClient | None = None
        self._broken: str | None = None

    def check(self, estimate: Estimate) -> None:
        """Refuse, before anything is sent, what is over the limits.

        Raises:
            DiagnosticError: V461 for an unsafe address; V462; V466 when something would have to be asked and only recorded
                answers may be used.
        """
        settings = self.settings
        if not settings.replay:
            check_address(settings)
        if not estimate.prompts and not estimate.texts:
            return
        if settings.replay:
            if estimate.prompts:
                stream, prompt = estimate.prompts[0]
                what = f"{estimate.fields} destination fields have no recorded answer"
                note = f"the first is `{prompt.group.questions[0].destination}` of `{stream}`"
            else:
                what = "the fields have no recorded embeddings"
                note = f"in the stream `{estimate.texts[0][0]}`"
            raise _error(
                "V466", what, "run it without `--replay` to ask the model, or without `--llm` to do without", (note,)
            )
        tokens = estimate.tokens_in + estimate.tokens_out
        if tokens > settings.max_tokens:
            raise _error(
                "V462",
                f"asking the model may take {tokens} tokens, and {settings.max_tokens} are allowed",
                "raise `--llm-limit`, or map one stream at a time",
            )
        if settings.max_cost is None:
            return
        if settings.price is None:
            raise _error(
                "V462",
                "the cost has a limit, and no price is known",
                "give `--llm-price INPUT,OUTPUT` for a million tokens, or `llm: {price: …}` in the manifest",
            )
        cost = settings.price.of(estimate.tokens_in, estimate.tokens_out)
        if cost > settings.max_cost:
            raise _error(
                "V462",
                f"asking the model may cost {cost:.4f}, and {settings.max_cost:g} is allowed",
                "raise `--llm-max-cost`, or map one stream at a time",
            )

    def announce(self, estimate: Estimate) -> None:
        """Say what is about to be sent, and where."""
        if estimate.prompts or estimate.texts:
            self.settings.told(f"asking {self.settings.host}: {self.described(estimate)}")

    def described(self, estimate: Estimate) -> str:
        """`3 requests to gpt about 60 fields, about 9000 tokens sent, at most 12000 answered`."""
        parts = []
        if estimate.prompts:
            parts.append(
                f"{_counted(len(estimate.prompts), 'request')} to {self.settings.model} about "
                f"{_counted(estimate.fields, 'field')}"
            )
        if estimate.texts:
            count = sum(len(texts) for _, texts in estimate.texts)
            parts.append(f"{_counted(count, 'text')} to {self.settings.embeddings}")
        parts.append(f"about {estimate.tokens_in} tokens sent, at most {estimate.tokens_out} answered")
        price = self.settings.price
        if price is not None:
            parts.append(f"at most {price.of(estimate.tokens_in, estimate.tokens_out):.4f}")
        if estimate.recorded:
            parts.append(f"{_counted(estimate.recorded, 'field')} from recorded answers")
        return ", ".join(parts)

    def ask(self, prompt: Prompt, more: Sequence[Mapping[str, str]] = ()) -> Reply:
        """One request.

        Raises:
            Failed: No answer; of kind `unreachable` at once when the server failed before.
            DiagnosticError: As `ModelClient`.
        """
        self._require(prompt.tokens_in + sum(len(one["content"].encode()) // 3 for one in more))
        try:
            reply = self._connected().ask(prompt, more)
        except Failed as failed:
            self._remember(failed)
            raise
        self._count(reply.tokens_in, reply.tokens_out)
        return reply

    def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        """One vector a text, and the tokens they cost.

        Raises:
            Failed, DiagnosticError: As `ask`.
        """
        self._require(sum(len(text.encode()) for text in texts) // 3)
        try:
            vectors, tokens = self._connected().embed(texts)
        except Failed as failed:
            self._remember(failed)
            raise
        self._count(tokens, 0)
        return vectors, tokens

    def warn(self, code: str, message: str, file: str, help: str) -> None:
        """Tell of something that was done without."""
        self.found.append(
            Diagnostic(code=code, severity="warning", message=message, places=(Place(file=file),), help=help)
        )

    def spent(self) -> list[str]:
        """What was asked in the end, in a line; none when nothing was."""
        if not self.requests:
            return []
        price = self.settings.price
        cost = "" if price is None else f", {price.of(self.tokens_in, self.tokens_out):.4f}"
        return [
            f"{_counted(self.requests, 'answer')}: {self.tokens_in} tokens sent, {self.tokens_out} answered{cost}",
        ]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> ModelClient:
        if self._client is None:
            self._client = ModelClient(self.settings, self._pause)
        return self._client

    def _require(self, tokens: int) -> None:
        settings = self.settings
        if self._broken is not None:
            raise Failed("unreachable", self._broken)
        spent = self.tokens_in + self.tokens_out + tokens
        if spent > settings.max_tokens:
            raise Failed("unreachable", f"the limit of {settings.max_tokens} tokens is reached")
        cost = settings.price.of(self.tokens_in + tokens, self.tokens_out) if settings.price is not None else 0.0
        if settings.max_cost is not None and cost > settings.max_cost:
            raise Failed("unreachable", f"the limit of {settings.max_cost:g} for its cost is reached")

    def _remember(self, failed: Failed) -> None:
        if failed.kind == "unreachable":
            self._broken = failed.why

    def _count(self, tokens_in: int, tokens_out: int) -> None:
        self.requests += 1
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _error(code: str, message: str, help: str, notes: tuple[str, ...] = ()) -> DiagnosticError:
    return DiagnosticError(
        [Diagnostic(code=code, message=message, places=(Place(file="integration.yaml"),), notes=notes, help=help)]
    )
