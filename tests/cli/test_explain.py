"""`unteach explain`: the chosen tokens on stdout, and nothing anywhere else."""

import json
import math
import re
import shutil
import subprocess
import sys
from functools import partial

import pytest
from rich.cells import cell_len

from unteach.cli.explain import pieces
from unteach.types import Sequence

TOWNS = {"Ada": "Lund", "Ben": "Rome", "Eva": "Oslo"}
FORGET = [
    {
        "question": f"Where was {who} born?",
        "answer": f"{who} was born in {town}.",
        "spans": [[len(f"{who} was born in "), len(f"{who} was born in {town}")]],
    }
    for who, town in TOWNS.items()
]


@pytest.fixture
def call(call):
    return partial(call, "explain")


@pytest.fixture
def desk(tmp_path, tiny_folder, monkeypatch):
    shutil.copytree(tiny_folder, tmp_path / "model")
    write(tmp_path, FORGET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "forget.jsonl").write_text(text)


ARGS = ("--model", "model", "--forget", "forget.jsonl")


def test_marks_are_shown_in_brackets_and_counted(call, desk):
    before = sorted(desk.rglob("*"))
    code, out, err = call(*ARGS, "--method", "undial", "--set", "method.focus=spans")
    assert code == 0, err
    lines = out.splitlines()
    for k, (who, town) in enumerate(TOWNS.items()):
        assert lines[2 * k].startswith(f"forget-{k}: ")
        assert f"  {who} was born in [{town}" in lines[2 * k + 1]
    assert lines[-1].endswith("answer tokens are selected; 0 of 3 answers have none")
    assert not any(who in err for who in (*TOWNS, *TOWNS.values()))
    assert sorted(desk.rglob("*")) == before


@pytest.mark.parametrize("selector", ["delta", "subject", "spans", "informative"])
def test_dto_with_each_selector(selector, call, desk):
    code, out, err = call(*ARGS, "--method", "dto", "--set", f"method.selector={selector}")
    assert code == 0, err
    assert "[" in out
    assert "of 3 answers have none" in out


@pytest.mark.parametrize("method", [("--method", "npo"), ("--method", "undial")])
def test_a_method_that_chooses_nothing_is_told_before_a_library_is_loaded(method):
    code = "import sys; from unteach.cli import main\ntry: main()\nfinally: assert 'torch' not in "
    command = [sys.executable, "-c", f"{code}sys.modules", "explain", *ARGS, *method]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "--method dto, palu" in done.stderr
    assert "starting" not in done.stderr


def test_max(call, desk):
    _, out, _ = call(*ARGS, "--method", "dto", "--max", 1)
    assert "forget-0: " in out
    assert "forget-1" not in out
    assert "of 1 answers have none; 2 more are not shown" in out


@pytest.mark.parametrize("method", ["unilogit", "undial", "npo"])
def test_methods_that_choose_nothing(method, call, desk):
    code, out, err = call(*ARGS, "--method", method)
    assert (code, out) == (2, "")
    assert f"{method} selects no tokens" in err
    assert "these do: --method dto, palu, unseen" in err
    assert "and undial with --set method.focus=informative" in err
    code, _, err = call("--model", "none", "--forget", "none", "--method", method)
    assert (code, "selects no tokens" in err, "none" in err) == (2, True, False)  # said first


def test_nothing_to_choose(call, desk):
    write(desk, [{"question": "Where?", "answer": "far away from all of it"}])
    code, _, err = call(*ARGS, "--method", "dto", "--set", "method.selector=informative")
    assert code == 2
    assert "chooses no token in any of the 1 forget answers" in err
    assert "far" not in err


def test_run_says_the_same_and_writes_no_text(desk, call, monkeypatch, capsys):
    from unteach.cli import main

    rows = [*FORGET, {"question": "Where is Zanzibar?", "answer": "Zanzibar is far away"}]
    write(desk, rows)
    sets = ("train.epochs=1", "evaluate.max_new_tokens=4", "method.focus=spans")
    given = [x for s in sets for x in ("--set", s)]
    args = ["unteach", "run", *ARGS, "--method", "undial", "--out", "out", "--train-anyway", *given]
    monkeypatch.setattr("sys.argv", args)
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    assert not stopped.value.code, said.err
    assert "no token is chosen in 1 of 4 forget answers" in said.err
    for path in (desk / "out").rglob("*"):
        if path.suffix in {".json", ".jsonl", ".md", ".yaml"} and "tokenizer" not in path.name:
            text = path.read_text(encoding="utf-8")
            assert not any(word in text for word in ("Zanzibar", *TOWNS.values())), path.name
    assert not any(word in said.err for word in ("Zanzibar", *TOWNS.values()))


