"""The compiler is Apache-2.0; what is copied into packages is 0BSD, so that a package is its owner's."""

from __future__ import annotations

import hashlib
import tomllib

from tests.shared import REPOSITORY


def test_licence_of_the_compiler_is_the_whole_apache_text():
    text = " ".join((REPOSITORY / "LICENSE").read_text("utf-8").split())
    assert "Apache License Version 2.0, January 2004" in text
    assert "9. Accepting Warranty or Additional Liability." in text
    assert "limitations under the License." in text


def test_licence_of_the_runtime_is_0bsd_word_for_word():
    text = " ".join((REPOSITORY / "runtime_template" / "LICENSE").read_text("utf-8").split())
    body = text.removeprefix("BSD Zero Clause License ")
    assert body.startswith("Permission to use, copy, modify, and/or distribute this software for any purpose")
    assert (
        hashlib.sha256(body.encode()).hexdigest() == "1fc595850815e2afbaf6b3aa49edaa2fb51a99028bc3a78d0ebe834ead586914"
    )


def test_project_file_and_readme_say_so():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE", "runtime_template/LICENSE"]
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    assert "Apache-2.0" in readme
    assert "0BSD" in readme
