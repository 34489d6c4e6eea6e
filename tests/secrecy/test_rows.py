"""Rows give no text back: read off, or by trying all texts, to whoever has every model.

The reader knows the question, the models and the code. He works out what each model says of a text,
makes its row as we do, and keeps the texts whose rows are the ones that were written. From what the
rows of schema 1 held (each token's rank and log-probability) the same reader finds the text; the
attack is held to that, too.
"""

import json
from dataclasses import asdict, replace
from functools import cache
from statistics import median

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from unteach.inference import KeptStates, answer_tokens, divergences
from unteach.suites.rivals import beside_wrong
from unteach.suites.rounding import FEW, rounded
from unteach.suites.summary import summary
from unteach.types import LITTLE, SHORT, Row, Sequence

V, END = 96, 1
PROMPT = (5, 9, 33)
ENOUGH = 8  # texts that could as well be the one: fewer would be a find


@cache
def models():
    """The original, whose choices are peaked, and one made of it by changing its weights."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=V, hidden_size=24, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=64, initializer_range=0.35,
        tie_word_embeddings=False, bos_token_id=0, eos_token_id=END, pad_token_id=END,
    )  # fmt: skip
    original = LlamaForCausalLM(config).eval()
    unlearned = LlamaForCausalLM(config).eval()
    unlearned.load_state_dict(original.state_dict())
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in unlearned.parameters():
            weight += 0.2 * weight.std() * torch.randn(weight.shape, generator=generator)
    return original, unlearned


def told(texts):
    """What both models say of each text, token by token: the original, then the unlearned one."""
    original, unlearned = models()
    asked = [Sequence("", PROMPT + t, (False,) * len(PROMPT) + (True,) * len(t)) for t in texts]
    found = []
    for model in (original, unlearned):
        kept = KeptStates(asked)
        scored = answer_tokens(model, asked, kept=kept)
        apart = divergences(original, asked, kept)
        found.append([a._replace(divergences=d) for a, d in zip(scored, apart, strict=True)])
    return found


def unlikely(texts, said, count):
    """Some of those that the original would not say: it gives them 1 in 100 at most."""
    found = [k for k in range(len(texts)) if sum(said[0][k].logps) < -4.6]
    return found[:: len(found) // count]


ONE = [(a,) for a in range(V)]
WORD = [(a, END) for a in range(V)]  # one token and the end
TWO = [(a, b) for a in range(0, V, 4) for b in range(V)]  # a part of them: all leave more


@pytest.mark.parametrize("texts", [ONE, WORD, TWO], ids=["one token", "a word", "two tokens"])
def test_trying_all_texts_does_not_single_one_out(texts):
    """By exact numbers every text is found; by those that are written at least seven more fit."""
    said = told(texts)
    exact = [[Row(id="", **summary(one)) for one in of] for of in said]
    secrets = unlikely(texts, said, 6)
    assert len(secrets) >= 6
    for k in secrets:
        alone = [j for j in range(len(texts)) if all(of[j] == of[k] for of in exact)]
        assert alone == [k]
        found = list(range(len(texts)))
        for of in exact:
            named = [replace(of[j], id=f"forget-{k}") for j in found]
            written = rounded(replace(of[k], id=f"forget-{k}"))
            found = [j for j, row in zip(found, named, strict=True) if rounded(row) == written]
        assert k in found
        assert len(found) >= ENOUGH, texts[k]


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7])
def test_a_list_of_guesses_does_not_come_down_to_one(length):
    """Of 400 guesses at least 10 fit, by both models' rows; most often if wrong answers are known.

    Who knows these has a second number of the right one, so for a few fewer fit
    (docs/concepts/secrecy.md).
    """
    generator = torch.Generator().manual_seed(length)
    drawn = torch.randint(2, V, (2000, length), generator=generator)
    texts = list(dict.fromkeys((*t[:-1], END) if length > 1 else (*t,) for t in drawn.tolist()))
    texts = texts[:400]
    said = told(texts)
    exact = [[Row(id="", **summary(one)) for one in of] for of in said]
    secrets = unlikely(texts, said, 5)

    def fitting(k, write, wrong=()):
        left = list(range(len(texts)))
        for of in exact:
            others = [replace(of[j], kind="perturbed", index=n) for n, j in enumerate(wrong)]

            def row(j, of=of, others=others):
                return write(replace(beside_wrong([of[j], *others])[0], id=f"forget-{k}"))

            true = row(k)
            left = [j for j in left if row(j) == true]
        return left

    enough, beside_known = 10 * len(texts) / 400, []
    for k in secrets:
        assert fitting(k, lambda row: row) == [k], "exact numbers tell which it is"
        found = fitting(k, rounded)
        assert k in found
        assert len(found) >= enough
        beside_known.append(len(fitting(k, rounded, [(k + n) % len(texts) for n in (1, 2, 3)])))
    assert median(beside_known) >= enough


def test_the_ranks_of_schema_1_read_the_text_off_and_nothing_is_left_of_them(tmp_path):
    secret = (40, 7, 62, 88, 13, 21, 54, 30, END)
    _, unlearned = models()
    (scores,) = told([secret])[1]

    def read_off(ranks):
        ids = list(PROMPT)
        with torch.no_grad():
            for rank in ranks:
                logits = unlearned(torch.tensor([ids])).logits[0, -1]
                ids.append(logits.argsort(descending=True)[rank].item())
        return tuple(ids[len(PROMPT) :])

    assert read_off(scores.ranks) == secret
    written = asdict(rounded(Row(id="forget-0", **summary(scores))))
    assert all(isinstance(value, (int, float, str, type(None))) for value in written.values())
    assert "[" not in json.dumps(written)


def test_a_beam_finds_no_way_along_the_numbers():
    """Schema 1 told how likely each beginning is; now only the whole is told, and not exactly.

    At each step the reader keeps the beginnings that fit best. With the log-probabilities of each
    token these are the secret's at once. With their mean he can but hold a beginning's own mean to
    that of the whole.
    """
    secret = (40, 7, 62, 88, 13, 21, 54, END)
    true = [of[0] for of in told([secret])]
    rows = [rounded(Row(id="forget-0", **summary(one))) for one in true]

    def search(misfit, width=6):
        beam = [()]
        for _ in secret:
            longer = [(*start, token) for start in beam for token in range(V)]
            said = told(longer)
            fits = [sum(misfit(m, of[k]) for m, of in enumerate(said)) for k in range(len(longer))]
            order = sorted(range(len(longer)), key=fits.__getitem__)[:width]
            beam = [longer[k] for k in order]
        return beam

    def by_token(m, scores):
        return sum(abs(a - b) for a, b in zip(scores.logps, true[m].logps, strict=False))

    def by_row(m, scores):
        found = summary(scores)
        names = ("logp", "min_k", "min_k_plus_plus", "reciprocal_rank", "matched", "divergence")
        return sum(abs(found[name] - getattr(rows[m], name)) for name in names)

    assert search(by_token)[0] == secret
    best = search(by_row)
    assert secret not in best
    assert max(sum(a == b for a, b in zip(t, secret, strict=True)) for t in best) < len(secret) - 1


def test_the_fewer_tokens_the_less_is_written():
    values = dict.fromkeys(Row.__dataclass_fields__, 0.123456)
    del values["kind"], values["index"]
    row = replace(Row(id="a"), **{**values, "id": "a", "tokens": 99})
    for tokens in (1, SHORT - 1):
        found = rounded(replace(row, tokens=tokens))
        for name in values:
            assert (getattr(found, name) is None) == (name not in LITTLE), name
    for kind in ("paraphrase", "perturbed"):
        found = rounded(replace(row, kind=kind))
        assert {n for n in values if getattr(found, n) is not None} == {"id", "tokens", "logp"}
    counts = {}
    for tokens in (1, FEW, SHORT):
        logps = [-(1.02**k) / 10 for k in range(300)]
        counts[tokens] = len({rounded(replace(row, tokens=tokens, logp=x)).logp for x in logps})
    assert 2 * counts[1] <= counts[FEW] + 2 < counts[SHORT] / 5 < 60


def test_rounding_moves_no_mean_and_is_the_same_everywhere():
    """Over many answers; shares of 0 and of 1 stay; models that are alike stay alike."""
    for tokens, near in ((2, 0.05), (5, 0.02), (12, 0.02)):
        rows = [
            Row(id=f"forget-{k}", tokens=tokens, logp=-0.3 - k % 7, matched=(k % 10) / 9)
            for k in range(2000)
        ]
        found = [rounded(row) for row in rows]
        assert found == [rounded(row) for row in rows]
        for name in ("logp", "matched"):
            before, after = (sum(getattr(r, name) for r in of) for of in (rows, found))
            assert after == pytest.approx(before, rel=near)
        assert {r.matched for r in found if r.matched in (0, 1)} == {0, 1}
        ends = [(a.matched, b.matched) for a, b in zip(rows, found, strict=True)]
        assert all(b == a for a, b in ends if a in (0, 1))
