"""The commands and the Python of the guides to search and to bench are understood."""

import re
import shlex
from pathlib import Path

import pytest

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"


@pytest.mark.parametrize(("name", "count"), [("search", 1), ("bench", 6)])
def test_the_commands_are_understood(name, count):
    """Flags and their values; nothing is run."""
    import typer

    from unteach.cli import app
    from unteach.tuning.request import named_methods, seconds_of

    text = (GUIDES / f"{name}.md").read_text("utf-8")
    lines = re.findall(rf"^    unteach ({name} .+)$", text, re.MULTILINE)
    assert len(lines) == count
    known = typer.main.get_command(app).commands
    for line in lines:
        command, *rest = shlex.split(line)
        given = known[command].make_context(command, rest).params
        assert named_methods(given["methods"], [])[1] == []
        for flag in ("budget", "tune"):
            assert seconds_of(given.get(flag) or "1s") >= 1
    for line in re.findall(r"^    unteach (evaluate .+)$", text, re.MULTILINE):
        command, *rest = shlex.split(line)
        assert known[command].make_context(command, rest).params["suite"] == "muse"
    flags = set(re.findall(r"`(--[a-z-]+)", text)) - {"--gates"}
    options = {part for one in known[name].params for part in one.opts}
    assert flags - options == set()


@pytest.mark.parametrize("name", ["search", "bench"])
def test_the_python_names_what_there_is(name, tmp_path, monkeypatch):
    import unteach

    monkeypatch.chdir(tmp_path)
    text = (GUIDES / f"{name}.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    call = re.search(rf"unteach\.{name}\((.*?)\)\n", code, re.DOTALL)[1]
    asked = eval(f"unteach.{name}_request({call})", {"unteach": unteach})
    assert asked.run.model == "my-model"
    assert asked.out.name in ("searched", "bench")


def test_the_guide_says_what_is_written_and_when_files_are_too_small(tmp_path):
    from unteach.benchmark.write import NAMES
    from unteach.data.calibration import LEAST
    from unteach.tuning.pages import HTML, MARKDOWN, RESULT, YAML
    from unteach.tuning.request import METHODS
    from unteach.tuning.study import DATABASE

    search, bench = ((GUIDES / f"{name}.md").read_text("utf-8") for name in ("search", "bench"))
    assert [n for n in (YAML, RESULT, MARKDOWN, HTML, DATABASE) if f"`{n}`" not in search] == []
    assert [n for n in NAMES if f"`{n}`" not in bench] == []
    assert ",".join(METHODS) in search
    least = f"It needs {LEAST['forget']} forget and retain and {LEAST['holdout']} holdout examples"
    assert least in search
