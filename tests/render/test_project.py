"""The project around the code: other languages, where outside text is data too, and what the tools of their makers say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.render.plans import plan
from tests.render.test_templates import POISON
from tests.shared import REPOSITORY
from vitesse.diagnostics import InternalError
from vitesse.package import RenderedPackage
from vitesse.plan.model import DeployPlan, PackageNames
from vitesse.render import outside, render_package
from vitesse.verify import expect, verify_package


def tool(name: str) -> Path:
    """A linter of other languages; `make tools` installs them into an environment of their own."""
    for folder in (REPOSITORY / ".venv-tools" / "bin", Path(sys.executable).parent):
        if (folder / name).exists():
            return folder / name
    assert not os.environ.get("CI"), f"{name} is not installed: CI runs `make tools` before the tests"
    pytest.skip(f"{name} is not installed: run `make tools`")


HOSTILE = (
    POISON
    + ' "\n[tool.x]\ny = 1\n<script>alert(1)</script> | a | [x](javascript:1) ![i](http://x) https://x.example `` ``` <!-- '
)


@pytest.fixture(scope="module")
def hostile(template: Path) -> RenderedPackage:
    """A package of a plan in which every outside string is hostile to every format."""
    return render_package(plan(HOSTILE), template)


def test_hostile_package_is_what_its_plan_says(hostile: RenderedPackage, template: Path):
    """The gate reads it all again: nothing of it became code or structure."""
    assert verify_package(hostile, expect(plan(HOSTILE), template)).package is hostile


def test_hostile_package_has_the_structure_of_the_benign_one(rendered: RenderedPackage, hostile: RenderedPackage):
    assert list(rendered.paths) == list(hostile.paths)
    for path in ("Dockerfile", "compose.yaml", "tox.ini", ".env.example", ".github/workflows/ci.yml", ".dockerignore"):
        assert rendered.paths[path].content == hostile.paths[path].content, path
    mine, theirs = (tomllib.loads(p.paths["pyproject.toml"].content.decode()) for p in (rendered, hostile))
    assert theirs["project"].pop("description") != mine["project"].pop("description")
    assert mine == theirs


def test_markdown_pages_show_hostile_text_as_text(rendered: RenderedPackage, hostile: RenderedPackage):
    """No link, no image, no HTML but our code tags, no further heading, row or cell."""
    for path in ("MAPPING.md", "README.md"):
        mine, theirs = (_blocks(p.paths[path].content.decode()) for p in (rendered, hostile))
        assert mine == theirs, path


def _blocks(text: str) -> list[str]:
    """The kinds of a page's elements; a code span and our own code tag are one kind."""
    tokens = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").parse(text)
    kinds: list[str] = []
    for token in tokens:
        kinds.append(f"{token.type} {token.tag}")
        spans = [child.type for child in token.children or []]
        markup = [child.content for child in token.children or [] if child.type == "html_inline"]
        assert not {"link_open", "image"} & set(spans)
        assert set(markup) <= {"<code>", "</code>"}, markup
    assert "html_block" not in " ".join(kinds)
    return kinds


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_toml_string_reads_back(text: str):
    written = outside.toml_string(text)
    assert tomllib.loads(f"x = {written}") == {"x": re.sub("[\ud800-\udfff]", "\ufffd", text)}


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_markdown_of_any_text_is_one_paragraph_of_text(text: str):
    tokens = MarkdownIt("commonmark").enable("table").parse(f"x {outside.markdown(text)}")
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in tokens[1].children or []} <= {"text", "text_special", "code_inline"}


def test_code_span_of_blanks_shows_them():
    """A field may be called ` `; only no text at all is a dash."""
    assert (outside.code_span("  "), outside.code_span("")) == ('`"  "`', "–")


