"""Commands about the service and the machine it runs on: serve, doctor, health."""

from __future__ import annotations

import click

from ..exits import EXIT_DONE, EXIT_INPUT
from .common import AS_JSON, Loader, finished, show_json


@click.command()
@click.option("--host", envvar="CONTROL_HOST", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", envvar="CONTROL_PORT", type=click.IntRange(0, 65_535), default=8080, show_default=True)
@click.option("--no-schedule", is_flag=True, help="Start no runs by schedule.")
@click.pass_obj
def serve(load: Loader, host: str, port: int, no_schedule: bool) -> int:
    """Run on schedule, take webhooks, answer the control API (token: CONTROL_TOKEN)."""
    from ..serving import serve as start

    return start(load(), host=host, port=port, with_schedule=not no_schedule)


@click.command()
@AS_JSON
@click.option("--offline", is_flag=True, help="Do not call the APIs.")
@click.pass_obj
def doctor(load: Loader, as_json: bool, offline: bool) -> int:
    """Check settings, state, both APIs, schedules and webhook secrets; change nothing there."""
    from ..doctor import examine

    checks = finished(examine(load(), offline=offline))
    if as_json:
        show_json([check.to_json() for check in checks])
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.is_ok else 'FAIL'} {check.name}: {check.text}")
    return EXIT_DONE if all(check.is_ok for check in checks) else EXIT_INPUT


@click.command()
@click.option("--port", envvar="CONTROL_PORT", type=int, default=8080, show_default=True, help="Of the service.")
@click.option(
    "--worker", "of_worker", is_flag=True, help="Of a worker instead: whether it showed a sign of life lately."
)
@click.pass_obj
def health(load: Loader, port: int, of_worker: bool) -> int:
    """Ask the service, or look whether the worker, on this machine lives (for container health checks)."""
    if of_worker:
        return _worker_health(load)
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/healthz")
        reply = connection.getresponse()
        click.echo(reply.read(1000).decode("utf-8", "replace"))
        return EXIT_DONE if reply.status == 200 else EXIT_INPUT
    except (OSError, HTTPException) as error:
        click.echo(f"no answer on port {port}: {type(error).__name__}", err=True)
        return EXIT_INPUT
    finally:
        connection.close()


def _worker_health(load: Loader) -> int:
    import time

    from ..settings import resolve
    from ..signs import alive_file

    name, lease_s = load().name, resolve(()).options.lease_s
    try:
        silent_s = time.time() - alive_file(name).stat().st_mtime
    except OSError:
        click.echo("no worker showed a sign of life here", err=True)
        return EXIT_INPUT
    click.echo(f"last sign of life {silent_s:.0f} s ago")
    return EXIT_DONE if silent_s < lease_s else EXIT_INPUT
