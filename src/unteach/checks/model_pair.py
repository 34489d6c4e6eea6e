"""Check that other models (`--base`, `--retrained`) can be compared with the unlearned model.

All of them get the token ids of the unlearned model. A model with another tokenizer, a smaller
vocabulary or a shorter context would give numbers too, but they would mean something else.
"""

from typing import Any, NamedTuple

from unteach.checks.model import check_model
from unteach.checks.retraining import could_retrain
from unteach.errors import Problem, UserError
from unteach.settings.request import Request


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


def require_comparable(request: Request, name: str, config: Any, model: ModelInfo) -> None:
    """Check that the model "base" or "retrained" can be asked with the sequences of `--model`.

    Raises:
        UserError: it has no tokenizer, another one, or a shorter context; the message names the
            flag.
    """
    from unteach.data import context_length
    from unteach.models.loading import load_tokenizer

    path, flag, remote_code = getattr(request, name), f"--{name}", request.trust_remote_code
    tokenizer = load_tokenizer(path, flag=flag, trust_remote_code=remote_code)
    what, hint = unlike(ModelInfo(config, tokenizer), model)
    room, length = context_length(config, model.tokenizer), request.data.max_length or 2048
    if not what and room < length:
        what = f"reads {room} tokens, and the texts have up to {length}"
        hint = f"set data.max_length={room}"
    if what:
        raise UserError(Problem(f"{flag} {path}", what, f"{hint}, or drop {flag}", "request"))


def check_base(request: Request, method: Any, model: ModelInfo, empty: Any) -> list[Problem]:
    """Check that the base model can be the teacher or the start of training. Raises UserError."""
    base, remote_code = str(request.base), request.trust_remote_code
    start = method.trains_on == "retain"
    if not method.asks_base() and not start:
        what = f"{method.name} has no teacher that is made of the base model, so it is not read"
        hint = "take --method unseen, or drop --base"
        return [Problem(f"--base {base}", what, hint, "note")]
    checked = check_model(
        base, "--base", trust_remote_code=remote_code, device=request.device, training=start
    )
    require_comparable(request, "base", checked.config, model)
    unlike = shapes_problem(checked.empty, empty, f"--base {base}") if start else None
    return [unlike] if unlike else could_retrain(request, method)
