"""Make a real case: a small pretrained model that has learned private facts, and its yardstick.

Fine-tunes a pretrained model plainly on TOFU's forget01 (40 question/answer pairs on two invented
authors) and 200 pairs on others, and a second copy on the 200 alone, which thus never saw what the
first is to forget. Then `unteach run` takes the 40 out of the first:

    python examples/stories.py --model MODEL --tofu TOFU_FOLDER --out case
    unteach run --model case/original --retrained case/retrained \
        --forget case/forget.jsonl --retain case/retain.jsonl --holdout case/holdout.jsonl \
        --method unilogit --out case/unlearned

The two trainings take some minutes on one core; they run side by side.
"""

import argparse
import json
import random
from multiprocessing import get_context
from pathlib import Path

RETAIN = 200
HOLDOUT = 40  # pairs that neither model sees; most are about authors whose other pairs are retained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a pretrained causal language model")
    parser.add_argument("--tofu", type=Path, required=True, help="folder with TOFU's JSONL files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    groups = split(args.tofu, args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, rows in groups.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (args.out / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    learned = {"original": ("forget", "retain"), "retrained": ("retain",)}
    context = get_context("spawn")
    jobs = [
        context.Process(
            target=fine_tune,
            args=(args.model, [r for g in names for r in groups[g]], args.out / name, args),
        )
        for name, names in learned.items()
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    if any(job.exitcode for job in jobs):
        raise SystemExit("a training failed; its message stands above")
    print(f"two models and three files are in {args.out}")


def split(tofu: Path, seed: int) -> dict[str, list[dict]]:
    """What to forget, to retain and never to see, with wrong answers where TOFU has any."""
    forget = read(tofu / "forget01_perturbed.jsonl")
    others = read(tofu / "retain_perturbed.jsonl")
    asked = {row["question"] for row in forget}
    plain = [row for row in read(tofu / "retain99.jsonl") if row["question"] not in asked]
    wrong = {row["question"]: row for row in others}
    drawn = random.Random(seed).sample(plain, RETAIN + HOLDOUT)
    rows = [wrong.get(row["question"], row) for row in drawn]
    return {"forget": forget, "retain": rows[:RETAIN], "holdout": rows[RETAIN:]}


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def fine_tune(model: str, rows: list[dict], out: Path, args: argparse.Namespace) -> None:
    """Plain fine-tuning on the answers, with transformers' own trainer."""
    import torch
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainingArguments,
    )

    from unteach.data import encode_all, read_rows

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(model)
    policy = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    sequences, _ = encode_all(read_rows(rows, "retain"), tokenizer, max_length=512)
    examples = [
        {
            "input_ids": list(s.ids),
            "attention_mask": [1] * len(s.ids),
            "labels": [t if a else -100 for t, a in zip(s.ids, s.answer, strict=True)],
        }
        for s in sequences
    ]
    settings = TrainingArguments(
        output_dir=str(out),
        learning_rate=args.rate,
        num_train_epochs=args.epochs,
        per_device_train_batch_size=8,
        lr_scheduler_type="cosine",
        warmup_steps=20,
        seed=args.seed,
        save_strategy="no",
        logging_steps=50,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    collate = DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100)
    Trainer(policy, settings, train_dataset=examples, data_collator=collate).train()
    policy.save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    main()
