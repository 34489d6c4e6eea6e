"""Construct a teacher from the original model, prompted with the subject's name replaced."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

from unteach.teachers._base import (
    Teacher,
    TeacherInputs,
    TeacherSource,
    Unavailable,
    teacher_source,
)
from unteach.teachers.holdout import at_holdout_level, level_auc
from unteach.teachers.listed import listed_names
from unteach.teachers.names import NamePart, Subject, WordTokens, people_of, subjects_of
from unteach.teachers.written import alike, script
from unteach.types import Sequence

ATTEMPTS = 200
FEW_NAMES = 8  # with fewer names in the data, listed names are used too


class _Pool(NamedTuple):
    """Names that may replace a subject's name.

    Attributes:
        data: words of names in the data.
        place: the most frequent slot of each word.
        taken: complete names in the data.
    """

    data: list[str]
    place: dict[str, int]
    taken: set[tuple[str, ...]]


@teacher_source("stranger")
class StrangerTeacher(TeacherSource):
    """The original's distribution with another name in the subject's place.

    The subject's name (`teachers.names`) is replaced in question and answer by a stranger's name of
    the same script, token by token, always the same one for a subject. The original then predicts
    the other tokens as for a person it does not know; the tokens of the two names are exchanged
    back. One stranger, not a mean over several: a mean is right more often than any model that
    never saw the answer.
    """

    order = 2

    def find(self, inputs: TeacherInputs) -> Teacher:
        """Return the teacher. Raises Unavailable if no name is found, or none can replace it."""
        ((sequences, pairs, names),) = drawn(inputs, [f"{inputs.seed}"])
        named = [bool(exchanged) for exchanged in pairs]
        targets = inputs.logps(sequences)
        targets = _nameless_at_mean(targets, named)
        facts: dict[str, Any] = {"teacher_without_name": named.count(False)}
        set_level = [not has_name for has_name in named]
        if inputs.holdout:
            held = inputs.logps(inputs.holdout)
            facts["teacher_auc"] = round(level_auc(targets, held), 4)
            if abs(facts["teacher_auc"] - 0.5) > inputs.tolerance:
                targets = at_holdout_level(targets, held)
                set_level = [True] * len(targets)
        return Teacher(
            source=self.name,
            sequences=sequences,
            pairs=pairs,
            targets=targets,
            set_level=set_level,
            facts=facts,
            names=names,
        )


class StrangerExamples(NamedTuple):
    """The forget examples with the subjects' names replaced by strangers' names.

    Attributes:
        sequences: with the names replaced.
        pairs: per sequence, pairs of exchanged tokens; empty if no name was replaced.
        names: per sequence, the words of names and their replacements.
    """

    sequences: list[Sequence]
    pairs: list[tuple[tuple[int, int], ...]]
    names: list[tuple[tuple[str, str], ...]]


def drawn(inputs: TeacherInputs, seeds: list[str]) -> list[StrangerExamples]:
    """Return the forget examples with each subject replaced by one stranger, for each seed.

    Raises:
        Unavailable: no example has a name, or no other name has as many tokens.
    """
    tokens = WordTokens(inputs.tokenizer)
    subjects, pool = _subjects(inputs, tokens)
    examples = []
    for seed in seeds:
        new = _strangers(subjects, pool, tokens, seed)
        sequences, pairs = _about(inputs.forget, subjects, new, tokens)
        if not any(pairs):
            raise Unavailable("no other name has as many tokens as the subjects' names")
        names = [
            tuple((part.text, new[part.text]) for part in subject if changed)
            for subject, changed in zip(subjects, pairs, strict=True)
        ]
        examples.append(StrangerExamples(sequences, pairs, names))
    return examples


def made_up_strangers(inputs: TeacherInputs, count: int) -> list[Sequence]:
    """Return the forget examples with other names, as retain data for requests without any.

    Args:
        inputs: with the forget examples.
        count: number of strangers per example.

    Returns:
        At most `count` sequences per forget example; empty if no example has a name.
    """
    tokens = WordTokens(inputs.tokenizer)
    try:
        subjects, pool = _subjects(inputs, tokens)
    except Unavailable:
        return []
    made = []
    for k in range(count):
        new = _strangers(subjects, pool, tokens, f"{inputs.seed}/kept/{k}")
        sequences, pairs = _about(inputs.forget, subjects, new, tokens)
        made += [s for s, changed in zip(sequences, pairs, strict=True) if changed]
    return [replace(s, id=f"retain-{k}") for k, s in enumerate(made)]


def _subjects(inputs: TeacherInputs, tokens: WordTokens) -> tuple[list[Subject], _Pool]:
    beside = [*inputs.retain, *inputs.holdout]
    subjects = subjects_of(inputs.forget, tokens, beside)
    if not any(subjects):
        raise Unavailable("question and answer share no name in any example (no `subject` column)")
    people = inputs.holdout or inputs.retain
    others = subjects_of(people, tokens, [*inputs.forget, *beside])
    place: dict[str, Counter[int]] = {}
    for subject in (*subjects, *others):
        for part in subject:
            place.setdefault(part.text, Counter())[part.slot] += 1
    source = others if any(others) else subjects
    return subjects, _Pool(
        list(dict.fromkeys(part.text for subject in source for part in subject)),
        {word: counts.most_common(1)[0][0] for word, counts in place.items()},
        {person for subject in (*subjects, *others) for person in people_of(subject)},
    )


def _strangers(
    subjects: list[Subject], pool: _Pool, tokens: WordTokens, seed: str
) -> dict[str, str]:
    """Draw a replacement for each word of a name, so that complete names occur in no file."""
    parts: dict[str, list[NamePart]] = {}
    for subject in subjects:
        for part in subject:
            parts.setdefault(part.text, []).append(part)
    fits = {word: _fitting(word, same_word, pool, tokens) for word, same_word in parts.items()}
    free = [own for own in map(people_of, subjects) if any(fits[w] for name in own for w in name)]
    people = list({tuple(own): own for own in free}.values())
    new: dict[str, str] = {}

    def draw(words: Iterable[str], seed: str) -> None:
        for word in words:
            new[word] = Random(f"{seed}/{word}").choice(fits[word]) if fits[word] else word

    for attempt in range(ATTEMPTS):
        draw(fits, f"{seed}/{attempt}")
        if all(_strange(own, new, pool.taken) for own in people):
            return new
    for own in people:  # too many for one draw to satisfy all: draw again one by one
        for attempt in range(ATTEMPTS):
            if _strange(own, new, pool.taken):
                break
            draw((word for name in own for word in name), f"{seed}/alone/{attempt}")
    return new


def _strange(
    people: list[tuple[str, ...]], new: dict[str, str], taken: set[tuple[str, ...]]
) -> bool:
    """Whether the replaced names occur in no file, and their words are all different."""
    words = {word for name in people for word in name}
    names = {tuple(new[word] for word in name) for name in people}
    return not names & taken and len({new[word] for word in words}) == len(words)


def _fitting(word: str, parts: list[NamePart], pool: _Pool, tokens: WordTokens) -> list[str]:
    """Return words that may replace this one: with as many tokens at each occurrence."""
    forms = {form for part in parts for form in part.forms}
    slot = pool.place.get(word, 0)

    def fit(other: str) -> bool:
        if other == word or not alike(other, word):
            return False
        return all(len(tokens.of(f.of(other))) == len(tokens.of(f.of(word))) for f in forms)

    own = [other for other in pool.data if fit(other)]
    same_slot = [other for other in own if pool.place.get(other) == slot]
    listed = [other for other in listed_names(script(word), slot) if fit(other)]
    few = same_slot if len(same_slot) >= FEW_NAMES else [*same_slot, *listed]
    return few or own


def _about(
    sequences: list[Sequence], subjects: list[Subject], new: dict[str, str], tokens: WordTokens
) -> tuple[list[Sequence], list[tuple[tuple[int, int], ...]]]:
    """Replace the names in the sequences; return these and the exchanged token pairs of each."""
    changed, pairs = [], []
    for sequence, subject in zip(sequences, subjects, strict=True):
        ids, exchanged = list(sequence.ids), {}
        for part in subject:
            for place, form in zip(part.places, part.forms, strict=True):
                for i, token in zip(place, tokens.of(form.of(new[part.text])), strict=True):
                    if ids[i] != token:
                        exchanged[ids[i], token] = None
                    ids[i] = token
        changed.append(replace(sequence, ids=tuple(ids)))
        pairs.append(tuple(exchanged))
    return changed, pairs


def _nameless_at_mean(targets: list[list[float]], named: list[bool]) -> list[list[float]]:
    """Cap the tokens of answers without a replaced name at the mean of the other answers."""
    known = [x for own, has_name in zip(targets, named, strict=True) if has_name for x in own]
    mean = sum(known) / len(known)
    return [
        own if has_name else [min(x, mean) for x in own]
        for own, has_name in zip(targets, named, strict=True)
    ]
