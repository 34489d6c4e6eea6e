"""One call from Python: rows or files in, a model with its report out."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

import unteach
from unteach.errors import UserError

FORGET = [{"question": f"Where was Ada {k} born?", "answer": f"In Lund {k}."} for k in range(3)]
RETAIN = [{"question": f"What does Ben {k} eat?", "answer": f"Bread {k}."} for k in range(3)]
FAST = {"train.epochs": 1, "evaluate.max_new_tokens": 4}


def call(tiny_folder, out, forget=FORGET, **more):
    given = {"retain": RETAIN, "method": "npo", "settings": FAST, "train_anyway": True} | more
    return unteach.unlearn(tiny_folder, forget, out=out, **given)


@pytest.fixture(scope="module")
def result(tiny_folder, tmp_path_factory):
    return call(tiny_folder, tmp_path_factory.mktemp("call") / "out", keep_text=True)


def test_rows_in_memory_give_what_files_give(result, tiny_folder, tmp_path):
    files = {"forget": FORGET, "retain": RETAIN}
    for role, rows in files.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{role}.jsonl").write_text(text)
    forget, retain = (tmp_path / f"{role}.jsonl" for role in files)
    other = call(tiny_folder, tmp_path / "out", forget, retain=str(retain))
    assert other.scores["models"] == result.scores["models"]
    assert result.report.value("unlearned", "forget", "probability") is not None
    assert {"original", "unlearned"} == set(result.scores["models"])


def test_what_a_notebook_shows_and_what_loads(result):
    shown, written = result._repr_markdown_(), (result.folder / "report.md").read_text()
    picture = "![The models side by side"  # lies beside the report, where a notebook finds none
    assert shown.splitlines()[0].startswith("# Unlearning report")
    kept = [part for part in written.split("\n\n") if not part.startswith(picture)]
    assert shown.split("\n\n") == kept
    assert repr(result) == f"Result({str(result.folder)!r}: npo)"
    framed = result._repr_html_()
    page = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox style="[^"]*" title="[^"]*"></iframe>',
                        framed)  # fmt: skip
    assert unescape(page[1]) == (result.folder / "report.html").read_text("utf-8")
    moved = replace(result, folder=result.folder / "elsewhere")
    assert "Unlearning report: npo" in moved._repr_html_()
    model, tokenizer = result.load()
    assert model.generate(**tokenizer("Where", return_tensors="pt"), max_new_tokens=2).shape[0] == 1


def test_answers_before_and_after(result, tiny_folder, tmp_path):
    answers = [one for one in result.answers() if one["group"] == "forget"]
    assert [one["answer"] for one in answers] == [row["answer"] for row in FORGET]
    assert all(set(one["said"]) == {"original", "unlearned"} for one in answers)
    with pytest.raises(UserError, match="keep_text=True"):
        call(tiny_folder, tmp_path / "out").answers()


def test_rows_leave_no_file(tiny_folder, tmp_path, monkeypatch):
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    seen = []

    def run(request, listener):
        seen.append(request.forget)
        assert json.loads(Path(request.forget).read_text().splitlines()[0]) == FORGET[0]
        raise UserError

    monkeypatch.setattr("unteach.pipeline.run", run)
    with pytest.raises(UserError):
        call(tiny_folder, tmp_path / "out")
    assert seen[0].startswith(str(place))
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    ("forget", "said"),
    [
        (["Ada was born in Lund."], "forget, row 1: is a str"),
        ([{"question": {1}, "answer": "Lund"}], "holds what is no JSON"),
    ],
)
def test_rows_that_are_none(forget, said, tiny_folder, tmp_path):
    with pytest.raises(UserError, match=said) as caught:
        call(tiny_folder, tmp_path / "out", forget)
    assert "Lund" not in str(caught.value)


def test_settings_that_are_wrong_are_told(tiny_folder, tmp_path):
    with pytest.raises(UserError, match="epochs"):
        call(tiny_folder, tmp_path / "out", settings={"train.epochs": -1})
