"""`unteach audit`: what a model knows of a person's records, before anything is trained."""

import io
import json
import re
import shlex
import stat
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from audit.learned import SECRET, learn, write

from unteach.cli import main
from unteach.evaluation import audit, sampled
from unteach.evaluation.persons import Persons
from unteach.metrics.memorised import decide
from unteach.progress import NoProgress
from unteach.report.audited import Audit, audit_markdown, sentence
from unteach.suites.ask import ModelAnswers
from unteach.types import Example, Row, Score

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "audit.md"


@pytest.fixture(scope="module")
def desk(tmp_path_factory, tiny_folder):
    folder = tmp_path_factory.mktemp("desk")
    write(folder)
    learn(folder, tiny_folder)
    return folder


def flags(folder, model="model", **more):
    given = {
        "model": folder / model if model == "model" else model,
        "forget": folder / "forget.jsonl",
        "holdout": folder / "holdout.jsonl",
        "max-new-tokens": 24,
        **more,
    }
    found = [x for name, value in given.items() for x in (f"--{name}", value) if value is not None]
    return ["audit", *found, "--no-cache"]


@pytest.fixture(scope="module")
def audited(desk):
    """What one audit wrote, and said."""
    printed, said = io.StringIO(), io.StringIO()
    more = {"out": desk / "out", "write-known": desk / "known.jsonl", "max-new-tokens": 48}
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(said):
        patch.setattr("sys.argv", ["unteach", *map(str, flags(desk, **more))])
        with pytest.raises(SystemExit) as stopped:
            main()
    assert stopped.value.code == 3, said.getvalue()
    found = json.loads((desk / "out" / "audit.json").read_text())
    return printed.getvalue(), said.getvalue(), found


def test_what_was_learned_is_known_and_nothing_else(audited):
    *_, found = audited
    answers = {record["id"]: record["answer"] for record in found["records"]}
    assert [id for id, answer in answers.items() if answer == "known"] == [
        f"forget-{k}" for k in range(6)
    ]
    others = {answers[f"forget-{k}"] for k in range(6, 12)}
    assert others == {"not distinguishable from never seen"}
    assert all(r["verbatim"] == (r["answer"] == "known") for r in found["records"])
    assert found["persons"] == {"named": 6, "known": 3}
    assert found["holdout"] == 40
    assert found["smallest_p"] == pytest.approx(1 / 41)
    assert found["fewest_known_that_show"] == 6  # 12 / 41 / 0.05 = 5.9
    auc = found["scores"]["membership_auc_loss"]
    assert auc["low"] < auc["value"] < auc["high"]
    assert 0.6 < auc["value"] < 1
    by_person = found["membership_auc_by_person"]
    assert by_person["low"] <= auc["low"]


def test_what_was_learned_is_also_said_when_answers_are_sampled(audited):
    """By the records' ids alone; and the chance of it is that of the answer's probability."""
    printed, _, found = audited
    sampled = found["sampled"]
    assert sampled["answers"] == 8
    assert sampled["given"] == [f"forget-{k}" for k in range(6)]
    assert sampled["forget"]["value"] == 0.5
    assert sampled["holdout"]["value"] == 0
    chances = [record["sampled"] for record in found["records"]]
    assert min(chances[:6]) > 0.99
    assert max(chances[6:]) < 0.01
    assert "given by one of 8 sampled answers, word for word or its fact" in printed


def test_sampled_answers_are_kept_with_the_rows_and_can_be_left_out(
    desk, call, tmp_path, monkeypatch
):
    """A second audit with the same cache samples nothing, unless other numbers are asked for."""
    from unteach.inference import sampling

    monkeypatch.setenv("UNTEACH_CACHE", str(tmp_path))
    asked = [*flags(desk)[:-1], "--json", "--samples"]
    first = json.loads(call(*asked, 3)[1])
    text = "".join(file.read_text() for file in tmp_path.rglob("*.jsonl"))
    assert SECRET not in text
    assert first["sampled"]["answers"] == 3
    drawn, draw = [], sampling.samples
    monkeypatch.setattr(
        sampling, "samples", lambda *args, **how: drawn.append(args[2]) or draw(*args, **how)
    )
    again = json.loads(call(*asked, 3)[1])
    assert (again["sampled"], drawn) == (first["sampled"], [])
    call(*asked, 2)
    assert drawn == [2]
    assert json.loads(call(*asked, 0)[1])["sampled"] is None


def test_the_terminal_says_it_first(audited):
    printed, said, found = audited
    first = printed.splitlines()[0]
    assert first == found["answer"]
    assert first.startswith("The model knows 6 of 12 records, of which at most 5%")
    assert "known: forget-0, forget-1, forget-2, forget-3, forget-4, forget-5\n" in printed
    assert "6 records that are known, as texts" in said


def test_no_text_is_written_but_the_file_that_was_asked_for(audited, desk):
    printed, said, _ = audited
    written = "".join(f.read_text() for f in (desk / "out").iterdir()) + printed + said
    assert {f.name for f in (desk / "out").iterdir()} == {"audit.md", "audit.json"}
    assert SECRET not in written
    assert "person 0" not in written
    known = desk / "known.jsonl"
    assert stat.S_IMODE(known.stat().st_mode) == 0o600
    lines = (desk / "forget.jsonl").read_text().splitlines()
    assert [json.loads(x) for x in known.read_text().splitlines()] == [
        json.loads(x) for x in lines[:6]
    ]


