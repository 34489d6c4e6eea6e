"""Requests for evaluations of files made by `tests/evaluation/conftest.py`."""

SECRET = "Zanzibar"
ROLES = ("forget", "retain", "holdout")


def asked_of(files, *, model, **more):
    from unteach.evaluation.asked import asked

    given = {
        "models": {"model": str(model)},
        "out": files / "out",
        "options": {role: str(files / f"{role}.jsonl") for role in ROLES},
        "cache": files / "cache",
        "max_new_tokens": 8,
        **more,
    }
    return asked(**given)


def everything_written(folder) -> str:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".png")
    return "".join(path.read_text(encoding="utf-8") for path in files)
