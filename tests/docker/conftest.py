from __future__ import annotations

import shutil
import subprocess

import pytest


def _why_not() -> str | None:
    """What is missing for a Docker test, or None."""
    if shutil.which("docker") is None:
        return "no docker command"
    try:
        done = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"], capture_output=True, text=True, timeout=20
        )
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer within 20 s"
    if done.returncode != 0 or not done.stdout.strip():
        return "no Docker engine answers"
    return None


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """A Docker engine that answers; `scripts/docker_engine.sh` brings one."""
    if missing := _why_not():
        pytest.skip(f"{missing}: run scripts/docker_engine.sh")


@pytest.fixture(scope="session")
def python_image(docker_engine: None) -> str:
    """A Python image that is here already; nothing is pulled."""
    images = subprocess.run(
        ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "python"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    slim = sorted(image for image in images if image.endswith("-slim"))
    if not slim:
        pytest.skip("no python:X.Y-slim image here: run scripts/docker_engine.sh")
    return slim[-1]
