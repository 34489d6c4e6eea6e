"""A whole unlearning run in the usual way: what `whole_run.py` sets beside `unteach run`.

Written from the definitions with plain transformers, as a popular evaluation and its trainer do it:
batches padded as they come, logits of all positions, the model before as a copy that runs in every
step, a forward for each metric (`--once`: one for all), answers by `generate` in batches of 32,
ROUGE-L by rouge-score. UnDIAL on the forget rows with NLL on as many retain rows, and then all
metrics of the model before and of the one after. It prints seconds and metrics as JSON. Nothing of
unteach is imported.
"""

import argparse
import copy
import json
import math
import random
import time
from pathlib import Path

import torch
from naive import IGNORED, shifted, undial
from rouge_score.rouge_scorer import RougeScorer
from transformers import AutoModelForCausalLM, AutoTokenizer, get_linear_schedule_with_warmup

TRAIN_BATCH, EVAL_BATCH, STRENGTH, RATE = 8, 32, 30.0, 1e-3
SCORES = ("probability", "exact_memorization", "extraction_strength", "reciprocal_rank")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--forget", type=Path, required=True)
    parser.add_argument("--retain", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--once", action="store_true", help="one forward for all scores of a batch")
    parser.add_argument("--unlearned", help="measure this model, and train none")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    original = AutoModelForCausalLM.from_pretrained(args.model).eval().requires_grad_(False)
    files = {"forget": args.forget, "retain": args.retain}
    groups = {name: encoded(file, tokenizer) for name, file in files.items()}
    seconds = {"start": time.process_time()}
    found = {"original": evaluated(original, original, tokenizer, groups, once=args.once)}
    seconds["original"] = time.process_time()
    if args.unlearned:
        model = AutoModelForCausalLM.from_pretrained(args.unlearned)
    else:
        model = copy.deepcopy(original).requires_grad_(True)
        trained(model, original, groups, args.epochs)
        model.save_pretrained(args.out)
        tokenizer.save_pretrained(args.out)
    seconds["training"] = time.process_time()
    found["unlearned"] = evaluated(model.eval(), original, tokenizer, groups, once=args.once)
    seconds["unlearned"] = time.process_time()
    print(json.dumps({"seconds": seconds, "metrics": found}))


def encoded(file, tokenizer):
    """Ids of each text, how many of them are the prompt, and the answer in words."""
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        prompt = f"Question: {row['question']}\nAnswer:"
        ids = tokenizer(f"{prompt} {row['answer']}")["input_ids"] + [tokenizer.eos_token_id]
        rows.append((ids, len(tokenizer(prompt)["input_ids"]), row["answer"]))
    return rows


def batch_of(rows):
    """Ids, attention and labels, padded on the right; a label of -100 does not count."""
    width = max(len(ids) for ids, *_ in rows)
    ids, labels = torch.zeros(len(rows), width, dtype=torch.long), None
    attention, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for k, (row, prompt, *_) in enumerate(rows):
        ids[k, : len(row)] = torch.tensor(row)
        attention[k, : len(row)] = 1
        labels[k, prompt : len(row)] = ids[k, prompt : len(row)]
    return {"input_ids": ids, "attention_mask": attention}, labels


def trained(model, original, groups, epochs):
    """UnDIAL on the forget rows, NLL on as many retain rows, in the order that a seed gives."""
    drawn, forget, retain = random.Random(0), groups["forget"], groups["retain"]
    steps = epochs * math.ceil(len(forget) / TRAIN_BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0, fused=True)
    schedule = get_linear_schedule_with_warmup(optimiser, 0, steps)
    model.train()
    for _ in range(epochs):
        order = drawn.sample(range(len(forget)), len(forget))
        for start in range(0, len(order), TRAIN_BATCH):
            chosen = [forget[k] for k in order[start : start + TRAIN_BATCH]]
            inputs, labels = batch_of(chosen)
            with torch.no_grad():
                before = original(**inputs, use_cache=False).logits
            loss = undial(
                model(**inputs, use_cache=False).logits, before, labels, strength=STRENGTH
            )
            inputs, labels = batch_of(drawn.sample(retain, len(chosen)))
            loss = loss + model(**inputs, labels=labels, use_cache=False).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()


@torch.inference_mode()
def evaluated(model, original, tokenizer, groups, *, once):
    """Every metric of every group."""
    return {
        name: scored(model, original, rows, once=once) | said(model, original, tokenizer, rows)
        for name, rows in groups.items()
    }


def batches(rows):
    return [rows[k : k + EVAL_BATCH] for k in range(0, len(rows), EVAL_BATCH)]


def scored(model, original, rows, *, once):
    """The metrics of given answers."""
    found = {name: [] for name in (*SCORES, "divergence")}
    for batch in batches(rows):
        inputs, labels = batch_of(batch)
        logits = model(**inputs, use_cache=False).logits if once else None
        for name in SCORES:
            own = logits if once else model(**inputs, use_cache=False).logits
            found[name] += values(name, *shifted(own, labels))
        if model is not original:
            own = logits if once else model(**inputs, use_cache=False).logits
            found["divergence"] += apart(own, original(**inputs, use_cache=False).logits, labels)
    kept = {name: sum(each) / len(each) for name, each in found.items() if each}
    return {**kept, "divergence": kept.get("divergence", 0.0)}


def values(name, logits, labels):
    """One number for each answer."""
    asked = labels != IGNORED
    own = labels.clamp(min=0)[..., None]
    if name == "probability":
        logp = logits.log_softmax(-1).gather(-1, own)[..., 0]
        return ((logp * asked).sum(1) / asked.sum(1)).exp().tolist()
    if name == "reciprocal_rank":
        rank = (logits > logits.gather(-1, own)).sum(-1)
        return ((asked / (1 + rank)).sum(1) / asked.sum(1)).tolist()
    hits = (logits.argmax(-1) == own[..., 0]) & asked
    if name == "exact_memorization":
        return (hits.sum(1) / asked.sum(1)).tolist()
    rows = [row[mask].flip(0).long() for row, mask in zip(hits, asked, strict=True)]
    return [(row.cumprod(0).sum() / len(row)).item() for row in rows]


def apart(logits, before, labels):
    """KL(original || model) at every answer token."""
    log_p, _ = shifted(logits.log_softmax(-1), labels)
    log_q, labels = shifted(before.log_softmax(-1), labels)
    asked = labels != IGNORED
    return (log_q.exp() * (log_q - log_p)).sum(-1)[asked].tolist()


def said(model, original, tokenizer, rows):
    """The metrics of greedy answers, each of at most twice the tokens of the true one."""
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    recall, f1, surprise, tokens = [], [], 0.0, 0
    for batch in batches(rows):
        limits = [2 * (len(ids) - prompt) for ids, prompt, _ in batch]
        answers = answered(model, [ids[:prompt] for ids, prompt, _ in batch], limits, tokenizer)
        for new, (_, _, expected) in zip(answers, batch, strict=True):
            text = tokenizer.decode(new, skip_special_tokens=True)
            overlap = scorer.score(expected, text)["rougeL"]
            recall.append(overlap.recall)
            f1.append(overlap.fmeasure)
        whole = [
            (ids[:prompt] + new, prompt)
            for new, (ids, prompt, _) in zip(answers, batch, strict=True)
        ]
        inputs, labels = batch_of(whole)
        logits, labels = shifted(original(**inputs, use_cache=False).logits, labels)
        logp = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
        surprise -= float((logp * (labels != IGNORED)).sum())
        tokens += int((labels != IGNORED).sum())
    means = {"rouge_l_recall": recall, "rouge_l_f1": f1}
    found = {name: sum(each) / len(each) for name, each in means.items()}
    return {**found, "said_perplexity": math.exp(surprise / tokens)}


def answered(model, prompts, limits, tokenizer):
    """Greedy answers of one batch, without the end token."""
    width, end = max(map(len, prompts)), tokenizer.eos_token_id
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
    attention = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    ends = {end, *ends_of(model)}
    out = model.generate(
        input_ids=ids, attention_mask=attention, do_sample=False, max_new_tokens=max(limits),
        eos_token_id=sorted(ends), pad_token_id=end,
    )  # fmt: skip
    answers = []
    for new, limit in zip(out[:, width:].tolist(), limits, strict=True):
        stop = next((k for k, token in enumerate(new) if token in ends), len(new))
        answers.append(new[: min(stop, limit)])
    return answers


def ends_of(model):
    """The end tokens of the model's generation config."""
    own = model.generation_config.eos_token_id
    return own if isinstance(own, list) else [] if own is None else [own]


if __name__ == "__main__":
    main()
