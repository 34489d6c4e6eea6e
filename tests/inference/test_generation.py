"""Greedy answers: one prompt at a time, with no cache, says the same as any batch of them."""

from random import Random

import pytest
import torch
from families import FAMILIES
from support import VOCABULARY, tiny_llama
from transformers import MambaConfig, MambaForCausalLM

from unteach.inference import greedy, greedy_scored, sampled
from unteach.inference.interview import _scored_alike
from unteach.inference.queue import PromptQueue, QueuedPrompt, RowStoppingCriteria

END = [1, *range(5, 17)]
DRAWN = Random(0)
LENGTHS = [DRAWN.choice([1, 4, 30]) for _ in range(24)]
PROMPTS = [tuple(DRAWN.randrange(2, VOCABULARY) for _ in range(n)) for n in LENGTHS]
LIMITS = [DRAWN.choice([1, 2, 9, 24]) for _ in PROMPTS]
# One prompt at a time, some, and all of them (600: `test_order_changes_no_answer`).
BATCHES = [1, 150, 8192]


def tiny_mamba(dtype):
    """No attention: its state has another name, and rows cannot leave it here."""
    torch.manual_seed(0)
    config = MambaConfig(
        vocab_size=VOCABULARY, hidden_size=16, state_size=4, num_hidden_layers=2,
        initializer_range=0.2, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    return MambaForCausalLM(config).to(dtype).eval()


MADE = FAMILIES | {"mamba": tiny_mamba}


@torch.no_grad()
def alone(model, prompt, limit, end):
    ids = list(prompt)
    for _ in range(limit):
        token = model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax().item()
        if token in end:
            break
        ids.append(token)
    return ids[len(prompt) :]


@pytest.fixture(scope="module", params=MADE)
def family(request):
    """A model, and what it says to each prompt alone."""
    model = MADE[request.param](dtype=torch.float32)
    said = [alone(model, p, n, END) for p, n in zip(PROMPTS, LIMITS, strict=True)]
    lengths = list(map(len, said))
    assert any(a < n for a, n in zip(lengths, LIMITS, strict=True))
    assert any(a == n for a, n in zip(lengths, LIMITS, strict=True))
    return model, said


@pytest.mark.parametrize("size", BATCHES)
def test_batches_change_no_answer(family, size):
    model, said = family
    found = greedy(model, PROMPTS, limits=LIMITS, end=END, tokens_per_batch=size)
    assert found == said


def test_order_changes_no_answer(family):
    model, said = family
    order = Random(1).sample(range(len(PROMPTS)), len(PROMPTS))
    found = greedy(
        model,
        [PROMPTS[i] for i in order],
        limits=[LIMITS[i] for i in order],
        end=END,
        tokens_per_batch=600,
    )
    assert found == [said[i] for i in order]


def test_edges(model):
    assert greedy(model, [], limits=[], end=[1]) == []
    one = greedy(model, PROMPTS, limits=[1] * len(PROMPTS), end=[1])
    assert one == [alone(model, p, 1, [1]) for p in PROMPTS]
    none = greedy(model, PROMPTS[:3], limits=[0, 2, 0], end=[1])
    assert none == [[], alone(model, PROMPTS[1], 2, [1]), []]


def test_all_may_stop_at_once(model):
    everything = list(range(VOCABULARY))
    found = greedy(model, PROMPTS, limits=LIMITS, end=everything)
    assert found == [[]] * len(PROMPTS)


def test_the_models_own_sampling_settings_are_not_used(model):
    before = greedy(model, PROMPTS[:1], limits=[6], end=[1])
    settings = model.generation_config.to_dict()
    model.generation_config.update(do_sample=True, temperature=50.0, repetition_penalty=9.0)
    try:
        assert greedy(model, PROMPTS[:1], limits=[6], end=[1]) == before
    finally:
        model.generation_config.update(**settings)


def test_progress_ends_at_all(model):
    told = []
    greedy(
        model, PROMPTS, limits=LIMITS, end=END, tokens_per_batch=150,
        progress=lambda a, b: told.append((a, b)),
    )  # fmt: skip
    assert told == sorted(told)
    assert told[-1] == (len(PROMPTS), len(PROMPTS))


def test_draws_do_not_depend_on_what_was_drawn_before(model):
    options = {"limits": LIMITS, "end": END, "temperature": 1.0, "tokens_per_batch": 300}
    first = sampled(model, PROMPTS, seed=3, **options)
    assert sampled(model, PROMPTS, seed=4, **options) != first
    assert sampled(model, PROMPTS, seed=3, **options) == first


def steps(model, limits, size, end=END):
    """Rows of each forward."""
    seen = []
    hook = model.register_forward_pre_hook(
        lambda _, args, given: seen.append(len(given["input_ids"])), with_kwargs=True
    )
    try:
        greedy(model, PROMPTS, limits=limits, end=end, tokens_per_batch=size)
    finally:
        hook.remove()
    return seen


def test_ended_rows_leave_the_batch(model):
    limits = list(range(1, len(PROMPTS) + 1))
    rows = steps(model, limits, 8192, end=[1])
    assert rows == sorted(rows, reverse=True)
    assert (rows[0], rows[-1], len(rows)) == (len(PROMPTS), 1, max(limits))


def test_the_last_rows_of_many_batches_go_on_together(model):
    """Twelve rows each; one of them has far to go, and no batch waits for it alone."""
    limits = [20 if k % 12 == 0 else 2 for k in range(len(PROMPTS))]
    queue = PromptQueue(model, [1], {"do_sample": False}, 1)
    queue._batches = lambda rows: [
        list(range(i, min(i + 12, len(rows)))) for i in range(0, len(rows), 12)
    ]
    sizes = []
    proceed = queue._continue
    queue._continue = lambda rows, leave: (sizes.append(len(rows)), proceed(rows, leave))[1]
    queue.run(rows := [QueuedPrompt(p, n) for p, n in zip(PROMPTS, limits, strict=True)])
    assert sizes == [12, 12, 2]
    assert [len(row.said) for row in rows] == limits


def test_a_row_takes_what_fits_and_nothing_from_an_end_token_on():
    row = QueuedPrompt((5, 6), 4)
    row.take([7, 8], [1])
    assert (row.said, row.room) == ([7, 8], 2)
    row.take([9, 10, 11], [1])
    assert (row.said, row.room) == ([7, 8, 9, 10], 0)
    row = QueuedPrompt((5,), 4)
    row.take([7, 1, 9], [1])
    assert (row.said, row.room) == ([7], 0)


def test_rows_end_at_their_own_limits_and_all_when_enough_have():
    ended = RowStoppingCriteria(torch.tensor([4, 9, 9]), end=[1], enough=2)
    ids = torch.tensor([[5, 5, 5, 5], [5, 5, 5, 5], [5, 5, 5, 5]])
    assert ended(ids[:, :3], None).tolist() == [False, False, False]
    assert ended(ids, None).tolist() == [True, False, False]
    ids = torch.cat([ids, torch.tensor([[5], [1], [5]])], 1)
    assert ended(ids, None).tolist() == [True, True, True]
    assert ended.ended.tolist() == [True, True, False]


@pytest.mark.parametrize("size", [150, 8192])
def test_decoding_knows_the_log_probabilities_of_what_it_takes(family, size):
    """Against a forward of each whole text; rows that leave, wait and go on keep theirs."""
    model, said = family
    found, logps = greedy_scored(model, PROMPTS, limits=LIMITS, end=END, tokens_per_batch=size)
    assert found == said
    for prompt, new, each in zip(PROMPTS, said, logps, strict=True):
        with torch.no_grad():
            whole = model(torch.tensor([[*prompt, *new]])).logits[0].double().log_softmax(-1)
        own = [whole[t - 1, token].item() for t, token in enumerate(new, len(prompt))]
        assert each == pytest.approx(own, abs=2e-5)


def test_scores_of_decoding_count_where_a_forward_gives_the_same():
    model = tiny_llama(dtype=torch.float32)
    said, logps = greedy_scored(model, PROMPTS, limits=LIMITS, end=END)
    assert _scored_alike(model, PROMPTS, said, logps)
    assert not _scored_alike(model, PROMPTS, said, [[x - 0.01 for x in one] for one in logps])
    assert _scored_alike(model, PROMPTS, [[] for _ in PROMPTS], [[] for _ in PROMPTS])
