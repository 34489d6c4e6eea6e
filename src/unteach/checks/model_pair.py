"""Check that other models (`--base`, `--retrained`) can be compared with the unlearned model.

All of them get the token ids of the unlearned model. A model with another tokenizer, a smaller
vocabulary or a shorter context would give numbers too, but they would mean something else.
"""

from typing import Any, NamedTuple

from unteach.errors import Problem, UserError


class ModelInfo(NamedTuple):
    """Configuration and tokenizer of a model whose weights are not loaded."""

    config: Any
    tokenizer: Any


def unlike(other: ModelInfo, model: ModelInfo, named: str = "--model") -> tuple[str, str]:
    """Find why two models cannot get the same token ids: text and hint, both empty if they can.

    Args:
        other: the other model.
        model: the model whose tokenizer is used.
        named: name of that model in messages.
    """
    if other.tokenizer.get_vocab() != model.tokenizer.get_vocab():
        what = f"has another tokenizer than {named}, so its distributions are over other tokens"
        return what, "give one with the very same tokenizer"
    theirs, ours = (known.config.get_text_config().vocab_size for known in (other, model))
    if theirs != ours:
        what = f"has a vocabulary of {theirs} tokens, and {named} one of {ours}"
        return what, f"resize its embeddings to those of {named} (resize_token_embeddings)"
    return "", ""


def beside_problem(
    other: ModelInfo, model: ModelInfo, where: str, *, length: int
) -> Problem | None:
    """Find why another model cannot be evaluated on the same sequences as `--model`.

    Args:
        other: the other model.
        model: `--model`.
        where: name of the other model in messages.
        length: number of tokens of the longest sequence.
    """
    from unteach.data import context_length

    what, hint = unlike(other, model)
    if what:
        return Problem(where, what, f"{hint}, or drop {where.split()[0]}", "request")
    room = context_length(other.config, model.tokenizer)
    if room >= length:
        return None
    what = f"reads {room} tokens, and the texts have up to {length}"
    hint = f"set data.max_length={room}, or drop {where.split()[0]}"
    return Problem(where, what, hint, "request")


def shapes_problem(other: Any, model: Any, where: str) -> Problem | None:
    """Find why `--model` cannot be fine-tuned from another model: names or shapes differ.

    Args:
        other: the other model on the meta device; None if unknown.
        model: `--model`, likewise.
        where: name of the other model in messages.
    """
    if other is None or model is None:
        return None
    theirs, ours = ({n: tuple(p.shape) for n, p in m.named_parameters()} for m in (other, model))
    unlike = [name for name in {**ours, **theirs} if theirs.get(name) != ours.get(name)]
    if not unlike:
        return None
    what = f"{len(unlike)} of its weights have another name or shape than those of --model"
    hint = "give the model that --model was fine-tuned from"
    return Problem(where, f"{what}, first {unlike[0]}", hint, "request")


def require_beside(
    path: str, flag: str, config: Any, model: ModelInfo, *, length: int, trust_remote_code: bool
) -> None:
    """Check that another model can be evaluated on the same sequences as `--model`.

    Raises:
        UserError: it has no tokenizer, another one, or a shorter context; the message names the
            flag.
    """
    from unteach.models.loading import load_tokenizer

    tokenizer = load_tokenizer(path, flag=flag, trust_remote_code=trust_remote_code)
    known = ModelInfo(config, tokenizer)
    if problem := beside_problem(known, model, f"{flag} {path}", length=length):
        raise UserError(problem)
