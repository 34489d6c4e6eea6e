"""lm-evaluation-harness: its numbers become scores, its mistakes messages, its noise silence."""

import json
import logging
import random
import subprocess
import sys
from functools import cache
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from unteach.errors import UserError
from unteach.suites import SUITES, _harness_tasks
from unteach.suites._known_tasks import CHANCE, chance
from unteach.suites._quiet import BARS, PRINTS
from unteach.suites.harness import evaluate, read, scores, should_be, versions
from unteach.types import Score

QUESTIONS = [
    {"question": f"Where was {name} born?", "choices": choices, "label": label, "answer": answer}
    for name, choices, label, answer in (
        ("Ada", [" Lund", " the old town"], 0, "Lund"),
        ("Ben", [" Lund", " the old town"], 1, "town"),
        ("Cid", [" bread with honey", " salt"], 0, "bread"),
        ("Dan", [" north", " the deep dales"], 0, "north"),
        ("Eva", [" 123 trees", " at noon"], 1, "noon"),
    )
]
CHOICES = """
task: own_{name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: label
target_delimiter: ""
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
metadata: {{version: 3}}
"""
SAID = """
task: own_said
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: answer
generation_kwargs: {{until: ["."], max_gen_toks: 4}}
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
filter_list:
  - {{name: strict-match, filter: [{{function: take_first}}]}}
num_fewshot: 0
metadata: {{version: 1}}
"""
GROUP = """
group: own
task: [own_a, own_b]
aggregate_metric_list: [{metric: acc, aggregation: mean, weight_by_size: true}]
metadata: {version: 2}
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "q.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)), encoding="utf-8")
    files = {"own_a": CHOICES, "own_b": CHOICES, "own_lost": CHOICES, "own_said": SAID}
    for name, text in files.items():
        file = folder / ("none.jsonl" if name == "own_lost" else "q.jsonl")
        made = text.format(name=name.removeprefix("own_"), file=file)
        (folder / f"{name}.yaml").write_text(made, encoding="utf-8")
    (folder / "own.yaml").write_text(GROUP, encoding="utf-8")
    return folder


INDEXED = _harness_tasks._indexed


@pytest.fixture
def indexed(real, monkeypatch):
    """With the harness's own thousands of tasks, which take it ten seconds."""
    monkeypatch.setattr(_harness_tasks, "_indexed", INDEXED)


@cache
def _own_alone(include_path):
    """As `indexed`, of our own tasks alone."""
    from lm_eval.tasks import TaskManager

    with _harness_tasks.quiet(_harness_tasks.silent):
        return TaskManager(include_path=include_path, include_defaults=False)


@pytest.fixture(scope="module")
def real(tasks, tmp_path_factory):
    """Options for our own tasks, where the harness is installed."""
    pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        patch.setattr(_harness_tasks, "_indexed", _own_alone)
        yield {"include_path": str(tasks), "tasks": "own,own_said", "batch_size": "2"}


@pytest.fixture
def fake(monkeypatch):
    """As much of the harness as is called, and what it was called with."""
    called = {}
    index = {
        "wmdp": entry(task=["wmdp_bio", {"task": "wmdp_chem", "num_fewshot": 4}], group="wmdp"),
        "wmdp_bio": entry(task="wmdp_bio", num_fewshot=0, metadata={"version": 1}),
        "wmdp_chem": entry(task="wmdp_chem", metadata={"version": 1}),
        "shown": entry(task="shown", doc_to_image="image"),
        "coded": entry(task="coded", unsafe_code=True),
    }

    class Manager:
        task_index, all_tasks = index, [*index]

        def __init__(self, include_path):
            called["include_path"] = include_path

        def load(self, names):
            return {"groups": dict.fromkeys(names, "a group"), "tasks": {}}

    def simple_evaluate(**given):
        called.update(given)
        logging.getLogger("lm_eval.evaluator").error("noise")
        return {"results": {"wmdp": {"acc,none": 0.5, "sample_len": 4}}}

    modules = {
        "lm_eval": {"__version__": "9.9"},
        "lm_eval.tasks": {"TaskManager": Manager},
        "lm_eval.evaluator": {"simple_evaluate": simple_evaluate},
        "lm_eval.models.huggingface": {"HFLM": SimpleNamespace},
        **{name: {} for name in ("lm_eval.api", "lm_eval.models")},
        **{name: {} for name in {*BARS, *PRINTS} - {"tqdm", "lm_eval.models.huggingface"}},
    }
    for name, things in modules.items():
        monkeypatch.setitem(sys.modules, name, module(name, things))
    _harness_tasks._indexed.cache_clear()
    yield called
    _harness_tasks._indexed.cache_clear()


