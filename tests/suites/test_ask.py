"""Rows of every group in one go: what they hold, what it costs, and what must not change them."""

import json
import weakref
from dataclasses import asdict, replace
from random import Random

import pytest
import torch
from suites.asked import GROUPS, NAMES, NEAR, SETTINGS, all_same, made, pairs
from transformers import AutoModelForCausalLM

from unteach.data import encode, read_rows
from unteach.inference import gradient_norms, interview, loaded_model
from unteach.suites._base import AskSettings, Group
from unteach.suites.ask import score_groups
from unteach.suites.questions import questions
from unteach.types import Example, Row

pytestmark = pytest.mark.usefixtures("exact_rows")


@pytest.fixture(scope="module")
def asked(model, original, tokenizer, exact_rows):
    return score_groups(model, tokenizer, GROUPS, SETTINGS, original=original, gradient_norms=True)


def test_own_answers_have_every_field_and_others_are_scored(asked):
    """A field that is None or empty on an own answer would be "not measurable" for ever."""
    forget = asked.rows["forget"]
    assert [r.kind for r in forget[:4]] == ["answer", "paraphrase", "perturbed", "perturbed"]
    for row in forget:
        assert row.tokens > 1
        assert row.logp < 0
        if row.kind == "answer":
            known = [v for k, v in asdict(row).items() if k not in ("said_logp", "said_repetition")]
            assert None not in known
            assert row.gradient_norm > 0
            assert row.said_tokens is not None
            assert row.said_logp is None or row.said_logp < 0
        else:
            assert (row.divergence, row.gradient_norm, row.said_tokens) == (None, None, None)
    assert any(row.said_logp is not None for row in forget)


