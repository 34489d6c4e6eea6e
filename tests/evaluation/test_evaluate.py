"""From models to a report: the whole way on tiny models, and what can go wrong on it."""

import json
import shutil
from dataclasses import replace

import pytest
from evaluation_support import SECRET, asked_of, everything_written, write_files

from unteach.errors import UserError
from unteach.evaluation import rows as asking
from unteach.evaluation.request import evaluation_request, labelled
from unteach.evaluation.run import evaluate
from unteach.files.rows import read_rows, write_rows
from unteach.report import from_json


@pytest.fixture
def whole(files, tiny_folder, other_folder):
    return asked_of(
        files, model=tiny_folder, original=str(other_folder), retrained=str(other_folder)
    )


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, tiny_folder, other_folder):
    """One evaluation, to be looked at: its folder and its report."""
    folder = write_files(tmp_path_factory.mktemp("evaluated"))
    known = {"original": str(other_folder), "retrained": str(other_folder)}
    return folder, evaluate(asked_of(folder, model=tiny_folder, **known))


@pytest.fixture
def first(evaluated, whole, files):
    """Its report; it was done in this test's own folder, for all that one sees."""
    shutil.copytree(evaluated[0], files, dirs_exist_ok=True)
    return evaluated[1]


def test_rows_scores_and_report_are_written_and_hold_no_text(evaluated):
    files, report = evaluated
    assert list(report.models) == ["original", "model", "retrained"]
    assert set(report.models["model"]) == {"forget", "retain", "holdout"}
    assert from_json((files / "out" / "scores.json").read_text()).models == report.models
    groups, about = read_rows(files / "out" / "rows" / "model.jsonl")
    assert about == {"schema": 2, "suite": "own", "suite_version": 1}
    answers = [row.id for row in groups["forget"] if row.kind == "answer"]
    assert answers == [f"forget-{k}" for k in range(3)]
    assert len([row for row in groups["forget"] if row.kind == "perturbed"]) == 6
    written = everything_written(files / "out") + everything_written(files / "cache")
    assert SECRET not in written
    assert "bread" not in written


def test_the_same_model_twice_is_like_itself(evaluated):
    """The original and the retrained one are one model here, so nothing sets them apart."""
    _, report = evaluated
    assert report.models["original"]["forget"] == report.models["retrained"]["forget"]
    assert report.compared("original", "probability_gap").value == 0
    assert report.compared("model", "probability_gap").value != 0


def test_nothing_is_asked_twice(whole, first, monkeypatch):
    monkeypatch.setattr(asking, "ask_model", lambda *_: pytest.fail("it was asked again"))
    again = evaluate(whole.model_copy(update={"overwrite": True}))
    assert again.models == first.models
    assert again.facts["asking model"]["from"] == "cache"


@pytest.mark.parametrize(
    "change",
    ["model", "data", "original", "settings", "code", "suite version"],
)
def test_what_rows_depend_on_makes_them_anew(change, whole, first, files, monkeypatch):
    whole = whole.model_copy(update={"retrained": None})
    asked_again = []
    ask = asking.ask_model
    monkeypatch.setattr(
        asking, "ask_model", lambda name, *rest: asked_again.append(name) or ask(name, *rest)
    )
    update = {"overwrite": True}
    if change == "model":
        shutil.copytree(whole.models["model"], files / "third")
        with (files / "third" / "config.json").open("a") as file:
            file.write("\n")
        update["models"] = {"model": str(files / "third")}
    if change == "original":
        update["original"] = None
    if change == "settings":
        update["max_new_tokens"] = 3
    if change == "data":
        text = (files / "retain.jsonl").read_text()
        (files / "retain.jsonl").write_text(text.replace("bread", "salt"))
    if change == "code":
        monkeypatch.setattr(asking, "code_hash", lambda: "another")
    if change == "suite version":
        from unteach.suites import SUITES

        newer = replace(SUITES.get("own"), version=99)
        monkeypatch.setitem(SUITES._things, "own", newer)
    evaluate(whole.model_copy(update=update))
    assert "model" in asked_again


def test_without_a_cache_nothing_is_kept(whole, files):
    evaluate(whole.model_copy(update={"cache": None}))
    assert not (files / "cache").exists()


def test_rows_of_the_retrained_model_stand_for_it(whole, first, files):
    rows = files / "retrained.jsonl"
    rows.write_bytes((files / "out" / "rows" / "retrained.jsonl").read_bytes())
    update = {"retrained": None, "reference_rows": rows, "overwrite": True}
    again = evaluate(whole.model_copy(update=update))
    assert again.models == first.models
    assert again.comparisons == first.comparisons


