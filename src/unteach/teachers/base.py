"""The model before fine-tuning, which never saw the forget data."""

from typing import Any

from unteach.teachers._base import (
    Teacher,
    TeacherInputs,
    TeacherSource,
    Unavailable,
    teacher_source,
)
from unteach.teachers.holdout import auc


@teacher_source("base")
class Base(TeacherSource):
    """The distribution of the model before fine-tuning at the same answer tokens."""

    order = 1

    def find(self, inputs: TeacherInputs) -> Teacher:
        """Raises Unavailable: no base model is given."""
        if inputs.base_logps is None:
            raise Unavailable("no base model is given (--base)")
        targets = inputs.base_logps(inputs.forget)
        facts = {}
        if inputs.holdout:
            facts["teacher_auc"] = round(auc(targets, inputs.base_logps(inputs.holdout)), 4)
        return Teacher(
            source=self.name,
            sequences=inputs.forget,
            pairs=[()] * len(targets),
            targets=targets,
            set_level=[False] * len(targets),
            facts=facts,
        )


def unlike(base: tuple[Any, Any], model: tuple[Any, Any]) -> tuple[str, str]:
    """Why the base cannot teach the model, and what to do; two empty texts where it can.

    Args:
        base: configuration and tokenizer of the base.
        model: the same of the model that is to forget.
    """
    if base[1].get_vocab() != model[1].get_vocab():
        what = "has another tokenizer than --model, so its distributions are over other tokens"
        return what, "give the very model that was fine-tuned, or drop --base"
    theirs, ours = (config.get_text_config().vocab_size for config, _ in (base, model))
    if theirs != ours:
        what = f"has {theirs} entries in its vocabulary, and --model has {ours}"
        hint = "resize its embeddings to the model's (resize_token_embeddings), or drop --base"
        return what, hint
    return "", ""
