"""A small request of the main job, to be given wrongly."""

import json

FORGET = [{"question": f"Where was Ada {k} born?", "answer": f"In Lund {k}."} for k in range(3)]
RETAIN = [{"question": f"What does Ben {k} eat?", "answer": f"Bread {k}."} for k in range(3)]


def lines(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def written(folder):
    """The folder, with what to forget and what to keep."""
    (folder / "forget.jsonl").write_text(lines(FORGET))
    (folder / "retain.jsonl").write_text(lines(RETAIN))
    return folder


def arguments(files, folder, **changes):
    given = {
        "model": folder,
        "forget": files / "forget.jsonl",
        "retain": files / "retain.jsonl",
        "out": files / "out",
        **changes,
    }
    return [x for name, value in given.items() for x in (f"--{name}", value)]
