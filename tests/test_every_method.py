"""What must hold of every registered method; a new file joins by existing."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from support import OF_TINY, VOCABULARY, sequences, tiny_llama
from torch import Tensor

from unteach.adapters import LoraSettings, add_lora
from unteach.errors import UserError
from unteach.losses.answer_rows import AnswerRows
from unteach.losses.retain import RETAIN_TERMS, retain_reads, retain_term
from unteach.methods import METHODS, Method, Selection, build
from unteach.rowengine.batch import Batch, Pair, Pairs
from unteach.rowengine.forward import inputs_of
from unteach.rowengine.rows import BatchOutput, count, reduce, restrict, rows_by_group
from unteach.types import Paper, Sequence

METHOD_NAMES = list(METHODS)
FORGET, RETAIN = sequences(8, "forget"), sequences(8, "retain")
INSTEAD = [replace(s, id=f"forget-{k}") for k, s in enumerate(sequences(8, "alternate", seed=9))]
PAIRS = [Pair(i, (3 * i + 1) % 8) for i in range(8)]
LAYER = 0
CUTS = {"1 x 8": [8], "2 x 4": [4, 4], "uneven": [1, 5, 2], "8 x 1": [1] * 8}


def forward(model, batch: Batch, layer: int) -> BatchOutput:
    """Whole logits, and what leaves a layer."""
    found = model(**inputs_of(batch), output_hidden_states=True)
    return BatchOutput(found.logits, found.hidden_states[layer + 1])


class Uniform:
    """An oracle that finds nothing surprising; some positions stay chosen all the same."""

    tokens: ClassVar = list(range(2, VOCABULARY))

    def nll(self, texts, start):
        return [float(sum(text)) for text in texts]

    def logps(self, texts):
        return [[-float(token) for token in text] for text in texts]


def of_tiny(name: str) -> Method:
    return build(name, OF_TINY.get(name, {}))


def choices(method: Method) -> list[Selection]:
    return list(method.choose(FORGET, Uniform(), 0))  # type: ignore[arg-type]


def step_loss(
    method: Method,
    models,
    cut: list[int],
    *,
    data: Pairs | None = None,
    pairs: list[Pair] = PAIRS,
    retain: str = "nll",
    change: Callable[[Batch], Batch] = lambda batch: batch,
    see: Callable[[AnswerRows], AnswerRows] = lambda seen: seen,
) -> Tensor:
    """The loss of one optimiser step of eight pairs, cut into batches."""
    policy, reference = models
    data = data or pairs_of(method)
    starts = [sum(cut[:k]) for k in range(len(cut))]
    batches = [
        change(data.collate(pairs[start : start + size]))
        for start, size in zip(starts, cut, strict=True)
    ]
    counts, parts = count(batches), []
    for batch in batches:
        with torch.no_grad():
            before = forward(reference, batch, LAYER)
        seen = rows_by_group(batch, forward(policy, batch, LAYER), before, prompts=True)
        if "forget" in seen:
            other = seen["forget"].alternate
            shown = restrict(
                with_teacher(seen["forget"]),
                method.needs(),
                reference_logps=before_logps(seen["forget"]),
                alternate_logps=None if other is None else before_logps(other),
            )
            parts += [reduce(term, "forget", counts) for term in method.forget(see(shown))]
        if retain != "none" and "retain" in seen:
            kept = restrict(seen["retain"], retain_reads(retain))
            parts.append(reduce(retain_term(retain, kept, 1.0), "retain", counts))
    return torch.stack(parts).sum()


def with_teacher(seen: AnswerRows) -> AnswerRows:
    """The reference as the teacher, with two tokens exchanged and some answer tokens lowered."""
    pairs = torch.tensor([[[5, 9], [0, 0]]]).expand(len(seen.target), -1, -1)
    targets = torch.where(seen.target % 3 == 0, float("nan"), -3.0).to(seen.logits)
    return replace(
        seen,
        teacher_logits=seen.reference_logits,
        teacher_pairs=pairs,
        teacher_targets=targets,
    )


def pairs_of(method: Method) -> Pairs:
    instead = INSTEAD if "alternate" in method.needs() else None
    return Pairs(FORGET, RETAIN, choices(method), instead, refusal=(5, 9))


def before_logps(seen: AnswerRows) -> Tensor:
    return replace(seen, logits=seen.reference_logits).logps


def gradient(loss: Tensor, models) -> Tensor:
    parts = torch.autograd.grad(loss, list(models[0].parameters()), allow_unused=True)
    return torch.cat([p.flatten() for p in parts if p is not None])


def assert_same(method: Method, models, *changed: Tensor, rtol: float = 1e-9, **options) -> None:
    whole = step_loss(method, models, [8], **options)
    slope = gradient(whole, models)
    for one in changed:
        # Forgetting and holding may nearly cancel, and each is about 4.
        torch.testing.assert_close(one, whole, rtol=rtol, atol=rtol / 100)
        torch.testing.assert_close(gradient(one, models), slope, rtol=100 * rtol, atol=rtol)


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_loss_and_gradients_are_finite(name, models):
    loss = step_loss(of_tiny(name), models, [8])
    assert loss.ndim == 0
    assert loss.isfinite()
    moved = gradient(loss, models)
    assert moved.isfinite().all()
    assert moved.abs().max() > 0


# Every method with one retain term, and every retain term with one method: they are only added.
TOGETHER = [(name, "nll") for name in METHOD_NAMES]
TOGETHER += [("npo", retain) for retain in (*RETAIN_TERMS, "none") if retain != "nll"]


@pytest.mark.parametrize(("name", "retain"), TOGETHER)
def test_how_a_step_is_cut_into_batches_changes_nothing(name, retain, models):
    method = of_tiny(name)
    cuts = [step_loss(method, models, cut, retain=retain) for cut in CUTS.values() if len(cut) > 1]
    assert len(cuts) == 3
    assert_same(method, models, *cuts, retain=retain)


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_order_of_the_batch_changes_nothing(name, models):
    method = of_tiny(name)
    assert_same(method, models, step_loss(method, models, [8], pairs=PAIRS[::-1]))


def padded(batch: Batch) -> Batch:
    """Seven more columns, full of a token that is no padding by its id."""
    wide = {}
    for key, value in batch.items():
        if value.ndim == 2:
            fill = 7 if key == "input_ids" else 0
            value = torch.cat([value, value.new_full((len(value), 7), fill)], 1)
        wide[key] = value
    return wide


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_padding_changes_nothing(name, models):
    method = of_tiny(name)
    assert_same(method, models, step_loss(method, models, [8], change=padded))


def left_padded(batch: Batch) -> Batch:
    """Each row moved to the right end of its batch."""
    shifts = batch["attention_mask"].shape[1] - batch["attention_mask"].sum(1)
    moved = {}
    for key, value in batch.items():
        if value.ndim == 2:
            rows = zip(value, shifts.tolist(), strict=True)
            value = torch.stack([row.roll(shift) for row, shift in rows])
        moved[key] = value
    return moved


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_the_side_of_the_padding_changes_nothing(name, models):
    method = build(name, {"prompt_distillation": 1.0} if name == "undial" else {})
    moved = step_loss(method, models, [8], change=left_padded)
    assert_same(method, models, moved, rtol=1e-6)  # transformers turns positions in float32


@pytest.mark.parametrize("name", METHOD_NAMES)
@pytest.mark.parametrize("adapters", [True, False])
def test_heads_and_adapters(name, adapters):
    """Finite gradients for whatever is trained, and the same however the step is cut.

    Adapters over a tied head with every second method, over a head of its own with the others.
    """
    tied = adapters == (METHOD_NAMES.index(name) % 2 == 0)
    models = [tiny_llama(seed, tied=tied) for seed in (0, 1)]
    if adapters:
        models[0] = with_adapters(models[0])
    method = of_tiny(name)
    whole, cut = (step_loss(method, models, parts) for parts in ([8], [3, 5]))
    torch.testing.assert_close(cut, whole, rtol=1e-9, atol=1e-12)
    trained = [p for p in models[0].parameters() if p.requires_grad]
    grads = torch.autograd.grad(whole, trained, allow_unused=True)
    assert all(g is None or g.isfinite().all() for g in grads)
    assert any(g is not None and g.any() for g in grads)


def with_adapters(model):
    model = add_lora(model, LoraSettings(rank=2, alpha=4.0)).double()
    generator = torch.Generator().manual_seed(0)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
    return model.eval()


EDGES = {
    "one token": Sequence("forget-0", (4, 7, 9), (False, False, True)),
    "as long as the context": Sequence(
        "forget-0", (4,) + (7, 9) * 31 + (3,), (False, *[True] * 63)
    ),
    "all but the first": Sequence("forget-0", (4, 9), (False, True)),
}


@pytest.mark.parametrize("name", METHOD_NAMES)
@pytest.mark.parametrize("edge", EDGES)
def test_answers_of_extreme_lengths_without_retain_data(name, edge, models):
    method = of_tiny(name)
    forget = [EDGES[edge], replace(FORGET[1], id="forget-1")]
    chosen = list(method.choose(forget, Uniform(), 0))
    instead = INSTEAD[:2] if "alternate" in method.needs() else None
    data = Pairs(forget, [], chosen, instead, refusal=(5, 9))
    pairs = [Pair(0, None), Pair(1, None)]
    whole = step_loss(method, models, [2], data=data, pairs=pairs)
    cut = step_loss(method, models, [1, 1], data=data, pairs=pairs)
    assert whole.isfinite()
    assert gradient(whole, models).isfinite().all()
    torch.testing.assert_close(cut, whole, rtol=1e-9, atol=1e-12)


ON_LOGITS = [
    n
    for n in METHOD_NAMES
    if "hidden" not in of_tiny(n).needs() and METHODS.get(n).trains_on == "forget"
]


@pytest.mark.parametrize("name", ON_LOGITS)
def test_one_small_step_makes_forget_answers_less_likely(name, learned):
    method = of_tiny(name)
    reference, policy = learned, copy.deepcopy(learned)
    before = mean_logps(policy, FORGET)
    step_down(policy, step_loss(method, (policy, reference), [8], retain="none"), method)
    assert mean_logps(policy, FORGET) < before


def test_one_small_step_of_rmu_brings_hidden_states_nearer(learned):
    policy, reference = copy.deepcopy(learned), tiny_llama()
    method = build("rmu", {})
    before = step_loss(method, (policy, reference), [8], retain="none")
    step_down(policy, before, method)
    assert step_loss(method, (policy, reference), [8], retain="none") < before


def step_down(policy, loss: Tensor, method: Method) -> None:
    weights = list(policy.parameters())
    direction = torch.autograd.grad(loss, weights, allow_unused=True)
    norm = torch.cat([d.flatten() for d in direction if d is not None]).norm()
    with torch.no_grad():
        for weight, d in zip(weights, direction, strict=True):
            if d is not None:
                weight.copy_(method.finish(weight, weight - 1e-3 * d / norm))


RETAINED = {
    "nll": lambda policy, reference: -mean_logps(policy, RETAIN),
    "kl": lambda policy, reference: (logits(policy) - logits(reference)).square().mean(),
    "jsd": lambda policy, reference: (logits(policy) - logits(reference)).square().mean(),
    "hidden": lambda policy, reference: (hidden(policy) - hidden(reference)).square().mean(),
}


@pytest.mark.parametrize("retain", list(RETAIN_TERMS))
def test_retain_term_makes_retain_answers_stay(retain, models):
    """A step down the retain term lowers it: NLL of the answers, or distance to the reference."""
    policy = tiny_llama(seed=3)
    pair = policy, models[1]
    before = RETAINED[retain](*pair)
    both = step_loss(build("ascent", {}), pair, [8], retain=retain)
    alone = step_loss(build("ascent", {}), pair, [8], retain="none")
    weights = list(policy.parameters())
    direction = torch.autograd.grad(both - alone, weights, allow_unused=True)
    with torch.no_grad():
        for weight, d in zip(weights, direction, strict=True):
            if d is not None:
                weight -= 1e-3 * d
    assert RETAINED[retain](*pair) < before


@pytest.mark.parametrize(
    ("name", "read"), [(n, r) for n in METHOD_NAMES for r in sorted(of_tiny(n).needs())]
)
def test_every_declared_read_is_needed(name, read, models):
    def without(seen: AnswerRows) -> AnswerRows:
        return replace(seen, **{read: None})

    with pytest.raises(RuntimeError, match=read):
        step_loss(of_tiny(name), models, [8], see=without)


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_it_says_what_it_is(name):
    cls = METHODS.get(name)
    assert len(cls.__doc__ or "") > 40
    assert isinstance(cls.paper, Paper)
    assert cls.paper.where
    assert cls.paper.bibtex().startswith("@misc{")
    assert cls.plan.retain in {"none", *RETAIN_TERMS}


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_unknown_options_are_refused_with_what_is_known(name):
    with pytest.raises(UserError, match="no such option"):
        build(name, {"betta": 1})


@pytest.fixture(scope="module")
def learned():
    """A model that has learned the forget answers, so that rivals are rivals; to be copied."""
    policy = tiny_llama().train()
    optimiser = torch.optim.Adam(policy.parameters(), lr=1e-2)
    batch = Pairs(FORGET).collate([Pair(i, None) for i in range(8)])
    for _ in range(25):
        out = policy(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        loss = -rows_by_group(batch, out.logits)["forget"].logps.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return policy.eval()


def mean_logps(model, texts) -> float:
    batch = Pairs(texts).collate([Pair(i, None) for i in range(8)])
    with torch.no_grad():
        out = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        return rows_by_group(batch, out.logits)["forget"].logps.mean().item()


def hidden(model) -> Tensor:
    batch = Pairs(RETAIN).collate([Pair(i, None) for i in range(8)])
    with torch.no_grad():
        return forward(model, batch, LAYER).hidden[batch["answer"]]


def logits(model) -> Tensor:
    batch = Pairs(RETAIN).collate([Pair(i, None) for i in range(8)])
    with torch.no_grad():
        out = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    return rows_by_group(batch, out.logits)["forget"].logits.log_softmax(-1)
