"""RMU: which weights move, at which layer, and where the states are sent."""

import pytest
import torch

from unteach.losses import control_vector
from unteach.losses.answer_rows import AnswerRows
from unteach.methods import build

MOVE = {
    "Llama": "model.layers.{}.mlp.down_proj.weight",
    "GPT-2": "transformer.h.{}.mlp.c_proj.weight",
    "OPT": "model.decoder.layers.{}.fc2.weight",
    "GPT-NeoX": "gpt_neox.layers.{}.mlp.dense_4h_to_h.weight",
    "Phi": "model.layers.{}.mlp.fc2.weight",
    "GPT-J": "transformer.h.{}.mlp.fc_out.weight",
    "Mixtral": "model.layers.{}.block_sparse_moe.experts.3.w2.weight",
    "fused experts": "model.layers.{}.mlp.experts.down_proj",
    "Llama, LoRA": "base_model.model.model.layers.{}.mlp.down_proj.lora_A.default.weight",
    "GPT-2, LoRA": "base_model.model.transformer.h.{}.mlp.c_proj.lora_B.default.weight",
}
STAY = {
    "up projection": "model.layers.{}.mlp.up_proj.weight",
    "GPT-2, attention": "transformer.h.{}.attn.c_proj.weight",
    "GPT-2, into the MLP": "transformer.h.{}.mlp.c_fc.weight",
    "GPT-2, LoRA on attention": "base_model.transformer.h.{}.attn.c_proj.lora_A.default.weight",
    "OPT, into the MLP": "model.decoder.layers.{}.fc1.weight",
    "OPT, a bias": "model.decoder.layers.{}.fc2.bias",
    "GPT-NeoX, attention": "gpt_neox.layers.{}.attention.dense.weight",
    "GPT-NeoX, into the MLP": "gpt_neox.layers.{}.mlp.dense_h_to_4h.weight",
    "norm": "model.layers.{}.input_layernorm.weight",
}


@pytest.mark.parametrize("family", MOVE)
def test_the_mlps_outputs_of_three_layers_move(family):
    """Layer 3 of 12 (7 of 32, as deep): 1, 2 and 3."""
    rmu = build("rmu", {})
    moved = [k for k in range(12) if rmu.trainable(MOVE[family].format(k), 12)]
    assert moved == [1, 2, 3]


@pytest.mark.parametrize("family", STAY)
def test_nothing_else_does(family):
    rmu = build("rmu", {})
    assert not any(rmu.trainable(STAY[family].format(k), 12) for k in range(12))


@pytest.mark.parametrize(
    "name", ["lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"]
)
def test_what_belongs_to_no_layer_stays(name):
    assert not build("rmu", {}).trainable(name, 12)


@pytest.mark.parametrize(
    ("at", "layers", "found"),
    [(-1, 32, 7), (-1, 16, 4), (-1, 2, 0), (-1, 1, 0), (5, 32, 5), (5, 4, 2), (0, 4, 0)],
)
def test_the_layer(at, layers, found):
    """Layer 7 of 32 or as deep; a layer asked for, at most the last but one."""
    assert build("rmu", {"at": at}).layer(layers) == found


def test_states_go_to_one_vector():
    """Mean over the width of (h - c u)^2, the same vector for every row; steering is its length."""
    hidden = torch.tensor([[0.0, 0.0], [1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    none = torch.zeros(2, 3)
    seen = AnswerRows(
        none, torch.zeros(2, dtype=torch.long), torch.zeros(2).long(), 1, hidden=hidden
    )
    (term,) = build("rmu", {"steering": 4.0, "seed": 9}).forget(seen)
    goal = control_vector(2, length=4.0, seed=9).double()
    a, b = goal[0].tolist()
    assert a**2 + b**2 == pytest.approx(16, rel=1e-6)
    expected = [(a**2 + b**2) / 2, ((1 - a) ** 2 + (2 - b) ** 2) / 2]
    torch.testing.assert_close(term.values.tolist(), expected)
    assert (term.name, term.over) == ("forget", "tokens")
    term.values.sum().backward()
    torch.testing.assert_close(hidden.grad, hidden.detach() - goal)  # 2 (h - goal) / 2
