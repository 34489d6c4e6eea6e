"""What a trainer is given: other answers in step, a refusal's tokens, frozen weights."""

import pytest
import torch
from support import Vocabulary, sequences, tiny_llama
from trainers import FORGET, INSTEAD, trainer, weights

from unteach.data import encode, read_rows
from unteach.errors import UserError
from unteach.methods import METHODS, build
from unteach.rowengine.batch import ALTERNATE, Pair, Pairs
from unteach.rowengine.batch import FORGET as PUSHED
from unteach.training.config import UnlearningConfig
from unteach.training.prepare import aligned, alternates_of, freeze, refusal_ids
from unteach.training.trainer import UnlearningTrainer

SECRET = "Zanzibar"
ROWS = [{"question": f"Where was {n}?", "answer": f"In {SECRET}.", "alternate": f"At {n}."}
        for n in "ABC"]  # fmt: skip
TALK = {
    "messages": [
        {"role": "user", "content": "Who?"}, {"role": "assistant", "content": f"Ada of {SECRET}."},
        {"role": "user", "content": "When?"}, {"role": "assistant", "content": "At noon."}],
    "alternate": "At dawn.",
}  # fmt: skip


def config(tmp_path, **more):
    return UnlearningConfig(output_dir=str(tmp_path), use_cpu=True, disable_tqdm=True, **more)


def run(tmp_path, tokenizer, folder, rows, method="dpo", **more):
    from transformers import AutoModelForCausalLM

    return UnlearningTrainer(
        AutoModelForCausalLM.from_pretrained(folder), method=build(method, {}), forget_dataset=rows,
        args=config(tmp_path, **more), processing_class=tokenizer)  # fmt: skip


def test_alternates_stand_in_the_order_of_the_forget_answers():
    shuffled = [INSTEAD[k] for k in (3, 0, 7, 1, 2, 6, 5, 4)]
    assert aligned(shuffled, FORGET) == INSTEAD
    with pytest.raises(UserError, match=r"2 forget examples have none that fits, first forget-1"):
        aligned([*INSTEAD[:1], *INSTEAD[2:7]], FORGET)


def test_the_columns_text_is_what_is_trained_on(tmp_path, tokenizer, tiny_folder):
    pairs = run(tmp_path, tokenizer, tiny_folder, ROWS).pairs
    said = [
        tokenizer.decode([i for i, a in zip(s.ids, s.answer, strict=True) if a])
        for s in pairs.alternates
    ]
    assert [text.replace("<|end|>", "").strip() for text in said] == ["At A.", "At B.", "At C."]
    batch = pairs.collate([Pair(2, None), Pair(0, None)])
    for group in (PUSHED, ALTERNATE):
        assert batch["index"][batch["group"] == group].tolist() == [2, 0]


@pytest.mark.parametrize("method", ["idk", "dpo", "altpo", "idk-dpo"])
@pytest.mark.parametrize("made", ["tokenizer", "chat_tokenizer"])
def test_the_earlier_answers_of_a_conversation_are_not_learned(
    method, made, tmp_path, tiny_folder, request
):
    """They are to be forgotten; an alternate replaces the last answer alone."""
    tokenizer = request.getfixturevalue(made)
    (alternate,) = run(tmp_path, tokenizer, tiny_folder, [TALK], method).pairs.alternates
    learned = tokenizer.decode(
        [i for i, a in zip(alternate.ids, alternate.answer, strict=True) if a]
    )
    assert SECRET not in learned
    assert SECRET in tokenizer.decode(alternate.ids)
    assert learned.strip()
    (whole,) = encode(read_rows([TALK], "forget")[0], tokenizer, max_length=500)
    assert SECRET in tokenizer.decode(
        [i for i, a in zip(whole.ids, whole.answer, strict=True) if a]
    )


def test_rows_without_one_are_all_named_and_not_told(tmp_path, tokenizer, tiny_folder):
    rows = [{k: v for k, v in row.items() if k != "alternate"} for row in ROWS * 9]
    with pytest.raises(UserError) as caught:
        run(tmp_path, tokenizer, tiny_folder, rows)
    assert len(caught.value.problems) == 5
    assert "22 more lines" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("method", ["idk", "dpo", "altpo"])
def test_raw_text_is_refused(method, tmp_path, tokenizer, tiny_folder):
    with pytest.raises(UserError, match="there is no question") as caught:
        run(tmp_path, tokenizer, tiny_folder, [{"text": f"Ada of {SECRET}."}], method)
    assert SECRET not in str(caught.value)


