"""An adapter's base: known by its hash, refused when it is another, and left as it was."""

import json

import pytest
import torch
from families import MODELS, logits, train_a_little
from support import sequences, tiny_llama

from unteach.adapters import (
    LoraSettings,
    add_lora,
    initialise_fila,
    load_adapter,
    mark_base,
    merge,
    save_adapter,
)
from unteach.errors import UserError

FORGET, RETAIN = sequences(5, "forget"), sequences(7, "retain")
PRECISIONS = {torch.float32: 1e-5, torch.bfloat16: 0.06}  # of the largest logit


def written(kind, fila, folder, tokenizer, dtype=torch.float32):
    """A trained adapter on disk, and the logits it was seen to give."""
    adapted = add_lora(MODELS[kind](dtype=dtype), LoraSettings(rank=4))
    start = initialise_fila(adapted, FORGET, RETAIN) if fila else None
    train_a_little(adapted)
    after = logits(adapted)
    save_adapter(adapted, tokenizer, folder, start=start)
    return adapted, after


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("fila", [False, True])
def test_the_adapter_is_the_result_and_is_undone_bit_for_bit(
    kind, fila, dtype, tmp_path, tokenizer
):
    adapted, after = written(kind, fila, tmp_path, tokenizer, dtype)
    base = MODELS[kind](dtype=dtype)
    before, weights = logits(base), {k: v.clone() for k, v in base.state_dict().items()}
    loaded = load_adapter(base, tmp_path)
    near = PRECISIONS[dtype] * after.abs().max().item()
    assert (logits(loaded) - after).abs().max() < near
    assert (logits(merge(adapted)) - logits(loaded)).abs().max() < near
    assert (after - before).abs().max() > near  # or all this would say nothing
    with loaded.disable_adapter():
        assert torch.equal(logits(loaded), before)
    plain = loaded.unload()
    assert torch.equal(logits(plain), before)
    assert weights.keys() == plain.state_dict().keys()
    assert all(torch.equal(v, plain.state_dict()[k]) for k, v in weights.items())


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("fila", [False, True])
def test_another_base_is_refused(kind, fila, tmp_path, tokenizer):
    written(kind, fila, tmp_path, tokenizer)
    mark = json.loads((tmp_path / "unteach_base.json").read_text())
    assert mark["sha256"] == mark_base(MODELS[kind](dtype=torch.float32)).sha256
    other = MODELS[kind](dtype=torch.float32)
    with torch.no_grad():
        other.get_input_embeddings().weight[3, 4] += 1e-4
    with pytest.raises(UserError, match=r"was made for .*, and these weights are") as caught:
        load_adapter(other, tmp_path)
    assert caught.value.exit_code == 2
    assert mark["sha256"][:12] in str(caught.value)


def test_the_mark_is_of_values_and_names_not_of_how_they_are_held():
    mark = mark_base(tiny_llama(dtype=torch.bfloat16)).sha256
    assert mark == mark_base(tiny_llama(dtype=torch.bfloat16).float()).sha256  # nothing is lost
    assert mark != mark_base(tiny_llama(dtype=torch.float32)).sha256
    assert mark == mark_base(add_lora(tiny_llama(dtype=torch.bfloat16), LoraSettings())).sha256
    assert mark != mark_base(tiny_llama(seed=1, dtype=torch.bfloat16)).sha256
    untied = tiny_llama(dtype=torch.bfloat16)
    untied.lm_head.weight = torch.nn.Parameter(untied.lm_head.weight.clone())
    assert mark != mark_base(untied).sha256


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/of/someone/llama", "llama"),
        ("folder/of/models/llama", "llama"),
        ("owner/name", "owner/name"),
        ("", "a model without a name"),
    ],
)
def test_the_mark_names_no_folder_of_a_machine(path, name):
    model = tiny_llama()
    model.config._name_or_path = path
    assert mark_base(model).name == name


def test_a_folder_that_exists_is_named_by_its_last_part(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "llama").mkdir(parents=True)
    model = tiny_llama()
    model.config._name_or_path = "mine/llama"
    assert mark_base(model).name == "llama"


def test_a_torn_mark_is_said_and_none_is_no_fault(tmp_path, tokenizer):
    _, after = written("llama", False, tmp_path, tokenizer)
    for torn in ("{", "[]", '{"name": "x"}'):
        (tmp_path / "unteach_base.json").write_text(torn)
        with pytest.raises(UserError, match="does not say which base"):
            load_adapter(tiny_llama(dtype=torch.float32), tmp_path)
    (tmp_path / "unteach_base.json").unlink()
    loaded = load_adapter(tiny_llama(dtype=torch.float32), tmp_path)
    torch.testing.assert_close(logits(loaded), after)
