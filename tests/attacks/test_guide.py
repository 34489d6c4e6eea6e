"""The guide's commands are understood, and its tables are those of the attacks."""

import re
import shlex
from dataclasses import fields
from pathlib import Path
from textwrap import dedent

import pytest
from evaluation_support import write_files

from unteach.attacks import ATTACKS
from unteach.attacks._plan import foresee
from unteach.cli.evaluate import settings

GUIDE = (Path(__file__).resolve().parents[2] / "docs/guides/attacks.md").read_text("utf-8")


def test_the_commands_are_understood():
    import typer

    from unteach.cli import app

    lines = re.findall(r"^    unteach (.*)$", GUIDE.replace("\\\n", " "), re.MULTILINE)
    assert len(lines) == 3
    known = typer.main.get_command(app).commands
    for line in lines:
        name, *rest = shlex.split(line)
        given = known[name].make_context(name, rest).params
        names = given["attack"] if name == "run" else given["attack_"]
        foresee(tuple(",".join(names or ATTACKS).split(",")), settings(given["set_"]))


def test_the_request_file_is_understood():
    from unteach.attacks._in_run import foreseen
    from unteach.files.yaml import read_yaml
    from unteach.settings.request import Request

    block = "attack:\n" + GUIDE.split("    attack:\n")[1].split("\n\n")[0]
    given = read_yaml(block, "guide")
    asked = Request.model_validate({"model": "m", "forget": "f", "out": "o", **given})
    relearn, names = foreseen(asked)[1], [one.name for one in foreseen(asked)]
    assert names == ["int4", "relearn", "sample"]
    assert (relearn.kinds, relearn.steps) == (("lora",), (8, 32))


def test_the_python_runs(tmp_path, tiny_folder, monkeypatch):
    write_files(tmp_path)
    for name in ("unlearned", "my-model"):
        (tmp_path / name).symlink_to(tiny_folder)
    monkeypatch.chdir(tmp_path)
    code = "import unteach\n" + GUIDE.split("    import unteach\n")[1].split("\n\n`")[0]
    found: dict = {}
    exec(dedent(code.replace("import unteach", "    import unteach", 1)), found)
    assert "4 bits, groups of 32" in [line.variant for line in found["result"].lines]
    assert found["result"].headline.startswith("Worst case: ")
    assert (tmp_path / "attacks" / "attacks.md").exists()


def test_fields_and_a_request_are_one_or_the_other():
    import unteach

    with pytest.raises(unteach.UserError, match="--forget: is not given"):
        unteach.attack(model="m")
    with pytest.raises(TypeError, match="or its fields"):
        unteach.attack(unteach.AttackRequest(model="m", forget="f"), model="m")


def test_the_tables_are_those_of_the_attacks():
    shown = {line.split("`")[1]: line for line in GUIDE.splitlines() if line.startswith("| `")}
    assert {*ATTACKS} == {name for name in shown if "." not in name}
    cells = [line.split("|") for name, line in shown.items() if "." in name]
    rows = {tuple(re.findall(r"`(\w+\.\w+)`", cell[1])): cell[2] for cell in cells}
    for names, defaults in rows.items():
        values = re.findall(r"`([^`]+)`", defaults)
        assert len(values) == len(names), names
        for name, value in zip(names, values, strict=True):
            attack, option = name.split(".")
            found = {f.name: f.default for f in fields(ATTACKS.get(attack))}[option]
            made = foresee((attack,), {name: value})[0]
            assert getattr(made, option) == found, name
