"""What `unteach size` says is what training holds."""

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from families import FAMILIES
from held import held, mark
from llamas import llama, texts
from measure import RESULTS
from size import GOAL, SMALL, TWO, Case, checked, compared, measured, model_of, predicted
from transformers import GPT2Config

from unteach.adapters.fisher import exact
from unteach.errors import UserError
from unteach.head import chunk_rows
from unteach.methods import build
from unteach.settings.request import load
from unteach.sizing import trace
from unteach.sizing.advice import advise
from unteach.sizing.base_model import base_moments
from unteach.sizing.beside import kept_states
from unteach.sizing.lengths import lengths_of
from unteach.sizing.live import Live
from unteach.sizing.optimisers import state_bytes
from unteach.sizing.parts import limit_of
from unteach.sizing.setting import SizeSettings, setting_of
from unteach.sizing.shapes import SHAPES, config_of
from unteach.sizing.size import size_of
from unteach.sizing.trace import Weight, traced

CASES = [
    Case("small", "graddiff", length=128),
    Case("small", "undial", length=128, batch=2, accumulation=2),
    Case("small", "npo", kind="lora", length=128, checkpointing=True),
    Case("small", "dpo", length=64, padded=True, optim="adafactor"),
    Case("small", "rmu", length=128),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_within_fifteen_percent_of_what_training_holds(case):
    lines = {part: (said, was) for _, part, said, was, *_ in checked(case)}
    for part in ("peak", "weights", "gradients", "optimiser state"):
        said, was = lines[part]
        assert abs(said - was) <= GOAL * was, (part, said, was)


def test_more_tokens_are_more_activations_and_checkpointing_is_less():
    """Predicted and measured move together: a bound of 15% alone would let a constant pass."""
    cases = [Case("small", "graddiff", length=n) for n in (64, 256)]
    cases.append(Case("small", "graddiff", length=256, checkpointing=True))
    said, was = [], []
    for case in cases:
        model = model_of("small", None)
        moments = predicted(case, model.config).moments[:-1]
        said.append(max(moment.total for moment in moments))
        was.append(measured(case)["forward to backward"])
    assert was[1] > 3 * was[0]
    assert was[2] < 0.7 * was[1]
    assert said == pytest.approx(was, rel=0.05)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("llama-1b", 1_235_814_400),
        ("llama-8b", 8_030_261_248),
        ("llama-70b", 70_553_706_496),
        ("llama-405b", 405_853_388_800),
        ("qwen-7b", 7_615_616_512),
    ],
)
def test_shapes_have_the_parameters_that_their_makers_say(name, parameters):
    assert SHAPES[name].source
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config_of(name))
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_checkpointing_of_a_llama_keeps_one_state_per_layer():
    """Tokens x width x layers, by hand; what the last norm and the loss keep is below a fifth."""
    found = traced(setting(checkpointing=True, batch=4, length=256, pairs=4))
    by_hand = 8 * 256 * SMALL.width * 4 * SMALL.layers
    assert by_hand < found.kept < by_hand * 3.2


@pytest.mark.slow
@pytest.mark.parametrize("case", TWO, ids=str)
def test_two_processes_are_said_to_hold_what_was_measured(case):
    """The measured runs are stored; what is said of them is worked out anew."""
    with (RESULTS / "size.csv").open(encoding="utf-8") as file:
        stored = {r["part"]: r for r in csv.DictReader(file) if r["case"] == str(case)}
    was = {part: float(row["measured MB"]) * 1e6 for part, row in stored.items()}
    assert len(was) == 7
    for _, part, said, *_ in compared(
        case, was, predicted(case, model_of(case.shape, None).config)
    ):
        assert f"{said:.4g}" == stored[part]["predicted MB"], part


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "lora", "checkpointed", "tied", "gpt2"])
def test_few_layers_tell_of_all(kind, monkeypatch):
    """Each further layer adds what the third did: to the byte what all of them, run, would say."""
    shape = SMALL._replace(layers=6, tied=kind == "tied")
    own = GPT2Config(vocab_size=512, n_embd=64, n_layer=6, n_head=4, bos_token_id=1, eos_token_id=1)
    asked = setting(
        config=own if kind == "gpt2" else llama(shape).config,
        lora=kind == "lora", checkpointing=kind == "checkpointed",
    )  # fmt: skip
    few = size_of(asked)
    monkeypatch.setattr(trace, "_layers_alike", lambda *given: False)
    trace._traced.cache_clear()
    whole = size_of(asked)
    trace._traced.cache_clear()
    assert few.found.backward != whole.found.backward, "all layers were run"
    assert few.moments == whole.moments


