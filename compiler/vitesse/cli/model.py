"""Options of commands that may ask a language model, and the settings made of them, the manifest and the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..manifest import LanguageModel
    from ..mapper.llm.run import Estimate, ModelRun
    from ..mapper.llm.settings import ModelSettings, Price

F = TypeVar("F", bound=Callable[..., Any])

KEYS = ("VITESSE_LLM_API_KEY", "OPENAI_API_KEY")
"""Environment variables that hold the key, first found first taken; each also with `_FILE` behind its name."""
URLS = ("VITESSE_LLM_BASE_URL", "OPENAI_BASE_URL")


def model_options(function: F) -> F:
    """--llm and all that goes with it, handed over as `asked`."""
    options = (
        click.option("--llm", is_flag=True, help="Let a language model rank and explain the candidates."),
        click.option("--model", metavar="NAME", help="The model.  [default: the manifest's `llm: {model: …}`]"),
        click.option(
            "--embeddings",
            metavar="NAME",
            help="A model for embeddings that finds further candidates.  [default: the manifest's, with --llm]",
        ),
        click.option(
            "--llm-url",
            metavar="URL",
            help=f"Base URL of any server that speaks the OpenAI protocol.  [default: ${URLS[0]}, ${URLS[1]}, OpenAI's]",
        ),
        click.option("--llm-limit", metavar="TOKENS", type=click.IntRange(1), help="Most tokens.  [default: 200000]"),
        click.option(
            "--llm-price",
            metavar="IN,OUT",
            callback=_price,
            help="What a million tokens cost, sent and answered; tells the cost.",
        ),
        click.option("--llm-max-cost", metavar="AMOUNT", type=click.FloatRange(0), help="Most that it may cost."),
        click.option(
            "--llm-timeout", metavar="SECONDS", type=click.FloatRange(1, 3600), help="For one answer.  [default: 120]"
        ),
        click.option("--replay", is_flag=True, help="Use recorded answers only; nothing is sent."),
        click.option("--estimate", is_flag=True, help="Say how much would be asked, and stop."),
        click.option("--show-prompt", is_flag=True, help="Print all that would be sent, and stop."),
        click.option("--allow-http", is_flag=True, help="Ask a model without encryption too."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _price(_: click.Context, __: click.Parameter, value: str | None) -> tuple[float, float] | None:
    if value is None:
        return None
    try:
        one, other = (float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter("write two numbers: `0.25,2`") from None
    if not 0 <= one < float("inf") or not 0 <= other < float("inf"):
        raise click.BadParameter("a price is a number from 0")
    return one, other


def model_run(folder: Path, asked: Mapping[str, Any]) -> ModelRun | None:
    """The run that the options ask for; None when no model is wanted.

    Raises:
        DiagnosticError: V461 when something that is needed is not said.
    """
    wanted = asked["llm"] or asked["replay"] or asked["embeddings"] is not None
    if not wanted:
        if asked["model"] or asked["show_prompt"] or asked["estimate"] or asked["llm_url"]:
            raise click.UsageError("that option goes with `--llm` or `--embeddings`")
        return None
    from ..manifest import load_manifest
    from ..mapper.llm.run import ModelRun

    return ModelRun(_settings(folder, asked, load_manifest(folder).llm))


def _settings(folder: Path, asked: Mapping[str, Any], said: LanguageModel) -> ModelSettings:
    from ..diagnostics import Diagnostic, DiagnosticError, Place
    from ..mapper.llm.settings import ModelSettings, Price

    speaks = asked["llm"] or asked["replay"]
    model = (asked["model"] or said.model) if speaks else None
    embeddings = asked["embeddings"] or (said.embeddings if speaks else None)
    if speaks and model is None and not (asked["replay"] and embeddings):
        raise DiagnosticError(
            [
                Diagnostic(
                    code="V461",
                    message="no model is named",
                    places=(Place(file="integration.yaml"),),
                    help="say `--model NAME`, or write `llm: {model: NAME}` into the manifest",
                )
            ]
        )
    price: Price | None = None
    if asked["llm_price"] is not None:
        price = Price(input=asked["llm_price"][0], output=asked["llm_price"][1])
    elif said.price is not None:
        price = Price(input=said.price.input, output=said.price.output)
    most = asked["llm_max_cost"]
    return ModelSettings(
        model=model,
        embeddings=embeddings,
        base_url=asked["llm_url"] or url_from(os.environ),
        key="" if asked["replay"] or asked["show_prompt"] or asked["estimate"] else key_from(os.environ),
        allow_http=asked["allow_http"],
        timeout_s=asked["llm_timeout"] or 120.0,
        max_tokens=asked["llm_limit"] or said.max_tokens or 200_000,
        max_cost=most if most is not None else said.max_cost,
        price=price,
        replay=asked["replay"],
        say=_say,
    )


def url_from(environ: Mapping[str, str]) -> str:
    """The base URL that the environment names, or OpenAI's."""
    from ..mapper.llm.settings import DEFAULT_URL

    return next((environ[name] for name in URLS if environ.get(name)), DEFAULT_URL)


def key_from(environ: Mapping[str, str]) -> str:
    """The key, from the environment alone: a command line is seen by everyone on the machine."""
    from ..diagnostics import Diagnostic, DiagnosticError, Place

    for name in KEYS:
        if environ.get(name):
            return environ[name].strip()
        file = environ.get(f"{name}_FILE")
        if file:
            try:
                return Path(file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise DiagnosticError(
                    [
                        Diagnostic(
                            code="V461",
                            message=f"the file that `{name}_FILE` names cannot be read",
                            places=(Place(file=file),),
                            help="name a file that holds the key alone",
                        )
                    ]
                ) from None
    return ""


def _say(text: str) -> None:
    from ..diagnostics.terminal import visible

    click.echo(visible(text), err=True)


def prompt_lines(estimate: Estimate) -> Iterator[str]:
    """All that would be sent, request by request."""
    import json

    from ..diagnostics.terminal import visible

    for number, (stream, prompt) in enumerate(estimate.prompts, 1):
        yield f"# request {number} of {len(estimate.prompts)}, stream {stream}, {prompt.digest}"
        for message in prompt.messages:
            yield f"## {message['role']}"
            yield from (visible(line) for line in message["content"].splitlines())
        yield "## the form of the answer"
        yield json.dumps(prompt.schema, ensure_ascii=True)
    for stream, texts in estimate.texts:
        yield f"# texts to embed, stream {stream}"
        yield from (visible(text) for text in texts)
