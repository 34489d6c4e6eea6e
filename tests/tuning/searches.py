"""A small search, and what it reads on the way."""

from support import write_roles

FAST = {"train.epochs": 1, "train.batch_size": 8, "evaluate.max_new_tokens": 4}
ROLES = ("forget", "retain", "holdout")


def command(files, model, *more):
    """The arguments of a search on files of `write_roles`, into `out` beside them."""
    roles = [part for role in ROLES for part in (f"--{role}", files / f"{role}.jsonl")]
    sets = [part for k, v in FAST.items() for part in ("--set", f"{k}={v}")]
    return ["search", "--model", model, *roles, *sets, "--train-anyway", "--out", files / "out",
            "--methods", "npo,undial", *more]  # fmt: skip


def watched(patch):
    """The ids of all examples that trials train on or score, as a set that fills."""
    from unteach.suites import ask
    from unteach.training import unlearn

    seen, scored, trained = set(), ask.score_groups, unlearn.unlearn_model

    def score(model, tokenizer, groups, settings, **more):
        seen.update(example.id for group in groups.values() for example in group.examples)
        return scored(model, tokenizer, groups, settings, **more)

    def train(model, tokenizer, method, data, *rest, **more):
        texts = [s.id.partition("/")[0] for s in (*data.forget, *data.retain, *data.holdout)]
        seen.update([*texts, *(example.id for example in data.examples)])
        return trained(model, tokenizer, method, data, *rest, **more)

    patch.setattr(ask, "score_groups", score)
    patch.setattr(unlearn, "unlearn_model", train)
    return seen


__all__ = ["command", "watched", "write_roles"]
