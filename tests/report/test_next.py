"""What a report without gates says to do, and what its tables say a number should be."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from report.test_answers import STOPPED, TEN, report

from unteach.cli._next import again, gated
from unteach.errors import UserError
from unteach.evaluation.rescore import read_report, rows_in
from unteach.metrics.given import GivenAnswers
from unteach.report import Report, to_html, to_markdown, what_is_wrong
from unteach.report.advice import further
from unteach.report.gates import Gate
from unteach.types import Score

GIVEN = ["run", "--model", "m", "--forget", "f", "--out", "no-such-folder"]


@pytest.mark.parametrize(("found", "change"), [
    (report(forget=0.6), "train.epochs=20"),
    (report(given=TEN), "train.epochs=20"),
    (report(auc=0.0, train={"draw_back": "never"}), "train.draw_back=holdout"),
    (report(retain=0.4), "train.learning_rate=3e-05"),
    (report(holdout=0.1), "train.learning_rate=3e-05"),
])  # fmt: skip
def test_what_is_wrong_has_its_next_command_without_gates_too(found, change, capsys):
    text = to_markdown(found)
    (said,) = [line for line in text.splitlines() if line.startswith("**Next:** ")]
    assert f"`--set {change}`" in said
    assert text.index("**What is wrong:**") < text.index(said)
    assert change in to_html(found)
    code = gated(found, lambda step: again(step, Path("no-such-folder"), GIVEN))
    assert code == 0, "no gate, no failure"
    printed = capsys.readouterr().err
    assert printed.splitlines()[-1].endswith(f"--out no-such-folder-2 --set {change}")


def test_with_gates_the_next_command_stands_below_their_table_alone():
    failed = Gate(
        name="retain", measure="kept", low=0.9, score=Score(0.4, 99), outcome="others damaged"
    )
    text = to_markdown(replace(report(retain=0.4), gates=(failed,)))
    assert len(re.findall(r"Next:", text)) == 1


def test_nothing_wrong_and_nothing_trained_have_no_next_command(capsys):
    for found in (report(), replace(report(forget=0.6), request={"models": {}})):
        assert "**Next:**" not in to_markdown(found)
        assert gated(found, lambda step: []) == 0
    assert "next:" not in capsys.readouterr().err


def test_a_run_that_reached_its_teacher_is_not_told_to_train_more():
    because = "the forget answers' probability is 0.60; the teacher's is 0.62"
    found = report(forget=0.6, facts={**STOPPED, "stopped_because": because})
    assert further(found) == "Training ended at its teacher's level: more of it is no help."
    text = to_markdown(found)
    assert "`--base BASE_MODEL`" in text
    assert "More train.epochs" not in text


def test_answers_that_were_below_the_stop_before_did_not_go_past_it():
    """A run with --train-anyway on answers of 3e-10 went past its stop at 0.30, it said."""
    found = report(forget=0.02, train={"stop_at": 0.3}, facts=STOPPED)
    assert any("went past its stop" in line for line in what_is_wrong(found))
    found.models["original"]["forget"]["probability"] = Score(0.1, 200)
    assert not any("its stop" in line for line in what_is_wrong(found))


def wanted(text, metric):
    return re.findall(rf"^\| `{metric}` \| (.+?) \|", text, re.M)


def test_no_table_wants_low_where_never_seen_answers_tell_the_level():
    """An over-forgotten model had 0.13 in a row that said: low."""
    forget = {"probability": Score(0.1, 9), "fact_recall": Score(0.2, 9),
              "membership_auc_loss": Score(0.2, 9)}  # fmt: skip
    models = {"original": {"forget": forget}, "unlearned": {"forget": forget}}
    bare = to_markdown(Report(models=models))
    assert wanted(bare, "probability") == ["low"]
    assert wanted(bare, "membership_auc_loss") == ["as never seen"]
    held = to_markdown(Report(models=models, never_seen={"probability": Score(0.2, 9)}))
    assert wanted(held, "probability") == ["as never seen"]
    assert wanted(held, "fact_recall") == ["low"], "the holdout says nothing on it"
    beside = to_markdown(Report(models={**models, "retrained": {"forget": forget}}))
    assert wanted(beside, "probability") == wanted(beside, "fact_recall") == ["as retrained"]


def test_one_record_is_one_example():
    given = GivenAnswers(asked=1, beside="retrained")
    text = to_markdown(report(given=given, facts={"examples": {"forget": 1}}))
    assert "Forget 1 example, with npo" in text
    assert "**Still given.** It is not given word for word." in text


def test_a_note_and_its_hint_are_two_sentences():
    text = to_markdown(replace(report(), notes=("--retain: none\n    hint: give one",)))
    assert "- --retain: none. Give one\n" in text


def test_a_folder_that_is_not_there_is_told_so(tmp_path):
    for read in (read_report, rows_in):
        with pytest.raises(UserError, match="does not exist"):
            read(tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no rows"):
        rows_in(tmp_path)
