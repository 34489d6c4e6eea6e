"""Half precision weights: what is trained beside them is float32."""

import torch
from support import tiny_llama
from trainers import lora, trainer

from unteach.head import Head, find


def test_adapters_over_bfloat16_weights_take_small_steps(tmp_path):
    """A step of 1e-5 is far below the last bit of a bfloat16 weight."""
    model = lora(torch.bfloat16)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert {p.dtype for p in model.parameters() if not p.requires_grad} == {torch.bfloat16}
    before = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    options = {"optim": "adamw_torch", "learning_rate": 1e-5, "retain": "kl"}
    trainer("npo", tmp_path, model=model, **options).train()
    now = dict(model.named_parameters())
    far = torch.cat([(now[n] - p).abs().flatten() for n, p in before.items()])
    assert (far > 5e-6).float().mean() > 0.95
    assert far.max() < 2e-5


def test_under_autocast_both_heads_multiply_in_half_precision(tmp_path, monkeypatch):
    """As on an accelerator; and in the first step the model is the model before."""

    def as_on_an_accelerator(like):
        return torch.bfloat16 if torch.is_autocast_enabled("cpu") else None

    monkeypatch.setattr(find, "autocast_dtype", as_on_an_accelerator)
    heads, logits = [], Head.logits

    def spy(self, states):
        heads.append((self.weight if self.matrix is None else self.matrix).dtype)
        return logits(self, states)

    monkeypatch.setattr(Head, "logits", spy)
    for method in ("undial", "npo"):
        model = tiny_llama(dtype=torch.float32)
        run = trainer(method, tmp_path, model=model, retain="kl", bf16=True)
        run.train()
        entry = run.state.log_history[0]
        assert entry["retain"] < 1e-5
        assert set(heads) == {torch.bfloat16}
        assert model.lm_head.weight.dtype == torch.float32