@given(st.text(st.characters(exclude_categories=()), max_size=40), st.text(max_size=20))
def test_table_cell_of_any_text_is_one_cell(text: str, other: str):
    row = f"| {outside.code_span(text)} | {outside.markdown(other)} |"
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(f"| a | b |\n| --- | --- |\n{row}\n")
    assert sum(token.type == "td_open" for token in tokens) == 2
    markup = [c.content for t in tokens for c in t.children or [] if c.type == "html_inline"]
    assert set(markup) <= {"<code>", "</code>"}


@pytest.mark.parametrize(
    "names",
    [
        PackageNames(distribution="a b", module="a", version="1"),
        PackageNames(distribution="../a", module="a", version="1"),
        PackageNames(distribution="a", module="a/b", version="1"),
        PackageNames(distribution="a", module="a", version='1"\nx = "'),
        PackageNames(distribution="a", module="a", version="1", python="3.11 && id"),
        PackageNames(distribution="", module="a", version="1"),
    ],
)
def test_names_that_are_no_plain_names_are_refused(template: Path, names: PackageNames):
    """They reach file names, a Dockerfile and shell lines."""
    with pytest.raises(InternalError):
        render_package(replace(plan(), names=names), template)


def test_serialised_text_is_made_by_its_serialiser_only():
    for kind in (outside.Slug, outside.TomlText, outside.MarkdownText, outside.YamlText, outside.EnvText):
        with pytest.raises(InternalError):
            kind("x")
    with pytest.raises(InternalError):
        outside.accept("x")


def test_skeleton_uses_neither_clock_nor_randomness(template: Path):
    """cookiecutter's own extensions have both."""
    for path in (template / "skeleton").rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert not re.search(r"\{%-? *now|random_ascii_string|uuid4|slugify|jsonify", text), path