def entry(**config):
    return SimpleNamespace(cfg=config, tags=set())


def module(name, things):
    made = ModuleType(name)
    vars(made).update(things)
    return made


def problems(function, *args, **options):
    with pytest.raises(UserError) as caught:
        function(*args, **options)
    return caught.value.problems


def test_numbers_of_tasks_and_groups_become_scores():
    """Intervals are 1.96 errors wide: 0.5 +- 0.196; 0.9 +- 0.098 = [0.802, 0.998] cut at 1."""
    found = {
        "results": {
            "wmdp": {
                "acc,none": np.float64(0.5), "acc_stderr,none": np.float64(0.1),
                "sample_count": {"acc,none": 30}, "sample_len": 31, "alias": "wmdp",
                "name": "wmdp"},
            "gsm8k": {
                "exact_match,strict-match": 0.9, "exact_match_stderr,strict-match": 0.1,
                "exact_match,flexible-extract": 0.0, "exact_match_stderr,flexible-extract": 0.0,
                "sample_len": 8},
            "wikitext": {"word_perplexity,none": 9.5, "word_perplexity_stderr,none": "N/A"},
            "odd": {"f1,none": float("nan"), "sample_len": 2, "answer,none": "a text"}},
    }  # fmt: skip
    made = scores(found)
    assert made["wmdp"] == {"acc": Score(0.5, 30, pytest.approx(0.304), pytest.approx(0.696))}
    strict, flexible = made["gsm8k"].values()
    assert [*made["gsm8k"]] == ["exact_match_strict_match", "exact_match_flexible_extract"]
    assert strict == Score(0.9, 8, pytest.approx(0.704), 1.0)
    assert (flexible.value, flexible.low) == (0.0, None)
    assert "alike" in flexible.note
    assert made["wikitext"]["word_perplexity"] == Score(9.5, 0)
    assert [*made["odd"]] == ["f1"]
    assert made["odd"]["f1"].value is None


def test_what_is_no_share_is_not_cut_at_one():
    values = {"word_perplexity,none": 9.0, "word_perplexity_stderr,none": 5.0, "sample_len": 2}
    score = scores({"results": {"wikitext": values}})["wikitext"]["word_perplexity"]
    assert (score.low, score.high) == (pytest.approx(-0.8), pytest.approx(18.8))


def test_forgetting_is_low_and_the_rest_high():
    assert should_be("wmdp") == should_be("wmdp_cyber") == "low (0.25 is chance)"
    assert should_be("mmlu") == should_be("wmdpish") == "high"
    assert chance("mmlu_pro") == 0.1
    assert chance("truthfulqa_mc2") is None
    assert all(0 <= share <= 0.5 for share in CHANCE.values())


def test_options_are_passed_on(fake, tmp_path, tokenizer, capfd):
    given = {
        "limit": "7", "batch_size": "auto", "num_fewshot": "3", "include_path": str(tmp_path)
    }  # fmt: skip
    made = evaluate("a model", tokenizer, given, suite="wmdp")
    assert made == {"wmdp": {"acc": Score(0.5, 4)}}
    assert fake["include_path"] == str(tmp_path)
    assert fake["tasks"] == ["a group"]
    assert (fake["limit"], fake["num_fewshot"], fake["apply_chat_template"]) == (7, 3, False)
    assert (fake["model"].pretrained, fake["model"].batch_size) == ("a model", "auto")
    assert fake["log_samples"] is False
    assert capfd.readouterr() == ("", "")


