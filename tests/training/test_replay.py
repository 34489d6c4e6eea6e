"""Earlier requests held while others are unlearned: the term by hand, and what must not change."""

import json

import pytest
import torch
from support import sequences, tiny_llama
from trainers import CUTS, FORGET, RETAIN, answer_logps, gradient, trainer, weights

from unteach.errors import UserError
from unteach.methods import METHODS
from unteach.rowengine.batch import REPLAY
from unteach.training.order import PairOrder
from unteach.types import Sequence

EARLIER = sequences(5, "earlier", seed=7)


def run(tmp_path, cut=(8, 1), model=None, method="npo", **options):
    batch, accumulation = cut
    given = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}
    made = trainer(method, tmp_path, model=model, replay=EARLIER, **given, **options)
    made.train()
    return made


def divergence(model, before, texts: list[Sequence]) -> torch.Tensor:
    """KL(before || model), a mean over answer tokens, one token at a time."""
    found = []
    for text in texts:
        ids = torch.tensor([text.ids])
        with torch.no_grad():
            then = before(ids).logits[0].log_softmax(-1)
        now = model(ids).logits[0].log_softmax(-1)
        for t in range(1, len(text.ids)):
            if text.answer[t]:
                found.append((then[t - 1].exp() * (then[t - 1] - now[t - 1])).sum())
    return torch.stack(found).mean()


def test_two_steps_by_hand_however_the_batch_is_cut(tmp_path):
    """The first step of the term is 0, since it starts at its minimum; the second is not."""
    for cut in CUTS:
        made = run(tmp_path, cut, num_train_epochs=2, retain="none", replay_weight=3.0, stop_at=0,
                   method="ascent", lr_scheduler_type="constant")  # fmt: skip
        model, before, total = tiny_llama(), tiny_llama(), sum(sum(s.answer) for s in FORGET)
        for epoch in range(2):
            made.order.set_epoch(epoch)
            held = [EARLIER[pair.replay] for pair in made.order]
            loss = answer_logps(model, FORGET).sum() / total + 3.0 * divergence(model, before, held)
            step = gradient(model, loss)
            with torch.no_grad():
                done = 0
                for p in model.parameters():
                    p -= 1e-2 * step[done : done + p.numel()].view_as(p)
                    done += p.numel()
        torch.testing.assert_close(weights(made.model), weights(model), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("options", [{}, {"chunk_rows": 3}, {"packing": True}, {"sam": 0.05}])
def test_chunks_packing_and_two_gradients_know_it(options, tmp_path):
    """The same numbers in chunks; and with each, what is held moves less than without."""
    given = {"num_train_epochs": 6, "retain": "nll", "stop_at": 0, **options}
    held = run(tmp_path, (4, 2), replay_weight=20.0, **given)
    free = trainer("npo", tmp_path, per_device_train_batch_size=4, gradient_accumulation_steps=2,
                   **given)  # fmt: skip
    free.train()
    before = tiny_llama()
    with torch.no_grad():
        far = [divergence(made.model, before, EARLIER).item() for made in (held, free)]
    assert far[0] < far[1] / 2
    if "chunk_rows" in options:
        whole = run(tmp_path, (4, 2), replay_weight=20.0, **{**given, "chunk_rows": 10_000})
        torch.testing.assert_close(weights(held.model), weights(whole.model))


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_takes_it_and_still_forgets(method, tmp_path):
    made = run(tmp_path, method=method)
    logged = [entry for entry in made.state.log_history if "replay" in entry]
    if METHODS.get(method).trains_on == "retain":  # it begins at a model that never saw any
        assert not made.pairs.replay
        assert not logged
        return
    assert len(made.pairs.replay) == 5
    assert logged[0]["replay"] == pytest.approx(0.0, abs=1e-6)
    assert not torch.equal(weights(made.model), weights(tiny_llama()))


def test_without_weight_or_data_nothing_changes(tmp_path):
    plain = trainer("npo", tmp_path, per_device_train_batch_size=4, num_train_epochs=2)
    plain.train()
    off = trainer("npo", tmp_path, per_device_train_batch_size=4, num_train_epochs=2, replay=[])
    off.train()
    assert torch.equal(weights(plain.model), weights(off.model))
    assert "replay" not in json.dumps(off.state.log_history)
    with pytest.raises(ValueError, match="replay_weight"):
        trainer("npo", tmp_path, replay=EARLIER, replay_weight=-1.0)


def test_each_is_shown_equally_often_and_the_others_come_as_they_did():
    order, plain = PairOrder(8, 5, seed=3, replay=4), PairOrder(8, 5, seed=3)
    seen = []
    for epoch in range(3):
        order.set_epoch(epoch)
        plain.set_epoch(epoch)
        pairs = list(order)
        seen += [pair.replay for pair in pairs]
        assert [pair._replace(replay=None) for pair in pairs] == list(plain)
    assert {seen.count(k) for k in range(4)} == {6}
    lengths = ([9, 2, 9, 2, 5, 5, 4, 4], [3, 8, 8, 3, 4])
    alike = list(PairOrder(8, 5, seed=3, replay=4, lengths=lengths, batch=4))
    assert sorted(pair.replay for pair in alike) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_batch_has_them_behind_the_others_and_errors_name_their_ids(tmp_path):
    made = trainer("npo", tmp_path, replay=EARLIER)
    batch = made.data_collator(list(made._make_order())[:3])
    assert (batch["group"] == REPLAY).sum() == 3
    assert set(made.guard._named(batch, {REPLAY})) <= {s.id for s in EARLIER}
    model = made.model
    with torch.no_grad():
        model.model.embed_tokens.weight[EARLIER[0].ids[0]] = float("nan")
    with pytest.raises(UserError):
        made.train()


def test_a_checkpoint_of_other_earlier_data_is_refused(tmp_path):
    from unteach.training.resume.state import mark_before

    one, other = (
        trainer("npo", tmp_path, kept=RETAIN, replay=data) for data in (EARLIER, EARLIER[:4])
    )
    assert mark_before(one.model, one.pairs) != mark_before(other.model, other.pairs)
