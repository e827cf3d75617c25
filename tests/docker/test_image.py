"""The example's image, built and run by a real engine: hardened, healthy, and it syncs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from mocks import load_mock, serve_in_thread
from tests.shared import REPOSITORY
from tests.waiting import free_port, wait_until

PACKAGE = REPOSITORY / "generated" / "shopify_credo"
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")
COUNT = 300

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.xdist_group("docker")]


def docker(*arguments, check=True, timeout=300):
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout, check=False)
    assert not check or done.returncode == 0, f"docker {arguments[0]}: {done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def image(python_image, tmp_path_factory):
    """The image, built without a network from wheels that were fetched before."""
    context = tmp_path_factory.mktemp("image") / "shopify_credo"
    shutil.copytree(PACKAGE, context)
    version = docker("run", "--rm", python_image, "python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    fetch = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(context / "wheels"), "--only-binary=:all:"),
        *("--python-version", version.stdout.strip(), f"{context}[serve,postgres,metrics]", "hatchling"),
    ]
    done = subprocess.run(fetch, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for wheel in (context / "wheels").glob("shopify_credo-*"):
        wheel.unlink()
    tag = "vitesse-test/shopify-credo"
    arguments = ("--build-arg", f"PYTHON_IMAGE={python_image}", "--build-arg", "PIP_NO_INDEX=1")
    docker("build", "--network", "none", *arguments, "--tag", tag, str(context), timeout=600)
    yield tag
    docker("image", "rm", "--force", tag, check=False)


@pytest.fixture(scope="module")
def running_mocks():
    """Both mock APIs on this machine's loopback interface, and the environment that points at them."""
    source = serve_in_thread(load_mock(PACKAGE / "tests" / "mocks" / "source.json"), count=COUNT)
    destination = serve_in_thread(load_mock(PACKAGE / "tests" / "mocks" / "destination.json"), count=0)
    with source as first, destination as second:
        yield {**first.environment, **second.environment}, second


def environment_options(environment):
    return [option for name, value in environment.items() for option in ("--env", f"{name}={value}")]


def test_image_runs_as_a_user_without_a_name_and_holds_no_secret(image):
    """Whoever breaks in is nobody, and finds nothing."""
    config = json.loads(docker("image", "inspect", image).stdout)[0]["Config"]
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert not [entry for entry in config["Env"] if "TOKEN" in entry or "KEY" in entry or "SECRET" in entry]


def test_container_with_a_read_only_root_and_no_capability_syncs(image, running_mocks):
    """The flagship's job, from inside its own image."""
    environment, destination = running_mocks
    options = ("--rm", "--network", "host", *HARDENED, *environment_options(environment))
    done = docker("run", *options, image, "sync", "customers", "--json")
    (report,) = json.loads(done.stdout)
    assert (report["read"], report["written"]) == (COUNT, COUNT)
    with urlopen(f"http://{urlsplit(destination.url).netloc}/_mock/records?collection=contacts") as reply:
        assert len(json.load(reply)["contacts"]) == COUNT


def test_container_that_serves_becomes_healthy(image, running_mocks):
    """HEALTHCHECK passes without curl, on a read-only root."""
    environment, _ = running_mocks
    control = {
        "CONTROL_TOKEN": "a-control-token-of-32-characters!",
        "CONTROL_PORT": str(free_port()),
        "CONTROL_HOST": "127.0.0.1",
    }
    settings = environment_options({**environment, **control})
    name = f"vitesse-health-{time.monotonic_ns()}"
    options = ("--detach", "--name", name, "--network", "host", "--health-interval", "1s", *HARDENED, *settings)
    docker("run", *options, image, "serve")
    try:
        wait_until(
            lambda: docker("inspect", "--format", "{{.State.Health.Status}}", name).stdout.strip() == "healthy",
            said=lambda: docker("logs", name, check=False).stdout,
        )
    finally:
        docker("rm", "--force", "--volumes", name, check=False)
