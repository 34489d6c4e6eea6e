"""The arithmetic of the attacks: rounding, best of k, forms, detection, and the verdict."""

import copy
import math
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from statistics import fmean

import numpy
import pytest
import torch
from families import SHAPE
from support import tiny_llama
from transformers import AutoConfig, AutoModelForCausalLM

from unteach.attacks import ATTACKS, attack_of
from unteach.attacks import _forms as forms
from unteach.attacks._judge import PLAIN, RecoveryLine, furthest, judged, worst
from unteach.attacks._result import headline
from unteach.attacks._rounding import changed, codes, normal_floats, round_model, rounded
from unteach.attacks._subject import bare
from unteach.attacks.detect import difference, ratio
from unteach.attacks.sample import best_of
from unteach.errors import UserError
from unteach.inference import answer_tokens, greedy
from unteach.inference.sampling import samples
from unteach.training.few_steps import trained
from unteach.types import Example, Paper, Row, Score, Sequence, Turn


@pytest.mark.parametrize("k", [1, 2, 4, 7])
def test_the_best_of_k_is_the_mean_over_all_sets(k):
    values = [0.0, 0.25, 1.0, 0.25, 0.6, 0.0, 0.9]
    assert math.isclose(best_of(values, k), fmean(max(s) for s in combinations(values, k)))
    given = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    paper = 1 - Fraction(math.comb(5, k), math.comb(7, k))
    assert math.isclose(best_of(given, k), float(paper))
    with pytest.raises(ValueError, match="best of 8"):
        best_of(values, 8)


@pytest.mark.parametrize(("bits", "group"), [(4, 0), (4, 5), (8, 0), (4, 64)])
def test_rounding_in_float64(bits, group):
    weight = torch.randn(6, 13, generator=torch.Generator().manual_seed(0))
    weight[2, :5] = 0.0
    found = rounded(weight, bits=bits, group=group)
    plain, top = weight.double().numpy(), 2 ** (bits - 1) - 1
    size = min(group or 13, 13)
    for row in range(6):
        for start in range(0, 13, size):
            part = plain[row, start : start + size]
            scale = numpy.abs(part).max() / top
            expected = numpy.round(part / scale) * scale if scale else part
            assert numpy.allclose(found[row, start : start + size].numpy(), expected, atol=1e-6)
            assert (numpy.abs(expected - part) <= scale / 2 + 1e-9).all()
    assert rounded(found, bits=bits, group=group).allclose(found, atol=1e-6)
    assert int(codes(weight, bits=bits, group=group)[0].abs().max()) == top


def test_nf4_is_the_papers_and_each_weight_is_rounded_to_the_nearest():
    paper = [
        -1.0,
        -0.6961928,
        -0.5250731,
        -0.3949175,
        -0.2844414,
        -0.1847734,
        -0.0910500,
        0.0,
        0.0795803,
        0.1609302,
        0.2461123,
        0.3379152,
        0.4407098,
        0.5626170,
        0.7229568,
        1.0,
    ]
    assert normal_floats().tolist() == pytest.approx(paper, abs=1e-6)  # appendix E of 2305.14314
    weight = torch.randn(6, 13, generator=torch.Generator().manual_seed(0))
    weight[2, :5] = 0.0
    found = rounded(weight, bits=4, group=5, normal=True)
    for row, start in ((r, s) for r in range(6) for s in (0, 5, 10)):
        part, given = (x[row, start : start + 5].double() for x in (weight, found))
        book = torch.tensor(paper).double() * part.abs().max()
        nearest = book[(part[:, None] - book).abs().argmin(-1)]
        assert given.allclose(nearest, atol=1e-5)
    again = rounded(found, bits=4, group=5, normal=True)
    assert again.allclose(found, atol=1e-6)


def test_the_share_that_leaves_its_bucket():
    model, other = tiny_llama(dtype=torch.float32), tiny_llama(dtype=torch.float32)
    assert changed(model, other, bits=4, group=0) == 0
    with torch.no_grad():
        weight = other.model.layers[0].mlp.up_proj.weight
        before = weight.clone()
        weight[3, weight[3].abs().argmax()] *= -1
        weight[4] *= 1 + 1e-6  # far below a step
    alone = (codes(before, bits=4, group=0)[0] != codes(weight, bits=4, group=0)[0]).sum()
    linear = [m for n, m in model.named_modules()
              if isinstance(m, torch.nn.Linear) and n != "lm_head"]  # fmt: skip
    share = int(alone) / sum(m.weight.numel() for m in linear)
    assert changed(model, other, bits=4, group=0) == share > 0
    head = model.lm_head.weight.clone()
    assert round_model(model, bits=4, group=0) == sum(m.weight.numel() for m in linear)
    assert model.lm_head.weight.equal(head)
    steps = model.model.layers[0].mlp.up_proj.weight[0].unique()
    assert len(steps) <= 15


