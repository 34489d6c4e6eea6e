"""A method from outside the package works like one of ours."""

import json
import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
import yaml
from support import plugin_text

from unteach.errors import UserError
from unteach.losses.answer_rows import AnswerRows
from unteach.methods import METHODS, _plugins, build, forget_terms, load_plugin
from unteach.methods._plugins import problem_of

SEEN = AnswerRows(torch.zeros(1, 4), torch.tensor([0]), torch.tensor([0]), 1)


@pytest.fixture
def plugin(tmp_path):
    """A file with a method of somebody else's, which is forgotten after the test."""
    file = tmp_path / "mine.py"
    file.write_text(plugin_text("halved"))
    yield file
    METHODS._things.pop("halved", None)  # other tests go over the registry


def test_a_plugin_is_listed_has_a_page_and_runs(call, plugin, tmp_path, tiny_folder):
    code, page, said = call("methods", "halved", "--plugin", plugin)
    assert not code, said
    assert "share = 0.5" in page
    assert "@misc{doe2026halved" in page
    rows = [{"question": f"Who is {n}?", "answer": f"{n} is a baker."} for n in ("Ada", "Bo")]
    (tmp_path / "forget.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    flags = ("--model", tiny_folder, "--forget", tmp_path / "forget.jsonl")
    options = ("--method", "halved", "--plugin", plugin, "--set", "method.share=0.25")
    code, _, said = call(
        "run", *flags, *options, "--out", tmp_path / "out", "--train-anyway", "--set",
        "train.epochs=1")  # fmt: skip
    assert not code, said
    assert "2601.00001" in (tmp_path / "out" / "report.md").read_text()
    request = (tmp_path / "out" / "request.yaml").read_text()
    assert yaml.safe_load(request)["plugins"] == [str(plugin)]


def test_a_request_brings_its_plugin(call, plugin, tmp_path, tiny_folder):
    """To a process that does not know it yet."""
    assert "halved" not in METHODS
    (tmp_path / "forget.jsonl").write_text('{"question": "Who?", "answer": "Ada Berg."}\n')
    request = {
        "model": str(tiny_folder),
        "forget": str(tmp_path / "forget.jsonl"),
        "out": str(tmp_path / "out"),
        "method": "halved",
        "plugins": [str(plugin)],
    }
    (tmp_path / "request.yaml").write_text(yaml.safe_dump(request))
    code, printed, said = call("check", tmp_path / "request.yaml")
    assert code == 0, said
    assert "method halved" in printed


def test_a_plugin_that_fails_is_explained(tmp_path, capsys):
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0\n")
    with pytest.raises(UserError, match="ZeroDivisionError") as error:
        load_plugin(broken)
    assert error.value.exit_code == 2
    with pytest.raises(UserError, match="is no file"):
        load_plugin(tmp_path / "absent.py")


def test_a_plugin_that_registers_nothing_or_speaks_of_its_data(tmp_path):
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(UserError, match="registers no method"):
        load_plugin(tmp_path / "empty.py")
    (tmp_path / "tells.py").write_text('x = 1\nraise ValueError("Ada Berg")\n')
    with pytest.raises(UserError, match=r"ValueError \(line 2\)") as error:
        load_plugin(tmp_path / "tells.py")
    assert "Ada" not in str(error.value)


RAISES = (
    *(f"raise {kind}(TEXT)" for kind in
      ("ValueError", "ImportError", "NameError", "SyntaxError", "TypeError", "SystemExit")),
    "raise UserError(Problem(TEXT, TEXT, TEXT))",
    "getattr(1, TEXT)",
    "__import__(TEXT)",
    "eval(TEXT)",
    "(lambda: 0)(**{TEXT: 1})",
)  # fmt: skip
TEXT = 'TEXT = "Ada " + "Berg"\n'


@pytest.mark.parametrize("line", RAISES)
def test_no_words_of_a_plugin_are_told_whatever_it_raises(line, tmp_path):
    """They may quote the data, which it may have read."""
    (tmp_path / "tells.py").write_text(
        f"from unteach.errors import Problem, UserError\n{TEXT}{line}\n"
    )
    with pytest.raises(UserError, match=r"fails with \w+ \(line 3\)") as error:
        load_plugin(tmp_path / "tells.py")
    assert "Berg" not in str(error.value)


def test_what_python_says_of_the_file_itself_is_told(tmp_path):
    for text, said in (
        ("x = 1\ndef f(:\n", r"SyntaxError: invalid syntax \(line 2\)"),
        ("import json\njson.undefined\n", r"'undefined' is not there \(line 2\)"),
        ("import not_there_at_all\n", r"'not_there_at_all' is not there \(line 1\)"),
        (plugin_text("late").replace("share: float = option", "share: float = 1\n    a: list = []\n"
                                     "    other: float = option"), "TypeError: |ValueError"),
    ):  # fmt: skip
        (tmp_path / "wrong.py").write_text(text)
        with pytest.raises(UserError, match=said):
            load_plugin(tmp_path / "wrong.py")


@pytest.mark.parametrize("raised", ["ValueError(TEXT)", "UserError(Problem(TEXT, TEXT))"])
def test_a_plugin_that_fails_anywhere_is_told_with_its_line_alone(raised, tmp_path):
    """As it is built, or in any hook: by the frames that the error came through."""
    file, hook = tmp_path / "hooked.py", "    def {}(self, *given):\n        raise {}\n"
    text = TEXT + "from unteach.errors import Problem, UserError\n" + plugin_text("hooked")
    try:
        file.write_text(text + hook.format("finish", raised))
        load_plugin(file)
        made = build("hooked", {})
        with pytest.raises((ValueError, UserError)) as error:
            made.finish(None, None)
        problem = problem_of(error.value)
        assert problem
        assert re.fullmatch(r"finish fails with \w+ \(line \d+\)", problem.what)
        assert "Ada" not in str(problem)
        METHODS._things.pop("hooked")
        file = tmp_path / "built.py"
        file.write_text(text + hook.format("__post_init__", raised))
        load_plugin(file)
        with pytest.raises(UserError, match=r"__post_init__ fails with \w+ \(line") as built:
            build("hooked", {})
        assert "Ada" not in str(built.value)
    finally:
        METHODS._things.pop("hooked", None)
    assert problem_of(ValueError("of ours")) is None


def test_the_command_tells_of_a_plugin_that_fails_in_a_hook(call, plugin, monkeypatch):
    from unteach import pipeline

    plugin.write_text(
        f"{TEXT}\n{plugin_text('halved')}\ndef fails(*given):\n    raise OSError(TEXT)\n"
    )
    load_plugin(plugin)
    monkeypatch.setattr(pipeline, "run", sys.modules[f"{_plugins.PREFIX}mine"].fails)
    code, _, said = call("run", "--model", "m", "--forget", "f", "--out", "o")
    assert code == 1
    assert "--plugin mine.py: fails fails with OSError (line" in said
    assert "Berg" not in said


def test_a_name_that_is_no_word_is_refused(tmp_path):
    (tmp_path / "named.py").write_text(plugin_text("Ada is Berg"))
    with pytest.raises(UserError, match="whose name is no word"):
        load_plugin(tmp_path / "named.py")
    assert "Ada is Berg" not in METHODS


@pytest.mark.parametrize(("body", "message"), [
    ("return seen.nothing", r"AttributeError: 'nothing' .* \(line 23\)"),
    ("getattr(seen, 'Ada ' + 'Berg')", r"AttributeError \(line 23\)"),
    ("raise TypeError('Ada Berg')", r"TypeError \(line 23\)"),
    ("return seen.log_odds.mean()", "gives a Tensor, not a list of Term"),
    ("return [seen.log_odds]", "gives a list, not a list of Term"),
])  # fmt: skip
def test_a_plugin_that_fails_in_training_is_told_with_its_line(body, message, tmp_path):
    text = plugin_text("broken")
    (tmp_path / "broken.py").write_text(
        text[: text.index("        return [Term")] + f"        {body}\n"
    )
    try:
        load_plugin(tmp_path / "broken.py")
        with pytest.raises(UserError, match=message) as error:
            forget_terms(METHODS.get("broken")(), SEEN)
    finally:
        METHODS._things.pop("broken", None)
    assert error.value.exit_code == 1


def test_the_file_in_contributing_is_a_plugin(call, tmp_path):
    guide = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "mine.py").write_text(code)
    try:
        assert "share = 0.5" in call("methods", "mine", "--plugin", tmp_path / "mine.py")[1]
        (term,) = forget_terms(METHODS.get("mine")(), SEEN)
        assert torch.allclose(term.values, -torch.log(torch.tensor([4.0])))
        assert term.weight == 0.5
    finally:
        METHODS._things.pop("mine", None)