def test_rows_of_other_questions_are_refused(whole, first, files):
    file = files / "never.jsonl"
    groups, about = read_rows(files / "out" / "rows" / "retrained.jsonl")
    groups["forget"] = [replace(row, zlib=(row.zlib or 0) + 8) for row in groups["forget"]]
    groups["retain"] = groups["retain"][1:]
    write_rows(file, groups, about)
    update = {"retrained": None, "reference_rows": file, "overwrite": True}
    with pytest.raises(UserError) as error:
        evaluate(whole.model_copy(update=update))
    found = str(error.value)
    assert "is of other texts in 3 of the 3 examples of forget" in found
    assert "lacks 1 of the 5 examples of retain" in found
    write_rows(file, groups, {"suite": "tofu"})
    with pytest.raises(UserError, match="answers the suite tofu, not own"):
        evaluate(whole.model_copy(update=update))


def test_a_limit_asks_fewer_and_says_so(whole):
    report = evaluate(whole.model_copy(update={"limit": 2}))
    assert report.facts["examples"] == {"forget": 2, "retain": 2, "holdout": 2}
    assert report.models["model"]["retain"]["probability"].n == 2
    assert report.facts["limit"].startswith("2 examples")


def test_adapters_are_put_on_the_original(files, tiny_folder):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from unteach.evaluation.check import check

    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    get_peft_model(model, LoraConfig(target_modules="all-linear")).save_pretrained(files / "lora")
    request = asked_of(files, model=files / "lora", original=str(tiny_folder))
    report = evaluate(request)  # adapters that start at zero change nothing
    assert report.value("model", "forget", "probability") == pytest.approx(
        report.value("original", "forget", "probability"), rel=1e-6
    )
    with pytest.raises(UserError, match="holds adapters only"):
        check(request.model_copy(update={"original": None, "overwrite": True}))


def test_everything_wrong_is_told_at_once(files):
    from unteach.evaluation.check import check

    (files / "out").mkdir()
    (files / "out" / "mine.txt").write_text("x")
    request = evaluation_request(
        models={"model": "no/where/at-all"},
        suite="tofoo",
        out=files / "out",
        retrained=str(files / "none"),
        reference_rows=files / "none.jsonl",
        device="gpu",
    )
    with pytest.raises(UserError) as error:
        check(request)
    found = str(error.value)
    for part in (
        "is not empty",
        "auto, cpu, or an accelerator as torch calls it",
        "--reference-rows",
        "--model no/where/at-all",
        'Did you mean "tofu"?',
        "--retrained",
    ):
        assert part in found


def test_labels_of_models():
    assert labelled(["a/b"]) == {"model": "a/b"}
    assert labelled(["x=a/b", "c/d"]) == {"x": "a/b", "d": "c/d"}
    for wrong in (["a/b", "c/b"], ["original=a"], ["retrained=a", "b"]):
        with pytest.raises(UserError, match="is taken"):
            labelled(wrong)


def test_a_report_of_one_model_has_an_opening(evaluated):
    files, _ = evaluated
    text = (files / "out" / "report.md").read_text()
    assert "**Forget.** The answers had a probability of" in text
    assert json.loads((files / "out" / "scores.json").read_text())["request"]["suite"] == "own"


def test_processes_that_cannot_meet_do_not_write_one_folder(whole, files, monkeypatch):
    """As on a device that accelerate has no way for; each would be the main one."""
    from accelerate import PartialState

    assert PartialState().num_processes == 1
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="started 2 processes"):
        evaluate(whole)
    assert not (files / "out").exists()


def test_models_of_another_vocabulary_are_told_before_anything_is_asked(files, tiny_folder):
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
             "num_attention_heads": 2, "vocab_size": 400}  # fmt: skip
    LlamaForCausalLM(LlamaConfig(**sizes)).save_pretrained(files / "wide")
    AutoTokenizer.from_pretrained(tiny_folder).save_pretrained(files / "wide")
    wide = str(files / "wide")
    with pytest.raises(UserError, match=r"--retrained .*wide: has a vocabulary of 400 tokens"):
        evaluate(asked_of(files, model=tiny_folder, original=str(tiny_folder), retrained=wide))


def test_what_run_would_note_of_the_data_is_noted_here_too(whole, files):
    """A column that nothing reads, and answers that the model before does not know."""
    lines = [json.loads(line) for line in (files / "forget.jsonl").read_text().splitlines()]
    marked = [{**line, "misgiving": "much"} for line in lines]
    (files / "forget.jsonl").write_text("".join(json.dumps(line) + "\n" for line in marked))
    notes = evaluate(whole).notes
    assert any("misgiving" in note for note in notes)
    assert any("does not know these 3 answers" in note for note in notes)
    alone = evaluate(whole.model_copy(update={"original": None, "overwrite": True})).notes
    assert any("misgiving" in note for note in alone)
    assert not any("does not know" in note for note in alone), "it may have forgotten them"
