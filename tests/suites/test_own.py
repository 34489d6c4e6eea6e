"""The rows of the user's own data."""

import zlib

import pytest
import torch

from unteach.data import encode, read_rows
from unteach.inference import answer_tokens, end_tokens, interview
from unteach.suites._base import AskSettings, Group
from unteach.suites.ask import score_groups
from unteach.suites.generated import gives, rouge_l
from unteach.suites.own import sample
from unteach.suites.rounding import blocks
from unteach.suites.summary import lowest

pytestmark = pytest.mark.usefixtures("exact_rows")
PAIR = {
    "question": "Where was Ada born?",
    "answer": "Ada was born in Lund.",
    "paraphrased_answer": "The cradle of Ada stood in Lund.",
    "perturbed_answer": ["The cradle of Ada stood in Rome.", "The cradle of Ada stood in Oslo."],
    "fact": "Lund",
}
SETTINGS = AskSettings(max_length=128, max_new_tokens=6)


def evaluate(model, tokenizer, groups, settings, **more):
    asked = {name: Group(examples=examples) for name, examples in groups.items()}
    return score_groups(model, tokenizer, asked, settings, **more).rows


def test_rows_of_an_answer_its_paraphrase_and_its_wrong_answers(model, tokenizer):
    examples = read_rows([PAIR], "forget")
    rows = evaluate(model, tokenizer, {"forget": examples}, SETTINGS)["forget"]
    assert [(r.kind, r.index) for r in rows] == [
        ("answer", 0),
        ("paraphrase", 0),
        ("perturbed", 0),
        ("perturbed", 1),
    ]
    assert {r.id for r in rows} == {"forget-0"}
    (sequence,) = encode(examples[0], tokenizer, max_length=128)
    with torch.no_grad():
        logp = model(torch.tensor([sequence.ids])).logits[0].log_softmax(-1)
    places = [t for t, answer in enumerate(sequence.answer) if answer]
    expected = [logp[t - 1, sequence.ids[t]].item() for t in places]
    assert rows[0].logp == pytest.approx(sum(expected) / len(expected), abs=1e-4)
    assert rows[0].zlib == blocks(len(zlib.compress(PAIR["answer"].encode())))
    assert rows[0].rouge_l_recall is not None
    assert rows[0].fact_given is False
    assert rows[1].rouge_l_recall is None


def test_a_model_that_says_the_answer_gets_full_marks(model, tokenizer, monkeypatch):
    def say(model, prompts, **_):
        return [tokenizer(" Ada was born in Lund.")["input_ids"] for _ in prompts]

    monkeypatch.setattr(interview, "greedy", say)
    groups = {"forget": read_rows([PAIR, {"question": "a", "answer": "b c"}], "forget")}
    first, *_, last = evaluate(model, tokenizer, groups, SETTINGS)["forget"]
    assert (first.rouge_l_recall, first.fact_given) == (1.0, True)
    assert (last.rouge_l_recall, last.fact_given) == (0.0, None)


def test_windows_of_a_long_text_are_one_row_with_one_generation(model, tokenizer):
    """Its numbers are those of all the windows' tokens, in their order."""
    examples = read_rows([{"text": "The river runs north; nobody knows why. " * 20}], "forget")
    settings = AskSettings(max_length=32, max_new_tokens=4)
    rows = evaluate(model, tokenizer, {"forget": examples}, settings)["forget"]
    (row,) = rows
    assert (row.id, row.tokens) == ("forget-0", len(tokenizer(examples[0].text)["input_ids"]) - 1)
    assert row.rouge_l_recall is not None
    windows = encode(examples[0], tokenizer, max_length=32)
    assert len(windows) > 3
    found = [one for answered in answer_tokens(model, windows) for one in answered.logps]
    assert row.logp == pytest.approx(sum(found) / len(found), abs=1e-4)
    assert row.min_k == pytest.approx(lowest(tuple(found)), abs=1e-4)


def test_rouge_l_recall_is_the_longest_common_subsequence_over_the_answer():
    def by_hand(said, expected):
        a, b = said.split(), expected.split()
        best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
        for i in range(len(a)):
            for j in range(len(b)):
                same = best[i][j] + 1 if a[i] == b[j] else 0
                best[i + 1][j + 1] = max(best[i][j + 1], best[i + 1][j], same)
        return best[-1][-1] / len(b)

    for said, expected in (
        ("a b c d", "a c d e"),
        ("x y", "a b"),
        ("b a b a", "a b"),
        ("a b c", "a b c"),
    ):
        assert rouge_l(said, expected).recall == pytest.approx(by_hand(said, expected))
    assert rouge_l("", "a b").recall == 0


@pytest.mark.parametrize(
    ("said", "fact", "found"),
    [
        ("She lives in Lund.", "lund", True),
        ("She lives in Lundby.", "Lund", False),
        ("It is (C++)!", "C++", True),
        ("new\n York", "New York", True),
        ("", "Lund", False),
    ],
)
def test_facts_are_whole_words(said, fact, found):
    assert gives(said, fact) is found


def test_samples_are_drawn_alike_and_in_order():
    examples = read_rows([{"text": f"text {k}"} for k in range(50)], "retain")
    first = sample(examples, 10)
    assert first == sample(examples, 10)
    assert len(first) == 10
    numbers = [int(e.id.split("-")[1]) for e in first]
    assert numbers == sorted(numbers)
    assert sample(examples, 50) == examples


def test_both_the_tokenizers_and_the_models_end_tokens_end_an_answer(model, tokenizer):
    own = model.generation_config.eos_token_id
    try:
        model.generation_config.eos_token_id = [7, 9]
        assert end_tokens(model, tokenizer) == sorted({tokenizer.eos_token_id, 7, 9})
    finally:
        model.generation_config.eos_token_id = own