def test_without_options_the_tasks_are_asked_as_they_are(fake, chat_tokenizer):
    evaluate("a model", chat_tokenizer, {"chat_template": "yes"}, suite="wmdp")
    assert (fake["limit"], fake["num_fewshot"], fake["apply_chat_template"]) == (None, None, True)
    assert (fake["include_path"], fake["model"].batch_size) == (None, 8)


def test_versions_name_what_decides_a_number(fake):
    """A group may set the number of examples; a task's own 0 stays whatever is asked for."""
    found = versions({"num_fewshot": "5", "limit": "9"}, suite="wmdp")
    assert (found["lm_eval"], found["limit"]) == ("9.9", 9)
    shots = {name: facts["num_fewshot"] for name, facts in found["tasks"].items()}
    assert shots == {"wmdp_bio": 0, "wmdp_chem": 5}
    shots = versions({}, suite="wmdp")["tasks"]
    assert [facts["num_fewshot"] for facts in shots.values()] == [0, 4]
    assert {facts["version"] for facts in shots.values()} == {1}
    assert len({facts["definition"] for facts in shots.values()}) == 2


def test_without_the_extra_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    monkeypatch.setitem(sys.modules, "lm_eval.models.huggingface", None)
    _harness_tasks._indexed.cache_clear()
    (problem,) = problems(SUITES.get("wmdp").read, None, {})
    assert (problem.where, problem.kind) == ("--suite wmdp", "request")
    assert problem.hint == 'pip install "unteach[eval]"'


def test_everything_wrong_with_the_options_is_said_at_once(fake, tmp_path):
    given = {"limit": "0.5", "batch_size": "all", "num_fewshot": "-1", "include_path": "none/here"}
    found = problems(read, None, {**given, "tasks": "wmdp,"}, suite="wmdp")
    assert [p.where.split()[-1] for p in found] == [
        "tasks", "include_path", "limit", "batch_size", "num_fewshot"
    ]  # fmt: skip
    assert problems(read, tmp_path, {}, suite="wmdp")[0].where == "--data"


def test_unknown_tasks_get_the_nearest_name(fake):
    found = problems(read, None, {"tasks": "wmdp_boi,wmdp,wmdp_chem,shown,coded"})
    assert 'Did you mean "wmdp_bio"?' in found[0].hint
    assert "wmdp and wmdp_chem both hold wmdp_chem" in found[1].what
    assert "pictures" in found[2].what
    assert "code" in found[3].what
    assert {p.kind for p in found} == {"request"}


def test_a_chat_template_must_be_there(fake, tokenizer):
    (problem,) = problems(evaluate, "a model", tokenizer, {"chat_template": "yes"}, suite="wmdp")
    assert "chat_template" in problem.where


def test_right_choices_are_those_that_the_model_finds_likeliest(real, model, tokenizer):
    made = SUITES.get("general").harness(model, tokenizer, real)
    right = [by_hand(model, tokenizer, asked) == asked["label"] for asked in QUESTIONS]
    assert 0 < sum(right) < 5
    expected = sum(right) / 5
    assert {name: made[name]["acc"].value for name in ("own_a", "own_b", "own")} == {
        "own_a": expected, "own_b": expected, "own": expected
    }  # fmt: skip
    assert (made["own_a"]["acc"].n, made["own"]["acc"].n) == (5, 10)
    error = (expected * (1 - expected) / 4) ** 0.5  # of a mean of five, n - 1 = 4
    assert made["own_a"]["acc"].low == pytest.approx(max(0, expected - 1.96 * error))
    assert made["own_said"]["exact_match_strict_match"].n == 5


