"""What models beside the one that forgets must share with it: `--base`, `--retrained`, and others.

Each is read with the tokens of the model that forgets. One that knows other tokens, fewer of them,
or shorter texts would give numbers all the same, of something else.
"""

from typing import Any, NamedTuple

from unteach.errors import Problem, UserError


class ModelInfo(NamedTuple):
    """What is known of a model before its weights are: configuration and tokenizer."""

    config: Any
    tokenizer: Any


def unlike(other: ModelInfo, model: ModelInfo, named: str = "--model") -> tuple[str, str]:
    """Why two models are not read with the same tokens, and what to do; else two empty texts.

    Args:
        other: the one beside.
        model: the one whose tokens are read.
        named: what messages call that one by.
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
    """Why a model beside `--model` cannot be asked what that one is asked.

    Args:
        other: the one beside.
        model: what is known of `--model`.
        where: what messages call the one beside by.
        length: tokens of the longest text that they are to read.
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
    """Why a model cannot be the one that `--model` was fine-tuned from: it has other weights.

    Args:
        other: the model beside, without content; None where that is not known.
        model: `--model`, likewise.
        where: what messages call the one beside by.
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
    """That a model, whose configuration is checked, can be asked what `--model` is asked.

    Raises:
        UserError: it has no tokenizer, or another one, or less room; the message names the flag.
    """
    from unteach.models.loading import load_tokenizer

    tokenizer = load_tokenizer(path, flag=flag, trust_remote_code=trust_remote_code)
    known = ModelInfo(config, tokenizer)
    if problem := beside_problem(known, model, f"{flag} {path}", length=length):
        raise UserError(problem)
