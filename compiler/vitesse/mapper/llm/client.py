"""One chat completion, or one list of embeddings, from any server that speaks the OpenAI protocol, through the real client.

Bounds what the client leaves open: the bytes of an answer, the time until its last byte, how often and how long a busy server is
waited for. What a server cannot do (schemas, JSON mode, a parameter's name) is found out once and remembered for the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import BaseModel, ValidationError

from ...diagnostics import Diagnostic, DiagnosticError, Place
from .prompt import MODES, Mode, Prompt
from .settings import ModelSettings, check_address
from .words import one_line

if TYPE_CHECKING:
    from openai import OpenAI

MOST_BYTES = 4 * 1024 * 1024
"""Of one answer, decoded."""
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_NOT_KNOWN = frozenset({400, 404, 405, 415, 422, 501})
"""What servers say to a parameter or a format that they do not know."""
_LIMITS = ("max_completion_tokens", "max_tokens", None)

Kind: TypeAlias = Literal["unreachable", "refused", "too long", "unreadable"]


class Failed(Exception):
    """No usable answer. `unreachable` concerns the whole run, the others this one request."""

    def __init__(self, kind: Kind, why: str) -> None:
        super().__init__(why)
        self.kind: Kind = kind
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The text of an answer and what it cost."""

    text: str
    tokens_in: int
    tokens_out: int
    is_cut: bool = False
    """The answer hit a limit of length."""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Vector(BaseModel):
    index: int = 0
    embedding: list[float]


class _Vectors(BaseModel):
    data: list[_Vector]
    usage: _Usage | None = None


