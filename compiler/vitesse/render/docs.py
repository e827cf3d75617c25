"""Plan → the Markdown a person reads: MAPPING.md and the parts of README.md that hold outside text."""

from __future__ import annotations

from ..plan.model import Plan, RuleRow, StreamTable
from .outside import MarkdownText, code_span, markdown, markdown_lines


def intent(plan: Plan) -> MarkdownText:
    """The user's own sentence."""
    return markdown_lines([markdown(plan.intent)])


def streams(plan: Plan) -> MarkdownText:
    """A line for each stream: from where to where, and how."""
    schedules = {stream.name: stream.schedule for stream in plan.streams}
    lines = [
        f"* **{markdown(table.stream)}**: {_way(table)},"
        f" {len(table.rows)} {'field' if len(table.rows) == 1 else 'fields'}"
        + (f", {code_span(when)}" if (when := schedules.get(table.stream)) is not None else "")
        for table in plan.tables
    ]
    lines += [
        f"* webhooks for **{markdown(webhook.stream)}** come to "
        + ", ".join(code_span(f"POST /webhooks/{topic}") for topic in (*webhook.topics, *webhook.deleted_topics))
        for webhook in plan.webhooks
    ]
    lines += [
        f"* webhooks for **{markdown(webhook.stream)}**: {code_span(f'{plan.names.distribution} webhooks register')} has"
        f" {markdown(plan.source.title)} deliver below {code_span('PUBLIC_URL')}, once"
        for webhook in plan.webhooks
        if webhook.register is not None
    ]
    if plan.draft:
        lines = [
            f"> **A draft**: {len(plan.draft)} rules are compiled that nobody has accepted. Do not deploy it.",
            "",
            *lines,
        ]
    return markdown_lines(lines)


def settings(plan: Plan) -> MarkdownText:
    """The environment variables of this package, as the head of a table; the skeleton goes on with those of every package."""
    lines = ["| variable | meaning |", "| --- | --- |"]
    signing = {secret.env for webhook in plan.webhooks for secret in webhook.all_secrets}
    for value in plan.settings:
        need = "required for webhooks" if value.env in signing else "required"
        told = need if value.text is None else f"{code_span(value.text)} when unset"
        lines.append(f"| {code_span(value.env or '')} | {told}{', secret' if value.secret else ''} |")
    for api in (plan.source, plan.destination):
        lines.append(f"| {code_span(api.url_env)} | replaces the base URL of {markdown(api.title)} |")
    return markdown_lines(lines)


def mapping_page(plan: Plan) -> str:
    """MAPPING.md: which field is filled from which, by which rule, in which state of review."""
    lines = [f"# Mapping of {markdown(plan.names.distribution)}", "", markdown(plan.intent)]
    if plan.draft:
        lines += ["", "**Draft**: not accepted yet are " + ", ".join(code_span(rule) for rule in plan.draft) + "."]
    for table in plan.tables:
        lines += ["", *_stream(table)]
    if plan.corrections:
        lines += ["", "**Corrected in the specs**, by overlays beside them:", ""]
        lines += [
            f"* {markdown(one.api)} {code_span(one.target)}{' removed' if one.removes else ''}: {markdown(one.reason)}"
            for one in plan.corrections
        ]
    return "\n".join(lines) + "\n"


def _way(table: StreamTable) -> str:
    """From which operation of which API to which."""
    source = f"{code_span(table.source)} of {markdown(table.source_api)}"
    return f"{source} → {code_span(table.destination)} of {markdown(table.destination_api)}"


def _stream(table: StreamTable) -> list[str]:
    lines = [f"## {markdown(table.stream)}", "", _way(table), ""]
    lines += [
        "| destination | source | transform | detail | sample | review |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_row(row) for row in table.rows]
    if table.waived:
        lines += ["", "Left empty on purpose:", ""]
        lines += [f"* {code_span(field)}: {markdown(reason)}" for field, reason in table.waived]
    if table.unfilled:
        lines += ["", "Not filled: " + ", ".join(code_span(field) for field in table.unfilled) + "."]
    if table.unread:
        lines += ["", "No rule reads: " + ", ".join(code_span(field) for field in table.unread) + "."]
    return lines


def _row(row: RuleRow) -> str:
    types = [*row.source_types, *[""] * len(row.sources)]
    sources = [
        code_span(path) + (f" {markdown(type)}" if type else "") for path, type in zip(row.sources, types, strict=False)
    ]
    detail = "; ".join(markdown(part) for part in (row.detail, *row.notes) if part)
    cells = (
        f"{code_span(row.destination)} {markdown(row.destination_type)}".strip(),
        ", ".join(sources) or "–",
        markdown(row.transform),
        detail or "–",
        code_span(row.sample),
        markdown(row.state),
    )
    return f"| {' | '.join(cells)} |"