@pytest.mark.parametrize("kind", ["qwen3_moe", "gpt_oss"])
def test_experts_in_one_parameter_are_rounded_like_layers_of_their_own(kind):
    """Each output of each expert has its own scale, whichever way round it is stored."""
    more = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2}
    config = AutoConfig.for_model(kind, **SHAPE, **more, moe_intermediate_size=12)
    model = AutoModelForCausalLM.from_config(config)
    other = copy.deepcopy(model)
    experts = model.model.layers[0].mlp.experts
    weight = experts.gate_up_proj
    before = weight.detach().clone()
    flipped = kind == "gpt_oss"
    assert weight.shape[1 if flipped else 2] == SHAPE["hidden_size"]  # what it reads
    round_model(model, bits=4, group=0)
    one = before[1].T if flipped else before[1]
    found = weight[1].T if flipped else weight[1]
    assert found.equal(rounded(one, bits=4, group=0))
    assert not found.equal(one)
    assert all(len(row.unique()) <= 15 for row in found)
    assert changed(model, other, bits=4, group=0) < 0.01  # rounding alone moves no code
    with torch.no_grad():
        other.model.layers[0].mlp.experts.gate_up_proj.neg_()
    assert changed(model, other, bits=4, group=0) > 0.1


def test_samples_are_drawn_as_the_model_has_it_and_the_prompt_is_read_once(monkeypatch):
    model = tiny_llama()
    prompts = [((5, 6, 7), 1), ((9, 8), 2)]
    how = {"temperature": 0.7, "end": [1], "seed": 3, "tokens_per_batch": 10**6}
    count = 4000
    found = samples(model, prompts, count, **how)
    assert [len(of) for of in found] == [count, count]
    assert max(len(said) for said in found[1]) == 2
    with torch.no_grad():
        for (ids, _), said in zip(prompts, found, strict=True):
            p = (model(torch.tensor([ids])).logits[0, -1] / 0.7).softmax(-1)
            first = torch.tensor([one[0] if one else 1 for one in said])
            seen = torch.bincount(first, minlength=len(p)) / count
            assert (seen - p).abs().max() < 4 * (0.25 / count) ** 0.5
        begun = [one for one in found[1] if one and one[0] == found[1][0][0]]
        after = (model(torch.tensor([[9, 8, begun[0][0]]])).logits[0, -1] / 0.7).softmax(-1)
        second = torch.tensor([one[1] if one[1:] else 1 for one in begun])
        seen = torch.bincount(second, minlength=len(after)) / len(begun)
        assert (seen - after).abs().max() < 4 * (0.25 / len(begun)) ** 0.5
    assert samples(model, prompts, 5, **how) == samples(model, prompts, 5, **how)
    monkeypatch.setattr("unteach.inference.sampling._once", lambda *_: None)
    assert [len(of) for of in samples(model, prompts, 3, **how)] == [3, 3]


def test_samples_of_a_share_of_the_batches_are_those_of_all(monkeypatch):
    """What a process draws depends on its batches, not on those of the others."""
    from unteach.inference import sampling

    model = tiny_llama()
    prompts = [((5, 6, 7), 4), ((9, 8), 6), ((3, 4, 5, 6), 4), ((11,), 6)]
    how = {"temperature": 1.0, "end": [1], "seed": 0, "tokens_per_batch": 1}
    found = samples(model, prompts, 3, **how)
    dealt = []

    def second(batches, work, *, shared, progress):
        assert shared
        assert len(batches) == 4
        dealt.extend(batches[1::2])
        return [work(members) for members in batches[1::2]]

    monkeypatch.setattr(sampling, "by_batches", second)
    of_share = samples(model, prompts, 3, **how)
    assert of_share == [[found[i] for i in members] for members in dealt]
    assert len({str(said) for said in found}) > 1


