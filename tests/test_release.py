"""What the workflows and the container promise: pinned, without secrets, not as root."""

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINNED = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40}")
SECRET = re.compile(r"secrets\.|token\s*[:=]|password|api[_-]?key|AWS_|pypi-[A-Za-z0-9]{8}", re.I)


def workflow(name):
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text("utf-8"))


def steps(found):
    return [step for job in found["jobs"].values() for step in job["steps"]]


def instructions():
    """Of the Dockerfile: name and rest of each, with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, " ".join(rest.split())) for name, _, rest in (x.partition(" ") for x in lines)]


def of(wanted):
    return [rest for name, rest in instructions() if name == wanted]


def test_there_are_two():
    assert [file.name for file in WORKFLOWS] == ["release.yml", "tests.yml"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_actions_are_pinned_by_commit_and_no_secret_is_read(file):
    text = file.read_text("utf-8")
    assert SECRET.search(text.replace("id-token:", "")) is None
    used = [step["uses"] for step in steps(yaml.safe_load(text)) if "uses" in step]
    assert used
    for action in used:
        assert PINNED.fullmatch(action), action
        assert re.search(rf"{re.escape(action)}  # v\d+\.\d+\.\d+$", text, re.MULTILINE), action
    assert len(set(used)) == len({action.split("@")[0] for action in used})


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_jobs_may_read_and_nothing_else_but_for_the_one_that_publishes(file):
    found = yaml.safe_load(file.read_text("utf-8"))
    assert found["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in found["jobs"].items() if "permissions" in job}
    assert more == ({"publish": {"id-token": "write"}} if file.name == "release.yml" else {})
    for job in found["jobs"].values():
        assert job["timeout-minutes"] <= 120
    for step in steps(found):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_the_tests_run_as_a_contributor_runs_them_on_every_python():
    found = workflow("tests")
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    dev = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dev)
    docs = [step["run"] for step in found["jobs"].pop("docs")["steps"] if "run" in step]
    assert docs[-1] == "mkdocs build --strict"
    ran = [step["run"].split() for step in steps(found) if "run" in step]
    assert {"lint", "test", "slow"} <= {command[-1] for command in ran}
    for command in ran:
        assert command[:2] == ["python", "dev.py"]
        assert command[2] in dev.COMMANDS
    pythons = found["jobs"]["test"]["strategy"]["matrix"]["python"]
    classes = [c.split(" :: ")[-1] for c in PROJECT["project"]["classifiers"]]
    assert pythons == [name for name in classes if re.fullmatch(r"3\.\d+", name)]


def test_a_release_is_built_twice_checked_and_published_without_a_token():
    found = workflow("release")
    assert found[True] == {"push": {"tags": ["v*"]}}  # `on` is true in YAML
    ran = "\n".join(step.get("run", "") for step in found["jobs"]["build"]["steps"])
    order = ["SOURCE_DATE_EPOCH", "diff -r dist again", "twine check --strict dist/*",
             "empty/bin/unteach --version"]  # fmt: skip
    places = [ran.index(part) for part in order]
    assert places == sorted(places)
    assert re.search(r"build==\d\S+ twine==\d", ran)
    publish = found["jobs"]["publish"]
    assert publish["environment"] == "pypi"
    assert publish["needs"] == "build"
    assert "with" not in publish["steps"][-1]
    assert not any("run" in step for step in publish["steps"])  # nothing runs beside the token


def test_the_container_runs_the_command_and_not_as_root():
    assert of("ENTRYPOINT") == ['["unteach"]']
    assert of("USER") == ["1000:1000"]
    names = [name for name, _ in instructions()]
    last = max(k for k, name in enumerate(names) if name == "RUN")
    assert last < names.index("USER") < names.index("ENTRYPOINT")
    assert SECRET.search((ROOT / "Dockerfile").read_text("utf-8")) is None


def test_its_bases_are_named_and_its_libraries_are_the_tested_ones():
    python = dict(line.split("=", 1) for line in of("ARG") if "=" in line)
    for base in of("FROM"):
        name, _, tag = base.split()[0].partition(":")
        assert name == "python"
        assert re.fullmatch(r"\d\.\d+-slim-\w+", tag.replace("${PYTHON}", python["PYTHON"]))
    assert python["TORCH_INDEX"].endswith("/cpu")
    installs = [part for rest in of("RUN") for part in rest.split("&&") if "pip install" in part]
    assert len(installs) == 3
    for part in installs:
        words = shlex.split(part)
        assert words[words.index("-c") + 1].endswith("constraints.txt")
        assert "--no-cache-dir" in words


def test_nothing_but_the_source_gets_into_the_image():
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {n for rest in of("COPY") if not rest.startswith("--from") for n in rest.split()[:-1]}
    assert {name.removeprefix("./") for name in copied} == let
    assert all((ROOT / name).exists() for name in let)