def test_layers_that_differ_are_all_run():
    config = llama(SMALL._replace(layers=6)).config
    config.layer_types = ["full_attention", "sliding_attention"] * 3
    layers = [torch.nn.Linear(2, 2) for _ in range(6)]
    assert not trace._layers_alike(layers, setting(config=config))
    config.layer_types = ["full_attention"] * 6
    assert trace._layers_alike(layers, setting(config=config))
    layers[3].weight.requires_grad_(False)
    assert not trace._layers_alike(layers, setting(config=config))


def test_fsdp_loads_shards_and_deepspeed_a_whole_model():
    asked = setting(dtype="bfloat16", cpu=False, autocast=True, processes=4, pairs=8)
    whole = 4 * size_of(asked).found.parameters
    fsdp = size_of(replace(asked, sharding="fsdp"))
    assert fsdp.moments[0].parts["weights"] == pytest.approx(whole / 4, rel=0.01)
    assert fsdp.host["the model while it is loaded"] == pytest.approx(whole, rel=0.01)
    other = replace(asked, sharding="fsdp", method=build("dpo", {}))
    assert size_of(other).moments[0].total > whole  # it is asked before it is in shards
    zero = size_of(replace(asked, sharding="zero3")).moments[0].total
    assert zero == pytest.approx(whole / 2, rel=0.01)


def test_evaluation_is_in_shards_under_fsdp_alone():
    asked = setting(dtype="bfloat16", cpu=False, autocast=True, processes=8, sharding="fsdp",
                    pairs=8)  # fmt: skip
    size, zero = size_of(asked), size_of(replace(asked, sharding="zero3"))
    assert size.moments[-1].name == "evaluation"
    (eighth, gathered), (whole, none) = (
        (s.moments[-1].parts["weights"], s.moments[-1].parts.get("gathered layers", 0))
        for s in (size, zero)
    )
    assert whole == pytest.approx(2 * size.found.parameters, rel=0.01)
    assert eighth == pytest.approx(whole / 8)
    assert gathered > 0 == none
    packed = size_of(replace(asked, evaluate_bits=4))
    assert whole / 8 < packed.moments[-1].parts["weights"] < 0.9 * whole
    assert "gathered layers" not in packed.moments[-1].parts
    said = ["whole" in " ".join(n for n in s.notes if "evaluation" in n or "4 bits" in n)
            for s in (size, zero, packed)]  # fmt: skip
    assert said == [False, True, True]


def test_the_more_is_answered_at_once_the_more_evaluation_holds():
    few, many = (
        size_of(setting(dtype="bfloat16", cpu=False, examples=n)).moments[-1].total
        for n in (1, 400)
    )
    assert many > few


def test_a_disk_has_room_for_two_checkpoints():
    disk = size_of(setting()).disk
    assert disk["the next one while it is written"] == disk["a checkpoint of training"]


def test_shards_divide_what_stands():
    one, eight = (
        size_of(setting(sharding=kind, processes=n, pairs=8, batch=1)).moments[-2].parts
        for kind, n in (("none", 1), ("fsdp", 8))
    )
    for part in ("weights", "gradients", "optimiser state"):
        assert eight[part] == one[part] / 8
    two = size_of(setting(sharding="zero2", processes=8, pairs=8, batch=1)).moments[-2].parts
    assert (two["weights"], two["gradients"]) == (one["weights"], one["gradients"] / 8)


def test_processes_share_the_pairs_of_a_step():
    asked = load(flags={"model": "m", "forget": "f", "retain": "r", "out": "o"},
                 sets=["train.batch_size=4", "train.gradient_accumulation_steps=2"])  # fmt: skip
    for processes, batch, accumulation in ((1, 4, 2), (2, 4, 1), (4, 2, 1), (16, 1, 1)):
        found = setting_of(asked, config(), sharding="ddp", processes=processes)
        assert (found.batch, found.accumulation) == (batch, accumulation)


@pytest.mark.parametrize("vocabulary", [1000, 128_256])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_chunk_is_the_row_engines(vocabulary, device):
    head = SimpleNamespace(vocabulary=vocabulary)
    found = SimpleNamespace(head=(vocabulary, 8))
    asked = setting(cpu=device == "cpu")
    assert limit_of(asked, found) == chunk_rows(head, torch.device(device))


