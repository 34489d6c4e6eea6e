"""Find token ids in the data that exceed the rows of the model's embedding."""

from collections.abc import Mapping
from typing import Any

from unteach.data import encode_each
from unteach.data.alternates import answers_beside, read_refusals
from unteach.data.listing import shortened
from unteach.errors import Problem
from unteach.settings.sections import DataSettings
from unteach.types import Example, Sequence


def knows_more(empty: Any, tokenizer: Any) -> bool:
    """Whether a tokenizer has ids beyond the rows of the model's embedding.

    Args:
        empty: the model on the meta device, or None.
        tokenizer: of the model.
    """
    from unteach.models.weights import vocabulary_rows

    rows = vocabulary_rows(empty)
    return rows is not None and max(tokenizer.get_vocab().values(), default=0) >= rows


def check_answers(
    empty: Any,
    tokenizer: Any,
    groups: Mapping[str, list[Example]],
    sequences: Mapping[str, list[Sequence]],
    *,
    max_length: int,
    template: str,
) -> list[Problem]:
    """Run `check_ids` on the examples and on their paraphrases, perturbed and alternate answers.

    Args:
        empty: the model on the meta device, or None.
        tokenizer: of the model.
        groups: examples by role.
        sequences: the same, tokenised.
        max_length: maximum number of tokens of a sequence.
        template: see `encode`.
    """
    if not knows_more(empty, tokenizer):
        return []
    every = {
        role: [
            *sequences.get(role, []),
            *encode_each(
                answers_beside(examples), tokenizer, max_length=max_length, template=template
            ).sequences,
        ]
        for role, examples in groups.items()
    }
    return check_ids(empty, tokenizer, every)


def check_refusals(data: DataSettings, method: Any, empty: Any, tokenizer: Any) -> list[Problem]:
    """Run `check_ids` on the refusals that a method trains on in place of the answers.

    Args:
        data: with the user's refusals.
        method: the method, built with its options.
        empty: the model on the meta device, or None.
        tokenizer: of the model.

    Raises:
        UserError: the file cannot be read.
    """
    if not knows_more(empty, tokenizer):
        return []
    texts = {}
    if method.alternates == "refusals" and "alternate" in method.needs():
        texts["data.refusals"] = read_refusals(data.refusals)
    if "refusal" in method.needs():
        texts["data.refusal"] = (data.refusal,)
    found = {
        name: [_refusal_sequence(text, tokenizer) for text in entries]
        for name, entries in texts.items()
    }
    return check_ids(empty, tokenizer, found)


def _refusal_sequence(text: str, tokenizer: Any) -> Sequence:
    ids = tuple(tokenizer(f" {text.strip()}", add_special_tokens=False)["input_ids"])
    return Sequence("refusal", ids, (True,) * len(ids))


def check_ids(empty: Any, tokenizer: Any, groups: dict[str, list[Sequence]]) -> list[Problem]:
    """Find token ids beyond the rows of the model's embedding.

    Args:
        empty: the model on the meta device, or None.
        tokenizer: of the model; messages name only its special tokens and those of its template.
        groups: sequences by role, or by the setting that they come from.
    """
    from unteach.models.weight_files import some
    from unteach.models.weights import vocabulary_rows

    rows = vocabulary_rows(empty)
    if rows is None:
        return []
    found = []
    for role, sequences in groups.items():
        excess = {i for s in sequences if max(s.ids, default=0) >= rows for i in s.ids if i >= rows}
        if not excess:
            continue
        shown = [i for i in excess if _may_be_shown(i, tokenizer)]
        names = sorted(_name(i, tokenizer) for i in shown)
        place = role if role.startswith("data.") else f"the {role} set"
        what = f"the embedding has {rows} rows, and {place} has {len(excess)} kinds of tokens "
        what += f"beyond them{f' ({some(names)})' if names else ''}: they were added, and the "
        what += "model was not resized"
        hint = "give the tokenizer that the model was trained with; or, to train new rows, "
        hint += "model.resize_token_embeddings(len(tokenizer)), save_pretrained"
        found.append(Problem("tokenizer", what, hint, "request"))
    return shortened(found)


def _may_be_shown(token: int, tokenizer: Any) -> bool:
    """Whether a token may be shown: it is special or in the template, so no word of the data."""
    template = getattr(tokenizer, "chat_template", None)
    return token in tokenizer.all_special_ids or (
        isinstance(template, str) and _name(token, tokenizer) in template
    )


def _name(token: int, tokenizer: Any) -> str:
    """Return the token's text without the tokenizer's sign for a blank in front."""
    return str(tokenizer.convert_ids_to_tokens(token)).lstrip("\u2581\u0120")
