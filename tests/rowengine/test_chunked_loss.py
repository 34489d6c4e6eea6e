"""The row engine against the same loss of whole logits: any method, any cut, any head."""

from dataclasses import replace

import pytest
import torch
from families import FAMILIES, tiny
from support import tiny_llama
from test_every_method import FORGET, LAYER, METHOD_NAMES, PAIRS, pairs_of

from unteach.adapters import LoraSettings, add_lora
from unteach.head import head_of
from unteach.losses.retain import RETAIN_TERMS, retain_reads
from unteach.methods import build
from unteach.rowengine.batch import RETAIN as RETAINED
from unteach.rowengine.chunked_loss import CutRules, chunked_loss
from unteach.rowengine.forward import ending_in, inputs_of
from unteach.rowengine.reference import Reference
from unteach.rowengine.rows import BatchOutput, count
from unteach.rowengine.step import MicroBatch, Objective
from unteach.rowengine.teacher_rows import TeacherRows
from unteach.teachers import Teacher

EVERY = 10_000  # rows: nothing is cut
TEACHER = Teacher(
    source="test",
    sequences=[replace(s, ids=(s.ids[0], 8, *s.ids[2:])) for s in FORGET],
    pairs=[((3, 9), (9, 4)), (), *[((5, 7),)] * (len(FORGET) - 2)],
    targets=[[-1.0 - k / 9 for k in range(sum(s.answer))] for s in FORGET],
    set_level=[k % 2 == 0 for k in range(len(FORGET))],
)


def away(model, scale=0.02):
    """The model a little changed, as after some training."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += scale * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    return model


def gradients(loss, model):
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.autograd.grad(loss, trained, allow_unused=True, materialize_grads=True)


def steps(method, model, retain):
    """The same step by the engine, rows at a time, and by its own terms on whole logits."""
    method = build(method, {}) if isinstance(method, str) else method
    data = pairs_of(method)
    batch = data.collate(PAIRS)
    before = Reference(model, method.needs(), retain_reads(retain), data, layer=LAYER)
    taught = TeacherRows(TEACHER, model) if "teacher_logits" in method.needs() else None
    away(model)

    def step():
        weight = 0.7 if retain != "none" else 0.0
        objective = Objective(method=method, retain=retain, weight=weight)
        if retain == "none":
            keep = batch["group"] != RETAINED
            shown = {name: value[keep] for name, value in batch.items()}
            return MicroBatch(objective, shown, count([shown]), before, taught), shown
        return MicroBatch(objective, batch, count([batch]), before, taught), batch

    def by_rows(limit, ways=None):
        own, shown = step()

        def after(final, found):
            groups = own.groups(BatchOutput(final, found.hidden_states[LAYER + 1]))
            head = head_of(model)
            teacher = taught and taught.head
            return chunked_loss(
                groups, head, before.head, teacher, limit=limit, ways=ways or CutRules()
            )

        with ending_in(model, after):
            loss = model(**inputs_of(shown), output_hidden_states=True).loss
        return loss, own

    def whole():
        own, shown = step()
        found = model(**inputs_of(shown), output_hidden_states=True)
        plain = own.groups(BatchOutput(found.logits, found.hidden_states[LAYER + 1]))
        values = []
        for group in plain:
            seen = group.seen
            logits = [
                None if part is None or part.reference_logits is None
                else before.head.logits(part.reference_logits)
                for part in (seen, seen.alternate, seen.prompt)
            ]  # fmt: skip
            inner = {
                name: None if part is None else replace(part, reference_logits=z)
                for name, part, z in zip(
                    ("alternate", "prompt"), (seen.alternate, seen.prompt), logits[1:], strict=True
                )
            }
            states = seen.teacher_logits
            inner["teacher_logits"] = None if states is None else taught.head.logits(states)
            values.append(group.value(replace(seen, reference_logits=logits[0], **inner), 0))
        return torch.stack([v for v in values if v is not None]).sum(), own

    return by_rows, whole


def check(method, model, retain, limits=(1, 5, 17, EVERY)):
    by_rows, whole = steps(method, model, retain)
    expected, own = whole()
    slopes = gradients(expected, model)
    for limit in limits:
        loss, mine = by_rows(limit)
        torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
        for found, slope in zip(gradients(loss, model), slopes, strict=True):
            torch.testing.assert_close(found, slope, rtol=1e-8, atol=1e-11)
        torch.testing.assert_close(mine.probabilities(), own.probabilities())
        assert mine.terms.keys() == own.terms.keys()
        for name in own.terms:
            torch.testing.assert_close(mine.terms[name], own.terms[name])


@pytest.mark.parametrize("name", METHOD_NAMES)
@pytest.mark.parametrize(("retain", "limits"), [("nll", (1, EVERY)), ("kl", (5, 17))])
def test_every_method_with_all_weights_trained(name, retain, limits):
    check(name, tiny_llama(), retain, limits)


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_every_method_with_the_head_frozen(name):
    model = add_lora(tiny_llama(tied=False), LoraSettings(rank=2))
    check(name, away(model, 0.1), "kl", (5, EVERY))


@pytest.mark.parametrize("retain", [*RETAIN_TERMS, "none"])
def test_every_retain_term(retain):
    check("ascent", tiny_llama(), retain)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("undial", {"prompt_distillation": 2.0}),
        ("unilogit", {"target": "original"}),
        ("unilogit", {"target": "original", "direction": "forward"}),
        ("unilogit", {"direction": "forward"}),
        ("dto", {"hold": 0.0}),
        ("ce-u", {"skip_first": False}),
    ],
)
def test_what_options_change(name, options):
    check(build(name, options), tiny_llama(), "jsd")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["undial", "npo"])
def test_every_family(family, name):
    # transformers 5.23 gives NaN in float64 where padding is wider than Gemma 2's window.
    model = tiny("gemma2", sliding_window=64) if family == "gemma2" else FAMILIES[family]()
    check(name, model, "kl", (4, EVERY))


HEADS = {
    "lm_head": {"target_modules": ["q_proj", "lm_head"]},
    "nothing else": {"target_modules": ["lm_head"]},
    "modules_to_save": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
}


@pytest.mark.parametrize("target", HEADS)
@pytest.mark.parametrize("name", ["undial", "npo", "unilogit"])
def test_adapters_on_the_head_and_a_trained_copy_of_it(target, name):
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=2, **HEADS[target])
    model = get_peft_model(tiny_llama(tied=False), config).double()
    check(name, away(model, 0.1), "kl", (4, EVERY))