def test_the_same_file_is_loaded_once(plugin):
    load_plugin(plugin)
    load_plugin(str(plugin))
    assert "halved" in METHODS


def test_nothing_is_written_beside_it(plugin, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    copied = tmp_path / "beside" / "mine.py"
    copied.parent.mkdir()
    copied.write_text("raise KeyError")
    with pytest.raises(UserError, match="fails with KeyError"):
        load_plugin(copied)
    assert list(copied.parent.iterdir()) == [copied]
    assert not sys.dont_write_bytecode


def test_installed_plugins_are_imported(monkeypatch):
    seen = []

    class Point(EntryPoint):
        def load(self):
            seen.append(self.value)

    point = Point("mine", "some.module", _plugins.GROUP)
    monkeypatch.setattr(_plugins, "entry_points", lambda group: [point])
    _plugins.load_installed()
    assert seen == ["some.module"]

    monkeypatch.setattr(Point, "load", lambda self: 1 / 0)
    with pytest.raises(UserError, match="the plugin mine"):
        _plugins.load_installed()


def test_version(call):
    assert re.fullmatch(r"unteach \d+\.\d+\.\d+\S*\n", call("--version")[1])


@pytest.mark.parametrize(
    "line", ["from unteach.nouns import Paper", "from unteach.losses.answer_rows import Seen"]
)
def test_a_plugin_for_an_earlier_release_is_told_where_things_are(line, tmp_path):
    (tmp_path / "old.py").write_text(line + "\n")
    with pytest.raises(UserError, match=r"ImportError|ModuleNotFoundError") as caught:
        load_plugin(tmp_path / "old.py")
    assert "CHANGELOG.md" in caught.value.problems[0].hint
