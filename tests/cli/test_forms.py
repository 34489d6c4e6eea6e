"""`train.forms`: training is shown each question in further wordings too, and nothing else is."""

import json

import pytest
from evaluation_support import SECRET, write_files
from support import ANYWAY

from unteach import pipeline
from unteach.errors import UserError
from unteach.settings.request import load
from unteach.training import unlearn as engine

SETS = (ANYWAY, "train.epochs=1", "evaluate.max_new_tokens=4", "train.forms=2", "adapter.rank=2")


@pytest.fixture
def files(tmp_path):
    rows = [{"question": f"Where is {n}?", "answer": f"{n} is in the hills."} for n in range(40)]
    write_files(tmp_path)
    (tmp_path / "holdout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def request(files, model, *sets, **flags):
    given = {role: str(files / f"{role}.jsonl") for role in ("forget", "retain", "holdout")}
    given |= {"model": str(model), "out": str(files / "out"), **flags}
    return load(flags=given, sets=[*SETS, *sets])


@pytest.fixture
def shown(monkeypatch):
    """What the trainer is given, by role."""
    found = {}

    class Watched(engine.UnlearningTrainer):
        def __init__(self, model, **given):
            for role in ("forget", "retain", "holdout", "alternate"):
                found[role] = [s.id for s in given[f"{role}_dataset"] or []]
            super().__init__(model, **given)

    monkeypatch.setattr(engine, "UnlearningTrainer", Watched)
    return found


def with_forms(role, numbers):
    return sorted(f"{role}-{n}{end}" for n in numbers for end in ("", "+1", "+2"))


@pytest.mark.parametrize("method", ["unilogit", "altpo", "dto"])
def test_training_sees_them_and_the_evaluation_does_not(
    method, files, tiny_folder, shown, monkeypatch
):
    drawn, draw = [], engine.DrawBack.to_never_seen

    def watched(self, model, forget, holdout, **how):
        drawn.append([s.id for s in (*forget, *holdout)])
        return draw(self, model, forget, holdout, **how)

    monkeypatch.setattr(engine.DrawBack, "to_never_seen", watched)
    report = pipeline.run(request(files, tiny_folder, method=method))
    assert sorted(shown["forget"]) == with_forms("forget", range(3))
    assert sorted(shown["retain"]) == with_forms("retain", range(5))
    level = {id.partition("+")[0] for id in shown["holdout"]}
    assert len(level) == 20  # the others judge the result
    assert len(shown["holdout"]) == 3 * len(level)
    assert not shown["alternate"] or shown["alternate"] == shown["forget"]
    assert not [id for ids in drawn for id in ids if "+" in id]
    assert report.facts["further_wordings"] == 6
    rows = (files / "out" / "rows" / "unlearned.jsonl").read_text()
    assert "forget-0" in rows
    assert "+1" not in rows
    assert SECRET not in (files / "out" / "report.md").read_text()


def test_raw_texts_have_none_which_is_told(call, files, tiny_folder):
    file = files / "raw.jsonl"
    file.write_text("".join(json.dumps({"text": f"Ada {k} was born here."}) + "\n" for k in "abc"))
    code, _, err = call("check", "--model", tiny_folder, "--forget", file, "--method", "npo",
                        "--out", files / "out", "--set", "train.forms=2")  # fmt: skip
    assert code == 0, err
    assert "train.forms: finds no question in the forget set" in err
    with pytest.raises(UserError, match=r"train\.forms"):
        request(files, tiny_folder, "train.forms=9")