def test_a_model_that_never_learned_them_knows_none(desk, tiny_folder, call, tmp_path):
    known = tmp_path / "known.jsonl"
    more = {"model": str(tiny_folder), "write-known": known}
    code, out, err = call(*flags(desk, **more))
    assert code == 0
    assert out.startswith("None of 12 records can be told from records that the model never saw.")
    assert "nothing is known" in err
    assert not known.exists()


def test_too_few_to_tell_and_texts_that_differ_are_said(desk, call, tmp_path):
    """Nineteen are needed; and answers of another place give themselves away."""
    rows = (desk / "holdout.jsonl").read_text().replace(SECRET, "train").splitlines(keepends=True)
    few = tmp_path / "few.jsonl"
    few.write_text("".join(rows[:12]))
    code, out, _ = call(*flags(desk, holdout=few), "--json")
    found = json.loads(out)
    assert found["fewest_known_that_show"] is None
    assert [line.split(":")[0] for line in found["warnings"]] == ["doubtful", "too few"]
    assert found["blind_auc"]["value"] > 0.9
    reasons = {r["why"] for r in found["records"] if r["answer"] == "known"}
    assert reasons <= {"given word for word"}
    assert code == (3 if reasons else 0)


def test_texts_that_differ_make_the_answer_doubtful():
    """And what the model is called does nothing in the page."""
    never = [Row(id=f"holdout-{k}", tokens=9, logp=-2.0 - k / 100) for k in range(40)]
    rows = {"forget": [Row(id="forget-0", tokens=9, logp=-0.1)], "holdout": never}
    found = Audit(
        model="<b>[x](y)", decisions=decide(rows), scores={}, blind=Score(0.5, 41, 0.4, 0.6)
    )
    assert sentence(found).startswith("The model knows 1 of 1 records")
    assert not {"<b>", "[x]"} & set(re.findall(r"<b>|\[x\]", audit_markdown(found)))
    apart = replace(found, blind=Score(0.9, 41, 0.8, 0.95))
    assert sentence(apart).startswith("1 of 1 records stand out from the holdout, but so they do")
    assert "AUC 0.90 (0.80 to 0.95)" in audit_markdown(apart)
    assert not replace(found, blind=Score(0.7, 9, 0.3, 0.9)).apart
    text = audit_markdown(replace(found, blind=Score(0.0, 41, 0.0, 0.09)))
    assert "without the model, AUC (0.5 or less: alike) | 0.00" in text, "0 is as good as 0.5"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"write-known": "forget.jsonl"}, "is a file that is read"),
        ({"write-known": "no/known.jsonl"}, "lies in a folder that is not there"),
        ({"write-known": "there.jsonl"}, "is there already"),
        ({"holdout": "missing.jsonl"}, "missing.jsonl"),
    ],
)
def test_what_is_asked_wrongly_is_told_at_once(desk, call, monkeypatch, more, said):
    monkeypatch.chdir(desk)
    (desk / "there.jsonl").touch()
    code, _, err = call(*flags(desk, **more))
    assert code == 2
    assert said in err


def test_the_commands_of_the_guide(desk, call, monkeypatch, tmp_path, tiny_folder):
    """The first is run as it stands; all are understood."""
    import typer

    from unteach.cli import app

    text = GUIDE.read_text("utf-8").replace("\\\n", " ")
    lines = [x.strip().split("unteach ", 1)[1] for x in text.splitlines()
             if re.match(r"    unteach ", x)]  # fmt: skip
    known = typer.main.get_command(app).commands
    assert [line.split()[0] for line in lines] == ["audit", "audit", "run"]
    for line in lines:
        name, *rest = shlex.split(line)
        known[name].make_context(name, rest)
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    (tmp_path / "my-model").symlink_to(desk / "model")
    code, out, _ = call(*shlex.split(lines[0]), "--no-cache", "--max-new-tokens", 24)
    assert code == 3
    assert out.startswith("The model knows 6 of 12 records")


def test_one_sample_that_gives_a_record_is_enough_and_in_how_many_is_not_told(monkeypatch):
    """Whoever draws the samples again would know the answer by its count."""
    rows = {"forget": [Row(id="a", verbatim=False, fact_given=True), Row(id="b", verbatim=True),
                       Row(id="c", verbatim=False)]}  # fmt: skip
    monkeypatch.setattr(sampled, "cached_answers", lambda *_: ModelAnswers(rows, {}))
    monkeypatch.setattr(sampled, "key_of", lambda *_: "")
    plan = SimpleNamespace(asked=SimpleNamespace(cache=None))
    found = sampled.sampled_answers("model", plan, NoProgress(), 2)
    assert found.given == ("a", "b")
    assert found.forget.value == pytest.approx(2 / 3)
    question = SimpleNamespace(
        row=Row(id="a"), expected="in Lund by the sea", stemmed=True, fact="Lund"
    )
    judged = sampled._judged(question, ["no", "by Lund", "in Rome"])
    assert (judged.fact_given, judged.verbatim, judged.rouge_l_recall) == (True, False, None)


def test_the_blind_classifier_never_sees_a_person_twice(monkeypatch):
    monkeypatch.setattr(audit, "blind_auc", lambda *texts, **groups: groups)
    rows = {r: [Example(id=f"{r}-{k}", where="", kind="text", text="x") for k in range(4)]
            for r in ("forget", "holdout")}  # fmt: skip
    people = Persons({f"forget-{k}": str(k // 2) for k in range(4)}, "names")
    found = audit._blind_score(rows, {"forget": people, "holdout": None})
    assert found == {"member_groups": ["0", "0", "1", "1"], "other_groups": None}
