"""Unseen: what it ends at, and what it does with what it is given."""

from dataclasses import replace

import pytest
import torch
from support import VOCABULARY, sequences, tiny_llama
from trainers import trainer

from unteach.errors import UserError
from unteach.inference import answer_tokens
from unteach.methods import build
from unteach.rowengine.batch import Pair, Pairs
from unteach.rowengine.forward import inputs_of
from unteach.rowengine.rows import rows_by_group
from unteach.rowengine.teacher_rows import TeacherRows
from unteach.teachers import Teacher
from unteach.training.teacher import epsilon
from unteach.types import Sequence

FORGET = sequences(8, "forget")


def lowered(forget, logp):
    sizes = [sum(s.answer) for s in forget]
    return Teacher(
        source="level", sequences=forget, pairs=[()] * len(forget),
        targets=[[logp] * n for n in sizes], set_level=[True] * len(forget))  # fmt: skip


def likely(model):
    return [sum(a.logps) / len(a.logps) for a in answer_tokens(model, FORGET)]


def unlearned(tmp_path, model, teacher, **options):
    given = {"optim": "adamw_torch", "learning_rate": 3e-3, "max_grad_norm": 1.0, "retain": "none"}
    run = trainer(
        "unseen", tmp_path, model=model, kept=[], **{**given, **options},
        teacher_rows=TeacherRows(teacher, model),
    )  # fmt: skip
    run.train()
    return run


@pytest.fixture
def knows():
    """A model that has the forget answers by heart."""
    model = tiny_llama(dtype=torch.float32)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    batch = Pairs(FORGET).collate([Pair(i, None) for i in range(8)])
    for _ in range(40):
        logits = model(**inputs_of(batch)).logits
        loss = -rows_by_group(batch, logits)["forget"].logps.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def test_it_ends_at_the_teachers_level(tmp_path, knows):
    assert min(likely(knows)) > -1.0
    teacher = lowered(FORGET, -2.0)
    assert teacher.probability == pytest.approx(0.1353, abs=1e-3)
    unlearned(tmp_path, knows, teacher, num_train_epochs=40, learning_rate=1e-2)
    assert sum(likely(knows)) / 8 == pytest.approx(-2.0, abs=0.25)


def test_a_further_round_begins_while_the_level_is_not_reached(tmp_path, knows):
    run = unlearned(tmp_path, knows, lowered(FORGET, -30.0), num_train_epochs=2, learning_rate=1e-6)
    assert run.state.global_step == 6  # three rounds of two steps
    rates = [x["learning_rate"] for x in run.state.log_history if "learning_rate" in x]
    assert rates[:2] == rates[2:4] == rates[4:6]


def test_a_round_is_the_last_where_the_level_is_reached(tmp_path):
    model = tiny_llama(dtype=torch.float32)
    run = unlearned(tmp_path, model, lowered(FORGET, -0.01), num_train_epochs=2)
    assert run.state.global_step == 2
    assert "teacher" in run.monitor.reason


def test_a_low_level_is_not_reached_by_what_is_many_times_as_likely(tmp_path):
    model, level = tiny_llama(dtype=torch.float32), lowered(FORGET, -8.0)
    run = unlearned(tmp_path, model, level, num_train_epochs=2, learning_rate=1e-6)
    assert level.probability < run.monitor.probability / 4 < 0.02  # within 0.02, and far off
    assert run.state.global_step == 6


def test_adams_epsilon_goes_by_the_number_of_weights(tmp_path):
    model = tiny_llama(dtype=torch.float32)
    run = unlearned(tmp_path, model, lowered(FORGET, -1.0))
    count = sum(p.numel() for p in model.parameters())
    assert run.args.adam_epsilon == pytest.approx(count**-0.5)
    plain = trainer("ascent", tmp_path, model=tiny_llama())
    assert plain.args.adam_epsilon == 1e-8
    assert epsilon(plain.args, model) == 1e-8


def test_without_names_holdout_and_base_it_says_what_would_help(tmp_path):
    with pytest.raises(UserError, match="--base"):
        trainer(build("unseen", {}), tmp_path, holdout=None)


def test_the_teachers_distribution_has_the_exchange_and_the_level():
    from unteach.losses.answer_rows import AnswerRows

    logits = torch.randn(2, VOCABULARY, generator=torch.Generator().manual_seed(0))
    seen = AnswerRows(
        logits=logits, target=torch.tensor([4, 5]), answer_index=torch.tensor([0, 0]),
        num_answers=1, teacher_logits=logits, teacher_pairs=torch.tensor([[[7, 9]], [[0, 0]]]),
        teacher_targets=torch.tensor([float("nan"), -1.5]))  # fmt: skip
    found, plain = seen.teacher_logps(), logits.log_softmax(-1)
    assert found[0, 7] == plain[0, 9]
    assert found[0, 9] == plain[0, 7]
    assert found[0, 4] == plain[0, 4]
    assert found[1, 5].item() == pytest.approx(-1.5)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(2))


def test_a_token_of_a_name_that_stayed_in_its_place_is_not_exchanged_there():
    """The stranger Bo (9) is in Ada's (7) place; a 7 and a 9 elsewhere are parts of other words."""
    asked = Sequence("forget-0", (5, 7, 7, 9, 8), (False, True, True, True, True))
    read = replace(asked, ids=(5, 9, 7, 9, 8))
    teacher = Teacher(
        source="stranger", sequences=[read], pairs=[((7, 9),)], targets=[[-1.0] * 4],
        set_level=[False])  # fmt: skip
    model = tiny_llama(dtype=torch.float32).eval()
    batch = Pairs([asked]).collate([Pair(0, None)])
    with torch.no_grad():
        seen = rows_by_group(batch, model(**inputs_of(batch)).logits)
        pairs = TeacherRows(teacher, model).beside(seen, batch)["forget"].teacher_pairs
    assert pairs[:, 0].tolist() == [[7, 9], [0, 0], [0, 0], [7, 9]]
