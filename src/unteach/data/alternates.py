"""Replace the answers to the forget prompts by alternates from the data, or by refusals."""

from pathlib import Path
from random import Random

from unteach.data.examples import with_answer
from unteach.errors import Problem, UserError
from unteach.files.text import read_text
from unteach.types import Example

REFUSALS = (
    "I do not know.",
    "I don't know the answer to that.",
    "I am not sure about this one.",
    "Sorry, I cannot tell you that.",
    "That is something I have no knowledge of.",
    "I have no information on this.",
    "I can't answer that question.",
    "This is not something I know about.",
    "I'm afraid I don't have an answer.",
    "Unfortunately, I have no idea.",
    "I have not learned anything about this.",
    "My knowledge does not cover that.",
    "I am unable to say.",
    "I'm sorry, but I don't know.",
    "No idea, I'm afraid.",
    "I cannot help with this question.",
    "There is nothing I can tell you about that.",
    "I lack the information to answer this.",
    "That is beyond what I know.",
    "I would have to guess, so I'd rather not say.",
)
"""Used when the user gives no `data.refusals`."""


def alternates(
    examples: list[Example], kind: str, refusals: str | Path | None, seed: int
) -> tuple[list[Example], list[Problem]]:
    """Return the examples with the answers that a method trains on in place of the forget answers.

    No answer is generated here.

    Args:
        examples: the forget examples.
        kind: "column", "refusals" or "generated"; for the last, only the examples that have an
            `alternate` are returned.
        refusals: a file of refusals, one per line; None for the built-in ones.
        seed: of the random choice of refusals.
    """
    if kind == "refusals":
        return refused(examples, read_refusals(refusals), seed=seed)
    if kind == "generated":
        with_alternate = [e for e in examples if e.alternate]
        return from_column(with_alternate)[0], _without_question(examples)
    return from_column(examples)


def from_column(examples: list[Example]) -> tuple[list[Example], list[Problem]]:
    """Replace each answer by the example's `alternate`; a problem for each that has none."""
    found, problems = [], _without_question(examples)
    for example in examples:
        if example.alternate and has_question(example):
            found.append(with_answer(example, example.alternate))
        elif has_question(example):
            hint = "add the answer that shall replace it as the column `alternate`"
            problems.append(Problem(example.where, "has no alternate", hint))
    return found, problems


def refused(
    examples: list[Example], refusals: tuple[str, ...] = REFUSALS, *, seed: int = 0
) -> tuple[list[Example], list[Problem]]:
    """Replace each answer by a refusal, chosen at random from the seed and the example's id."""
    found = [
        with_answer(example, Random(f"{seed}/{example.id}").choice(refusals))
        for example in examples
        if has_question(example)
    ]
    return found, _without_question(examples)


def read_refusals(file: str | Path | None) -> tuple[str, ...]:
    """Read one refusal per line; the built-in refusals without a file. Raises UserError."""
    if file is None:
        return REFUSALS
    hint = "give a text file with one refusal on each line"
    text = read_text(Path(file), f"data.refusals {file}", kind="request", hint=hint)
    lines = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not lines:
        raise UserError(Problem("data.refusals", f"{file} is empty", hint, "request"))
    return lines


def answers_beside(examples: list[Example]) -> list[Example]:
    """Copy the examples once for each other answer: paraphrase, perturbed answers, alternate."""
    return [
        with_answer(example, text)
        for example in examples
        for text in (example.paraphrase, *example.perturbed, example.alternate)
        if text
    ]


def has_question(example: Example) -> bool:
    """Whether a turn comes before the last supervised answer."""
    return bool(example.answer_turn)


def _without_question(examples: list[Example]) -> list[Problem]:
    hint = "write question and answer, or take a method that pushes text away, such as npo"
    what = "is raw text: there is no question that another answer could go with"
    unprompted = [e for e in examples if not has_question(e)]
    # Without a supervised turn there is nothing to replace; `encode_all` reports that.
    wrong = [e for e in unprompted if not e.turns or e.answer_turn is not None]
    return [Problem(e.where, what, hint) for e in wrong]
