"""Commands of a cluster: worker, workers."""

from __future__ import annotations

import click

from ..exits import EXIT_DONE
from .common import AS_JSON, Loader, show_json


@click.command()
@click.pass_obj
def worker(load: Loader) -> int:
    """Carry out runs over replicas (extra `cluster`, RUNNER=cluster, PostgreSQL).

    Any number of workers share the runs, the schedules and the request budgets. SIGTERM hands over what is under way.
    """
    from ..state import StateError

    try:
        import dbos  # noqa: F401  belongs to the extra
    except ModuleNotFoundError:
        raise StateError("a worker needs the extra: pip install '…[cluster]'") from None
    from ..cluster.worker import work

    return work(load())


@click.command()
@AS_JSON
@click.pass_obj
def workers(load: Loader, as_json: bool) -> int:
    """List the workers that share this state, the youngest first."""
    from ..actions.runs import reading

    with reading(load()) as (_, state):
        found = state.workers.all()
    if as_json:
        show_json(found)
        return EXIT_DONE
    for each in found:
        click.echo(f"{each['id']}: {each['state']}, version {each['version']}")
    if not found:
        click.echo("no workers")
    return EXIT_DONE
