"""Names from outside do nothing: on a terminal, in Markdown, in JSON, in YAML, in a picture."""

import io
import json
import warnings

import pytest
import yaml
from rich.console import Console

from unteach.cli._words import say, say_problems
from unteach.errors import Problem
from unteach.escaping import fenced, in_json, markdown, prose, visible
from unteach.files.yaml import to_yaml
from unteach.report import Report, draw, from_json, to_json, to_markdown
from unteach.types import Score

EVIL = (
    "\x1b[31mred\x1b[0m",
    "a\rb\nc\td\x00e\x7f\x9b1m",
    "a\u202eb\u2066c\u200bd\ufeffe\u00adf\u2028g",
    "<script>alert(1)</script>",
    "[x](javascript:alert(1)) ![y](//e.com/i.png)",
    "a|b`c``d```e",
    "*a* __b__ _c_ ~~d~~ # e &lt; \\",
    "https://e.com www.e.com",
    "$x^2$ $\\frac{1}",
    "[bold]a[/] [/nothing] [link=https://e.com]",
    "\ud800",
    "-" * 300,
)
INVISIBLE = "\x1b\r\n\t\x00\x7f\x9b\u202e\u2066\u200b\ufeff\u00ad\u2028\ud800"


@pytest.mark.parametrize("text", EVIL)
def test_nothing_without_a_shape_is_shown(text):
    for shown in (visible(text), markdown(text), prose(text)):
        assert not set(shown) & set(INVISIBLE)
        assert shown.isprintable()
    quoted = json.dumps(text, ensure_ascii=False)
    assert json.loads(in_json(quoted)) == text
    assert in_json(quoted).isprintable()


@pytest.mark.parametrize("text", EVIL)
def test_nothing_is_active_in_markdown(text):
    assert "`" not in markdown(text)
    for shown in (markdown(text), prose(text)):
        assert not set(shown.replace("\\|", "")) & set("*[]<>|~$&")
        assert "://" not in shown
        assert "www." not in shown
        assert "__" not in shown


def test_plain_names_stay_as_they_are():
    for name in ("npo beta=0.2", "my_model-v1.5", "runs/a (2)", "模型", "é"):
        assert visible(name) == markdown(name) == prose(name) == name
    assert prose("see `a.md`") == "see `a.md`"


def test_a_block_of_code_ends_where_it_should():
    assert fenced("a\n````\n<b>", "yaml") == "`````yaml\na\n````\n<b>\n`````"


@pytest.mark.parametrize("text", [t for t in EVIL if "\ud800" not in t and "\x00" not in t])
def test_yaml_reads_the_same_again_and_shows_all(text):
    written = to_yaml({"out": text})
    assert yaml.safe_load(written) == {"out": text}
    assert written.replace("\n", "").isprintable()


@pytest.mark.parametrize("text", EVIL)
def test_a_terminal_is_told_all_and_obeys_nothing(text, capsys):
    file = io.StringIO()
    console = Console(file=file, width=10_000, force_terminal=False)
    say_problems([Problem(text, text, text)], console)
    assert file.getvalue().count("\n") == 2
    assert file.getvalue().count(visible(text)) == 3
    say(text)
    assert capsys.readouterr().err == visible(text) + "\n"
    assert str(Problem(text, text)) == f"{visible(text)}: {visible(text)}"


def report(text):
    scores = {"forget": {"probability": Score(0.5, 9, 0.4, 0.6)}, text: {"probability": Score(0.5)}}
    return Report(
        models={"original": scores, text: scores, "retrained": scores},
        comparisons={f"{text}_vs_retrained": {"closeness": Score(0.5)}},
        tables={text: [["model", "x"], [text, "~1"]]},
        label=text,
        facts={text: text, "asking": {text: text}},
        notes=(text,),
        request={"out": text},
    )


@pytest.mark.parametrize("text", EVIL)
def test_a_report_is_of_our_own_markdown_alone(text):
    if "\ud800" in text:
        return  # no file has it: requests that hold it are refused
    written = to_markdown(report(text))
    plain = to_markdown(report("x"))
    assert not set(written) & (set(INVISIBLE) - {"\n"})
    head, _, rest = written.partition("<details><summary>Every setting")
    for mark in ("<script", "](", "[x]", "https://e.com", "*a*", "~~", "$"):
        assert mark not in head, mark
    ours = plain.partition("<details><summary>Every setting")[0]
    # As many lines, tables and code spans as with a plain name, for nothing begins or ends one.
    assert head.count("\n") == ours.count("\n")
    assert head.count("`") == ours.count("`")
    assert head.replace("\\|", "").count("|") == ours.count("|")
    assert rest.count("</details>") == 2
    assert from_json(to_json(report(text))).label == text


def test_a_picture_takes_names_as_they_are(tmp_path):
    for text in EVIL:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            draw(report(text), tmp_path / "a.png")
