"""`vitesse create`."""

from __future__ import annotations

from pathlib import Path

import click

from .options import bundle_of, bundle_option, fetch_options, fetched_specs, require_inside, spec_url_option

EXAMPLE = """\b
Example:
  vitesse create shopify-credo --source shopify.yaml --destination credo.json \\
    --stream 'GET /customers.json=POST /contacts' --intent 'Sync all customers'
"""


def _stream(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, str]]:
    streams = []
    for value in values:
        listing, sign, creating = value.rpartition("=")
        if not sign or " " not in listing.strip() or " " not in creating.strip():
            raise click.BadParameter(f"`{value}` is not `METHOD /list/path=METHOD /create/path`")
        streams.append((listing.strip(), creating.strip()))
    return streams


@click.command("create", epilog=EXAMPLE)
@click.argument("name")
@click.option(
    "--source",
    "source",
    metavar="SPEC",
    required=True,
    help="The description to read from: FILE, NAME=FILE, or NAME with --spec-url.",
)
@click.option(
    "--destination",
    metavar="SPEC",
    required=True,
    help="The description to write to: FILE, NAME=FILE, or NAME with --spec-url.",
)
@click.option(
    "--stream",
    "streams",
    metavar="LIST=CREATE",
    multiple=True,
    required=True,
    callback=_stream,
    help="'GET /customers.json=POST /contacts'; may be given several times.",
)
@click.option("--intent", metavar="TEXT", required=True, help="What the integration is for, in a sentence.")
@spec_url_option
@fetch_options
@bundle_option
@click.option(
    "--dir", "folder", metavar="DIR", type=click.Path(path_type=Path), help="The new folder.  [default: NAME]"
)
def command(
    name: str,
    source: str,
    destination: str,
    streams: list[tuple[str, str]],
    intent: str,
    spec_urls: dict[str, str],
    allow_http: bool,
    allow_private: bool,
    bundle: Path | None,
    folder: Path | None,
) -> int:
    """Start an integration folder: manifest, pinned specs, facts, and a mapping for each stream.

    The operations around the two that you name (read one, update, find, batch) are looked up in the specs; everything that was
    chosen is printed with the reason, and stands in integration.yaml to be changed.
    """
    from dataclasses import replace

    from ..diagnostics import Exit
    from ..workflow.create import SpecFile, create_integration

    target = folder or Path(name.replace("-", "_"))
    unused = sorted(set(spec_urls) - {source, destination})
    if unused:
        raise click.UsageError(f"--spec-url {unused[0]}=…: neither --source nor --destination is `{unused[0]}`")
    with fetched_specs(spec_urls, allow_http=allow_http, allow_private=allow_private) as fetched:
        specs = [
            SpecFile(path=fetched[one], name=one) if one in fetched else SpecFile.read(one)
            for one in (source, destination)
        ]
        require_inside(bundle, [spec.path for spec in specs])
        first, second = (replace(spec, bundle=bundle_of(spec.path, bundle)) for spec in specs)
        created = create_integration(name, first, second, streams, intent, target)
    click.echo(f"{created.folder}/integration.yaml")
    for where, why in created.reasons:
        click.echo(f"  {where}: {why}")
    if created.to_decide:
        click.echo("to decide:")
        for text in created.to_decide:
            click.echo(f"  {text}")
    click.echo(f"next: vitesse map {created.folder}")
    return Exit.DONE
