"""What stands at the root of the repository is whole, and names what there is."""

import re
import tomllib
from importlib.metadata import version

import pytest
import yaml

from pamm.engine.weights import list_shipped


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_the_version_is_the_same_everywhere(root, project):
    number = project["project"]["version"]
    assert version("pamm") == number
    assert read(root / "CITATION.cff")["version"] == number
    assert re.search(
        rf"^## \[{re.escape(number)}\] - (unreleased|\d{{4}}-\d\d-\d\d)$", text(root / "CHANGELOG.md"), re.M
    )


def text(path):
    return path.read_text(encoding="utf-8")


def test_the_citation_has_what_the_format_needs(root, project):
    citation = read(root / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["title"] == project["project"]["name"]
    assert citation["license"] == project["project"]["license"]
    (paper,) = citation["references"]
    assert paper["url"] in text(root / "README.md")


@pytest.mark.parametrize("name", ["ci", "release"])
def test_workflows_call_what_there_is(root, name):
    makefile = text(root / "Makefile")
    commands = "\n".join(step.get("run", "") for step in steps(read(root / f".github/workflows/{name}.yml")))
    for target in re.findall(r"\bmake ([\w ]+)", commands):
        for word in target.split():
            assert re.search(rf"^[\w -]*\b{word}\b[\w -]*:", makefile, re.M), f"no target {word}"


def test_ci_tries_each_supported_python_and_the_oldest_dependencies(root, project):
    jobs = read(root / ".github/workflows/ci.yml")["jobs"]
    pythons = jobs["test"]["strategy"]["matrix"]["python"]
    assert pythons == ["3.11", "3.12", "3.13"]
    assert project["project"]["requires-python"] == f">={pythons[0]}"
    shown = {line.rpartition(" ")[2] for line in project["project"]["classifiers"] if "Python :: 3." in line}
    assert shown == set(pythons)
    oldest = next(step["with"]["python-version"] for step in jobs["minimum"]["steps"] if "setup-python" in str(step))
    assert oldest == pythons[0]


def test_workflows_may_only_read(root):
    for path in (root / ".github/workflows").glob("*.yml"):
        workflow = read(path)
        assert workflow["permissions"] == {"contents": "read"}
        writing = {name for name, job in workflow["jobs"].items() if "permissions" in job}
        assert writing <= {"publish"}


def test_forms_have_what_the_host_wants(root):
    forms = sorted((root / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) == 4
    for path in forms:
        form = read(path)
        if path.name == "config.yml":
            continue
        assert {"name", "description", "body"} <= set(form), path.name
        fields = [field for field in form["body"] if field["type"] != "markdown"]
        names = [field["id"] for field in fields]
        assert len(set(names)) == len(names)
        assert any(field.get("validations", {}).get("required") for field in fields)
        for field in fields:
            assert field["type"] in ("textarea", "input", "dropdown", "checkboxes")
            assert field["attributes"]["label"]


def test_the_hooks_of_a_commit_call_tools_that_are_installed(root, project):
    wanted = " ".join(project["project"]["optional-dependencies"]["dev"])
    (repo,) = read(root / ".pre-commit-config.yaml")["repos"]
    for hook in repo["hooks"]:
        command = hook["entry"].split()[0]
        if hook["language"] == "system":
            assert command.removeprefix(".venv/bin/") in wanted, hook["id"]
        else:
            assert hook["additional_dependencies"]


def test_pages_name_files_that_there_are(root):
    for name in ("CONTRIBUTING", "SECURITY", "CODE_OF_CONDUCT", "CHANGELOG"):
        page = text(root / f"{name}.md")
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page)
        paths = re.findall(r"`((?:src|tests|\.github)/[\w./-]+|[\w.]+\.(?:toml|txt|cff))`", page)
        for target in [*links, *paths]:
            assert (root / target).exists(), f"{name}.md names {target}"


def test_the_changelog_names_the_weights_that_ship(root):
    for name in list_shipped():
        assert f"`{name}`" in text(root / "CHANGELOG.md")
