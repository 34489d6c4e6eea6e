"""Requests for evaluations, and the files that these are of."""

import json

SECRET = "Zanzibar"
ROLES = ("forget", "retain", "holdout")


def write_files(folder):
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
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def asked_of(files, *, model, **more):
    from unteach.evaluation.request import evaluation_request

    given = {
        "models": {"model": str(model)},
        "out": files / "out",
        "options": {role: str(files / f"{role}.jsonl") for role in ROLES},
        "cache": files / "cache",
        "max_new_tokens": 8,
        **more,
    }
    return evaluation_request(**given)


def everything_written(folder) -> str:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".png")
    return "".join(path.read_text(encoding="utf-8") for path in files)
