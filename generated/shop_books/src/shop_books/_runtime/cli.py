"""The command line of a package. Commands import what they need when they run, so that `--help` stays quick."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from .commands import cluster, conflicts, history, letters, runs, service, tokens, upkeep, verify, webhooks
from .commands.common import Commands, Loader
from .exits import EXIT_BUG, EXIT_DONE, EXIT_INPUT


def run(name: str, load: Loader) -> NoReturn:
    """Run the command line and end the process with its exit code.

    0 done, 1 the user's input or a run that failed, 2 usage, 3 partial (records dead, unknown or held), 70 a bug of ours.
    """
    try:
        code = main.main(prog_name=name, obj=load, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_DONE
    except Exception as error:
        code = _explain(error)
    sys.stdout.flush()
    sys.exit(code if isinstance(code, int) else EXIT_DONE)


def _explain(error: Exception) -> int:
    from .errors import IntegrationError
    from .logs import redactor_in_use

    if isinstance(error, IntegrationError):
        for line in redactor_in_use().secrets(str(error)).splitlines():
            click.echo(f"error: {line}", err=True)
        return EXIT_INPUT
    import traceback

    click.echo(redactor_in_use().text("".join(traceback.format_exception(error))), err=True)
    click.echo("this is a bug, not a mistake of yours: please report it with the text above", err=True)
    return EXIT_BUG


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Sync records from one API to another.

    Settings come from the environment; `doctor` says which are missing.
    """


for _command in (
    runs.sync,
    runs.status,
    runs.history,
    history.runs,
    history.ledger,
    history.audit,
    upkeep.forget,
    upkeep.cleanup,
    letters.dead_letters,
    conflicts.conflicts,
    verify.verify,
    service.serve,
    cluster.worker,
    cluster.workers,
    service.doctor,
    service.health,
    tokens.token,
    webhooks.webhooks,
):
    main.add_command(_command)
