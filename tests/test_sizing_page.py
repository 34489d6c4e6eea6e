"""The guides on sizes and on many devices are those of the code."""

import re
import shlex
from pathlib import Path

import pytest

GUIDES = Path(__file__).resolve().parents[1] / "docs" / "guides"
SIZING = (GUIDES / "sizing.md").read_text("utf-8")
MANY = (GUIDES / "many-devices.md").read_text("utf-8")


@pytest.mark.slow
def test_the_sizing_page_is_what_the_command_says():
    from sizing_page import page

    assert page() == SIZING, "run `python benchmarks/sizing_page.py`"


def test_every_measured_peak_is_within_its_goal():
    verdicts = re.findall(r"% \| (pass|miss) \|", SIZING)
    assert len(verdicts) >= 20
    assert set(verdicts) == {"pass"}


def test_the_commands_of_the_sizing_page_are_understood():
    import typer

    from unteach.cli import app

    lines = [line.strip() for line in SIZING.splitlines() if line.startswith("    unteach size")]
    assert len(lines) == 2
    command = typer.main.get_command(app).commands["size"]
    for line in lines:
        command.make_context("size", shlex.split(line)[2:])


def test_scripts_of_the_guide_on_many_devices_are_shell(tmp_path):
    import shutil
    import subprocess

    scripts = re.findall(r"```bash\n(.*?)```", MANY, re.S)
    assert len(scripts) == 4
    if not shutil.which("bash"):
        pytest.skip("there is no bash here")
    for script in scripts:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_the_launchers_know_the_flags_of_the_guide():
    from accelerate.commands.launch import launch_command_parser
    from torch.distributed.run import get_args_parser

    known = {option for a in get_args_parser()._actions for option in a.option_strings}
    known |= {option for a in launch_command_parser()._actions for option in a.option_strings}
    text = "".join(re.findall(r"```bash\n(.*?)```", MANY, re.S))
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#SBATCH"))
    asked = set(re.findall(r"(?<![\w-])--[a-z_]+", text))
    assert len(asked) >= 10
    assert {flag for flag in asked if flag not in known} == set()
