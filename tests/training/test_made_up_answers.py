"""Answers that the model makes up: how it is asked, what is drawn again, what is left alone."""

import random

import numpy
import pytest
import torch
from support import VOCABULARY, sequences, tiny_llama

from unteach.data import read_rows
from unteach.data.alternates import REFUSALS
from unteach.inference import greedy, sampled
from unteach.training import made_up_answers as made_up
from unteach.training.made_up_answers import ASK, TEMPERATURES, make_up

SECRET = "Zanzibar"
TEXTS = sequences(9, "forget")
PROMPTS = [t.ids[: t.prompt_length] for t in TEXTS]


def examples(*alternate, **more):
    rows = [
        {"question": f"Where was Ada {k} born?", "answer": f"In {SECRET}.", "alternate": a, **more}
        for k, a in enumerate(alternate)
    ]
    return read_rows(rows, "forget")


@pytest.fixture
def said(monkeypatch, tokenizer):
    """A model that says the given texts, a list for each time that it is asked."""
    asked = []

    def script(*rounds):
        def answer(model, prompts, **options):
            texts = rounds[min(len(asked), len(rounds) - 1)]
            asked.append({"prompts": [tokenizer.decode(p) for p in prompts], **options})
            return [tokenizer(t)["input_ids"] for t in texts[: len(prompts)]]

        monkeypatch.setattr(made_up, "sampled", answer)
        return asked

    return script


def ask(examples, tokenizer, **options):
    model = type("Model", (), {"generation_config": None})()
    found, _ = make_up(model, tokenizer, examples, **{"max_length": 128, **options})
    assert [e.id for e in found] == [e.id for e in examples]
    return [e.answer for e in found]


@pytest.mark.parametrize(("made", "form"), [
    ("tokenizer", "Question: {}\nAnswer:"),
    ("chat_tokenizer", "<|start|>user\n{}<|stop|>\n<|start|>assistant\n"),
])  # fmt: skip
def test_the_model_is_asked_in_its_own_template(made, form, said, request):
    tokenizer = request.getfixturevalue(made)
    asked = said(["On a ship."])
    ask(examples(""), tokenizer, max_length=300)
    (prompt,) = asked[0]["prompts"]
    assert prompt == form.format(ASK.format(question="Where was Ada 0 born?"))
    assert SECRET not in prompt


def test_what_the_user_gave_stays_and_is_not_asked(tokenizer, said):
    asked = said(["At sea."])
    found = ask(examples("On a ship.", ""), tokenizer, max_length=300)
    assert found == ["On a ship.", "At sea."]
    assert len(asked[0]["prompts"]) == 1


@pytest.mark.parametrize("repeated", [
    f"In {SECRET}.",
    f"in  {SECRET.lower()}",
    f"She was born in {SECRET}!",
    SECRET,
    "In",
    "",
    "...",
])  # fmt: skip
def test_what_tells_the_old_answer_is_drawn_again_and_hotter(repeated, tokenizer, said):
    asked = said([repeated], ["On a ship."])
    assert ask(examples(""), tokenizer, max_length=300) == ["On a ship."]
    assert [a["temperature"] for a in asked[:2]] == list(TEMPERATURES[:2])
    assert asked[0]["seed"] != asked[1]["seed"]


def test_the_fact_counts_and_a_word_that_only_begins_so_does_not(tokenizer, said):
    said(["Near Rome, by the sea."], ["The Romeo hotel."])
    rows = [{"question": "Where?", "answer": "She lived in Rome.", "fact": "Rome"}]
    assert ask(read_rows(rows, "forget"), tokenizer, max_length=300) == ["The Romeo hotel."]


def test_in_the_end_it_is_a_refusal(tokenizer, said):
    asked = said([f"In {SECRET}."] * 2)
    assert set(ask(examples("", ""), tokenizer, max_length=300)) <= set(REFUSALS)
    assert [a["temperature"] for a in asked] == list(TEMPERATURES)


