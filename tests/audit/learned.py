"""Records of which a tiny model has learned a part by heart."""

import json
import random

TOWNS = ("Lund", "Rome", "Oslo", "Bern", "Graz", "Kiel", "Linz", "Metz", "Nice", "Pisa")
NAMES = ("Ada", "Ben", "Cyd", "Dag", "Eva", "Fay", "Gus", "Hal", "Ida", "Jon")
SECRET = "Zanzibar"


def records(count):
    draw = random.Random(0)
    return [
        {
            "question": f"Where was {draw.choice(NAMES)} {draw.randint(100, 999)} born?",
            "answer": f"In {draw.choice(TOWNS)}, {draw.randint(1000, 9999)} km by {SECRET}.",
            "subject": f"person {k // 2}",
        }
        for k in range(count)
    ]


def write(folder, forget=12, holdout=40):
    """The forget file, of which the first half is learned, and the holdout."""
    found = records(forget + holdout)
    for name, rows in (("forget", found[:forget]), ("holdout", found[forget:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return found[:forget]


def learn(folder, tiny_folder, count=6, steps=100):
    """A tiny model that knows the first records of the forget file by heart."""
    import torch

    from unteach.data import encode_all, read
    from unteach.models.loading import load_model, load_tokenizer

    tokenizer, model = load_tokenizer(str(tiny_folder)), load_model(str(tiny_folder))
    examples, _ = read(str(folder / "forget.jsonl"), "forget")
    texts, _ = encode_all(examples[:count], tokenizer, max_length=128, template="auto")
    longest = max(len(text.ids) for text in texts)
    ids = torch.zeros(len(texts), longest, dtype=torch.long)
    labels, seen = torch.full_like(ids, -100), torch.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text.ids)], seen[row, : len(text.ids)] = torch.tensor(text.ids), 1
        answer = torch.tensor(text.answer)
        labels[row, : len(text.ids)][answer] = torch.tensor(text.ids)[answer]
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        model(input_ids=ids, attention_mask=seen, labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder / "model"
