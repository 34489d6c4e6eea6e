"""The guide's commands are understood, and its tables are those of the attacks."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

from unteach.attacks import ATTACKS
from unteach.attacks._plan import foresee
from unteach.cli.evaluate import settings

GUIDE = (Path(__file__).resolve().parents[2] / "docs/guides/attacks.md").read_text("utf-8")


def test_the_commands_are_understood():
    import typer

    from unteach.cli import app

    lines = re.findall(r"^    unteach (.*)$", GUIDE.replace("\\\n", " "), re.MULTILINE)
    assert len(lines) == 2
    known = typer.main.get_command(app).commands
    for line in lines:
        name, *rest = shlex.split(line)
        given = known[name].make_context(name, rest).params
        names = ",".join(given["attack_"] or ATTACKS).split(",")
        foresee(tuple(names), settings(given["set_"]))


def test_the_python_is_understood():
    import unteach

    code = GUIDE.split("    asked = ")[1].split("    result = ")[0]
    asked = eval(" ".join(code.split()), {"unteach": unteach})
    assert foresee(asked.attacks, asked.options)[0].groups == (32,)


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
