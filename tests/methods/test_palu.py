"""PALU (arXiv 2601.03190): which tokens are flattened, held and let be."""

import math

import pytest
import torch

from unteach.errors import UserError
from unteach.losses.answer_rows import AnswerRows
from unteach.methods import METHODS, build
from unteach.types import Sequence

# "Q? Ada lives in Lund, far off": every word a token, from 2 on the answer's.
WORDS = ("Q", "?", "Ada", "lives", "in", "Lund", "by", "the", "sea")


def said(*spans):
    text, offsets = " ".join(WORDS), []
    for word in WORDS:
        start = text.index(word, offsets[-1][1] if offsets else 0)
        offsets.append((start, start + len(word)))
    marked = tuple((offsets[a][0], offsets[b - 1][1]) for a, b in spans)
    answer = (False, False, *(True,) * 7)
    return Sequence("forget-0", tuple(range(9)), answer, text=text, offsets=tuple(offsets),
                    spans=marked)  # fmt: skip


def choice(sequence, **options):
    (found,) = build("palu", options).choose([sequence], None, 0)  # type: ignore[arg-type]
    return set(found.chosen), set(found.ignored)


def test_the_first_tokens_of_the_answer_and_all_others_are_held():
    assert choice(said()) == ({2, 3, 4, 5, 6}, set())
    assert choice(said(), prefix=2) == ({2, 3}, set())
    assert choice(said(), prefix=99) == (set(range(2, 9)), set())


def test_every_answer_of_a_conversation_has_its_first_tokens():
    answer = (False, True, True, True, False, True, True)
    assert choice(Sequence("forget-0", tuple(range(7)), answer), prefix=2) == ({1, 2, 5, 6}, set())


def test_the_first_tokens_of_each_span_and_its_further_ones_are_let_be():
    sequence = said((2, 6), (7, 9))
    assert choice(sequence, selector="spans", prefix=2) == ({2, 3, 7, 8}, {4, 5})
    assert choice(sequence, selector="spans", prefix=1) == ({2, 7}, {3, 4, 5, 8})


def test_names_are_found_without_marks():
    """Lund looks like a name, and is a span of one token."""
    chosen, ignored = choice(said(), selector="informative", prefix=3)
    assert 5 in chosen
    assert not ignored


def seen(**more):
    """Three rows of four tokens: flattened, held, let be."""
    z = torch.tensor([[3.0, 1.0, 9.0, 9.0]] * 3, dtype=torch.float64, requires_grad=True)
    t = torch.tensor([[2.0, 1.0, 0.0, 0.0]] * 3, dtype=torch.float64)
    none = torch.zeros(3, dtype=torch.long)
    marks = {"selected": torch.tensor([1, 0, 0]) > 0, "ignored": torch.tensor([0, 0, 1]) > 0}
    return AnswerRows(z, none, none, 1, t, **{**marks, **more})


def test_the_equation_by_hand():
    """Of the original's two likeliest, 3 and 1 have mean 2: ((3 - 2)^2 + (1 - 2)^2) / 2 = 1."""
    group = seen()
    forget, hold = build("palu", {"top_k": 2}).forget(group)
    assert (forget.name, forget.over, forget.weight) == ("forget", "selected", 1.0)
    assert (hold.name, hold.over, hold.weight) == ("hold", "unselected", 1.0)
    assert forget.values.tolist() == [1, 0, 0]
    p, q = group.require_logits()[0].softmax(-1), group.require_reference_logits()[0].softmax(-1)
    kl = (q * (q / p).log()).sum().item()
    assert hold.values.tolist() == pytest.approx([0, kl, 0])


def test_gradients_are_of_the_rows_that_are_named():
    """Flattening moves the two by 2 (z - c) / 2, and no other token; what is let be has none."""
    group = seen()
    forget, hold = build("palu", {"top_k": 2}).forget(group)
    (forget.values.sum() + hold.values.sum()).backward()
    first, second, third = group.require_logits().grad.tolist()
    assert first == [1, -1, 0, 0]
    assert max(map(abs, second)) > 0.1
    assert third == [0, 0, 0, 0]


def test_it_ends_at_a_toss_up_of_the_few():
    group = seen()
    z, method = group.require_logits(), build("palu", {"top_k": 2, "hold": 0.0})
    for _ in range(60):
        (term,) = method.forget(group)
        (slope,) = torch.autograd.grad(term.values.sum(), z)
        with torch.no_grad():
            z -= 0.3 * slope
    assert z[0].tolist() == pytest.approx([2, 2, 9, 9], abs=1e-6)


def test_without_weight_nothing_is_held():
    method = build("palu", {"hold": 0})
    assert [t.name for t in method.forget(seen())] == ["forget"]
    assert not method.holds()
    assert build("palu", {}).holds()
    assert METHODS.get("palu").plan.retain == "nll"


def test_more_tokens_than_there_are_is_all_of_them():
    (forget, _) = build("palu", {}).forget(seen())
    assert forget.values[0].item() == pytest.approx(12.75)  # of 3, 1, 9, 9
    assert math.isclose(((3 - 5.5) ** 2 + 4.5**2 + 2 * 3.5**2) / 4, 12.75)


def test_who_is_asked_for_spans_is_told_where_there_are_none():
    method = build("palu", {"selector": "spans"})
    assert method.choosing() == "spans"
    assert "`spans` column" in method.nothing
    assert build("palu", {}).choosing() is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"prefix": 0}, "at least 1"),
        ({"top_k": 1}, "at least 2"),
        ({"hold": -1.0}, "at least 0"),
        ({"selector": "span"}, 'Did you mean "spans"'),
        ({"pipeline": 3}, "give a name"),
        ({"beta": 1.0}, "no such option"),
    ],
)
def test_bad_options_are_refused(options, says):
    with pytest.raises(UserError, match=says):
        build("palu", options)