class ModelClient:
    """Asks one server."""

    def __init__(self, settings: ModelSettings, pause: Callable[[float], None] = time.sleep) -> None:
        """Make a client; nothing is sent yet.

        Raises:
            DiagnosticError: V460 without the extra, V461 for an address that is none or unsafe.
        """
        check_address(settings)
        self._settings = settings
        self._pause = pause
        self._modes = list(MODES)
        self._limits = list(_LIMITS)
        self._client = _made(settings)

    @property
    def mode(self) -> Mode:
        """How the server is held to the form: what it took so far."""
        return self._modes[0]

    def close(self) -> None:
        self._client.close()

    def ask(self, prompt: Prompt, more: Sequence[Mapping[str, str]] = ()) -> Reply:
        """Ask for one answer.

        Args:
            more: Messages after those of the prompt.

        Raises:
            Failed: Whatever the server did.
            DiagnosticError: V464 when it refuses the key or knows no such model: nothing that asking again would change.
        """
        messages = [*prompt.messages, *more]
        while True:
            body: dict[str, Any] = {"model": self._settings.model, "messages": messages}
            form = prompt.response_format(self.mode)
            if form is not None:
                body["response_format"] = form
            limit = self._limits[0]
            if limit is not None:
                body[limit] = prompt.tokens_out
            try:
                text = self._send(partial(self._client.chat.completions.with_raw_response.create, **body))
            except _Rejected as rejected:
                self._step_down(rejected)
                continue
            return self._reply(text, prompt)

    def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        """One vector a text, all of one length, and the tokens they cost.

        Raises:
            Failed: Whatever the server did.
            DiagnosticError: V464.
        """
        model = self._settings.embeddings or ""
        try:
            create = self._client.embeddings.with_raw_response.create
            text = self._send(partial(create, model=model, input=list(texts), encoding_format="float"))
        except _Rejected as rejected:
            raise self._final(rejected) from None
        try:
            found = _Vectors.model_validate_json(text)
        except ValidationError:
            raise Failed("unreadable", "its answer is no list of embeddings") from None
        vectors = {one.index: one.embedding for one in found.data}
        lengths = {len(one) for one in vectors.values()}
        if sorted(vectors) != list(range(len(texts))) or len(lengths) != 1 or 0 in lengths:
            raise Failed("unreadable", "its answer has not one embedding for each text")
        return [vectors[index] for index in range(len(texts))], max(0, found.usage.prompt_tokens) if found.usage else 0

    def _reply(self, text: str, prompt: Prompt) -> Reply:
        try:
            found = _Completion.model_validate_json(text)
        except ValidationError:
            raise Failed("unreadable", "its answer is no chat completion") from None
        if not found.choices:
            raise Failed("unreadable", "its answer holds no choice")
        choice = found.choices[0]
        if choice.message.refusal:
            raise Failed("refused", f"it refused: {self._shown(choice.message.refusal)}")
        if choice.finish_reason == "content_filter":
            raise Failed("refused", "a content filter cut its answer")
        content = self._settings.without_key(choice.message.content or "")
        usage = found.usage or _Usage(prompt_tokens=prompt.tokens_in, completion_tokens=-(-len(content) // 3))
        return Reply(
            text=content,
            tokens_in=max(0, usage.prompt_tokens),
            tokens_out=max(0, usage.completion_tokens),
            is_cut=choice.finish_reason == "length",
        )

    def _step_down(self, rejected: _Rejected) -> None:
        """Leave out what the server does not know: the parameter it names, else the strictest format."""
        limit = self._limits[0]
        if limit is not None and limit in rejected.text:
            del self._limits[0]
        elif len(self._modes) > 1 and not rejected.is_too_long:
            del self._modes[0]
            self._settings.told(f"the server does not take that form of answer; going on with {self.mode}")
        elif limit is not None and not rejected.is_too_long:
            del self._limits[0]
        else:
            raise self._final(rejected)

    def _final(self, rejected: _Rejected) -> Exception:
        if rejected.is_too_long:
            return Failed("too long", "the request is too long for the model")
        if rejected.status == 404:
            return self._refused(
                "knows no such model or path", rejected.text, "check the model's name and the base URL"
            )
        return Failed("unreadable", f"it answers {rejected.status}: {self._shown(rejected.text)}")

    def _send(self, send: Callable[[], Any]) -> str:
        """The answer's text, after as many attempts as are allowed."""
        import openai

        why = ""
        for attempt in range(self._settings.attempts):
            wait = min(2.0**attempt, 20.0)
            try:
                return str(send().text)
            except _TooLarge:
                raise Failed("unreadable", f"its answer is larger than {MOST_BYTES // 1024 // 1024} MiB") from None
            except openai.APITimeoutError:
                why = f"no answer within {self._settings.timeout_s:g} s"
            except openai.APIConnectionError as error:
                why = f"no connection: {self._shown(str(error.__cause__ or error))}"
            except openai.APIStatusError as error:
                status, text = error.status_code, self._settings.without_key(str(error))
                if status in (401, 403):
                    raise self._refused(
                        "does not take the key", text, "set the key in `VITESSE_LLM_API_KEY` or `OPENAI_API_KEY`"
                    ) from None
                if status in _NOT_KNOWN:
                    raise _Rejected(status, text) from None
                why = f"it answers {status}"
                if status not in _AGAIN or "insufficient_quota" in text:
                    why += f": {self._shown(text)}"
                    break
                asked = _retry_after(error.response.headers.get("retry-after"))
                if asked is not None:
                    wait = asked
                if wait > self._settings.longest_wait_s:
                    why += f" and asks to wait {wait:.0f} s"
                    break
            except openai.OpenAIError as error:
                raise Failed("unreadable", self._shown(str(error))) from None
            except (UnicodeError, ValueError) as error:
                raise Failed("unreadable", f"its answer cannot be read: {type(error).__name__}") from None
            if attempt + 1 < self._settings.attempts:
                self._pause(wait)
        raise Failed("unreachable", why)

    def _refused(self, what: str, text: str, help: str) -> DiagnosticError:
        return DiagnosticError(
            [
                Diagnostic(
                    code="V464",
                    message=f"the server at `{self._settings.host}` {what}",
                    places=(Place(file="integration.yaml"),),
                    notes=(self._shown(text),),
                    help=help,
                )
            ]
        )

    def _shown(self, text: str) -> str:
        return one_line(self._settings.without_key(text), 160)


class _Rejected(Exception):
    """The server does not take the request as it is."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    @property
    def is_too_long(self) -> bool:
        return "context_length" in self.text or "context length" in self.text or "maximum context" in self.text


def _retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header."""
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _made(settings: ModelSettings) -> OpenAI:
    try:
        import httpx2
        import openai
    except ImportError:
        raise DiagnosticError(
            [
                Diagnostic(
                    code="V460",
                    message="the extra `llm` is not installed",
                    places=(Place(file="integration.yaml"),),
                    help='install it: `pip install "vitesse[llm]"`; without `--llm` and `--embeddings` nothing needs it',
                )
            ]
        ) from None

    class Bounded(httpx2.Client):
        """Reads an answer whole, up to a size and a point in time; follows no redirect."""

        def send(self, request: httpx2.Request, **kwargs: Any) -> httpx2.Response:
            kwargs.update(stream=True, follow_redirects=False)
            until = time.monotonic() + settings.timeout_s
            response = super().send(request, **kwargs)
            try:
                chunks = []
                size = 0
                for chunk in response.iter_bytes():
                    size += len(chunk)
                    if size > MOST_BYTES:
                        raise _too_large()
                    if time.monotonic() > until:
                        raise httpx2.ReadTimeout("the answer does not end", request=request)
                    chunks.append(chunk)
            finally:
                response.close()
            headers = [
                (name, value)
                for name, value in response.headers.multi_items()
                if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
            ]
            return httpx2.Response(response.status_code, headers=headers, content=b"".join(chunks), request=request)

    return openai.OpenAI(
        api_key=settings.key or "none",
        base_url=settings.base_url,
        timeout=settings.timeout_s,
        max_retries=0,
        http_client=Bounded(timeout=settings.timeout_s),
    )


class _TooLarge(Exception):
    """An answer beyond all bounds."""


def _too_large() -> Exception:
    """As the client lets it through: an exception of its own family, and ours."""
    import openai

    class TooLarge(_TooLarge, openai.OpenAIError):
        pass

    return TooLarge()