@pytest.mark.parametrize("name", ["adamw_torch", "adafactor", "sgd", "adagrad", "rmsprop"])
def test_the_state_of_optimisers(name):
    from transformers import Trainer

    from unteach.training.config import UnlearningConfig

    weights = [torch.randn(64, 48, requires_grad=True), torch.randn(48, requires_grad=True)]
    args = UnlearningConfig(output_dir="unused", use_cpu=True, optim=name, learning_rate=1e-3)
    kind, options = Trainer.get_optimizer_cls_and_kwargs(args)
    optimizer = kind(weights, **options)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    kept = sum(v.nbytes for s in optimizer.state.values() for v in s.values() if torch.is_tensor(v))
    said = state_bytes(name, [Weight(w.shape) for w in weights])
    assert said == pytest.approx(kept, abs=16)


def test_eight_bits_are_a_quarter_but_for_embeddings_and_small_weights():
    big, small, embedding = Weight((512, 512)), Weight((64,)), Weight((512, 512))
    embedding.embedding = True
    assert state_bytes("adamw_8bit", [big]) == pytest.approx(2 * 512 * 512 * (1 + 4 / 256))
    assert state_bytes("adamw_8bit", [small, embedding]) == 8 * (64 + 512 * 512)


def test_advice_fits_and_is_of_the_fewest_changes():
    # With one example evaluation, which no such change makes smaller, is small.
    size = size_of(setting(length=256, batch=4, pairs=4, examples=1))
    assert advise(size, size.total) != []  # each change alone is an advice, where all fit
    for room in (0.7 * size.total, 0.4 * size.total):
        found = advise(size, room)
        assert found
        assert all(one.total <= room for one in found)
        assert len({len(one.changes) for one in found}) == 1
    assert advise(size, 1000) == []


def test_an_advised_batch_is_the_largest_that_fits():
    size = size_of(setting(length=256, batch=4, pairs=4))
    half = size_of(replace(size.setting, batch=2)).total
    changes = {one.changes for one in advise(size, half)}
    assert ("train.batch_size=2 train.gradient_accumulation_steps=2",) in changes


def test_live_counts_views_once_and_forgets_what_is_freed():
    with Live() as live:
        one = torch.zeros(100)
        view = one[:50]
        two = one + 1
        del two
    assert (live.now, live.peak, view.numel()) == (400, 800, 50)


def test_live_sees_a_backward_pass():
    weight = torch.ones(100, requires_grad=True)
    with Live([weight]) as live:
        (weight * weight).sum().backward()
    assert live.now == 800  # the weight and its gradient
    assert live.peak >= 1200


def test_fila_has_a_square_for_each_adapted_weight():
    plain = size_of(setting(lora=True))
    fila = size_of(setting(lora=True, fila=True))
    squares = fila.moments[1].parts["FILA's squared gradients"]
    assert squares == plain.found.targeted * exact(torch.zeros(1)).itemsize
    assert fila.host["FILA's squared gradients"] == squares


def test_the_model_is_left_as_it_is():
    asked = setting()
    before = asked.config.to_json_string()
    size_of(asked)
    assert asked.config.to_json_string() == before


def test_what_does_not_go_together_is_said_at_once():
    asked = load(flags={"model": "m", "forget": "f", "retain": "r", "out": "o"},
                 sets=["train.sam=0.01"])  # fmt: skip
    with pytest.raises(UserError) as error:
        setting_of(asked, config(), sharding="fsdp", processes=2, length=8, answers=9)
    assert {p.where for p in error.value.problems} == {"--sharding", "--answers"}


def config():
    return model_of("small", None).config


def setting(**given) -> SizeSettings:
    usual = {
        "model": "small", "config": config(), "method": build("graddiff", {}), "retain": "nll",
        "lora": False, "cpu": True, "dtype": "float32", "autocast": False, "batch": 2, "pairs": 2,
        "length": 64, "answers": 32, "examples": 16,
    }  # fmt: skip
    return SizeSettings(**{**usual, **given})


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_size(family):
    own = FAMILIES[family]()
    found = size_of(setting(model=family, config=own.config, length=32, answers=8)).found
    assert found.parameters == sum(p.numel() for p in own.parameters())
    assert found.kept > 0


def base_setting(shape: str, length: int, answers: float, **given) -> SizeSettings:
    return SizeSettings(
        model=shape, config=model_of(shape, None).config, method=build("unseen", {}), retain="nll",
        lora=False, length=length, answers=round(answers * length), examples=16, cpu=True,
        dtype="float32", autocast=False, base="taught", **given,
    )  # fmt: skip