def test_samples_at_no_temperature_are_the_greedy_answers():
    """Rows that end leave the batch, and the others keep their own past."""
    model = tiny_llama()
    prompts = [((5, 6, 7), 1), ((9, 8), 6), ((3, 4, 5, 6), 4), ((11,), 6)]
    found = samples(model, prompts, 2, temperature=1e-5, end=[1], seed=0, tokens_per_batch=10**6)
    plain = greedy(model, [ids for ids, _ in prompts], limits=[n for _, n in prompts], end=[1])
    assert found == [[ids, ids] for ids in plain]
    assert max(map(len, plain)) == 6


def test_a_few_steps_teach_the_answers_and_nothing_else():
    model = tiny_llama(dtype=torch.float32)
    text = Sequence("", (5, 6, 7, 8, 9), (False, False, True, True, True))
    before = fmean(answer_tokens(model, [text])[0].logps)
    stops = []
    for step in trained(model, [text], rate=1e-2, stops=[2, 20], batch=2, seed=0):
        stops.append((step, fmean(answer_tokens(model, [text])[0].logps), model.training))
    assert [step for step, *_ in stops] == [2, 20]
    assert before < stops[0][1] < stops[1][1]
    assert not any(training for *_, training in stops)
    assert stops[1][1] > -0.1


def example(fact="Lund", answer="She was born in Lund, they say."):
    turns = Turn("user", "Where was she born?"), Turn("assistant", answer)
    return Example(id="forget-0", where="", kind="pair", turns=turns, fact=fact)


def test_forms_never_give_the_fact_away():
    one = example()
    assert forms.cloze(one).turns[0].text == "Fill in the gap: She was born in ____, they say."
    assert forms.cloze(example(fact="")) is None
    assert forms.cloze(example(answer="Lund.")) is None
    for part in forms.PREFIXES.values():
        begun = one.answer[: forms.cut_of(one, part)]
        assert begun
        assert "Lund" not in begun
    assert forms.cut_of(example(answer="Lund is her home."), 1) == 0
    assert forms.cut_of(example(fact=""), 1.0) == len("She was born")
    shown = [template.format(q="Q?") for template in forms.ASKED.values()]
    assert all("Q?" in text for text in shown)


def test_a_beginning_is_cut_between_tokens(tokenizer):
    from types import SimpleNamespace

    settings = SimpleNamespace(max_length=128, template="auto", max_new_tokens=99)
    subject = SimpleNamespace(tokenizer=tokenizer, settings=settings)
    question = forms.begun(subject, "forget", example(), 1.0)
    asked = tokenizer.decode(question.prompt.ids)
    assert asked.endswith("She was born in")
    assert question.expected == "Lund, they say."
    assert question.fact == "Lund"
    rest = [i for i, answer in zip(question.text.ids, question.text.answer, strict=True) if answer]
    assert tokenizer.decode(rest, skip_special_tokens=True) == " Lund, they say."


def test_short_answers_keep_what_was_said_alone():
    row = Row(id="a", tokens=3, logp=-1.0, matched=1.0, rouge_l_recall=0.5, fact_given=True)
    assert bare(row) == Row(id="a", rouge_l_recall=0.5, fact_given=True)
    assert bare(row, short=1) == row


def of_model(facts, ids="forget", retain=1.0):
    rows = [Row(id=f"{ids}-{k}", tokens=9, logp=-1.0, rouge_l_recall=float(x), fact_given=bool(x))
            for k, x in enumerate(facts)]  # fmt: skip
    kept = [Row(id=f"retain-{k}", tokens=9, logp=-1.0, rouge_l_recall=retain) for k in range(9)]
    return {"forget": rows, "retain": kept}


def test_detection_is_by_what_changed():
    def rows(logps):
        return {"forget": [Row(id=f"forget-{k}", tokens=9, logp=x) for k, x in enumerate(logps)]}

    models = {"original": rows((-0.5, -1.0)), "unlearned": rows((-1.5, -0.25))}
    assert difference(models, "unlearned", "forget") == [1.0, -0.75]
    assert ratio(models, "unlearned", "forget") == [math.log(3), math.log(0.25)]