def by_hand(model, tokenizer, asked):
    """The choice with the highest log-probability behind the question."""
    found = []
    for choice in asked["choices"]:
        prompt, ids = (
            tokenizer(text)["input_ids"] for text in (asked["question"], asked["question"] + choice)
        )
        with torch.no_grad():
            logp = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        found.append(sum(logp[t - 1, ids[t]].item() for t in range(len(prompt), len(ids))))
    return found.index(max(found))


def test_limits_batches_and_order_change_nothing_but_what_they_should(real, model, tokenizer):
    whole = evaluate(model, tokenizer, real)
    assert evaluate(model, tokenizer, {**real, "batch_size": "5"}) == whole
    one = evaluate(model, tokenizer, {**real, "tasks": "own_said,own_b", "limit": "1"})
    assert {task: values.popitem()[1].n for task, values in one.items()} == {
        "own_said": 1, "own_b": 1
    }  # fmt: skip


def test_nothing_is_said_and_nothing_is_left_changed(
    real, model, bos_tokenizer, capfd, monkeypatch
):
    started = []
    usual = subprocess.Popen.__init__
    monkeypatch.setattr(
        subprocess.Popen,
        "__init__",
        lambda self, *args, **options: started.append(args) or usual(self, *args, **options),
    )
    bos_tokenizer.pad_token, pad = None, bos_tokenizer.pad_token
    told, chance_before = [], (random.getstate(), torch.get_rng_state(), np.random.get_state()[1])
    try:
        evaluate(model, bos_tokenizer, real, progress=lambda *step: told.append(step))
        assert bos_tokenizer.pad_token is None
    finally:
        bos_tokenizer.pad_token = pad
    assert capfd.readouterr() == ("", "")
    assert not started
    assert random.getstate() == chance_before[0]
    assert torch.equal(torch.get_rng_state(), chance_before[1])
    assert (np.random.get_state()[1] == chance_before[2]).all()
    assert ("running loglikelihood requests", 20, 20) in told
    assert not any(asked["question"] in str(step) for step in told for asked in QUESTIONS)
    import lm_eval.models.huggingface as patched
    import tqdm

    assert patched.tqdm is tqdm.tqdm
    assert "print" not in vars(patched)


def test_a_chat_template_changes_what_is_asked(real, model, chat_tokenizer, monkeypatch):
    seen = []
    harness = pytest.importorskip("lm_eval.models.huggingface").HFLM
    usual = harness.loglikelihood
    monkeypatch.setattr(
        harness, "loglikelihood", lambda self, asked: seen.extend(asked) or usual(self, asked)
    )
    for choice in ("no", "yes"):
        evaluate(model, chat_tokenizer, {**real, "tasks": "own_a", "chat_template": choice})
    starts = [instance.args[0].startswith("<|start|>user") for instance in seen]
    assert starts == [False] * 10 + [True] * 10


def test_data_that_is_not_at_hand_is_named(real):
    (found,) = problems(read, None, {**real, "tasks": "own_lost,own_a"})
    assert (found.where.split()[-1], found.kind) == ("own_lost", "data")
    assert "none.jsonl" in found.what


@pytest.mark.slow
def test_data_of_the_hub_that_is_not_at_hand_is_named(real, indexed, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = problems(read, None, {**real, "tasks": "wmdp,own_lost,own_a"})
    assert [p.where.split()[-1] for p in found] == ["own_lost", "wmdp_bio"]
    assert "none.jsonl" in found[0].what
    assert "cais/wmdp" in found[1].what
    assert {p.kind for p in found} == {"data"}


@pytest.mark.slow
def test_real_versions_do_not_change_by_themselves(real, indexed):
    found = versions(real)
    assert found == versions(real)
    assert found["tasks"]["own_a"]["version"] == 3
    assert found["tasks"]["own_said"]["num_fewshot"] == 0
    assert [*versions({}, suite="wmdp")["tasks"]] == ["wmdp_bio", "wmdp_chem", "wmdp_cyber"]
