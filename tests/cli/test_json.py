"""`--json`: every command has it, and prints one document with the fields of docs/scripts.md."""

import io
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from cli.test_help import COMMANDS
from hub import TOKEN, serving
from huggingface_hub import constants
from support import write_roles

from unteach.cli import main
from unteach.cli._json import show_failure
from unteach.errors import Problem
from unteach.report import from_json

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scripts.md"
WITHOUT = {"chat": "is a conversation: answers come as questions are typed"}
ROLES = ("forget", "retain", "holdout")
FAST = ("--set", "train.epochs=1", "--set", "train.batch_size=8", "--set",
        "evaluate.max_new_tokens=4", "--train-anyway")  # fmt: skip
ADD = ("--ground", "erasure", "--received", "2026-11-30", "--reference")
SEEN_OR_KNOWN = 3  # exit code of an answer that needs attention


def called(*args) -> tuple[int, str, str]:
    """The exit code of a command, what it prints, and what it says."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr("sys.argv", ["unteach", *map(str, args)])
        with pytest.raises(SystemExit) as stopped:
            main()
    return int(stopped.value.code or 0), out.getvalue(), err.getvalue()


def document(*args, code: int = 0) -> Any:
    """The document that a command prints with `--json`; it must end with the exit code."""
    ended, out, err = called(*args, "--json")
    assert ended == code, err
    return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


class Desk:
    """Files, a model, and a result of `unteach run` for the commands that read one."""

    def __init__(self, folder: Path, model: Path):
        self.folder, self.model = write_roles(folder, 16), model
        self.out, self.ledger = folder / "out", folder / "removals.ledger"
        self.run = document("run", *self.files(), *FAST, "--method", "npo", "--out", self.out)

    def roles(self, *names: str) -> list[Any]:
        return [x for name in names for x in (f"--{name}", self.folder / f"{name}.jsonl")]

    def files(self, *names: str) -> list[Any]:
        return ["--model", self.model, *self.roles(*(names or ROLES))]

    def book(self, name: str) -> list[Any]:
        """A new ledger of that name with a request, as the option of the commands."""
        file = self.folder / name
        assert called("ledger", "init", file)[0] == 0
        assert called("ledger", "add", *self.roles("forget"), *ADD, "R-1", "--ledger", file)[0] == 0
        return ["--ledger", file]


@pytest.fixture(scope="module")
def desk(tiny_folder, tmp_path_factory):
    return Desk(tmp_path_factory.mktemp("json"), tiny_folder)


def removed(desk: Desk, name: str) -> list[Any]:
    """A ledger in which the request is fulfilled."""
    book = desk.book(name)
    assert called("ledger", "record", desk.out, "--request", "R-1", *book)[0] == 0
    return book


def signed(desk: Desk, name: str) -> list[Any]:
    book, key = desk.book(name), desk.folder / f"{name}.pem"
    assert called("ledger", "keypair", key)[0] == 0
    return [*book, "--private", key]


def verified(desk: Desk) -> Any:
    book = signed(desk, "to-verify")
    assert called("ledger", "sign", *book)[0] == 0
    return document("ledger", "verify", *book[:2])


def pushed(desk: Desk) -> Any:
    with serving() as hub, pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", hub.endpoint)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setenv("HF_TOKEN", TOKEN)
        return document("push", desk.out, "ada/forgot")


def demonstrated(desk: Desk) -> Any:
    """The command alone: the demo itself takes minutes, and its report is one of `run`."""
    report = from_json((desk.out / "scores.json").read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unteach.demo.run.run", lambda *_, **__: report)
        return document("demo", "--out", desk.folder / "demo")


CASES = {
    "demo": demonstrated,
    "init": lambda d: document("init", d.folder / "request.yaml"),
    "check": lambda d: document("check", *d.files(), "--out", d.folder / "no"),
    "run": lambda d: d.run,
    "audit": lambda d: document("audit", *d.files("forget", "holdout"), "--max-new-tokens", 4),
    "evaluate": lambda d: document("evaluate", *d.files(), "--max-new-tokens", 4, "--out",
                                   d.folder / "evaluated"),
    "attack": lambda d: document("attack", *d.files(), "--attack", "detect", "--limit", 4,
                                 "--max-new-tokens", 4, "--out", d.folder / "attacked"),
    "compare": lambda d: document("compare", d.out),
    "score": lambda d: document("score", d.out, "--out", d.folder / "again"),
    "verify": lambda d: document("verify", d.out),
    "push": pushed,
    "explain": lambda d: document("explain", *d.files("forget"), "--method", "dto"),
    "size": lambda d: document("size", "--model", d.model, "--length", 32, "--device-memory",
                               "1GB"),
    "search": lambda d: document("search", *d.files(), *FAST, "--methods", "npo", "--trials", 1,
                                 "--no-confirm", "--out", d.folder / "searched"),
    "bench": lambda d: document("bench", *d.files(), *FAST[2:], "--methods", "npo", "--seeds", 1,
                                "--epochs", 1, "--out", d.folder / "benched"),
    "methods": lambda _: document("methods"),
    "selectors": lambda _: document("selectors"),
    "attacks": lambda _: document("attacks"),
    "suites": lambda _: document("suites"),
    "metrics": lambda _: document("metrics"),
    "settings": lambda _: document("settings"),
    "env": lambda _: document("env"),
    "screen": lambda d: document("screen", d.folder / "forget.jsonl", *d.book("to-screen"),
                                 code=SEEN_OR_KNOWN),
    "recheck": lambda d: document("recheck", d.out, *d.roles("forget", "holdout"),
                                  *removed(d, "to-recheck"), "--max-new-tokens", 4,
                                  "--out", d.folder / "rechecked"),
    "ledger init": lambda d: document("ledger", "init", d.folder / "first"),
    "ledger add": lambda d: document("ledger", "add", "--forget", d.folder / "retain.jsonl",
                                     *ADD, "R-2",
                                     *d.book("to-add")),
    "ledger list": lambda d: document("ledger", "list", *d.book("to-list")),
    "ledger show": lambda d: document("ledger", "show", d.out, *removed(d, "to-show")),
    "ledger record": lambda d: document("ledger", "record", d.out, "--request", "R-1",
                                        *d.book("to-record")),
    "ledger withdraw": lambda d: document("ledger", "withdraw", "R-1", *d.book("to-withdraw")),
    "ledger derive": lambda d: document("ledger", "derive", d.out, "--from", d.model, "--by",
                                        "finetune", *d.book("to-derive")),
    "ledger keypair": lambda d: document("ledger", "keypair", d.folder / "pair.pem"),
    "ledger sign": lambda d: document("ledger", "sign", *signed(d, "to-sign")),
    "ledger verify": verified,
}  # fmt: skip


def described() -> dict[str, set[str]]:
    """The fields that the page names for each command: those of its list come first."""
    rows = re.findall(r"^\| (`unteach .+?) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    found = {}
    for commands, fields in rows:
        always = re.split(r"; (?:with|of) ", fields)[0]
        for command in re.findall(r"`(.+?)`", commands):
            found[command.removeprefix("unteach ")] = {*re.findall(r"`(\w+)`", always)}
    return found


def test_every_command_has_it_or_a_reason():
    having = {name for name, command in COMMANDS.items()
              if any("--json" in parameter.opts for parameter in command.params)}  # fmt: skip
    assert having == {*COMMANDS} - {*WITHOUT}
    assert {*CASES} == having
    assert {*described()} == having


@pytest.mark.parametrize("name", CASES)
def test_it_prints_one_document_with_the_fields_of_the_page(name, desk):
    found = CASES[name](desk)
    shown = found[0] if isinstance(found, list) else found
    assert "error" not in shown
    assert all(re.fullmatch(r"[a-z_-]+", field) for field in shown)
    assert described()[name] <= {*shown}


def test_what_goes_wrong_is_a_document_too(desk, monkeypatch):
    missing = desk.folder / "no.jsonl"
    given = ("--model", desk.model, "--forget", missing, "--out", desk.out)
    found = document("check", *given, code=2)
    assert {*found} == {"error", "problems", "notes", "exit_code"}
    assert found["exit_code"] == 2
    assert found["error"] == "{where}: {what}".format(**found["problems"][0])
    assert all({*p} == {"where", "what", "hint"} for p in found["problems"])
    assert {missing.name, "--out"} <= {Path(p["where"].split()[0]).name for p in found["problems"]}

    (desk.folder / "broken.jsonl").write_text('{"question": ')
    found = document("check", "--model", desk.model, "--forget", desk.folder / "broken.jsonl",
                     "--out", desk.folder / "no", code=1)  # fmt: skip
    assert found["exit_code"] == 1
    assert "is not JSON" in found["error"]

    def fails():
        raise RuntimeError("Ada Berg lives in Lund.")

    monkeypatch.setattr("unteach.cli.env.environment", fails)
    found = document("env", code=1)
    assert found["error"] == "unteach: an unexpected error: RuntimeError"
    assert "Ada" not in str(found)

    def leaves():
        raise SystemExit("Ada Berg lives in Lund.")

    monkeypatch.setattr("unteach.cli.env.environment", leaves)
    found = document("env", code=1)
    assert found["error"] == "unteach: an unexpected error: SystemExit"
    assert "Ada" not in str(found)


def test_notes_are_no_problems(capsys, monkeypatch):
    monkeypatch.setattr("unteach.cli._json.is_wanted", lambda: True)
    note, wrong = Problem("a", "is a note", "", "note"), Problem("b", "is wrong", "mend it")
    show_failure([note, wrong], 1)
    found = json.loads(capsys.readouterr().out)
    assert found["error"] == "b: is wrong"
    assert [one["what"] for one in found["problems"]] == ["is wrong"]
    assert [one["what"] for one in found["notes"]] == ["is a note"]


@pytest.mark.parametrize("args", [("check", "--nonsense"), ("nonsense",), ("verify",),
                                  ("ledger", "add"), ("size", "--processes", "many"),
                                  ("--nonsense",)])  # fmt: skip
def test_so_is_an_error_of_the_options(args):
    found = document(*args, code=2)
    assert found["exit_code"] == 2
    assert len(found["problems"]) == 1
    ended, out, err = called(*args)
    assert (ended, out) == (2, "")
    assert err


def test_a_process_that_was_killed_is_a_document(capsys, monkeypatch):
    from types import SimpleNamespace

    from unteach.cli._processes import _told

    monkeypatch.setattr("sys.argv", ["unteach", "run", "--json"])
    died: Any = Exception()
    one = SimpleNamespace(exitcode=-9, timestamp=1, signal_name=lambda: "SIGKILL")
    died.failures = {1: one}
    assert _told(died) == 137
    found = json.loads(capsys.readouterr().out)
    assert found["error"] == "process 1: was killed (SIGKILL); the others were stopped"
    assert found["exit_code"] == 137


def test_it_is_json_in_an_encoding_that_lacks_the_characters(tmp_path):
    name = "Höga 田\U0001f600.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "unteach", "init", name, "--json"], cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"}, capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout.decode("latin-1"))["file"] == name


def test_a_teacher_is_explained_in_values(desk):
    found = document("explain", *desk.files(), "--method", "unseen", "--max", 2)
    assert {*found} == {"method", "teacher", "answers", "not_shown"}
    assert {*found["teacher"]} == {"source", "probability", "auc"}
    assert (len(found["answers"]), found["not_shown"]) == (2, 14)
    for answer in found["answers"]:
        assert 0 < answer["probability"] <= 1
        assert answer["tokens"]
        (token, *_) = answer["tokens"]
        assert {*token} == {"token", "probability", "teacher_probability", "likeliest"}


def test_what_a_library_prints_is_not_in_the_document(monkeypatch):
    """As some trackers do where they begin and end."""

    def chatty():
        sys.stdout.write("* project initialized\n")
        return {"python": "3"}

    monkeypatch.setattr("unteach.cli.env.environment", chatty)
    code, out, err = called("env", "--json")
    assert (code, json.loads(out)) == (0, {"python": "3"})
    assert "* project initialized" in err
    assert called("env")[1].startswith("* project initialized")