def test_rendering_leaves_the_working_folder_and_the_home_alone(template: Path, tmp_path: Path):
    """cookiecutter has a replay file and a configuration; neither is read or written."""
    code = (
        "import os, pathlib\n"
        "from tests.render.plans import plan\n"
        "from vitesse.render import render_package\n"
        "pathlib.Path(os.environ['HOME'], '.cookiecutterrc').write_text('default_context: {distribution: x}')\n"
        f"package = render_package(plan(), pathlib.Path({str(template)!r}))\n"
        "print(os.getcwd(), sorted(os.listdir(os.environ['HOME'])), package.digest)"
    )
    digests = set()
    for name in ("one", "two"):
        home = tmp_path / name
        home.mkdir()
        (home / "pyproject.toml").write_text(
            "[tool.black]\nline-length = 40\n[tool.datamodel-codegen]\nfield-constraints = true\n"
        )
        environment = {
            "HOME": str(home),
            "PYTHONPATH": f"{template.parent / 'compiler'}:{template.parent}",
            "PYTHONHASHSEED": (name == "one" and "1") or "2",
            "TZ": (name == "one" and "UTC") or "Asia/Tokyo",
        }
        done = subprocess.run([sys.executable, "-c", code], cwd=home, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        cwd, listing, digest = re.fullmatch(r"(\S+) (\[.*\]) (\S+)\n", done.stdout).groups()  # type: ignore[union-attr]
        assert (cwd, listing) == (str(home), "['.cookiecutterrc', 'pyproject.toml']")
        digests.add(digest)
    assert len(digests) == 1


def test_readme_says_when_streams_run_and_where_deliveries_go(rendered: RenderedPackage):
    page = rendered.paths["README.md"].content.decode()
    assert " field, `hourly`\n" in page
    assert (
        "* webhooks for **customers** come to `POST /webhooks/customers/create`, `POST /webhooks/customers/update`\n"
        in page
    )


def test_compose_service_is_hardened_and_routed(rendered: RenderedPackage):
    service = yaml.safe_load(rendered.paths["compose.yaml"].content)["services"]["shopify-credo"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == "10001:10001"
    # Empty counts as not set, so that SHOPIFY_SHOP_FILE may stand in .env instead; the package says what is missing.
    assert service["environment"]["SHOPIFY_SHOP"] == "${SHOPIFY_SHOP:-}"
    assert service["environment"]["CONTROL_TOKEN"] == "${CONTROL_TOKEN:-}"
    assert service["labels"]["traefik.enable"] == "true"
    assert service["labels"]["traefik.http.services.shopify-credo.loadbalancer.server.port"] == "8080"
    assert service["mem_limit"] == "512m"


def test_compose_cluster_profile_has_three_workers_and_a_database_and_leaves_the_plain_service_alone(
    rendered: RenderedPackage,
):
    """Secrets come from the environment; workers have a sign of life for their health and no volume."""
    services = yaml.safe_load(rendered.paths["compose.yaml"].content)["services"]
    worker, database, plain = services["shopify-credo-worker"], services["postgres"], services["shopify-credo"]
    assert worker["profiles"] == database["profiles"] == ["cluster"]
    assert "profiles" not in plain
    assert plain["depends_on"]["postgres"] == {"condition": "service_healthy", "required": False}
    assert (worker["deploy"]["replicas"], worker["command"]) == (3, ["worker"])
    assert worker["environment"] == plain["environment"]
    assert worker["healthcheck"]["test"][-2:] == ["health", "--worker"]
    assert "volumes" not in worker
    assert worker["read_only"] is True
    assert worker["cap_drop"] == ["ALL"]
    assert database["environment"]["POSTGRES_PASSWORD"] == "${POSTGRES_PASSWORD:-}"


def test_deployment_of_the_plan_reaches_the_container(template: Path):
    deploy = DeployPlan(memory_mb=256, cpu_cores=2, port=9090)
    package = render_package(replace(plan(), deploy=deploy), template)
    service = yaml.safe_load(package.paths["compose.yaml"].content)["services"]["shopify-credo"]
    assert (service["mem_limit"], service["cpus"]) == ("256m", 2)
    assert "EXPOSE 9090" in package.paths["Dockerfile"].content.decode()


def test_workflow_has_least_permissions_and_no_foreign_action(rendered: RenderedPackage):
    workflow = yaml.safe_load(rendered.paths[".github/workflows/ci.yml"].content)
    assert workflow["permissions"] == {"contents": "read"}
    assert not [step for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]


def test_environment_example_has_names_and_no_values(rendered: RenderedPackage):
    lines = rendered.paths[".env.example"].content.decode().splitlines()
    assert "SHOPIFY_ACCESS_TOKEN=" in lines
    assert [line for line in lines if line and not line.startswith("#") and not line.endswith("=")] == []


def test_environment_example_of_a_package_without_credentials_starts_with_one_empty_line():
    assert str(outside.environment_example((), ())) == ""


def test_base_install_names_few_packages_and_not_vitesse(rendered: RenderedPackage):
    project = tomllib.loads(rendered.paths["pyproject.toml"].content.decode())["project"]
    assert len([name for name in project["dependencies"] if "sys_platform" not in name]) == 6
    assert "vitesse" not in json.dumps(project).lower()


def test_lint_environment_has_all_extras(rendered: RenderedPackage):
    """mypy reads every module, and a module of an extra that is not installed cannot be typed."""
    project = tomllib.loads(rendered.paths["pyproject.toml"].content.decode())["project"]
    tox = ConfigParser()
    tox.read_string(rendered.paths["tox.ini"].content.decode())
    assert set(tox["testenv:lint"]["extras"].split(", ")) == set(project["optional-dependencies"])


def test_dockerfile_passes_hadolint(folder: Path):
    done = subprocess.run([tool("hadolint"), "Dockerfile"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_dockerfile_passes_checkov(folder: Path):
    command = [
        tool("checkov"),
        "-f",
        "Dockerfile",
        "--framework",
        "dockerfile",
        "--compact",
        "-o",
        "json",
        "--skip-download",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    summary = json.loads(done.stdout)["summary"]
    assert (summary["failed"], summary["passed"] > 40) == (0, True), done.stdout
