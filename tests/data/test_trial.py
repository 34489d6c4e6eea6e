"""Templates and tokenizers that blow up end in an error, and not in the process that asked."""

import copy
import json
import sys
import time

import pytest

from unteach.checks.request import check
from unteach.data import read_rows, try_tokenizer
from unteach.data.encoding import trial
from unteach.data.encoding.trial import blown
from unteach.errors import UserError
from unteach.files.limits import INDEX, size_problem
from unteach.settings.request import load

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is tried there")
CONTENT = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
LOOP, END = "{% for i in range(99999) %}", "{% endfor %}"
TEMPLATES = {
    "one product": ("{{ 'a' * 10**10 }}", "MB"),
    "a text that doubles": (
        f"{{% set n = namespace(x='ab') %}}{LOOP}{{% set n.x = n.x ~ n.x %}}{END}",
        "MB",
    ),
    "loops": (LOOP * 2 + END * 2, "seconds"),
    "a macro that calls itself twice": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) ~ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
        "seconds",
    ),
    "an answer repeated": ("{{ messages[0]['content'] * 50000 }}", "times its length"),
}
NORMALISERS = {
    "each e": {"type": "Replace", "pattern": {"String": "e"}, "content": "e" * 10**7},
    "in front": {"type": "Prepend", "prepend": "e" * 2 * 10**5},
}


@pytest.fixture
def impatient(monkeypatch):
    """A second and 256 MB instead of five and 512."""
    monkeypatch.setattr(trial, "SECONDS", 1)
    monkeypatch.setattr(trial, "MEMORY", 2**28)


@pytest.fixture
def groups():
    rows = [{"question": "Where is he " * k + "?", "answer": "By the sea."} for k in (9, 2)]
    return {"forget": read_rows(rows, "forget")}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_that_blows_up(kind, groups, tokenizer, impatient):
    own = copy.deepcopy(tokenizer)
    own.chat_template, said = TEMPLATES[kind][0] + CONTENT, TEMPLATES[kind][1]
    (problem,) = try_tokenizer(own, groups)
    assert problem.where == "data.template"
    assert said in problem.what
    assert try_tokenizer(own, groups, "plain") == []


@pytest.mark.parametrize("kind", NORMALISERS)
def test_a_tokenizer_that_blows_up(kind, groups, tokenizer, tmp_path, impatient):
    tokenizer.save_pretrained(tmp_path)
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"normalizer": NORMALISERS[kind]}))
    own = type(tokenizer).from_pretrained(tmp_path)
    (problem,) = try_tokenizer(own, groups, where="--model m")
    assert problem.where == "--model m"
    assert "the tokenizer " in problem.what


def test_what_is_well_passes(groups, tokenizer, chat_tokenizer):
    assert try_tokenizer(tokenizer, groups) == try_tokenizer(chat_tokenizer, groups) == []
    assert try_tokenizer(tokenizer, {}) == []


def test_a_copy_that_hangs_is_no_proof(monkeypatch):
    """It may wait for a lock that only another thread of its parent would have opened."""
    monkeypatch.setattr(trial, "PATIENCE", 0.1)
    assert blown(lambda: time.sleep(60)) == ""


def test_check_tells_of_it(tiny_folder, tmp_path, monkeypatch):
    from shutil import copytree

    model = copytree(tiny_folder, tmp_path / "model")
    (model / "chat_template.jinja").write_text("{{ 'a' * 10**10 }}" + CONTENT)
    (tmp_path / "forget.jsonl").write_text('{"question": "Who?", "answer": "Ada."}\n')
    given = {"model": str(model), "forget": str(tmp_path / "forget.jsonl")}
    with pytest.raises(UserError, match=r"data\.template: the chat template takes more than"):
        check(load(flags={**given, "out": str(tmp_path / "out")}))


@pytest.mark.parametrize(
    ("name", "size"),
    [("config.json", 2**24), ("tokenizer.json", 2**27), ("model.safetensors.index.json", INDEX),
     ("chat_template.jinja", 2**24)],
)  # fmt: skip
def test_a_file_that_is_too_large_to_be_what_it_is_called(name, size, tiny_folder, tmp_path):
    from unteach.models.loading import load_config, load_tokenizer

    for more in (0, 1):
        with open(tmp_path / name, "wb") as file:
            file.truncate(size + more)  # a hole: nothing is written
        assert bool(size_problem(str(tmp_path), "--model m")) == bool(more)
    for take in (load_config, load_tokenizer):
        with pytest.raises(UserError, match=f"its {name} has"):
            take(str(tmp_path))


@pytest.mark.parametrize("within", [False, True])
def test_a_model_of_a_billion_layers(within, tmp_path):
    """transformers makes a list of them as it reads the configuration."""
    layers = {"num_hidden_layers": 10**9}
    (tmp_path / "config.json").write_text(json.dumps({"text_config": layers} if within else layers))
    assert "1,000,000,000 layers" in size_problem(str(tmp_path), "--model m").what
