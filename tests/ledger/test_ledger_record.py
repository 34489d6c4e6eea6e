"""What a real run made is tied to its requests, or it is said why not."""

import json
import re
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from ledger.books import RECORDS, forget_file, ledger_in, model_in
from ledger.test_ledger import add, call, refused
from typer.testing import CliRunner

import unteach
from unteach.cli import app
from unteach.cli.ledger import COMMANDS
from unteach.cli.recheck import _known
from unteach.ledger import Ledger
from unteach.settings.request import load


@pytest.fixture(scope="module")
def made(tiny_folder, tmp_path_factory):
    """The model before, and a result of removing two of the records."""
    folder = tmp_path_factory.mktemp("made")
    before = shutil.copytree(tiny_folder, folder / "before")
    unteach.unlearn(
        before, str(forget_file(folder, RECORDS[:2])), out=folder / "out", method="npo",
        train_anyway=True, settings={"train.epochs": 1, "evaluate.max_new_tokens": 4},
    )  # fmt: skip
    return folder


def test_a_result_answers_its_requests(made, tmp_path):
    file, out = ledger_in(tmp_path), made / "out"
    add(file, tmp_path, "R-1", forget=made / "forget.jsonl")
    one = tmp_path / "one"
    one.mkdir()
    add(file, tmp_path, "R-2", forget=forget_file(one, [RECORDS[1]]))
    add(file, tmp_path, "R-3")
    said = refused(file, "record", out, "--request", "R-3")
    assert "lacks 1 of its records (forget-2)" in said
    assert "is no request" in refused(file, "record", out, "--request", "R-9")
    call(file, "record", out, "--request", "R-1")
    assert "unlearn by npo for R-1" in call(file, "show", out)
    call(file, "record", out, "--request", "R-2")
    found = json.loads(call(file, "show", out, "--json"))["chain"]
    assert [(link["by"], link["requests"]) for link in found] == [
        ("unlearn", ["R-1", "R-2"]),
        ("base", []),
    ]
    states = [r["state"] for r in json.loads(call(file, "list", "--json"))["requests"]]
    assert states == ["done", "done", "open"]
    with Ledger(file) as ledger:
        run = ledger.state().runs[0]
    assert run["records_compared"] is True
    assert run["mark"] == json.loads((out / "run.json").read_text())["mark"]
    assert set(run["versions"]) == {"unteach", "torch", "transformers", "peft"}
    assert "is done" in refused(file, "withdraw", "R-1")
    tuned = model_in(tmp_path / "tuned", "tuned")
    call(file, "derive", tuned, "--from", out, "--by", "finetune")
    assert len(call(file, "show", tuned).splitlines()) == 3


def test_what_is_not_as_it_was_written_answers_nothing(made, tmp_path):
    file, here = ledger_in(tmp_path), tmp_path / "moved"
    add(file, tmp_path, "R-1", forget=made / "forget.jsonl")
    add(file, tmp_path, "R-2")
    shutil.copytree(made, here)
    call(file, "withdraw", "R-2")
    assert "is withdrawn" in refused(file, "record", here / "out", "--request", "R-2")
    request = here / "out" / "request.yaml"
    weights = here / "out" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    said = refused(file, "record", here / "out", "--request", "R-1", code=1)
    assert "model.safetensors is not as it was written" in said
    weights.write_bytes(data)
    request.unlink()
    assert "is no result of a run" in refused(file, "record", here / "out", "--request", "R-1")
    assert "is no result" in refused(file, "record", here / "before", "--request", "R-1")
    with Ledger(file) as ledger:
        assert ledger.state().last == 4
        assert not ledger.state().links


SIGNING = ("ledger keypair", "ledger sign", "ledger verify")
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "ledger.md"


def test_the_commands_of_the_guide(made, tmp_path, monkeypatch):
    commands = [
        shlex.split(line)
        for line in re.findall(r"^    unteach (.+)$", GUIDE.read_text("utf-8"), re.MULTILINE)
    ]
    for name, there in (("my-model", "before"), ("unlearned", "out")):
        shutil.copytree(made / there, tmp_path / name)
    shutil.copy(made / "forget.jsonl", tmp_path)
    model_in(tmp_path / "tuned", "tuned")
    (tmp_path / "train.jsonl").write_text('{"text": "Nobody is named in this line."}\n')
    shutil.copy(tmp_path / "train.jsonl", tmp_path / "more.jsonl")
    (tmp_path / "holdout.jsonl").write_text(json.dumps(RECORDS[2]) + "\n")
    monkeypatch.chdir(tmp_path)
    ran = []
    for arguments in commands:
        if arguments[0] == "recheck":  # `tuned` is no model that can be asked
            forget = arguments[arguments.index("--forget") + 1]
            _known(Path("removals.ledger"), None, Path(forget), arguments[1])
            assert arguments[-2:] in (
                ["--holdout", "holdout.jsonl"],
                ["holdout.jsonl", "--overwrite"],
            )
        elif arguments[0] == "run":  # it was run for `made`
            given = zip(arguments[1::2], arguments[2::2], strict=True)
            load(flags={flag.strip("-"): value for flag, value in given})
        elif arguments[:2] == ["ledger", "keypair"] and not find_spec("cryptography"):
            break  # the guide ends with what needs it
        else:
            done = CliRunner().invoke(app, arguments, catch_exceptions=False)
            assert done.exit_code == 0, (arguments, done.output)
            ran.append(" ".join(arguments[: 1 + (arguments[0] == "ledger")]))
    assert {f"ledger {command.__name__.rstrip('_')}" for command in COMMANDS} - {*ran} <= {
        "ledger withdraw",
        *(() if find_spec("cryptography") else SIGNING),
    }
    assert "screen" in ran
    assert "unlearn by npo for DSR-14" in call(tmp_path / "removals.ledger", "show", "tuned")
