"""A given answer that the model knows by heart is not decoded."""

from random import Random
from types import SimpleNamespace

import pytest
import torch
from support import VOCABULARY, tiny_llama

from unteach.inference import greedy
from unteach.inference import interview as module
from unteach.inference.interview import Interview
from unteach.types import Sequence

LIMIT = 6
END = [*range(1, VOCABULARY, 4)]
DRAWN = Random(0)
PROMPTS = [tuple(DRAWN.randrange(2, VOCABULARY) for _ in range(n)) for n in range(2, 26)]


@pytest.fixture(scope="module")
def model():
    return tiny_llama(dtype=torch.float32, tied=False)


@pytest.fixture(scope="module")
def known(model):
    """Texts of what the model says up to its end, one of them spoilt, and none of the last."""
    said = greedy(model, PROMPTS, limits=[LIMIT] * len(PROMPTS), end=[VOCABULARY])
    ends = [next((k for k, token in enumerate(ids) if token in END), None) for ids in said]
    answers = {
        prompt: ids[: end + 1]
        for prompt, ids, end in zip(PROMPTS[:-1], said, ends, strict=False)
        if end
    }
    wrong = min(answers)
    answers[wrong][0] = 2 + 4 * (answers[wrong][0] == 2)  # neither of them ends an answer
    texts = [
        Sequence("", (*prompt, *ids), (False,) * len(prompt) + (True,) * len(ids))
        for prompt, ids in answers.items()
    ]
    return SimpleNamespace(texts=texts, wrong=wrong)


@pytest.fixture
def decoded(monkeypatch):
    """The prompts of each decoding."""
    found = []

    def watch(name):
        plain = getattr(module, name)

        def decode(model, prompts, **options):
            found.append([*prompts])
            return plain(model, prompts, **options)

        monkeypatch.setattr(module, name, decode)

    watch("greedy")
    watch("greedy_scored")
    return found


@pytest.fixture
def interviewed(known, decoded, monkeypatch):
    def ask(model, **options):
        monkeypatch.setattr(model.generation_config, "eos_token_id", END)
        it = Interview(
            own=known.texts, others=[], prompts=[(ids, LIMIT) for ids in PROMPTS],
            tokens_per_batch=512, told=lambda *_: None, **options,
        )  # fmt: skip
        it.of_model(model, SimpleNamespace(eos_token_id=None))
        return it

    return ask


@pytest.mark.parametrize("original", [False, True])
def test_what_is_known_by_heart_is_said_without_decoding(
    model, known, decoded, interviewed, original
):
    it = interviewed(model, original=original)
    all_said = greedy(model, PROMPTS, limits=[LIMIT] * len(PROMPTS), end=END)
    assert [it.said[ids, LIMIT] for ids in PROMPTS] == all_said
    (asked,) = decoded
    left = {ids for ids in PROMPTS if ids not in asked}
    assert len(left) >= 3
    assert {PROMPTS[-1], known.wrong} <= {*asked}
    scored = {text.ids[: -sum(text.answer)]: it.scores[text].logps for text in known.texts}
    if original:
        assert all(it.said_logps[ids, LIMIT] == scored[ids][:-1] for ids in left)


def test_where_decoding_says_otherwise_all_is_decoded(model, decoded, interviewed, monkeypatch):
    plain = module.greedy  # the watched one
    monkeypatch.setattr(module, "greedy", lambda *a, **b: [[*ids, 7] for ids in plain(*a, **b)])
    interviewed(model)
    first, second = decoded
    assert len(second) >= 3
    assert sorted(first + second) == sorted(PROMPTS)


def test_narrower_types_are_decoded(decoded, interviewed):
    interviewed(tiny_llama(dtype=torch.bfloat16, tied=False))
    assert [len(prompts) for prompts in decoded] == [len(PROMPTS)]


@pytest.mark.parametrize(
    ("answer", "limit", "is_known"),
    [
        ((2, 3, 1), 3, True),
        ((2, 3, 1), 2, False),  # decoding is cut before the end
        ((2, 3, 4), 3, False),  # no end: decoding goes on
        ((2, 1, 1), 3, False),  # decoding ends before
    ],
)
def test_only_a_whole_answer_within_the_limit_is_known(answer, limit, is_known):
    prompt = (8, 9)
    text = Sequence("", (*prompt, *answer), (False,) * 2 + (True,) * 3)
    it = Interview(
        own=[text], others=[], prompts=[(prompt, limit)], tokens_per_batch=64,
        told=lambda *_: None,
    )  # fmt: skip
    it.scores[text] = SimpleNamespace(hits=[True] * 3, logps=[-0.1, -0.2, -0.3])
    found = it._known_by_heart([1])
    assert found == ({(prompt, limit): ([2, 3], [-0.1, -0.2])} if is_known else {})


def test_the_longest_prompt_that_decodes_otherwise_is_enough(
    model, known, decoded, interviewed, monkeypatch
):
    plain, longest = (
        module.greedy,
        max(
            (
                text.ids[: -sum(text.answer)]
                for text in known.texts
                if text.ids[: -sum(text.answer)] != known.wrong
            ),
            key=len,
        ),
    )

    def otherwise(model, prompts, **options):
        said = plain(model, prompts, **options)
        return [[*ids, 7] if ids_of == longest else ids
                for ids_of, ids in zip(prompts, said, strict=True)]  # fmt: skip

    monkeypatch.setattr(module, "greedy", otherwise)
    interviewed(model)
    assert len(decoded) == 2