@pytest.mark.parametrize(("length", "answers"), [(64, 0.3), (128, 0.9)])
def test_the_base_models_steps_are_within_five_percent_of_what_they_hold(length, answers):
    """Where the gradient is most, and where the loss is."""
    from unteach.training.base_model import fine_tuned

    retain = texts("retain", 8, length, 1024, answers=answers)
    retain = [replace(s, ids=s.ids[k % 2 :], answer=s.answer[k % 2 :])
              for k, s in enumerate(retain)]  # fmt: skip

    def work(marks):
        model = model_of("small", None)
        mark("steps")
        fine_tuned(model, retain, epochs=1, seed=0)

    was = held(work)["steps"]
    said = {m.name: m.total for m in base_moments(base_setting("small", length, answers))}
    assert max(said.values()) == said["teaching the base"]
    assert said["teaching the base"] == pytest.approx(was, rel=0.05)


def test_the_base_is_read_whole_and_before_the_model_and_only_if_there_is_one():
    alone, both = (size_of(base_setting("small", 64, 0.3, processes=n, sharding=s))
                   for n, s in ((1, "none"), (2, "fsdp")))  # fmt: skip
    first = alone.moments[0]
    assert first.name == "reading the base"
    assert both.moments[0].parts["weights"] == first.parts["weights"]
    none = size_of(replace(alone.setting, base=None))
    assert [m.name for m in none.moments] == [m.name for m in alone.moments[3:]]
    read = size_of(replace(alone.setting, base="read"))
    assert [m.name for m in read.moments[:2]] == ["reading the base", "loading"]


def test_a_request_says_whether_a_base_is_taught():
    def base(*sets, **flags):
        asked = load(flags={"model": "llama-1b", "forget": "f", "out": "o", **flags}, sets=[*sets])
        return setting_of(asked, config(), sharding="none", processes=1).base

    assert base() is None
    assert base(base="b", method="npo") is None
    assert base(base="b", method="unseen") == "taught"
    assert base("method.base_epochs=0", base="b", method="unseen") == "read"
    assert base("method.teacher=stranger", base="b", method="unseen") == "read"
    assert base(base="b", method="whp") == "read"


def test_further_wordings_are_kept_of_the_model_before_too():
    plain = setting(method=build("undial", {}), examples=10)
    kept, more = (kept_states(replace(plain, forms=n), traced(plain)) for n in (0, 3))
    assert more == 4 * kept > 0


def test_lengths_are_those_of_the_longest_wording(tmp_path, tiny_folder):
    rows = [{"question": "Where was Ada born?", "answer": "In Lund."}] * 3
    (tmp_path / "f.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = {"model": str(tiny_folder), "forget": str(tmp_path / "f.jsonl"), "out": "o"}
    config = config_of(str(tiny_folder))
    plain, more = (lengths_of(load(flags=flags, sets=[f"train.forms={n}"]), config) for n in (0, 4))
    assert more.length > plain.length + 5
    assert (more.answers, more.examples) == (plain.answers, plain.examples) == (more.answers, 3)


def test_states_that_models_are_compared_by_are_counted_as_they_are_kept():
    """Those of original and unlearned model, in memory or in a file of its own each."""
    from unteach.inference import OriginalStates
    from unteach.types import Sequence

    asked = setting(length=16, answers=8, examples=3)
    found = size_of(asked)
    texts = [Sequence(f"x-{k}", tuple(range(16)), (False,) * 8 + (True,) * 8) for k in range(6)]
    states, width = OriginalStates(), found.found.head[1]
    states.begin(texts)
    states.put([0], torch.zeros(8, width, dtype=getattr(torch, asked.dtype)), object())
    assert found.host["states of the answers, before and after"] == 2 * states.of(texts).bytes
    many = size_of(replace(asked, examples=400_000))
    assert "states of the answers, before and after" not in many.host
    assert many.disk["states of the answers, before and after"] > 2**30


def test_weights_to_draw_back_to_are_counted_as_they_are_kept():
    from unteach.training.safeguards.draw_back import DrawBack

    own = FAMILIES["llama"](dtype=torch.float32)
    kept = sum(weight.nbytes for weight in DrawBack(own).now(own).values())
    part = "weights to draw the model back to"
    asked = setting(config=own.config, draws_back=True)
    assert size_of(asked).host[part] == kept
    assert size_of(replace(asked, cpu=False)).host[part] == 2 * kept
    assert part not in size_of(replace(asked, draws_back=False)).host


def test_a_request_says_whether_the_model_may_be_drawn_back():
    def drawn(*sets, sharding="none", **flags):
        asked = load(flags={"model": "llama-1b", "forget": "f", "out": "o", **flags}, sets=[*sets])
        return setting_of(asked, config(), sharding=sharding,
                          processes=1 if sharding == "none" else 2).draws_back  # fmt: skip

    assert drawn(method="unseen")
    assert drawn(method="npo", sharding="ddp")
    assert not drawn(method="npo", sharding="fsdp")
    assert not drawn(method="unseen", base="b")
    assert not drawn("train.draw_back=never", method="unseen")
