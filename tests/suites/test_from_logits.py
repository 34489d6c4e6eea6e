"""Rows of TOFU's and MUSE's questions, a second time from the logits alone.

Texts, masks and prompts are made here as the benchmarks' own code makes them, by nothing of ours.
"""

import zlib

import pytest
import torch
from rouge_score.rouge_scorer import RougeScorer

from unteach.data import read_rows
from unteach.inference import end_tokens
from unteach.metrics import score_model
from unteach.suites._base import AskSettings
from unteach.suites.ask import score_groups
from unteach.suites.muse import _group, in_context
from unteach.suites.questions import size_of
from unteach.suites.rounding import BLOCK
from unteach.suites.tofu import NEW_TOKENS, Group

pytestmark = pytest.mark.usefixtures("exact_rows")
QUESTION = "Where was Ada born?"
TEXTS = {
    ("answer", 0): "Ada was born in Lund, where the rain falls.",
    ("paraphrase", 0): "The cradle of Ada stood in Lund.",
    ("perturbed", 0): "Ada was born in Rome.",
    ("perturbed", 1): "It was Oslo where Ada was born.",
}
DATA = {
    "question": QUESTION,
    "answer": TEXTS["answer", 0],
    "paraphrased_answer": TEXTS["paraphrase", 0],
    "perturbed_answer": [TEXTS["perturbed", 0], TEXTS["perturbed", 1]],
}
LONG = " ".join(str(k * k) for k in range(400))  # long enough for zlib's level to tell


def forced(model, ids, start):
    """By hand: log p, whether it is the best, mean and spread over the vocabulary, token by token.

    The spread is as in Min-K%++: the root of E[(log p)^2] - E[log p]^2.
    """
    with torch.no_grad():
        whole = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    found = []
    for t in range(start, len(ids)):
        log_p = whole[t - 1]
        p = log_p.exp()
        mean, square = (p * log_p).sum(), (p * log_p**2).sum()
        spread = (square - mean**2).sqrt()
        best = log_p.argmax().item() == ids[t]
        found.append((log_p[ids[t]].item(), best, mean.item(), spread.item()))
    return [list(column) for column in zip(*found, strict=True)]


def mean(values):
    return sum(values) / len(values)


def least(values, share):
    """Mean of the lowest of them: that share, at least one."""
    return mean(sorted(values)[: max(int(share * len(values)), 1)])


def greedy(model, tokenizer, ids, limit):
    ids, start = list(ids), len(ids)
    with torch.no_grad():
        while len(ids) < start + limit:
            token = model(torch.tensor([ids])).logits[0, -1].argmax().item()
            if token in end_tokens(model, tokenizer):
                break
            ids.append(token)
    return tokenizer.decode(ids[start:], skip_special_tokens=True)


def test_tofus_rows(model, tokenizer):
    """The answer behind "Answer:" with its end token, of each kind, and nothing of the question."""
    settings = AskSettings(max_length=512, max_new_tokens=NEW_TOKENS)
    group = Group(examples=read_rows([DATA], "forget"), new_tokens=8)
    (rows,) = score_groups(model, tokenizer, {"forget": group}, settings).rows.values()
    assert {(row.kind, row.index) for row in rows} == TEXTS.keys()
    prompt = tokenizer(f"Question: {QUESTION}\nAnswer:")["input_ids"]
    for row in rows:
        text = TEXTS[row.kind, row.index]
        ids = tokenizer(f"Question: {QUESTION}\nAnswer: {text}")["input_ids"]
        assert ids[: len(prompt)] == prompt
        expected = forced(model, [*ids, tokenizer.eos_token_id], len(prompt))
        logps, hits, means, spreads = expected
        standard = [(x - m) / s for x, m, s in zip(logps, means, spreads, strict=True)]
        assert row.tokens == len(logps)
        assert row.logp == pytest.approx(mean(logps), abs=1e-4)
        assert row.matched == mean(hits)
        assert row.matched_but_last == mean(hits[:-1])
        assert row.strength == mean([all(hits[k:]) for k in range(len(hits))])
        assert row.min_k == pytest.approx(least(logps, 0.2), abs=1e-4)
        assert row.min_40 == pytest.approx(least(logps, 0.4), abs=1e-4)
        assert row.min_40_but_last == pytest.approx(least(logps[:-1], 0.4), abs=1e-4)
        assert row.min_k_plus_plus == pytest.approx(least(standard, 0.2), abs=1e-3)
        others = least(standard[:-1], 0.4)
        assert row.min_40_plus_plus_but_last == pytest.approx(others, abs=1e-3)
    (own,) = (row for row in rows if row.kind == "answer")
    said = greedy(model, tokenizer, prompt, 8)
    overlap = RougeScorer(["rougeL"], use_stemmer=True).score(DATA["answer"], said)["rougeL"]
    assert (own.rouge_l_recall, own.rouge_l_f1) == (overlap.recall, overlap.fmeasure)
    size = len(zlib.compress(DATA["answer"].encode()))
    assert own.zlib % BLOCK == 0
    assert 0 <= own.zlib - size < BLOCK


