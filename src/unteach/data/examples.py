"""Examples from records: which columns mean what, and what is wrong with a record."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from unteach.data.sources import Record, records
from unteach.nouns import Example, Problem, Turn, UserError
from unteach.registry import did_you_mean

FORMS = {
    ("prompt", "completion"): "pair",
    ("question", "answer"): "pair",
    ("messages",): "chat",
    ("text",): "text",
    ("prompt", "gt"): "text",  # MUSE's verbatim-memorisation files: the text goes on
}
ACCEPTED = "prompt and completion, question and answer, messages, or text"
SHOWN = 5  # lines listed for one kind of problem


def read(source: str, role: str) -> tuple[list[Example], list[Problem]]:
    """The examples of a file or a dataset id, and everything that is wrong with it.

    Args:
        source: a .jsonl, .json, .csv, .parquet or .txt file, or `owner/name[:config[:split]]`.
        role: what they are for: "forget", "retain", "holdout", or any other group's name.
    """
    found, problems = records(str(source))
    examples, more = _examples(found, role, str(source))
    return examples, _shortened([*problems, *more])


def read_rows(rows: Iterable[Mapping[str, Any]], role: str) -> list[Example]:
    """Examples from rows in memory, with the columns that files have.

    Raises:
        UserError: all that is wrong with them.

    Example:
        >>> (example,) = read_rows([{"question": "Who?", "answer": "Ada."}], "forget")
        >>> example.id, example.answer
        ('forget-0', 'Ada.')
    """
    source = f"{role} rows"
    found = [(f"{source}, row {k}", row) for k, row in enumerate(rows, 1)]
    examples, problems = _examples(found, role, source)
    if problems:
        raise UserError(*_shortened(problems))
    return examples


def with_answer(example: Example, answer: str) -> Example:
    """The same example with another answer at its end."""
    if not example.turns:
        return replace(example, text=answer)
    return replace(example, turns=(*example.turns[:-1], Turn(example.turns[-1].role, answer)))


def _examples(found: list[Record], role: str, source: str) -> tuple[list[Example], list[Problem]]:
    examples, problems, forms = [], [], {}
    for number, (where, value) in enumerate(found):
        record = {"text": value} if isinstance(value, str) else value
        columns = _columns(record)
        if columns:
            forms.setdefault(columns, where)
        made = _example(record, columns, f"{role}-{number}", where)
        (problems if isinstance(made, Problem) else examples).append(made)
    if len(forms) > 1:
        listed = ", ".join(f"{'/'.join(form)} ({where})" for form, where in forms.items())
        hint = "use one form in a file"
        problems.insert(0, Problem(source, f"mixes columns: {listed}", hint))
    return examples, problems


def _columns(record: Any) -> tuple[str, ...] | None:
    if not isinstance(record, Mapping):
        return None
    return next((form for form in FORMS if all(record.get(c) is not None for c in form)), None)


def _example(
    record: Any, columns: tuple[str, ...] | None, id: str, where: str
) -> Example | Problem:
    if not isinstance(record, Mapping):
        kind = type(record).__name__
        return Problem(where, f"is no object but a {kind}", f"give an object with {ACCEPTED}")
    if columns is None:
        return _unknown(record, where)
    if columns == ("messages",) or isinstance(record[columns[0]], list):
        messages = [m for c in columns for m in _listed(record[c])]
        return _chat(messages, id, where)
    values = [record[column] for column in columns]
    for column, value in zip(columns, values, strict=True):
        if not isinstance(value, str):
            what = f"{column} is a {type(value).__name__}"
            return Problem(where, what, "write it as a string")
        if not value.strip():
            return Problem(where, f"{column} is empty", "fill it, or take the line out")
    if columns == ("text",):
        return Example(id=id, where=where, kind="text", text=values[0])
    turns = (Turn("user", values[0]), Turn("assistant", values[1]))
    if FORMS[columns] == "text":
        return Example(id=id, where=where, kind="text", turns=turns)
    return _pair(record, turns, id, where)


def _pair(record: Mapping, turns: tuple[Turn, ...], id: str, where: str) -> Example | Problem:
    paraphrase, wrong = record.get("paraphrased_answer"), record.get("perturbed_answer")
    wrong = [wrong] if isinstance(wrong, str) else wrong or []
    texts = {"paraphrased_answer": [paraphrase or ""], "perturbed_answer": wrong}
    for column, values in texts.items():
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            return Problem(where, f"{column} is no text", "write a string, or a list of strings")
    return Example(
        id=id,
        where=where,
        kind="pair",
        turns=turns,
        paraphrase=paraphrase or "",
        perturbed=tuple(v for v in wrong if v.strip()),
        fact=str(record.get("fact") or ""),
    )


def _chat(messages: list, id: str, where: str) -> Example | Problem:
    turns = []
    for number, message in enumerate(messages, 1):
        if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
            what = f"message {number} has no role and content"
            return Problem(where, what, 'write {"role": "user", "content": "..."}')
        role, text = message["role"], message["content"]
        if not isinstance(role, str) or not isinstance(text, str):
            what = f"message {number}: role or content is no string"
            return Problem(where, what, "write both as strings")
        if role == "assistant" and not text.strip():
            what = f"message {number}: the assistant says nothing"
            return Problem(where, what, "fill it, or take the line out")
        turns.append(Turn(role, text))
    if not turns or turns[-1].role != "assistant":
        what = "does not end with the assistant" if turns else "has no messages"
        return Problem(where, what, "the assistant's turns are what is supervised")
    return Example(id=id, where=where, kind="chat", turns=tuple(turns))


def _listed(value: Any) -> list:
    if isinstance(value, str):
        return [{"role": "assistant", "content": value}]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _unknown(record: Mapping, where: str) -> Problem:
    columns = [str(column) for column in record]
    known = sorted({column for form in FORMS for column in form})
    guesses = [did_you_mean(c, known) for c in columns if c not in known]
    guess = next((g for g in guesses if g), "")
    listed = ", ".join(columns) or "none"
    return Problem(where, f"has the columns {listed}", f"needed: {ACCEPTED}.{guess}")


def _shortened(problems: list[Problem]) -> list[Problem]:
    """The first few of each kind of problem, and how many more there are."""
    seen, kept = defaultdict(list), []
    for problem in problems:
        same = seen[problem.what, problem.hint]
        same.append(problem)
        if len(same) <= SHOWN:
            kept.append(problem)
    for same in seen.values():
        if len(same) > SHOWN:
            last = same[SHOWN - 1]
            more = f"{last.what} (and {len(same) - SHOWN} more lines like this)"
            kept[kept.index(last)] = replace(last, what=more)
    return kept
