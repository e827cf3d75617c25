"""The command group: names and one-line helps are constants here, the commands are imported when they run."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "create": ("create", "Start an integration folder from two specs."),
    "ingest": ("ingest", "Pin the specs and write down the facts about the used operations."),
    "map": ("map_", "Propose rules for the fields that are still open."),
    "review": ("review", "Walk through the open rules, one question at a time."),
    "accept": ("accept", "Accept rules (and facts) after reading them."),
    "build": ("build", "Compile the integration into its package."),
    "check": ("check", "Fail when a package is stale, edited by hand, a draft or not reviewed any more."),
    "diff": ("diff", "Say in words what changed in the mappings and facts."),
    "why": ("why", "Trace a line of a package to its rule, the evidence for it and who stands behind it."),
    "inspect": ("inspect", "List what a spec offers and what of it is not supported, and why."),
    "discover": ("discover", "Say what is known of an API: where it is, how to sign in, where its spec lies."),
    "probe": ("probe", "Ask an address whether it answers and takes a credential."),
    "test": ("test", "Run a package's tests and shadow calls against its mocks; score it."),
    "demo": ("demo", "Compile, install and run the Shopify to Credo CRM example on its mocks."),
}
"""Command → (module in this folder, help)."""


class LazyGroup(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = import_module(f".{entry[0]}", __package__).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1) if args else []
            if not near:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}; did you mean `{near[0]}`?", ctx) from None


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from .. import __version__

    click.echo(f"vitesse {__version__}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with:  vitesse demo      Five steps:  create → ingest → map (accept) → build → test",
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
def group() -> None:
    """Compile two API descriptions and a reviewed field mapping into a standalone Python package that syncs them."""


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. Users' mistakes are told as diagnostics, bugs of ours as such."""
    from ..diagnostics import Exit

    try:
        result = group.main(arguments, prog_name="vitesse", standalone_mode=False)
        return result if isinstance(result, int) else Exit.DONE
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        error.show()
        return Exit.USAGE
    except click.ClickException as error:
        error.show()
        return Exit.FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    except BrokenPipeError:
        return Exit.DONE
    except Exception as error:
        return _report(error, arguments)


def _report(error: Exception, arguments: list[str]) -> int:
    from ..diagnostics import DiagnosticError, Exit

    if isinstance(error, BugInWorker):
        click.echo(bug_text(*error.args), err=True)
        return Exit.INTERNAL
    if isinstance(error, DiagnosticError):
        from .show import show_diagnostics

        show_diagnostics(error.diagnostics)
        return Exit.FAILED
    import traceback

    click.echo(bug_text(f"{type(error).__name__}: {error}", arguments, traceback.format_exc()), err=True)
    return Exit.INTERNAL


class BugInWorker(Exception):
    """A bug of ours that showed in another process: what, the arguments that show it too, its trace."""


def bug_text(what: str, arguments: list[str], trace: str) -> str:
    """What is said of a bug of ours."""
    return (
        f"internal error: {what}\n"
        "This is a bug in Vitesse, not in your input. Please report it with the command line\n"
        f"  vitesse {' '.join(arguments)}\nand this trace:\n{trace}"
    )
