"""Select tokens of the forget answers for a method, by scores of the reference model."""

from collections.abc import Iterator

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from unteach.errors import Problem, UserError
from unteach.inference import VariantReader, answer_tokens
from unteach.methods import Method, Selection
from unteach.progress import ProgressCallback
from unteach.types import Sequence


class ModelOracle:
    """Scores texts under the reference model for selectors (`selectors.ReferenceOracle`)."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase):
        self.model = model
        self._variants = VariantReader(model)
        special = set(tokenizer.all_special_ids)
        self.tokens = [i for i in range(len(tokenizer)) if i not in special]

    def nll(self, texts: list[tuple[int, ...]], start: int) -> list[float]:
        """Return each text's mean NLL in nats over the tokens from position `start` on.

        What the texts begin with like the first of them is forwarded once, where that is exact.
        """
        return self._variants.nll(texts, start)

    def logps(self, texts: list[tuple[int, ...]]) -> list[list[float]]:
        """Return the log-probability in nats of each token given those before; 0 for the first."""
        rows = [Sequence("", ids, (False, *(True,) * (len(ids) - 1))) for ids in texts]
        return [[0.0, *a.logps] for a in answer_tokens(self.model, rows)]


def choose(
    method: Method,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    forget: list[Sequence],
    *,
    seed: int,
    progress: ProgressCallback = lambda done, total: None,
) -> list[Selection] | None:
    """Return the method's selection for each forget sequence; None if it reads none.

    Raises:
        UserError: no token is selected in any of them.
    """
    if "selected" not in method.needs():
        return None
    choices = []
    for choice in select_tokens(method, model, tokenizer, forget, seed=seed):
        choices.append(choice)
        progress(len(choices), len(forget))
    require_some(method, choices)
    return choices


def select_tokens(
    method: Method,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    forget: list[Sequence],
    *,
    seed: int,
) -> Iterator[Selection]:
    """Yield the method's selection for one forget sequence after the other."""
    was_training = model.training
    model.eval()
    try:
        yield from method.choose(forget, ModelOracle(model, tokenizer), seed)
    finally:
        model.train(was_training)


def require_some(method: Method, choices: list[Selection]) -> None:
    """Raise UserError if no token is selected in any answer."""
    if choices and not any(choice.chosen for choice in choices):
        what = f"chooses no token in any of the {len(choices)} forget answers"
        raise UserError(Problem(f"method {method.name}", what, method.nothing, "request"))


def unchosen(choices: list[Selection] | None) -> list[Problem]:
    """Return a note if some forget answers have no selected token."""
    empty = sum(not choice.chosen for choice in choices or [])
    if not choices or not empty:
        return []
    what = f"no token is chosen in {empty} of {len(choices)} forget answers"
    hint = "these weigh nothing in the forget term; `unteach explain` shows which"
    return [Problem("method", what, hint, "note")]
