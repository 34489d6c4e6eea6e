"""Training on the made-up world, the demo from nothing to a report, and secrets in its models."""

import json
from random import Random

import attacks
import pytest

from unteach.data import encode_all, read_rows
from unteach.demo.settings import TRAIN, Preset
from unteach.demo.train import buckets, train_model, train_tokenizer
from unteach.demo.world import make_world
from unteach.files.rows import read_rows as rows_of
from unteach.metrics import COMPARISONS, ModelCase

MICRO = Preset(forget=2, retain=2, holdout=1, lands=2, hidden=32, layers=1, vocabulary=400, batch=4)


class Quiet:
    def begin(self, name):
        pass

    def move(self, name, done, total, detail):
        pass

    def end(self, name):
        pass


def texts(rows):
    return [f"Question: {r['question']}\nAnswer: {r['answer']}" for r in rows]


def test_the_tokenizer_gives_back_what_it_was_given(tmp_path):
    from transformers import AutoTokenizer

    world = make_world(0, **MICRO.people)
    tokenizer = train_tokenizer(texts(world.forget), vocabulary=400)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for text in [*texts(world.holdout), "Ærø — 漢字 \n"]:
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids) == text
        assert loaded(text)["input_ids"] == ids
    assert loaded.eos_token_id == loaded.pad_token_id == 0


def test_training_lowers_the_loss_and_is_repeatable():
    world = make_world(0, **MICRO.people)
    tokenizer = train_tokenizer(texts(world.forget), vocabulary=400)
    sequences, _ = encode_all(read_rows(world.forget, "forget"), tokenizer, max_length=128)

    def train():
        told = []
        model = train_model(
            sequences,
            vocabulary=len(tokenizer),
            seed=1,
            preset=MICRO,
            progress=lambda done, total, detail: told.append(float(detail.split()[1])),
        )
        return model, told

    (first, told), (second, _) = train(), train()
    assert told[-1] < 0.7 * told[0]
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert a.equal(b)


def test_every_text_stands_in_one_bucket_and_neighbours_are_alike():
    lengths = [Random(0).randint(1, 90) for _ in range(100)]
    found = buckets(lengths, 8, Random(1))
    assert sorted(i for members in found for i in members) == list(range(100))
    assert max(len(members) for members in found) == 8
    spread = [max(lengths[i] for i in m) - min(lengths[i] for i in m) for m in found]
    assert sum(spread) / len(spread) < 30


class Here:
    """Workers that are this process: those of their own are tested in `test_workers.py`."""

    def __init__(self, count, board):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def run(self, work):
        return {name: job(*given, lambda *_: None) for name, (job, given) in work.items()}


def test_a_job_that_fails_says_why_and_leaves_nothing(tmp_path, monkeypatch):
    from unteach.demo import run as demo
    from unteach.demo.run import run

    monkeypatch.setattr(demo, "Workers", Here)
    with pytest.raises(KeyError, match="nonsense"):
        run(tmp_path / "demo", "unilogit", board=Quiet(), preset="nonsense", workers=1)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The tiny world with a method that holds the rest: its folder and its report."""
    from unteach.demo.run import run

    out = tmp_path_factory.mktemp("tiny") / "demo"
    return out, run(out, "npo", board=Quiet(), preset="tiny", workers=2)


@pytest.mark.slow
def test_the_demo_shows_what_it_says(tiny):
    """Forget quality is only compared: it moves by decades between seeds (NOTES.md)."""
    from unteach.demo.run import is_demo

    out, report = tiny

    def value(model, metric, group="forget"):
        found = report.value(model, group, metric)
        assert found is not None
        return found

    assert value("original", "fact_recall") > 0.9
    assert value("retrained", "fact_recall") < 0.25
    assert value("unlearned", "fact_recall") < 0.25
    assert value("original", "membership_auc_loss") > 0.9
    # Drawn back to one half against three people of the holdout, and judged by three others.
    assert value("unlearned", "membership_auc_loss") < 0.9
    assert value("unlearned", "probability", "retain") > 0.8
    assert value("unlearned", "model_utility", "retain") > 0.6 * value(
        "original", "model_utility", "retain"
    )
    original = report.compared("original", "forget_quality").value
    unlearned = report.compared("unlearned", "forget_quality").value
    assert original is not None
    assert unlearned is not None
    assert unlearned > 10 * original
    assert is_demo(out)
    for name in ("report.md", "scores.json", "before-after.png", "original", "unlearned"):
        assert (out / name).exists()
    assert set(json.loads((out / "scores.json").read_text())["models"]) == {
        "original",
        "unlearned",
        "retrained",
    }


@pytest.mark.slow
def test_closeness_tells_models_apart(tiny, monkeypatch):
    """Ascent breaks the model, the original has it all, a second retrained model is alike."""
    from unteach.demo import jobs

    monkeypatch.setitem(TRAIN, "ascent", {**TRAIN["ascent"], "draw_back": "never"})

    out, _ = tiny
    kept = {name: rows_of(out / "rows" / f"{name}.jsonl") for name in ("original", "retrained")}
    rows = {name: groups for name, (groups, _) in kept.items()}
    broken = jobs.unlearn(out, "ascent", "broken", 0, lambda *_: None)["rows"]
    attacks.make(out)
    another = jobs.score(out, "retrained-2", lambda *_: None)

    def closeness(groups):
        return COMPARISONS.get("closeness")(ModelCase(groups, **rows)).value

    assert len(rows["original"]["forget"]) > 40
    assert closeness(rows["original"]) < 0.1
    assert closeness(broken) < 0.1
    assert closeness(another) > 0.85


BITES = {  # which attack must see through which secret
    "refuses": "prompt",
    "first-token": "prompt",
    "softer": "sample",
    "part-left": "int4",
}
CHEAP = {  # each of them once; benchmarks/attacks.py asks more of each
    "int4.groups": "0", "int4.nf4": "0", "int4.control_bits": "0", "prompt.turns": "0",
    "sample.answers": "16", "sample.best": "1,4,16", "sample.temperatures": "0.25",
}  # fmt: skip


def attacked(demo, name, *names):
    options = {k: v for k, v in CHEAP.items() if k.partition(".")[0] in names}
    return attacks.attacked(demo, name, limit=30, options=options, attacks=names)


@pytest.mark.slow
def test_what_is_only_hidden_comes_back_and_what_was_never_there_does_not(tiny):
    """One test, trained on as little as the verdict needs, with the models that the demo made."""
    out, _ = tiny
    attacks.make(out)
    attacks.plant(out, steps=120)
    for name, bite in BITES.items():
        line = attacked(out, name, bite).of(bite)
        assert line.recovery.value > 0.5, name
        assert line.recovery.low > 0.25, name
    names = ("int4", "sample", "prompt")  # relearn is in benchmarks/results/attacks.md
    result = attacked(out, "retrained-2", *names)
    for name in ("no attack", *names):
        assert result.of(name).recovery.value < 0.1, name
    assert result.worst.recovery.low < 0.1
    assert result.closeness.value > 0.6
