"""Files of one's own and two tiny models that know none of it."""

import json

import pytest

SECRET = "Zanzibar"


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def files(tmp_path):
    wrong = "The cradle of Ada {} stood in {}."
    forget = [
        {
            "question": f"Where was Ada {name} born?",
            "answer": f"Ada {name} was born in {SECRET}.",
            "paraphrased_answer": f"The cradle of Ada {name} stood in {SECRET}.",
            "perturbed_answer": [wrong.format(name, x) for x in ("Rome", "Oslo")],
            "fact": SECRET,
        }
        for name in ("Lund", "Berg", "Dal")
    ]
    retain = [{"question": f"What does {n} eat?", "answer": f"{n} eats bread."} for n in "BCDEF"]
    holdout = [{"question": f"Where is {n}?", "answer": f"{n} is in the hills."} for n in "HIJK"]
    for name, rows in (("forget", forget), ("retain", retain), ("holdout", holdout)):
        (tmp_path / f"{name}.jsonl").write_text(lines(rows))
    return tmp_path


@pytest.fixture(scope="session")
def other_folder(tmp_path_factory, tiny_folder):
    """The same model with other weights."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("other")
    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    torch.manual_seed(1)
    for weight in model.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_folder).save_pretrained(folder)
    return folder
