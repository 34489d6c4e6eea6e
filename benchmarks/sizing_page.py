# ruff: noqa: E501 (rows of Markdown tables)
"""docs/guides/sizing.md from the code: `python benchmarks/sizing_page.py` writes it anew."""

import csv
import json
import shlex
from pathlib import Path
from typing import Any

from measure import RESULTS
from typer.testing import CliRunner

from unteach.cli import app
from unteach.cli._sizes import gb
from unteach.sizing.shapes import SHAPES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guides" / "sizing.md"
ONE = "--model llama-8b --adapter lora --batch 2 --accumulation 4 --checkpointing"
MANY = (
    "--model llama-70b --processes 64 --sharding fsdp --checkpointing --batch 1 --accumulation 64"
)
PAPER = [
    "--model llama-1b --checkpointing --optim adafactor --batch 2 --accumulation 4",
    "--model llama-8b --adapter lora --bits 4 --batch 2 --accumulation 4 --checkpointing",
    ONE,
    "--model llama-8b --processes 8 --sharding fsdp --checkpointing --batch 1 --accumulation 8",
    "--model qwen-7b --adapter lora --batch 2 --accumulation 4 --checkpointing",
    "--model qwen-7b --processes 8 --sharding fsdp --checkpointing --batch 1 --accumulation 8",
    "--model llama-70b --adapter lora --bits 4 --batch 1 --accumulation 8 --checkpointing",
    "--model llama-70b --adapter lora --processes 8 --sharding fsdp --checkpointing --batch 1 "
    "--accumulation 8",
    MANY,
    "--model llama-405b --adapter lora --processes 32 --sharding fsdp --checkpointing --batch 1 "
    "--accumulation 32",
    "--model llama-405b --processes 256 --sharding fsdp --checkpointing --batch 1 "
    "--accumulation 256",
]
HEAD = """\
# How much memory a run needs

`unteach size` says, before anything is loaded, where the memory of one device goes. This page is made
from the code by `python benchmarks/sizing_page.py`; a test holds the two together.

    unteach size --model llama-8b --adapter lora --checkpointing --device-memory 24GB
    unteach size request.yaml --processes 8 --sharding fsdp

`--model` is a folder, a `config.json`, a hub id (its configuration alone is read) or one of the shapes
below. A request file, `--set` and the flags of `run` mean what they mean there. What a request does not say
is given by `--length` (tokens of each text, 512), `--answers` (how many of them are answer, all),
`--examples` (400) and `--equal` (all texts of one length, so that attention has no mask). `--json` gives
bytes. With `--device-memory` it says whether the run fits, and if not, each smallest set of changes that
makes it fit, with its new total; what changes the result least comes first.

**It is an estimate, of tensors alone.** An allocator rounds up and keeps what is free, CUDA's context and
NCCL's buffers come on top: leave a tenth of the device, or two GB on a small one. What a kernel needs
while it runs is not in it. FSDP was measured on two processes of a CPU; nothing here was measured on a
GPU or under DeepSpeed.

## How it is worked out

The model is built on tensors that have a shape and no content, adapted and frozen as the request says,
and its own code is run forwards and backwards while its bytes are counted; where all layers are alike,
with two and with three of them, from which the others follow to the byte. So weights and activations are
those of the model's family, its attention, the checkpointing and the precision, and no formula has to
know them. For a device that is no CPU, autocast to bfloat16 is on and all else is what torch does on a
CPU: the attention kernels keep much the same there (inputs, result, one number per row). What is
arithmetic:

| part | bytes |
|---|---|
| weights | all weights trained: 4 per parameter, whatever the checkpoint has. Adapters: the checkpoint's own, 0.516 for linear layers in 4 bits |
| gradients, optimiser state | 4, and 8 (AdamW), per trained parameter; 2 for AdamW in 8 bits but for embeddings; rows and columns for Adafactor |
| logits of a chunk | 4 x vocabulary x rows, twice with a model before; rows as `head.chunk_rows` has them |
| head, for the loss | its gradient in float32, 4 x vocabulary x width where it is trained; under autocast that of the last chunk beside it, and a copy in bfloat16 |
| final states of answers | rows x width: the states, their gradient, those of the model before |
| head of the model before | a copy, where the loss reads the model before and the head is trained or multiplied in another precision |
| FILA's squared gradients | 4 per adapted weight on the device, as many in the machine's memory |
| DDP's buckets | the gradients once more; 262 MB at most for the first broadcast |
| gathered layers | FSDP, ZeRO-3: two layers and the larger of embedding and head, in bfloat16 under autocast. In evaluation the head, a layer, and the larger of another and the embedding, in the weights' own precision |
| gradients before they are shared out | those of the largest of these, twice; 2 per parameter under autocast, else 4 |
| answers under way | keys and values of a batch of answers: 4 GiB, or those of 8,192 tokens if that is more, on a CPU those of 16,384; of one layer twice |
| head of the model asked before | while the original is asked, since the two are compared by what their heads make of their states |
| states of the answers, before and after | of the machine's memory, or its disk above 1 GiB each: width x answer tokens of the forget and the retain file, in the checkpoint's precision, of the original and of the unlearned model, which are compared by them |
| weights to draw the model back to | of the machine's memory: 4 per trained parameter, twice beside an accelerator; with a holdout, which is assumed, and not with shards |
| weights, gradients and state under ZeRO | 2 + 2 + 12 per parameter ([ZeRO](https://arxiv.org/abs/1910.02054), section 3.1), each shared out or not, as the stage says |

Columns are moments; the device must hold the largest. *loading*: without shards the whole model. Under FSDP
each process loads it into the machine's memory, whole, and puts one layer after the other into shards;
only methods that ask the model for answers or choices before (`dpo`, `dto`, ...) have it whole on the
device for that. DeepSpeed puts it on each device whole first, in half precision. *before training*: the
model before is asked, in shards. *loss*: the forward pass is through and all its activations are there.
*backward*: the worst of the way back, where activations go and gradients come. With accumulation the
gradients stand throughout. *evaluation*: the original and the unlearned model are asked, one after the
other, in the checkpoint's precision or 4 bits (`evaluate.bits`): the largest of reading prompts, answering
them and comparing with the original. Under FSDP they are in shards; in 4 bits, under DDP and under DeepSpeed
**whole on each device**.

**Memory of the machine**: every process loads the whole model, so eight processes of a machine need eight
times what the line *host memory of a process* says. **Disk**: one checkpoint is kept, in a hidden folder
beside `--out`, and the next is written before that one goes, so there are two for a while; a run that is
over within `train.checkpoint_minutes` (10) writes none.

## Checked against measured runs

`python benchmarks/size.py` trains small Llamas for three steps on a CPU in float32 and counts the bytes that
training holds (`benchmarks/results/size.csv`, each part too). Under FSDP the loaded model
is in the same memory as its shards, so it counts there. Goal: within 15% of the peak.

"""
ASKED = """
`python benchmarks/size_evaluation.py` asks such models, each beside its original, on one process
(`benchmarks/results/size_evaluation.csv`), and counts from when each is loaded. Of evaluation in
shards a test counts what stands (a share of the weights, and nothing of training or of the model before);
*gathered layers* is arithmetic there.

"""
SHAPES_HEAD = """
## On paper

Adam in float32 over all weights, texts of 512 tokens of which all are answer, unequal, with as many to
keep; UnDIAL, which reads the model before. Not one of these was run. All sizes are GB: *in training* the largest
moment from loading to the last step, *evaluation* as above, *in 4 bits* that with `evaluate.bits=4`, whole on
each device, *host* the memory of the machine for each process, *a checkpoint* what is written.

"""
AFTER = """
**What does not fit one card.** Under FSDP both training and evaluation are in shards, so a run that can be
trained can be evaluated where it was trained. What stays is the memory of the machine: each process loads
the whole model there.
"""


