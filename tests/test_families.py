"""The tiny models of the tests are what they are meant to be."""

import pytest
import torch
from families import FAMILIES, IDS


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tiny_model_reads_its_whole_text(family):
    """Whatever a test does to it would show: no layer is all but zero."""
    model = FAMILIES[family]()
    embedded = model.get_input_embeddings()(IDS).detach().requires_grad_(True)
    model(inputs_embeds=embedded).logits[0, -1].pow(2).sum().backward()
    assert model.dtype == torch.float64
    assert (embedded.grad[0].abs().amax(-1) > 1e-6).all()
