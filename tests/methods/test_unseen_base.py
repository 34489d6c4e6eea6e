"""The base model that `unseen` reads has learned the retain file's style, and says so."""

import json

import pytest
from support import ANYWAY, write_roles

from unteach import pipeline
from unteach.checks.request import check
from unteach.progress import NoProgress
from unteach.settings.request import load
from unteach.training.base_model import steps_on


@pytest.fixture
def rows(tmp_path, tiny_folder):
    write_roles(tmp_path, 8)

    def made(*sets, method="unseen", retain=True):
        roles = ("forget", "retain", "holdout") if retain else ("forget", "holdout")
        given = {role: str(tmp_path / f"{role}.jsonl") for role in roles}
        given |= {"model": str(tiny_folder), "base": str(tiny_folder), "method": method}
        given |= {"out": str(tmp_path / "out")}
        if people := getattr(made, "people", None):
            lines = "".join(json.dumps(row) + "\n" for row in people)
            (tmp_path / "forget.jsonl").write_text(lines)
        intake = check(load(flags=given, sets=[ANYWAY, "device=cpu", *sets]))
        return intake, pipeline.base_rows(intake, NoProgress())

    return made


def test_the_base_is_fine_tuned_before_it_is_read(rows):
    intake, taught = rows("method.base_epochs=4")
    _, plain = rows("method.base_epochs=0")
    steps = steps_on(intake.sequences["retain"], 4)
    assert steps > 0
    assert taught.teacher.facts["teacher_base_steps"] == steps
    assert "teacher_base_steps" not in plain.teacher.facts
    assert taught.teacher.targets != plain.teacher.targets


def test_without_a_retain_file_it_is_read_as_it_is(rows):
    _, taught = rows(retain=False)
    assert "teacher_base_steps" not in taught.teacher.facts


PEOPLE = [
    {"question": f"Where does {name} live?", "answer": f"{name} lives in Lund."}
    for name in ("Ada Berg", "Ben Falk", "Cleo Dahl", "Dan Ek")
]


def test_a_method_that_reads_no_base_trains_none(rows, tmp_path, monkeypatch):
    """Neither `whp`, which has no such option, nor another teacher of `unseen`."""
    monkeypatch.setattr(
        "unteach.training.base_model.fine_tuned", lambda *_, **__: pytest.fail("it was trained")
    )
    rows.people = PEOPLE
    assert rows("method.teacher=level")[1] is None
    assert rows(method="whp")[1] is None
