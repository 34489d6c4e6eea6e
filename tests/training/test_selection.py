"""The choice of tokens before training: whole, refused or noted; and what it does to a run."""

import pytest
import torch
from support import tiny_llama
from transformers import AutoModelForCausalLM

from unteach.data import encode, read_rows
from unteach.errors import UserError
from unteach.methods import Selection, build
from unteach.training.config import UnlearningConfig
from unteach.training.selection import choose, select_tokens, unchosen
from unteach.training.trainer import UnlearningTrainer

TOWNS = {"Ada": "Lund", "Ben": "Rome", "Eva": "Oslo", "Kim": "Kyiv", "Ola": "Bonn", "Pia": "Graz"}
ROWS = [
    {
        "question": f"Where was {who} born?",
        "answer": f"{who} was born in {town}.",
        "spans": [[len(f"{who} was born in "), len(f"{who} was born in {town}")]],
    }
    for who, town in TOWNS.items()
]
BARE = [{"question": "Where?", "answer": "far away from it"}]
CHOOSING = [
    ("dto", {"selector": "spans"}),
    ("palu", {"selector": "spans", "prefix": 1}),
    ("dto", {"selector": "subject", "objective": "unlikelihood"}),
    ("undial", {"focus": "spans"}),
    ("undial", {"focus": "informative", "focus_mode": "soft"}),
    ("undial", {"focus": "spans", "focus_mode": "soft", "normalise": "all"}),
]


def sequences(tokenizer, rows):
    return [s for e in read_rows(rows, "forget") for s in encode(e, tokenizer, max_length=100)]


@pytest.fixture
def model(tiny_folder):
    return AutoModelForCausalLM.from_pretrained(tiny_folder)


def test_every_sequence_has_a_choice_and_progress_is_told(model, tokenizer):
    texts, told = sequences(tokenizer, ROWS), []
    model.train()
    choices = choose(
        build("dto", {"selector": "subject"}), model, tokenizer, texts, seed=0,
        progress=lambda done, total: told.append((done, total)))  # fmt: skip
    assert told == [(k, 6) for k in range(1, 7)]
    assert len(choices) == 6
    assert model.training


def test_the_mode_is_kept_when_not_all_are_asked_for(model, tokenizer):
    model.train()
    found = select_tokens(build("dto", {}), model, tokenizer, sequences(tokenizer, ROWS), seed=0)
    next(found)
    found.close()
    assert model.training


@pytest.mark.parametrize(("name", "options", "hint"), [
    ("dto", {"selector": "spans"}, "`spans` column"),
    ("undial", {"focus": "informative"}, "try subject or spans"),
    ("undial", {"focus": "subject"}, "try informative or spans"),
])  # fmt: skip
def test_nothing_chosen_at_all(name, options, hint, model, tokenizer):
    texts = sequences(tokenizer, BARE)
    with pytest.raises(UserError, match="chooses no token in any of the 1 forget") as caught:
        choose(build(name, options), model, tokenizer, texts, seed=0)
    assert hint in str(caught.value)
    assert "far" not in str(caught.value)


def test_some_without_a_choice_are_noted(tokenizer):
    some = [Selection(frozenset({3})), Selection(frozenset()), Selection(frozenset())]
    (note,) = unchosen(some)
    assert note.kind == "note"
    assert "in 2 of 3 forget answers" in note.what
    assert unchosen(some[:1]) == unchosen(None) == []


def weights(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(("name", "options"), CHOOSING, ids=str)
def test_accumulation_changes_nothing(name, options, model, tokenizer, tmp_path):
    """Seven answers, one of them with nothing marked, in one batch or one by one."""
    found = []
    for batch, accumulation in ((7, 1), (1, 7)):
        run = UnlearningTrainer(
            AutoModelForCausalLM.from_pretrained(model.name_or_path, dtype=torch.float64),
            method=build(name, options), forget_dataset=ROWS + BARE,
            args=UnlearningConfig(
                output_dir=str(tmp_path), use_cpu=True, disable_tqdm=True, optim="sgd",
                learning_rate=1e-2, num_train_epochs=2, max_grad_norm=1e9, stop_at=0,
                per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation),
            processing_class=tokenizer)  # fmt: skip
        run.train()
        assert run.state.global_step == 2
        found.append(weights(run.model))
    assert not torch.equal(found[0], weights(model))
    torch.testing.assert_close(found[1], found[0], rtol=1e-8, atol=1e-10)


def test_ready_sequences_have_no_text_to_read(tmp_path):
    from support import Vocabulary
    from support import sequences as ready

    with pytest.raises(UserError, match="tokens alone"):
        UnlearningTrainer(
            tiny_llama(),
            method=build("undial", {"focus": "informative"}),
            forget_dataset=ready(3, "forget"),
            args=UnlearningConfig(output_dir=str(tmp_path), use_cpu=True),
            processing_class=Vocabulary(),  # type: ignore[arg-type]
        )