def test_numbers_are_those_of_one_text_at_a_time(asked, model, original, tokenizer):
    example, row = GROUPS["forget"].examples[1], asked.rows["forget"][4]
    (sequence,) = encode(example, tokenizer, max_length=64)
    with torch.no_grad():
        log_p, log_q = (
            m(torch.tensor([sequence.ids])).logits[0].double().log_softmax(-1)
            for m in (model, original)
        )
    places = [t for t, answer in enumerate(sequence.answer) if answer]
    own = [log_p[t - 1, sequence.ids[t]].item() for t in places]
    ranks = [(log_p[t - 1] > x).sum().item() for t, x in zip(places, own, strict=True)]
    apart = [(log_q[t - 1].exp() * (log_q[t - 1] - log_p[t - 1])).sum().item() for t in places]
    assert row.tokens == len(places)
    assert row.logp == pytest.approx(sum(own) / len(own), abs=1e-4)
    least = sorted(own)[: max(len(own) // 5, 1)]
    assert row.min_k == pytest.approx(sum(least) / len(least), abs=1e-4)
    assert row.reciprocal_rank == pytest.approx(sum(1 / (1 + r) for r in ranks) / len(ranks))
    assert row.matched == ranks.count(0) / len(ranks)
    assert row.divergence == pytest.approx(sum(apart) / len(apart), rel=1e-3)
    assert row.gradient_norm == pytest.approx(gradient_norms(model, [sequence])[0], rel=1e-5)


def test_what_was_said_is_scored_by_the_original(asked, model, original, tokenizer):
    """The prompt given, and the end not counted."""
    from unteach.data import question
    from unteach.inference import end_tokens

    for example, row in zip(GROUPS["forget"].examples, asked.rows["forget"][::4], strict=True):
        prompt, _, tokens = question(example, tokenizer, max_length=64)
        ids = list(prompt)
        with torch.no_grad():
            for _ in range(min(2 * tokens, 12)):
                token = model(torch.tensor([ids])).logits[0, -1].argmax().item()
                if token in end_tokens(model, tokenizer):
                    break
                ids.append(token)
            logp = original(torch.tensor([ids])).logits[0].log_softmax(-1)
        each = [logp[t - 1, ids[t]].item() for t in range(len(prompt), len(ids))]
        assert row.said_tokens == len(each)
        assert row.said_logp == pytest.approx(sum(each) / len(each), abs=1e-4)


def test_equal_texts_are_forwarded_once_and_their_rows_are_copies(model, original, tokenizer):
    """Two groups with the same examples cost what one of them does, counted at the head."""
    examples = pairs(NAMES, "forget")
    options = {"original": original, "gradient_norms": True}
    once = score_groups(model, tokenizer, made(forget=examples), SETTINGS, **options)
    twice = score_groups(
        model, tokenizer, made(forget=examples, again=examples), SETTINGS, **options
    )
    assert twice.rows["again"] == twice.rows["forget"] == once.rows["forget"]
    assert once.counts["forwards"] == once.counts["distinct_texts"] == once.counts["texts"] == 24
    assert twice.counts == {**once.counts, "texts": 48, "prompts": 12}
    assert (once.counts["backwards"], once.counts["distinct_prompts"]) == (6, 6)
    said = len({r.said_logp for r in once.rows["forget"]} - {None})
    assert once.counts["original_forwards"] == 6 + said


def test_prompts_of_several_texts_are_read_once(asked, model, tokenizer, monkeypatch):
    """Three of an example's four texts stand behind its prompt; the rows are those of whole texts.

    Own answers are read whole, in the batches that the original's are in.
    """
    found = score_groups(model, tokenizer, GROUPS, SETTINGS).counts
    assert (found["prompts_once"], found["forwards"]) == (6, 24)
    monkeypatch.setattr("unteach.inference.interview.reading_once", lambda *_, **options: None)
    whole = score_groups(model, tokenizer, GROUPS, SETTINGS)
    assert (whole.counts["prompts_once"], whole.counts["forwards"]) == (0, 24)
    assert whole.counts["text_tokens"] == found["text_tokens"] <= whole.counts["tokens"]
    assert found["tokens"] < whole.counts["tokens"]
    for group, rows in whole.rows.items():
        for a, b in zip(asked.rows[group], rows, strict=True):
            assert a.logp == (pytest.approx(b.logp, **NEAR) if b.kind != "answer" else b.logp)
            assert (a.matched, a.reciprocal_rank) == (b.matched, b.reciprocal_rank)


def test_order_of_examples_and_groups_changes_no_digit(model, original, tokenizer):
    """Texts of equal lengths in small batches: who stands with whom must not depend on it."""
    rows = [{"question": f"What is {k}?", "answer": f"It is {k}."} for k in range(10, 30)]
    groups = made(forget=read_rows(rows[:14], "forget"), retain=read_rows(rows[14:], "retain"))
    settings = replace(SETTINGS, tokens_per_batch=100)
    options = {"original": original, "gradient_norms": True}
    asked = score_groups(model, tokenizer, groups, settings, **options)
    shuffled = {
        name: replace(group, examples=Random(3).sample(group.examples, len(group.examples)))
        for name, group in reversed(groups.items())
    }
    found = score_groups(model, tokenizer, shuffled, settings, **options)
    for name, rows in asked.rows.items():
        key = lambda row: (row.id, row.kind, row.index)  # noqa: E731
        assert sorted(found.rows[name], key=key) == sorted(rows, key=key)
    assert found.counts == asked.counts


@pytest.mark.parametrize("size", [1, 60, 200])
def test_batch_size_and_padding_change_nothing(asked, model, original, tokenizer, size):
    settings = replace(SETTINGS, tokens_per_batch=size)
    found = score_groups(model, tokenizer, GROUPS, settings, original=original, gradient_norms=True)
    all_same(found.rows, asked.rows)
    assert found.counts["batches"] > asked.counts["batches"]
    assert found.counts["forwards"] == asked.counts["forwards"]


def test_company_changes_nothing(asked, model, original, tokenizer):
    alone = made(retain=GROUPS["retain"].examples)
    found = score_groups(model, tokenizer, alone, SETTINGS, original=original, gradient_norms=True)
    all_same(found.rows, {"retain": asked.rows["retain"]})


def test_rows_come_back_from_json_as_they_went(asked):
    for rows in asked.rows.values():
        for row in rows:
            assert Row(**json.loads(json.dumps(asdict(row)))) == row


def test_without_an_original_or_gradients_their_fields_are_empty(asked, model, tokenizer):
    found = score_groups(model, tokenizer, GROUPS, SETTINGS)
    for name, rows in asked.rows.items():
        nothing = {"divergence": None, "gradient_norm": None, "said_logp": None}
        assert found.rows[name] == [replace(row, **nothing) for row in rows]
    assert "original_forwards" not in found.counts


def test_models_that_are_loaded_are_freed_before_the_next(asked, tiny_folder, original, tokenizer):
    """Never two in memory; the rows are those of models that were there all the time."""
    alive: list = []

    def loader(make):
        def load():
            assert [ref() for ref in alive if ref() is not None] == []
            loaded = make()
            loaded.itself = [loaded]  # so that only the collector can free it
            alive.append(weakref.ref(loaded))
            return loaded

        return load

    def other():
        made = AutoModelForCausalLM.from_config(original.config)
        made.load_state_dict(original.state_dict())
        return made

    found = score_groups(
        loader(lambda: AutoModelForCausalLM.from_pretrained(tiny_folder)),
        tokenizer,
        GROUPS,
        SETTINGS,
        original=loader(other),
        gradient_norms=True,
    )
    assert len(alive) == 2
    assert [ref() for ref in alive] == [None, None]
    assert found == asked


def test_what_is_loaded_is_put_into_evaluation_mode(model):
    assert loaded_model(lambda: model.train(), lambda it: it.training) is False


def test_groups_say_how_they_are_asked(model, tokenizer):
    examples = pairs(NAMES[:2], "forget")
    groups = {
        "scored": Group(examples=examples, generate=False),
        "said": Group(examples=examples, score=False, new_tokens=3),
        "bare": Group(examples=examples, template="none", new_tokens=99),
    }
    found = score_groups(model, tokenizer, groups, SETTINGS)
    assert {row.said_tokens for row in found.rows["scored"]} == {None}
    assert [(row.tokens, row.kind) for row in found.rows["said"]] == [(0, "answer")] * 2
    assert all(row.said_tokens <= 3 and row.zlib for row in found.rows["said"])
    assert found.rows["bare"][0].logp != found.rows["scored"][0].logp
    assert max(row.said_tokens or 0 for row in found.rows["bare"]) <= SETTINGS.max_new_tokens
    assert (found.counts["texts"], found.counts["prompts"]) == (16, 4)


def test_nothing_asked_nothing_said(model, original, tokenizer):
    found = score_groups(
        model, tokenizer, made(forget=[]), SETTINGS, original=original, gradient_norms=True
    )
    assert found.rows == {"forget": []}
    assert set(found.counts.values()) == {0}


def test_progress_tells_each_part_to_its_end(model, original, tokenizer):
    told = []
    score_groups(
        model, tokenizer, GROUPS, SETTINGS, original=original, gradient_norms=True,
        progress=lambda *now: told.append(now),
    )  # fmt: skip
    ends = {what: (done, total) for what, done, total in told}
    assert list(ends) == [
        "scoring answers",
        "scoring other answers",
        "taking gradients",
        "asking for answers",
        "comparing with the original",
        "scoring what was said",
    ]
    assert all(done == total for done, total in ends.values())


def test_records_show_no_text(model, tokenizer):

    for question in questions(GROUPS, tokenizer, SETTINGS):
        assert not any(word in repr(question) for word in (*NAMES, "Lund", "ids"))


@pytest.mark.parametrize("change", ["compared", "stop", "stemmed"])
def test_how_a_group_is_compared_with_what_was_said(change, model, tokenizer, monkeypatch):
    """The model is made to say one thing, of which each setting sees another part."""

    said = tokenizer(" Lund\n\nRome by seas")["input_ids"]
    monkeypatch.setattr(interview, "greedy", lambda _, prompts, **__: [said for _ in prompts])
    examples = read_rows([{"question": "Where?", "answer": " Lund Rome sea"}], "forget")
    group = Group(examples=examples, template="none")
    first = len(tokenizer(" Lund")["input_ids"])
    update = {"compared": first, "stop": ("\n\n",), "stemmed": False}[change]
    settings = {"template": "none", "max_length": 64}

    def overlap(group):
        row = score_groups(model, tokenizer, {"forget": group}, AskSettings(**settings)).rows[
            "forget"
        ][0]
        return row.rouge_l_recall, row.rouge_l_f1

    assert overlap(group) == pytest.approx((1, 6 / 7))  # 3 of 3 expected, 3 of 4 said
    changed = overlap(replace(group, **{change: update}))
    by_hand = {
        "compared": (1, 2 / 5),  # Lund: 1 of 1 expected, 1 of 4 said
        "stop": (1 / 3, 1 / 2),  # 1 of 3, 1 of 1
        "stemmed": (2 / 3, 4 / 7),  # seas is no sea: 2 of 3, 2 of 4
    }
    assert changed == pytest.approx(by_hand[change])


def test_answers_that_do_not_end_are_counted_and_told(asked, model, original, tokenizer):
    """Where the data's own end; a raw text goes on in any case, and is cut without a word."""
    from unteach.suites.ask import endless_notes

    said = [row for row in asked.rows["forget"] if row.said_tokens is not None]
    assert any(row.said_tokens == 12 for row in said)  # this model knows no end
    assert asked.counts["endless"] > 0
    (note,) = endless_notes(asked)
    assert (
        f"did not end {asked.counts['endless']} of {asked.counts['distinct_prompts']}" in note.what
    )
    raw = [Example(id="forget-0", where="f:1", kind="text", text="who was born in a town " * 3)]
    text = score_groups(model, tokenizer, {"forget": Group(examples=raw)}, SETTINGS)
    assert text.counts["distinct_prompts"] == 1
    assert endless_notes(text) == []
