"""The user's own data: how likely its answers are, and what the model says when asked."""

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from unteach.data import encode, question, with_answer
from unteach.data import read as read_file
from unteach.nouns import ROLES, Example, Problem, Row, Sequence, UserError
from unteach.probes import Answered, answer_tokens, end_tokens, greedy
from unteach.suites._base import SUITES, Choice, Group, Settings, Suite
from unteach.suites._options import chosen
from unteach.suites._sources import find

Told = Callable[[str, int, int], None]


def evaluate(
    model: Any,
    tokenizer: Any,
    groups: dict[str, list[Example]],
    settings: Settings,
    *,
    progress: Told = lambda what, done, total: None,
) -> dict[str, list[Row]]:
    """The rows of every group: one forward pass per text, one greedy answer per example.

    Args:
        model: a causal language model in evaluation mode.
        tokenizer: its tokenizer.
        groups: examples of each group ("forget", "retain", "holdout", ...).
        settings: how the questions are put.
        progress: told what is being done, and how far it is.

    Returns:
        Rows per group: each example's own answer, then its paraphrase and its wrong answers.
    """
    asked = [
        (group, row, sequence)
        for group, examples in groups.items()
        for example in examples
        for row, text in _variants(example)
        for sequence in encode(
            text, tokenizer, max_length=settings.max_length, template=settings.template
        )
        if any(sequence.answer)
    ]
    answered = answer_tokens(
        model,
        [sequence for *_, sequence in asked],
        tokens_per_batch=settings.tokens_per_batch,
        progress=lambda done, total: progress("scoring answers", done, total),
    )
    said = _generate(model, tokenizer, groups, settings, progress)
    rows: dict[str, list[Row]] = {group: [] for group in groups}
    for (group, row, sequence), answer in zip(asked, answered, strict=True):
        rows[group].append(_filled(row, sequence, answer, said))
    return rows


def sample(examples: list[Example], limit: int, *, seed: int = 0) -> list[Example]:
    """At most `limit` of the examples, in their order, drawn by the seed."""
    if len(examples) <= limit:
        return examples
    chosen = sorted(Random(seed).sample(range(len(examples)), limit))
    return [examples[i] for i in chosen]


def rouge_l_recall(said: str, expected: str) -> float:
    """Share of the expected words that stand in what was said, in order (ROUGE-L recall).

    Example:
        >>> rouge_l_recall("the red house", "a red house")
        0.6666666666666666
    """
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True).score(expected, said)["rougeL"].recall


def gives(said: str, fact: str) -> bool:
    """Whether the fact stands in what was said as whole words, whatever the case and the spacing.

    Example:
        >>> gives("She lives in  new York.", "New York"), gives("a washed coat", "ash")
        (True, False)
    """
    fact, said = (" ".join(text.casefold().split()) for text in (fact, said))
    return re.search(rf"(?<!\w){re.escape(fact)}(?!\w)", said) is not None


def _variants(example: Example) -> list[tuple[Row, Example]]:
    size = len(zlib.compress(example.answer.encode()))
    found = [(Row(id=example.id, logps=(), zlib=size), example)]
    if example.paraphrase:
        row = Row(id=example.id, kind="paraphrase", logps=())
        found.append((row, with_answer(example, example.paraphrase)))
    found += [
        (Row(id=example.id, kind="perturbed", index=k, logps=()), with_answer(example, wrong))
        for k, wrong in enumerate(example.perturbed)
    ]
    return found


def _generate(
    model: Any,
    tokenizer: Any,
    groups: dict[str, list[Example]],
    settings: Settings,
    progress: Told,
) -> dict[str, tuple[float, bool | None]]:
    """ROUGE-L recall of each example's greedy answer, and whether it gives the fact."""
    examples = [example for members in groups.values() for example in members]
    asked = [
        question(e, tokenizer, max_length=settings.max_length, template=settings.template)
        for e in examples
    ]
    pairs = [
        (example, prompt, expected, min(2 * tokens, settings.max_new_tokens))
        for example, (prompt, expected, tokens) in zip(examples, asked, strict=True)
        if prompt and expected and tokens
    ]
    answers = greedy(
        model,
        [prompt for _, prompt, _, _ in pairs],
        limits=[limit for *_, limit in pairs],
        end=end_tokens(model, tokenizer),
        tokens_per_batch=2 * settings.tokens_per_batch,
        progress=lambda done, total: progress("asking for answers", done, total),
    )
    found = {}
    for (example, _, expected, _), ids in zip(pairs, answers, strict=True):
        said = tokenizer.decode(ids, skip_special_tokens=True)
        fact = gives(said, example.fact) if example.fact else None
        found[example.id] = rouge_l_recall(said, expected), fact
    return found


def _filled(row: Row, sequence: Sequence, answer: Answered, said: dict) -> Row:
    own = row.kind == "answer"
    rouge, fact = said.get(sequence.id, (None, None)) if own else (None, None)
    return replace(
        row,
        id=sequence.id,
        logps=tuple(answer.logps),
        hits=tuple(answer.hits),
        means=tuple(answer.means),
        spreads=tuple(answer.spreads),
        rouge_l_recall=rouge,
        fact_given=fact,
    )


def read(folder: Path | None, options: Mapping[str, str]) -> dict[str, Group]:
    """The user's groups, each from a file, or from a file of its name in the folder.

    Args:
        folder: where a role that is not given is looked for (`forget.jsonl`, `retain.json`, ...).
        options: a file or dataset id for `forget`, `retain` and `holdout`.

    Raises:
        UserError: everything that is wrong with any of them, or no forget examples at all.
    """
    given = chosen("own", OPTIONS, options)
    groups: dict[str, Group] = {}
    problems: list[Problem] = []
    for role in ROLES:
        source = given[role] or (folder and find(folder, (role,)))
        if source:
            examples, wrong = read_file(source, role)
            groups[role] = Group(examples=examples)
            problems += [problem for problem in wrong if problem.kind != "note"]
    if "forget" not in groups:
        what, hint = "is not given", "give a file of what was forgotten, such as forget.jsonl"
        problems.insert(0, Problem("suite own, option forget", what, hint, "request"))
    if problems:
        raise UserError(*problems)
    return groups


OPTIONS = {role: Choice(help=f"a file of {role} examples", default="") for role in ROLES}

SUITES.add(
    "own",
    Suite(
        name="own",
        version=1,
        help="Your own data: forget, and retain and holdout where you have them.",
        read=read,
        options=OPTIONS,
    ),
)