def test_an_original_that_breaks_proves_nothing():
    plain = {
        "original": of_model([1] * 20), "unlearned": of_model([0] * 20),
        "retrained": of_model([0] * 20),
    }  # fmt: skip
    rows = {**plain, "unlearned": of_model([1] * 20)}
    fine = judged(attack_of("int4", {}), "4 bits", rows, plain)
    assert fine.counts
    assert fine.recovery.value == 1
    assert fine.kept["original"] == 1
    broken = {**rows, "original": of_model([1] * 20, retain=0.94)}
    line = judged(attack_of("int4", {}), "4 bits", broken, plain)
    assert not line.counts
    assert "the original itself keeps 94%" in line.proves
    assert judged(attack_of("sample", {}), "best", broken, plain).counts
    control = judged(attack_of("int4", {}), "8 bits (control)", rows, plain)
    assert not control.counts
    assert worst([line, control]) is None
    assert worst([judged(None, PLAIN, plain, plain), fine]) is fine
    assert headline(fine, None, Score(None), [fine]).startswith(
        "Worst case: int4 (4 bits) brings back 100% ("
    )


def test_a_worst_case_below_zero_brings_nothing_back():
    """A headline said that an attack brings back -16% of what was forgotten."""
    line = RecoveryLine(attack="prompt", variant="in short", main="rouge_l_recall", counts=True,
                        recovery=Score(-0.16, 18, -0.69, 0.25))  # fmt: skip
    said = headline(line, None, Score(None), [line])
    assert said == (
        "Worst case: nothing is brought back. The most is by prompt (in short): -16% (-69% to "
        "25%), by ROUGE-L, where 0% is what a model gives that never saw them."
    )


def test_an_attack_that_gets_little_from_the_original_is_not_the_worst_case():
    plain = {"original": of_model([1] * 40), "unlearned": of_model([0] * 40),
             "retrained": of_model([0] * 40)}  # fmt: skip
    for share, counts in ((20, True), (19, False)):
        some = of_model([1] * share + [0] * (40 - share))
        line = judged(None, "form", {**plain, "original": some, "unlearned": some}, plain)
        assert line.recovery.value == 1
        assert line.counts is counts
        assert ("tells little" in line.proves) is not counts


def test_closeness_under_attack_needs_numbers_of_most_answers():
    """An answer that was begun up to its fact has too few tokens left; three of sixty are none."""
    plain = {"original": of_model([1] * 20), "unlearned": of_model([0] * 20),
             "retrained": of_model([0] * 20)}  # fmt: skip
    for of in plain.values():
        of["holdout"] = of_model([0] * 20, "holdout")["forget"]

    def begun(role, numbers):
        """The same rows, of which so many keep their numbers."""
        return {model: of | {role: [*of[role][:numbers], *(
            bare(replace(row, tokens=3)) for row in of[role][numbers:])]}
            for model, of in plain.items()}  # fmt: skip

    for role in ("forget", "holdout"):
        for numbers, told in ((10, True), (9, False), (0, False)):
            line = judged(attack_of("prompt", {}), "begun", begun(role, numbers), plain)
            assert (line.closeness is not None) is told, (role, numbers)
            assert line.recovery.value == 0
            assert (furthest([line]) is line) is told


def test_the_worst_case_is_what_is_surely_back():
    never, plain = of_model([0] * 40), of_model([1] * 40)
    few = {"original": of_model([1] * 7), "unlearned": of_model([1] * 5 + [0] * 2),
           "retrained": of_model([0] * 7)}  # fmt: skip
    many = {"original": plain, "unlearned": of_model([1, 1, 0] * 13 + [0]), "retrained": never}
    lines = [judged(None, name, rows, rows) for name, rows in (("few", few), ("many", many))]
    assert lines[0].recovery.value > lines[1].recovery.value
    assert worst(lines).variant == "many"


def test_every_attack_has_its_paper_and_options_are_told():
    assert {"int4", "relearn", "sample", "prompt", "detect"} <= {*ATTACKS}
    assert all(isinstance(ATTACKS.get(name).paper, Paper) for name in ATTACKS)
    assert attack_of("relearn", {"steps": "2, 8", "kinds": "lora"}).steps == (2, 8)
    with pytest.raises(UserError) as caught:
        attack_of("relearn", {"step": "4", "rates": "fast", "kinds": "half", "batch": "0"})
    said = str(caught.value)
    assert 'Did you mean "steps"?' in said
    assert "give a number with commas between" in said or "numbers" in said
    assert "give some of full, lora" in said
    assert "give at least 1" in said
    with pytest.raises(UserError, match='Did you mean "int4"'):
        attack_of("int5", {})