def test_the_size_is_zlibs_at_its_own_level():
    assert 0 <= size_of(LONG) - len(zlib.compress(LONG.encode())) < BLOCK
    assert abs(size_of(LONG) - len(zlib.compress(LONG.encode(), 1))) > BLOCK


def test_tofus_truth_ratio_is_of_the_paraphrase(model, tokenizer):
    """On forget min(R, 1/R): the wrong answers' mean probability over the paraphrase's."""
    groups = {"forget": Group(examples=read_rows([DATA], "forget"), generate=False)}
    rows = score_groups(model, tokenizer, groups, AskSettings(max_length=512)).rows
    prompt = tokenizer(f"Question: {QUESTION}\nAnswer:")["input_ids"]
    p = {}
    for key, text in TEXTS.items():
        ids = tokenizer(f"Question: {QUESTION}\nAnswer: {text}")["input_ids"]
        logps = forced(model, [*ids, tokenizer.eos_token_id], len(prompt))[0]
        p[key] = torch.tensor(logps).mean().exp().item()
    wrong = p["perturbed", 0], p["perturbed", 1]
    scores = score_model(rows, compat="open-unlearning")["forget"]
    ratio = sum(wrong) / 2 / p["paraphrase", 0]
    assert scores["truth_ratio"].value == pytest.approx(min(ratio, 1 / ratio), rel=1e-4)
    geometric = (wrong[0] * wrong[1]) ** 0.5 / p["paraphrase", 0]
    found = scores["open_unlearning_truth_ratio"].value
    assert found == pytest.approx(min(geometric, 1 / geometric), rel=1e-4)
    choice = p["answer", 0] / (p["answer", 0] + sum(wrong))
    assert scores["choice_probability"].value == pytest.approx(choice, rel=1e-4)


def test_muses_knowledge_is_the_f1_of_what_is_said_behind_answered_questions(model, tokenizer):
    """ROUGE-L F1 without stems; what is said counts up to a blank line or the next question."""
    shown = read_rows([{"question": "Who eats?", "answer": "Ben"}], "knowmem_icl")
    asked = read_rows([{"question": QUESTION, "answer": "In Lund of all towns"}], "knowmem")
    group = _group("knowmem", in_context(asked, shown))
    settings = AskSettings(max_length=512, max_new_tokens=128)
    rows = score_groups(model, tokenizer, {"knowmem": group}, settings).rows
    start = f"Question: Who eats?\nAnswer: Ben\n\nQuestion: {QUESTION}\nAnswer: "
    whole = tokenizer(start + "In Lund of all towns")["input_ids"]
    ids = tokenizer(start)["input_ids"]
    ids = ids if whole[: len(ids)] == ids else ids[:-1]  # the blank is part of the answer's token
    said = greedy(model, tokenizer, ids, 32)
    for text in ("\n\n", "\nQuestion", "Question:"):
        said = said.split(text)[0]
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    overlap = scorer.score("In Lund of all towns", said)["rougeL"]
    found = score_model(rows)["knowmem"]["knowledge_memorization"]
    assert found.value == overlap.fmeasure
    (row,) = rows["knowmem"]
    assert row.logp == pytest.approx(mean(forced(model, whole, len(ids))[0]), abs=1e-4)


def test_muses_privleak_text_is_scored_behind_bos_and_to_its_last_token(model, tokenizer):
    """As `tokenizer.encode` gives it, first token and all, with no end token."""
    text = "The river runs north; nobody knows why it does."
    group = _group("forget", read_rows([{"text": text}], "forget"))
    (row,) = score_groups(model, tokenizer, {"forget": group}, AskSettings(max_length=512)).rows[
        "forget"
    ]
    assert row.logp == pytest.approx(mean(forced(model, tokenizer.encode(text), 1)[0]), abs=1e-4)