def test_sequences_need_their_alternates_given(tmp_path):
    with pytest.raises(UserError, match="alternate_dataset"):
        UnlearningTrainer(
            tiny_llama(),
            method=build("dpo", {}),
            forget_dataset=FORGET,
            args=config(tmp_path),
            processing_class=Vocabulary(),  # type: ignore[arg-type]
        )


def test_a_prompt_that_fills_the_context_is_said(tmp_path, tokenizer):
    (example,) = read_rows(ROWS[:1], "forget")
    (forget,) = encode(example, tokenizer, max_length=100)
    with pytest.raises(UserError, match="shorten the prompts"):
        alternates_of(
            build("dpo", {}), tiny_llama(), [example], [forget], tokenizer, 4, config(tmp_path)
        )


def test_refusals_come_from_the_users_file(tmp_path, tokenizer, tiny_folder):
    file = tmp_path / "no.txt"
    file.write_text("Ask me not.\n")
    alternates = run(
        tmp_path, tokenizer, tiny_folder, ROWS, "idk", refusals=str(file)
    ).pairs.alternates
    assert all("Ask me not." in tokenizer.decode(s.ids) for s in alternates)


def test_a_refusals_tokens_go_along_the_answer(tokenizer):
    ids = refusal_ids("  No idea ", tokenizer)
    assert tokenizer.decode(ids) == " No idea"
    batch = Pairs(FORGET[:3], refusal=(7, 8, 9)).collate([Pair(k, None) for k in range(3)])
    for row, answer in zip(batch["refusal"], batch["answer"], strict=True):
        found = row[answer].tolist()
        assert found == [(7, 8, 9)[k % 3] for k in range(len(found))]
        assert not row[~answer].any()
    assert not Pairs(FORGET[:1]).collate([Pair(0, None)])["refusal"].any()


def test_no_refusal_is_refused(tokenizer):
    class Nothing:
        def __call__(self, text, **options):
            return {"input_ids": []}

    with pytest.raises(UserError, match=r"data\.refusal"):
        refusal_ids("x", Nothing())


def test_what_is_frozen_thaws_even_when_training_breaks(tmp_path):
    model = tiny_llama()
    run = trainer("rmu", tmp_path, model=model)
    assert not all(p.requires_grad for p in model.parameters())
    run.compute_loss = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        run.train()
    assert all(p.requires_grad for p in model.parameters())


def test_what_the_user_froze_stays_so(tmp_path):
    model = tiny_llama()
    model.model.embed_tokens.requires_grad_(False)
    run = trainer("npo", tmp_path, model=model)
    run.train()
    assert not model.model.embed_tokens.weight.requires_grad
    assert torch.equal(model.model.embed_tokens.weight, tiny_llama().model.embed_tokens.weight)


def test_a_model_of_which_nothing_would_move():
    with pytest.raises(UserError, match="trains no parameter"):
        freeze(tiny_llama(), lambda name: False)


def test_a_method_that_freezes_says_so_before_the_run(tmp_path):
    model = tiny_llama()
    for layer in model.model.layers:
        layer.mlp.down_proj.requires_grad_(False)
    with pytest.raises(UserError, match="trains no parameter"):
        trainer("rmu", tmp_path, model=model)
    assert model.lm_head.weight.requires_grad


def test_short_last_batches_have_their_alternates_too(tmp_path):
    """Seven answers in batches of three: 3, 3, 1, each with as many alternates."""
    names = [name for name in METHODS if "alternate" in METHODS.get(name).reads]
    assert len(names) == 4
    for name in names:
        run = trainer(name, tmp_path, forget=sequences(7, "forget"), per_device_train_batch_size=3)
        run.train()
        assert run.state.global_step == 3
        assert not torch.equal(weights(run.model), weights(tiny_llama()))


def test_what_could_not_be_made_up_gets_the_users_refusal_and_is_told(tmp_path, monkeypatch):
    from unteach.training import prepare
    from unteach.training.made_up_answers import MadeUpAnswers

    (tmp_path / "no.txt").write_text("Pass.\n")
    examples = read_rows([{"question": "Who?", "answer": "Ada."}], "forget")
    given, told = {}, []

    def make_up(model, tokenizer, examples, **options):
        given.update(options)
        return MadeUpAnswers([], refused=1)

    monkeypatch.setattr(prepare, "make_up", make_up)
    args = UnlearningConfig(output_dir=str(tmp_path), refusals=str(tmp_path / "no.txt"))
    model = torch.nn.Linear(1, 1)
    prepare.alternates_of(build("altpo", {}), model, examples, [], None, 64, args, note=told.append)
    assert given["refusals"] == ("Pass.",)
    assert "made up nothing new for 1" in str(*told)
