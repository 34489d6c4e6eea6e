"""The models of a run: the rows of those that were given are kept for the next run."""

import shutil
from collections import Counter

import pytest
from support import ANYWAY, Listener, write_roles

from unteach import pipeline
from unteach.checks.request import check
from unteach.data.encoding import tokens
from unteach.evaluation import of_run
from unteach.evaluation import rows as asking
from unteach.files.rows import read_rows
from unteach.inference import OriginalStates
from unteach.settings.request import load

SETS = [ANYWAY, "train.epochs=1", "train.batch_size=4", "device=cpu", "evaluate.max_new_tokens=4"]


def job(files, model, out, listener=None, cache=True, **more):
    given = {role: str(files / f"{role}.jsonl") for role in ("forget", "retain", "holdout")}
    given |= {"model": str(model), "out": str(out), "method": "npo", **more}
    sets = [*SETS, f"evaluate.cache={str(cache).lower()}"]
    return lambda: pipeline.run(load(flags=given, sets=sets), listener)


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """The folders of the models that are scored, in order, with a cache for this test alone."""
    monkeypatch.setenv("UNTEACH_CACHE", str(tmp_path / "cache"))
    usual, asked = asking.ask_model, []

    def ask_model(name, plan, *rest):
        asked.append(plan.places[name].path)
        return usual(name, plan, *rest)

    monkeypatch.setattr(asking, "ask_model", ask_model)
    return asked


@pytest.fixture
def files(tmp_path):
    return write_roles(tmp_path, 8)


def another(model, folder):
    """A model that answers differently."""
    shutil.copytree(model, folder)
    (folder / "generation_config.json").write_text('{"eos_token_id": 3}')
    return folder


def rows(out):
    return {file.stem: read_rows(file)[0] for file in (out / "rows").iterdir()}


def test_a_second_run_does_not_ask_the_given_models_again(files, tiny_folder, tmp_path, asked):
    """Another method on the same original; its rows are what they are without a cache."""
    retrained = str(another(tiny_folder, tmp_path / "retrained"))
    told = Listener()
    job(files, tiny_folder, tmp_path / "one", method="npo", retrained=retrained)()
    assert len(asked) == 3
    kept = list((tmp_path / "cache" / "rows").glob("*.jsonl"))
    assert len(kept) == 2  # of the models that were given, not of what was unlearned
    job(files, tiny_folder, tmp_path / "two", told, method="undial", retrained=retrained)()
    assert len(asked) == 4
    assert asked[-1].endswith("result")  # what the second run unlearned
    kept = [note for note in told.problems if "kept by an earlier run" in note.what]
    assert [note.where for note in kept] == ["evaluating: original", "evaluating: retrained"]
    job(files, tiny_folder, tmp_path / "three", method="undial", retrained=retrained,
        cache=False)()  # fmt: skip
    assert len(asked) == 7
    assert rows(tmp_path / "two") == rows(tmp_path / "three")


def test_another_original_other_data_and_texts_are_asked(files, tiny_folder, tmp_path, asked):
    job(files, tiny_folder, tmp_path / "one")()
    first = len(asked)
    changed = another(tiny_folder, tmp_path / "changed")
    job(files, changed, tmp_path / "two")()
    assert asked.count(str(changed)) == 1
    job(files, tiny_folder, tmp_path / "three", keep_text=True)()
    assert asked.count(str(tiny_folder)) == 2
    more = (files / "forget.jsonl").read_text().replace("Lund", "Turku")
    (files / "forget.jsonl").write_text(more)
    job(files, tiny_folder, tmp_path / "four")()
    assert asked.count(str(tiny_folder)) == 3
    assert first == 2


def test_the_original_beside_itself(files, tiny_folder, tmp_path, monkeypatch):
    """It is read once, and its rows are those of a copy that is compared with it.

    Each text is tokenised once to train on it, and once to ask all three models.
    """
    copy = str(shutil.copytree(tiny_folder, tmp_path / "copy"))
    loads = []
    usual = asking.load

    def load(path, *rest, **more):
        loads.append(path)
        return usual(path, *rest, **more)

    monkeypatch.setattr(asking, "load", load)
    texts, plain = Counter(), tokens.tokenised

    def tokenised(text, *rest, **more):
        texts[text] += 1
        return plain(text, *rest, **more)

    monkeypatch.setattr(tokens, "tokenised", tokenised)
    job(files, tiny_folder, tmp_path / "one", retrained=copy)()
    assert loads.count(copy) == 1
    assert loads.count(str(tiny_folder)) == 3  # by itself, beside the unlearned, beside the copy
    assert set(texts.values()) == {2}
    assert len(texts) == 3 * 8
    found = rows(tmp_path / "one")
    assert found["original"] == found["retrained"]
    assert found["original"]["forget"][0].divergence == 0


def test_adapters_are_known_by_what_they_are_put_on(files, tiny_folder, tmp_path, monkeypatch):
    """A folder of adapters gives other rows on another base; a whole model does not."""
    given = {role: str(files / f"{role}.jsonl") for role in ("forget", "retain", "holdout")}
    given |= {"model": str(tiny_folder), "out": str(tmp_path / "out"), "method": "npo"}
    intake = check(load(flags=given, sets=SETS))
    monkeypatch.setenv("UNTEACH_CACHE", str(tmp_path / "cache"))
    adapters = another(tiny_folder, tmp_path / "adapters")
    (adapters / "adapter_config.json").write_text("{}")
    bases = tiny_folder, another(tiny_folder, tmp_path / "base")

    def keys(path):
        found = []
        for base in bases:
            monkeypatch.setattr(of_run, "start_of", lambda _, base=base: str(base))
            plan = of_run.RunEvaluation(intake).plan_for("other", str(path))
            found.append(asking.key_of("other", plan))
        return found

    one, other = keys(adapters)
    assert one != other
    one, other = keys(tiny_folder)
    assert one == other != ""


def test_what_the_original_left_is_freed_before_attacks(files, tiny_folder, tmp_path, monkeypatch):
    held, at_attacks = [], []
    usual = OriginalStates.begin

    def begin(states, sequences):
        held.append(states)
        usual(states, sequences)

    monkeypatch.setattr(OriginalStates, "begin", begin)
    monkeypatch.setattr(
        pipeline, "attacked", lambda *_: at_attacks.extend(one._store for one in held)
    )
    job(files, tiny_folder, tmp_path / "out", cache=False)()
    assert at_attacks
    assert set(at_attacks) == {None}