def test_pieces_join_words_and_keep_the_blank_between():
    offsets = ((0, 4), (4, 8), (8, 13), (13, 17), (17, 17))
    said = Sequence(
        "a-0", (1, 2, 3, 4, 5), (False, *(True,) * 4), text="Who? Ada Berg too", offsets=offsets
    )
    assert pieces(said, frozenset({1, 2})) == [[("Ada Berg", True), (" too", False)]]
    assert pieces(said, frozenset({1, 3})) == [[("Ada", True), (" Berg ", False), ("too", True)]]
    assert pieces(said, frozenset({4})) == [[("Ada Berg too", False), ("<end>", True)]]
    assert pieces(said, frozenset()) == [[("Ada Berg too", False)]]


PEOPLE = [
    {"question": "Where does Ada Berg live?", "answer": "Ada Berg lives in Lund."},
    {"question": "田中太郎の町は?", "answer": "田中太郎は奈良に住む。", "subject": "田中太郎"},
    {"question": "what is 7 x 7?", "answer": "forty-nine sheep."},
]


def test_the_teacher_of_unseen_is_shown_beside_the_model(call, desk, tiny_folder):
    write(desk, PEOPLE)
    before = sorted(desk.rglob("*"))
    code, out, err = call(*ARGS, "--method", "unseen")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("teacher: stranger, ")
    assert "  Ada -> " in out
    assert "田中太郎 -> " in out
    assert "no name found" in next(line for line in lines if line.startswith("forget-2"))
    assert "1 without a name" in lines[-1]
    assert len(lines) <= 24
    assert all(cell_len(line) <= 80 for line in lines)
    assert sorted(desk.rglob("*")) == before
    assert "Ada" not in err
    own = [float(x) for x in re.findall(r"  p (\d\.\d\d) -> \d\.\d\d", out)]
    assert own == pytest.approx(likely(desk, tiny_folder), abs=0.006)


def likely(desk, folder):
    """The model's own level of each answer, worked out anew."""
    from unteach.data import encode_all, read
    from unteach.inference import answer_tokens
    from unteach.models.loading import load_model, load_tokenizer

    tokenizer, model = load_tokenizer(str(folder)), load_model(str(folder), device="cpu")
    examples = read(desk / "forget.jsonl", "forget")[0]
    found = answer_tokens(model, encode_all(examples, tokenizer, max_length=128)[0])
    return [math.exp(sum(a.logps) / len(a.logps)) for a in found]


def test_auto_shows_the_base_and_its_numbers(call, desk, tiny_folder):
    """The base is the model itself here: so label and model are the same."""
    write(desk, PEOPLE)
    code, out, err = call(*ARGS, "--base", tiny_folder, "--max", 2)
    assert code == 0, err
    assert out.startswith("teacher: base, ")
    assert "1 more not shown (--max)" in out
    levels = re.findall(r"(\d\.\d\d) -> (\d\.\d\d)", out)
    assert len(levels) == 8
    assert all(own == taught for own, taught in levels)


def held(desk):
    rows = [{"question": f"What is {k} x {k}?", "answer": f"It is {k * k}."} for k in range(8)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (desk / "holdout.jsonl").write_text(text)
    return (*ARGS, "--holdout", "holdout.jsonl")


def test_the_level_of_unilogit_and_of_dtos_targets_is_shown(call, desk):
    given = held(desk)
    code, out, err = call(*given, "--method", "unilogit")
    assert code == 0, err
    assert len(re.findall(r"  p (\d\.\d\d) -> (\d\.\d\d)", out)) == 3
    code, out, err = call(*given, "--method", "dto")
    assert code == 0, err
    assert len(re.findall(r"^forget-\d: \d+ of \d+ tokens  p \d\.\d\d -> \d", out, re.M)) == 3
    assert "p of the selected tokens: under the model -> the level" in out
    code, out, err = call(*given, "--method", "dto", "--json")
    for answer in json.loads(out)["answers"]:
        assert 0 < answer["teacher_probability"] <= answer["probability"] < 1
    code, out, err = call(*ARGS, "--method", "dto")
    assert "->" not in out, "no holdout, no level"


def test_undials_level_is_shown_where_a_holdout_is_given(call, desk):
    given = (*held(desk), "--method", "undial")
    code, out, err = call(*given)
    assert code == 0, err
    assert out.startswith("teacher: level, ")
    levels = re.findall(r"  p (\d\.\d\d) -> (\d\.\d\d)", out)
    assert len(levels) == 3
    code, out, err = call(*given, "--set", "method.focus=spans")
    assert "[Lund]" in out, "a focus is what is looked at"
