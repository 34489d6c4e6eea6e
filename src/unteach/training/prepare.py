"""Turn a trainer's datasets into token sequences, and freeze parameters."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from unteach.data import encode_each, read_rows
from unteach.data.alternates import alternates, read_refusals
from unteach.data.listing import shortened
from unteach.data.readers.memory import memory_rows
from unteach.errors import Problem, UserError
from unteach.methods import Method
from unteach.progress import ProgressCallback
from unteach.training.config import UnlearningConfig
from unteach.training.made_up_answers import make_up
from unteach.types import Example, Sequence

logger = logging.getLogger(__name__)


def sequences_of(
    dataset: Any, role: str, tokenizer: Any, length: int, template: str, *, last: bool = False
) -> list[Sequence]:
    """Tokenize rows in the format of files; leave out rows without an answer.

    Ready sequences are returned as they are. With `last`, only the last answer of a conversation
    counts as one.

    Raises:
        UserError: some rows are invalid, or none is left.
    """
    rows = [] if dataset is None else memory_rows(dataset, f"{role} rows")
    if rows and isinstance(rows[0], Sequence):
        return rows
    sequences = _encoded(read_rows(rows, role), tokenizer, length, template, last=last)
    if rows and not sequences:
        what = f"no answer of the {len(rows)} examples begins within {length} tokens"
        raise UserError(Problem(role, what, "raise max_length, or shorten the prompts"))
    return sequences


def trained_on(
    method: Method,
    forget: list[Sequence],
    retain: list[Sequence],
    replay: list[Sequence],
) -> tuple[list[Sequence], list[Sequence], list[Sequence]]:
    """Return the sequences for the method's `forget`, and those for the retain and replay terms.

    Raises:
        UserError: there is nothing to forget, or nothing to retrain on.
    """
    hint = "give some"
    if not forget:
        raise UserError(Problem("forget_dataset", "holds no example", hint, "request"))
    if method.trains_on == "forget":
        return forget, retain, replay
    if not retain:
        what = f"holds no example, and {method.name} trains on nothing else"
        raise UserError(Problem("retain_dataset", what, hint, "request"))
    return retain, [], []  # it begins at a model that never saw the earlier ones either


def examples_of(dataset: Any) -> list[Example]:
    """Return the forget rows as examples, to find alternates for them. Raises UserError."""
    rows = memory_rows(dataset, "forget rows")
    if rows and isinstance(rows[0], Sequence):
        hint = "give `alternate_dataset`, one sequence for each forget sequence, of the same id"
        raise UserError(Problem("alternate_dataset", "is not given", hint, "request"))
    return read_rows(rows, "forget")


def alternates_of(
    method: Method,
    model: Any,
    examples: list[Example],
    forget: list[Sequence],
    tokenizer: Any,
    length: int,
    args: UnlearningConfig,
    progress: ProgressCallback = lambda done, total: None,
    note: Callable[[Problem], None] = lambda problem: logger.warning(str(problem)),
) -> list[Sequence]:
    """Return one alternate answer per forget sequence, in the same order.

    Args:
        method: says where alternates come from.
        model: the reference model, which generates alternates for some methods.
        examples: what to forget.
        forget: the same in tokens.
        tokenizer: of the model.
        length: most tokens of a sequence.
        args: with the refusals.
        progress: called as answers are generated.
        note: called if no answer could be generated for some examples; logs by default.

    Raises:
        UserError: some forget example has no alternate.
    """
    replaced, problems = alternates(examples, method.alternates, args.refusals, args.seed)
    if problems:
        raise UserError(*shortened(problems))
    if method.alternates == "generated":
        was_training = model.training
        made = make_up(
            model.eval(), tokenizer, examples, max_length=length, template=args.template,
            refusals=read_refusals(args.refusals), seed=args.seed, progress=progress,
        )  # fmt: skip
        model.train(was_training)
        replaced = made.examples
        if made.refused:
            what = f"the model made up nothing new for {made.refused} of {len(replaced)} questions"
            hint = "these get a refusal; the column `alternate` gives better answers"
            note(Problem("alternate answers", what, hint, "note"))
    # Earlier answers of a conversation must not be trained on: they are to be forgotten too.
    return aligned(_encoded(replaced, tokenizer, length, args.template, last=True), forget)


def aligned(alternates: list[Sequence], forget: list[Sequence]) -> list[Sequence]:
    """Sort the alternates into the order of the forget sequences, by id. Raises UserError."""
    by_id = {sequence.id: sequence for sequence in alternates}
    missing = [s.id for s in forget if s.id not in by_id]
    if missing:
        what = f"{len(missing)} forget examples have none that fits, first {missing[0]}"
        hint = "give one for each; shorten the prompts, or raise data.max_length"
        raise UserError(Problem("alternate answers", what, hint))
    return [by_id[s.id] for s in forget]


def refusal_ids(text: str, tokenizer: Any) -> tuple[int, ...]:
    """Return the tokens of a refusal after a prompt. Raises UserError if there are none.

    A space is prepended, as before most answers, since it changes the first token.
    """
    ids = tuple(tokenizer(f" {text.strip()}", add_special_tokens=False)["input_ids"])
    if not ids:
        hint = "give some words, such as: No idea"
        raise UserError(Problem("data.refusal", "is empty", hint, "request"))
    return ids


def freeze(model: Any, trainable: Callable[[str], bool]) -> list[Any]:
    """Freeze all parameters whose names are not `trainable`; return those that were frozen.

    Raises:
        UserError: no trainable parameter is left.
    """
    moving = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    stopped = [p for name, p in moving if not trainable(name)]
    if len(stopped) == len(moving):
        raise UserError(nothing_moves())
    for parameter in stopped:
        parameter.requires_grad_(False)
    return stopped


def nothing_moves() -> Problem:
    """Return the problem that a method trains no parameter of a model."""
    what = "the method trains no parameter of this model"
    hint = "its layers are named in a way that the method does not know; take another method, or"
    hint += " adapter.kind=full where adapters are in the way"
    return Problem("--method", what, hint, "request")


def place(model: Any, device: Any) -> None:
    """Move the model to the device, unless it is spread over several."""
    if getattr(model, "hf_device_map", None) is None:
        model.to(device)


def _encoded(
    examples: Iterable[Example],
    tokenizer: Any,
    length: int,
    template: str,
    *,
    last: bool = False,
) -> list[Sequence]:
    """Tokenize the examples; log what is truncated or left out. Raises UserError."""
    result = encode_each(list(examples), tokenizer, max_length=length, template=template, last=last)
    if result.refused:
        raise UserError(*shortened(result.refused))
    for problem in shortened(result.told):
        logger.warning(str(problem))
    return result.sequences
