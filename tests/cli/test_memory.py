"""What saves memory, as a user asks for it: bits, optimisers, kernels."""

import json
from importlib.util import find_spec

import pytest
import torch
from support import ANYWAY, tiny_llama
from transformers import AutoModelForCausalLM

from unteach import pipeline
from unteach.checks import request as intake
from unteach.errors import UserError
from unteach.evaluation import of_run
from unteach.evaluation.results import judge
from unteach.settings.request import load
from unteach.training.config import UnlearningConfig

HERE = find_spec("bitsandbytes") is not None
needs_bits = pytest.mark.skipif(not HERE, reason="bitsandbytes is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer):
    """Rows of whole blocks of 64 weights, in bfloat16 on disk."""
    config = tiny_llama().config
    config.vocab_size, config.hidden_size, config.intermediate_size = len(tokenizer), 64, 128
    config.head_dim, config.max_position_embeddings = 32, 128
    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("models") / "wide"
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(made)
    tokenizer.save_pretrained(made)
    return made


def request(files, model, *sets, **flags):
    given = {name: str(files / f"{name}.jsonl") for name in ("forget", "retain")}
    given |= {"model": str(model), "out": str(files / "out"), "method": "npo", **flags}
    few = ("train.epochs=3", "train.learning_rate=0.01", "evaluate.max_new_tokens=8")
    return load(flags=given, sets=[ANYWAY, *few, *sets])


def problems(files, model, *sets, **flags):
    with pytest.raises(UserError) as caught:
        intake.check(request(files, model, *sets, **flags))
    return [str(p) for p in caught.value.problems if p.kind != "note"]


def weights(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype="auto").state_dict()


@needs_bits
@pytest.mark.parametrize("reentrant", [True, False])
def test_a_base_in_four_bits(reentrant, files, folder):
    """From the request to a plain folder in the model's own precision, whose scores these are."""
    sets = [
        "adapter.bits=4",
        "adapter.rank=4",
        "train.gradient_checkpointing=true",
        "train.retain=kl",
    ]
    kwargs = f"train.extra.activation_checkpointing_kwargs={{use_reentrant: {reentrant}}}"
    report = pipeline.run(request(files, folder, *sets, kwargs))
    before, after = weights(folder), weights(files / "out")
    assert {t.dtype for t in after.values()} == {torch.bfloat16}
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {n for n in before if n.endswith("proj.weight")}
    assert "quantization_config" not in json.loads((files / "out" / "config.json").read_text())
    assert report.models["unlearned"]["forget"] != report.models["original"]["forget"]
    assert [p.arxiv for p in report.papers] == ["2404.05868", "2305.14314"]
    assert report.facts["bitsandbytes"]
    assert any("what is written and scored is in the model's own" in n for n in report.notes)
    again = of_run.evaluate(
        str(files / "out"), intake.check(_again(files)), pipeline.NoProgress()
    ).rows
    found = judge({"original": again})["models"]["original"]["forget"]["probability"]
    assert found == report.models["unlearned"]["forget"]["probability"]


def _again(files):
    asked = load(files / "out" / "request.yaml", {"out": str(files / "other")})
    assert (asked.adapter.bits, asked.adapter.kind) == (4, "lora")
    return asked


@needs_bits
@pytest.mark.parametrize("scored", [None, 4])
def test_adapters_alone_over_four_bits(scored, files, folder):
    sets = ["adapter.bits=4", "adapter.rank=4"] + ([f"evaluate.bits={scored}"] if scored else [])
    report = pipeline.run(request(files, folder, *sets, adapter_only=True))
    assert (files / "out" / "adapter_model.safetensors").exists()
    assert not (files / "out" / "model.safetensors").exists()
    assert any("every model is scored in 4 bits" in note for note in report.notes) == bool(scored)


@needs_bits
def test_scores_in_four_bits_are_others(files, folder):
    found = []
    for k, sets in enumerate([[], ["evaluate.bits=4"]]):
        report = pipeline.run(request(files, folder, *sets, out=str(files / f"out{k}")))
        found.append(report.models)
    assert found[0]["original"] != found[1]["original"]
    first, second = (weights(files / f"out{k}") for k in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("optim", ["sgd", "adafactor", "adamw_torch", "adamw_8bit"])
def test_optimisers(optim, files, folder):
    if "8bit" in optim and not HERE:
        pytest.skip("bitsandbytes is not installed")
    pipeline.run(request(files, folder, f"train.optim={optim}", "adapter.kind=lora"))
    before, after = weights(folder), weights(files / "out")
    assert any(not torch.equal(before[name], after[name]) for name in before)


@needs_bits
def test_what_does_not_go_with_four_bits(files, folder):
    (full,) = problems(files, folder, "adapter.bits=4", "adapter.kind=full")
    assert "adapter.bits: adapter.kind is full, so there is none" in full
    for asked in ({"method": "loku"}, {"init": "fila"}):
        (fila,) = problems(files, folder, "adapter.bits=4", **asked)
        assert "FILA takes a part out of the base weights" in fila
        assert "adapter.init=default" in fila
    intake.check(request(files, folder, "adapter.bits=4", method="loku", init="default"))


def test_a_model_that_is_quantised_already(files, folder, tmp_path):
    packed = tmp_path / "packed"
    packed.mkdir()
    for file in folder.iterdir():
        (packed / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (packed / "config.json").write_text(json.dumps(config))
    (found,) = problems(files, packed)
    assert "is quantised already" in found
    assert "adapter.bits=4" in found


def test_without_bitsandbytes_the_extra_is_named(files, folder, monkeypatch):
    for place in ("unteach.training.memory", "transformers.trainer_optimizer"):
        monkeypatch.setattr(f"{place}.is_bitsandbytes_available", lambda *_: False)
    sets = ["adapter.bits=4", "evaluate.bits=4", "train.optim=adamw_bnb_8bit"]
    found = problems(files, folder, *sets)
    assert [p.split(":")[0] for p in found] == ["adapter.bits", "evaluate.bits", "train.optim"]
    assert all('pip install "unteach[qlora]"' in p for p in found)


OPTIMISERS = {
    "no such": ("adamw_8bits", 'Did you mean "adamw_8bit"'),
    "not installed": ("adamw_torch_npu_fused", "adamw_torch_npu_fused: Trainer failed to import"),
    "of the model's layers": ("galore_adamw", "is no optimiser here"),
}


@pytest.mark.parametrize("case", OPTIMISERS)
def test_optimisers_that_cannot_be_had(case, files, folder):
    name, message = OPTIMISERS[case]
    (found,) = problems(files, folder, f"train.optim={name}")
    assert message in found


@needs_bits
def test_nothing_pages_on_a_cpu(files, folder):
    (found,) = problems(files, folder, "train.optim=paged_adamw_8bit", "device=cpu")
    assert "the device is cpu" in found
    assert "take adamw_8bit" in found


def test_the_optimiser_has_its_own_setting(files, folder):
    (found,) = problems(files, folder, "train.extra.optim=sgd")
    assert "use train.optim" in found


def test_kernels_for_gpus(files, folder, monkeypatch):
    monkeypatch.setattr("unteach.training.memory.is_liger_kernel_available", lambda: False)
    losses = "train.extra.liger_kernel_config={cross_entropy: true, rope: false}"
    sets = ["train.extra.use_liger_kernel=true", losses, "device=cpu"]
    missing, device, loss = problems(files, folder, *sets)
    assert 'pip install "unteach[liger]"' in missing
    assert "the device is cpu" in device
    assert "cross_entropy would replace a loss" in loss


def test_kernels_leave_the_losses_alone(tmp_path, monkeypatch):
    args = UnlearningConfig(
        output_dir=str(tmp_path),
        use_liger_kernel=True,
        liger_kernel_config={"rope": False, "cross_entropy": True},
    )
    off = {"cross_entropy": False, "fused_linear_cross_entropy": False}
    assert args.liger_kernel_config == {"rope": False, **off}
    pytest.importorskip("liger_kernel", reason="liger-kernel is not installed")
    pytest.importorskip("triton", reason="triton is not installed")
    from transformers.integrations.liger import apply_liger_kernel
    from transformers.models.llama import modeling_llama

    for name in ("apply_rotary_pos_emb", "LlamaRMSNorm", "LlamaMLP"):  # it replaces them for all
        monkeypatch.setattr(modeling_llama, name, getattr(modeling_llama, name))
    model, before = tiny_llama(), torch.nn.functional.cross_entropy
    apply_liger_kernel(model, args.liger_kernel_config)
    assert model.model.norm.forward.__qualname__ == "LigerRMSNorm.forward"
    assert "forward" not in vars(model)  # its own, which computes no logits
    assert torch.nn.functional.cross_entropy is before