def page() -> str:
    """The whole page."""
    sizes = {line: of(line) for line in dict.fromkeys([*PAPER, ONE, MANY])}
    shapes = "\n".join(f"- `{name}`: {shape.source}" for name, shape in SHAPES.items())
    parts = [HEAD, checks("size"), ASKED, checks("size_evaluation")]
    parts += [SHAPES_HEAD, paper(sizes), "\n", AFTER]
    for line in (ONE, MANY):
        parts.append(f"\n### {line}\n\n{table(sizes[line])}\n")
    return "".join([*parts, f"\n## Shapes by name\n\n{shapes}\n"])


def of(line: str) -> dict[str, Any]:
    """What the command says."""
    arguments = ["size", "--method", "undial", *shlex.split(line), "--json"]
    return json.loads(CliRunner().invoke(app, arguments, catch_exceptions=False).output)


def table(found: dict[str, Any]) -> str:
    """Parts by moment, in GB."""
    moments = found["moments"]
    names = dict.fromkeys(name for parts in moments.values() for name in parts)
    rows = [["GB of one device", *moments], ["---", *["---:"] * len(moments)]]
    rows += [[name, *(gb(parts.get(name, 0)) for parts in moments.values())] for name in names]
    rows.append(["**total**", *(f"**{gb(sum(parts.values()))}**" for parts in moments.values())])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def paper(sizes: dict[str, dict[str, Any]]) -> str:
    """A row for each command."""
    columns = ["in training", "at", "evaluation", "in 4 bits", "host", "a checkpoint"]
    rows = ["| `unteach size --method undial` | " + " | ".join(columns) + " |"]
    rows.append("|---|---:|---|---:|---:|---:|---:|")
    for line, size in sizes.items():
        training, checkpoint = size["training"], size["disk"]["a checkpoint of training"]
        evaluation = sum(size["moments"]["evaluation"].values())
        packed = of(f"{line} --set evaluate.bits=4")["moments"]["evaluation"].values()
        each = size["host"]["the model while it is loaded"]
        rows.append(
            f"| `{line}` | {gb(training['bytes'])} | {training['moment']} | {gb(evaluation)} | "
            f"{gb(sum(packed))} | {gb(each)} | {gb(checkpoint)} |"
        )
    return "\n".join(rows)


def checks(name: str) -> str:
    """The peaks of the results, in Markdown."""
    with (RESULTS / f"{name}.csv").open(encoding="utf-8") as file:
        lines = [row for row in csv.DictReader(file) if row["part"] == "peak"]
    rows = ["| run | predicted MB | measured MB | error | |", "|---|---:|---:|---:|---|"]
    rows += [
        f"| {r['case']} | {r['predicted MB']} | {r['measured MB']} | {r['error']} | {r['verdict']} |"
        for r in lines
    ]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
