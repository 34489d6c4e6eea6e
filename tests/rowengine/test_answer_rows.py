"""The one shift, the one mask and the one mean."""

import torch
from support import tiny_llama

from unteach.losses import cross_entropy
from unteach.losses.answer_rows import DECLARED, PER_ROW, AnswerRows, Term
from unteach.methods import Selection
from unteach.rowengine.batch import Pair, Pairs
from unteach.rowengine.rows import COUNTED, count, reduce, restrict, rows_by_group
from unteach.types import Sequence

FORGET = [
    Sequence("forget-0", (5, 6, 7, 1), (False, False, True, True)),
    Sequence("forget-1", (8, 9, 1), (False, True, True)),
]
RETAIN = [Sequence("retain-0", (3, 4, 5, 6, 1), (False, False, False, True, True))]
CHOICES = [Selection(frozenset({2})), Selection(frozenset({1, 2}))]
BATCH = Pairs(FORGET, RETAIN, CHOICES).collate([Pair(0, 0), Pair(1, None)])


def test_rows_predict_the_answer_tokens():
    logits = torch.arange(3 * 5 * 61, dtype=torch.float64).view(3, 5, 61)
    seen = rows_by_group(BATCH, logits)
    assert seen["forget"].target.tolist() == [7, 1, 9, 1]
    assert seen["forget"].answer_index.tolist() == [0, 0, 1, 1]
    assert torch.equal(seen["forget"].logits, logits[[0, 0, 1, 1], [1, 2, 0, 1]])
    assert seen["retain"].target.tolist() == [6, 1]
    assert seen["retain"].num_answers == 1


def test_a_loss_is_shown_what_it_reads_and_what_comes_beside_it():
    here = torch.ones(2)
    given = {name: here for name in DECLARED if name not in ("alternate", "prompt")}
    rows = AnswerRows(here[:, None], here, here, 1, **given)

    def shown(*reads):
        found = restrict(rows, frozenset(reads))
        return {name for name in DECLARED if getattr(found, name) is not None}

    assert shown() == set()
    assert shown("position", "refusal") == {"position", "refusal"}
    assert shown("selected") == {"selected", "ignored"}
    assert shown("teacher_logits") == {"teacher_logits", "teacher_pairs", "teacher_targets"}
    assert {"logits", "target", *given} - set(PER_ROW) == {"reference_logps"}


def test_counts_say_what_a_step_holds():
    counts = dict(zip(COUNTED, count([BATCH, BATCH]).tolist(), strict=True))
    assert counts[("forget", "answers")] == 4
    assert counts[("forget", "tokens")] == 8
    assert counts[("forget", "selected")] == 6
    assert counts[("forget", "unselected")] == 2
    assert counts[("retain", "tokens")] == 4


def test_the_mean_is_over_tokens_of_the_whole_step():
    model = tiny_llama()
    logits = model(input_ids=BATCH["input_ids"], attention_mask=BATCH["attention_mask"]).logits
    rows = rows_by_group(BATCH, logits)["forget"]
    loss = reduce(Term("forget", cross_entropy(rows.log_odds)), "forget", count([BATCH]))
    by_hand = [
        model(torch.tensor([s.ids])).logits[0].log_softmax(-1)[t - 1, s.ids[t]]
        for s in FORGET
        for t in range(len(s.ids))
        if s.answer[t]
    ]
    torch.testing.assert_close(loss, -torch.stack(by_hand).mean())


def test_probabilities_are_length_normalised():
    logits = torch.zeros(3, 5, 61)
    torch.testing.assert_close(
        rows_by_group(BATCH, logits)["forget"].probabilities(), torch.full((2,), 1 / 61)
    )


def test_a_group_that_is_not_there_is_not_seen():
    batch = Pairs(FORGET).collate([Pair(0, None)])
    assert set(rows_by_group(batch, torch.zeros(1, 4, 61))) == {"forget"}
