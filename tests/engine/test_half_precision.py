"""Half precision weights: what is trained beside them is float32."""

import torch
from trainers import lora, trainer


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
