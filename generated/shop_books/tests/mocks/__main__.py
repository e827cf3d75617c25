"""`python -m tests.mocks`: both mock APIs on the loopback interface, until interrupted.

The first line of output is JSON: {"source": URL, "destination": URL, "environment": {…}}; with `--format shell` it is
`export` lines instead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from .form import FormError, load_mock
from .server import Mock, listen


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    folder = Path(__file__).parent
    parser = argparse.ArgumentParser(prog="python -m tests.mocks", description="Serve both mock APIs on 127.0.0.1.")
    parser.add_argument("--source-port", type=int, default=0, help="default: a free one")
    parser.add_argument("--destination-port", type=int, default=0, help="default: a free one")
    parser.add_argument("--count", type=int, default=25, help="records in each source collection (default: 25)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other records")
    parser.add_argument("--no-rate-limit", action="store_true", help="do not keep the declared rate limits")
    parser.add_argument("--format", choices=("json", "shell"), default="json", help="how the environment is printed")
    parser.add_argument("--source", type=Path, default=folder / "source.json", help=argparse.SUPPRESS)
    parser.add_argument("--destination", type=Path, default=folder / "destination.json", help=argparse.SUPPRESS)
    try:
        asyncio.run(_serve(parser.parse_args(arguments)))
    except (FormError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    urls: dict[str, str] = {}
    environment: dict[str, str] = {}
    runners = []
    sides = (
        (options.source, options.source_port, options.count),
        (options.destination, options.destination_port, 0),
    )
    for file, port, count in sides:
        form = load_mock(file)
        mock = Mock(form, count=count, seed=options.seed, limited=not options.no_rate_limit)
        runner, url = await listen(mock, port)
        runners.append(runner)
        urls[form.side] = url
        environment |= form.environ(url)
    if options.format == "shell":
        print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items()), flush=True)
    else:
        print(json.dumps({**urls, "environment": environment}), flush=True)
    await stop.wait()
    for runner in runners:
        await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main())