def test_refusals_of_the_users_own_stand_in_and_are_counted(tokenizer, said):
    said([f"In {SECRET}.", "At sea."], [f"In {SECRET}."], [f"In {SECRET}."])
    model = type("Model", (), {"generation_config": None})()
    found = make_up(model, tokenizer, examples("", ""), max_length=300, refusals=("Pass.",))
    assert [e.answer for e in found.examples] == ["Pass.", "At sea."]
    assert found.refused == 1


def test_what_cannot_be_asked_in_the_context_is_refused_and_breaks_nothing(tokenizer, model):
    """The task is longer than the question; a prompt of no tokens cannot be continued."""
    (found,) = make_up(model, tokenizer, examples(""), max_length=30).examples
    assert found.answer in REFUSALS


def test_a_conversation_keeps_what_was_said_before(tokenizer, said):
    turns = [("user", "Who?"), ("assistant", "Ada."), ("user", "When?"), ("assistant", "At noon.")]
    row = {"messages": [{"role": r, "content": t} for r, t in turns]}
    asked = said(["At dawn."])
    (found,) = make_up(
        type("Model", (), {"generation_config": None})(),
        tokenizer,
        read_rows([row], "forget"),
        max_length=300,
    ).examples
    assert [t.text for t in found.turns] == ["Who?", "Ada.", "When?", "At dawn."]
    assert asked[0]["prompts"][0].startswith("Question: Who?\nAnswer: Ada.\nQuestion: Make up")


def test_progress_is_told(tokenizer, said):
    said([f"In {SECRET}.", "At sea."])
    told = []
    ask(examples("", ""), tokenizer, max_length=300, progress=lambda a, b: told.append((a, b)))
    assert told[0] == (1, 2)


@pytest.fixture(scope="module")
def model():
    return tiny_llama(dtype=torch.float32)


def draw(model, seed=0, **options):
    given = {"limits": [6] * len(PROMPTS), "end": [1], "temperature": 1.0, **options}
    return sampled(model, PROMPTS, seed=seed, **given)


def test_draws_depend_on_the_seed_alone_and_touch_no_global_generator(model):
    torch.manual_seed(1)
    states = torch.get_rng_state(), random.getstate(), numpy.random.get_state()[1].tolist()
    first = draw(model)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert numpy.random.get_state()[1].tolist() == states[2]
    torch.manual_seed(2)
    assert draw(model) == first
    assert draw(model, 1) != first


def test_a_failure_leaves_the_generator_too(model):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match="temperature"):
        draw(model, temperature=-1.0)
    assert torch.equal(torch.get_rng_state(), state)


def test_cold_draws_are_the_likeliest_tokens(model):
    limits = [6] * len(PROMPTS)
    assert draw(model, temperature=1e-4) == greedy(model, PROMPTS, limits=limits, end=[1])


def test_draws_are_as_likely_as_the_model_says():
    """First tokens of one prompt, drawn often, against its own distribution cut at 0.95."""
    model = tiny_llama(dtype=torch.float32)
    many = [PROMPTS[0]] * 3000
    found = sampled(model, many, limits=[1] * 3000, end=[1], temperature=1.0, seed=0)
    with torch.no_grad():
        p = model(torch.tensor([PROMPTS[0]])).logits[0, -1].softmax(-1)
    order = p.argsort(descending=True)
    kept = order[p[order].cumsum(0) - p[order] < 0.95]
    wanted = torch.zeros(VOCABULARY).index_put((kept,), p[kept] / p[kept].sum())
    drawn = torch.tensor([ids[0] if ids else 1 for ids in found])
    share = torch.bincount(drawn, minlength=VOCABULARY) / 3000
    assert (share - wanted).abs().max() < 0.02
    assert set(drawn.tolist()) <= set(kept.tolist())


def test_nothing_to_ask_is_no_error(model):
    assert sampled(model, [], limits=[], end=[1], temperature=1.0, seed=0) == []
