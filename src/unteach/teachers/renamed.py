"""Make questions about invented people, from the questions of the forget set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from unteach.teachers.listed import listed_names
from unteach.teachers.names import NamePart, Subject, WordTokens, people_of, subjects_of
from unteach.teachers.stranger import FEW_NAMES
from unteach.teachers.written import alike, inflected, occurrences, script
from unteach.types import Example
from unteach.types import Sequence as Tokenised

ATTEMPTS = 200
ALIKE = 0.7  # share of the words, names left out, that two questions of one form have in common
Names = Mapping[str, str]


@dataclass(frozen=True)
class NamedExample:
    """An example with the words of the names in it.

    Attributes:
        example: as the user wrote it.
        names: the words of names, in the order of the text.
        form: the words of its prompt without the names.
    """

    example: Example
    names: tuple[str, ...]
    form: frozenset[str]


def named_examples(
    examples: Sequence[Example], sequences: Sequence[Tokenised], tokenizer: object
) -> tuple[list[NamedExample], list[Subject]]:
    """Return the examples in which a name is found, and their subjects.

    Args:
        examples: with one question and one answer each.
        sequences: the same, tokenised; those whose prompt was too long are missing.
        tokenizer: of the sequences.
    """
    tokens = WordTokens(tokenizer)
    by_id = {example.id: example for example in examples}
    found = [(by_id[s.id], s) for s in sequences if s.id in by_id]
    subjects = subjects_of([s for _, s in found], tokens)
    named = []
    for (example, _), subject in zip(found, subjects, strict=True):
        words = tuple(part.text for part in subject)
        if words and example.answer_turn is not None:
            text = " ".join(turn.text for turn in example.turns[: example.answer_turn])
            form = frozenset(renamed(text, dict.fromkeys(words, "")).casefold().split())
            named.append(NamedExample(example, words, form))
    return named, [subject for subject in subjects if subject]


def new_names(subjects: Sequence[Subject], others: Sequence[Subject], seed: int) -> dict[str, str]:
    """Return another name for each word of the subjects' names, so that nobody bears the whole.

    Names are put together anew from those of other people in the data, as a model of one world
    knows no others; where these are few, the subjects' own and listed names are taken too.

    Args:
        subjects: whose names are replaced.
        others: other people in the data.
        seed: of the draw.
    """
    own = {part.text: part for subject in subjects for part in subject}
    parts = {part.text: part for subject in others for part in subject if part.text not in own}
    people = dict.fromkeys(person for subject in subjects for person in people_of(subject))
    taken = {*people, *(person for subject in others for person in people_of(subject))}
    new: dict[str, str] = {}
    for person in people:
        new |= _drawn(person, new, own, parts, taken, seed)
        taken.add(tuple(new[word] for word in person))
    return new


def _drawn(
    person: tuple[str, ...],
    new: Names,
    own: Mapping[str, NamePart],
    parts: Mapping[str, NamePart],
    taken: set[tuple[str, ...]],
    seed: int,
) -> dict[str, str]:
    """Return new words for a person's name; those of `new` stay."""
    words: dict[str, str] = {}
    for attempt in range(ATTEMPTS):
        random = Random(f"{seed}/{person}/{attempt}")
        words = {word: random.choice(_fitting(word, own, parts)) for word in person} | {
            word: new[word] for word in person if word in new
        }
        name = tuple(words[word] for word in person)
        if name not in taken and len(set(name)) == len(name):
            break
    return words


def _fitting(word: str, own: Mapping[str, NamePart], others: Mapping[str, NamePart]) -> list[str]:
    """Return words that may stand in a word's place: of its script and slot."""
    slot = own[word].slot

    def of(parts: Mapping[str, NamePart]) -> list[str]:
        return [w for w, p in parts.items() if w != word and p.slot == slot and alike(w, word)]

    if len(known := of(others)) >= FEW_NAMES:
        return known
    listed = [w for w in listed_names(script(word), slot) if w != word]
    return [*known, *of(own), *listed] or [word]


def renamed(text: str, names: Names) -> str:
    """Return the text with words of names replaced, also where they are inflected.

    Example:
        >>> renamed("Ada Berg's cat is Ada's.", {"Ada": "Ida", "Berg": "Dahl"})
        "Ida Dahl's cat is Ida's."
    """
    places = []
    for word, new in names.items():
        places += [(place.start, place.end, inflected(new, place.ending) if new else "")
                   for place in occurrences(text, word)]  # fmt: skip
    pieces, end = [], 0
    for start, stop, new in sorted(places):
        if start >= end:
            pieces += [text[end:start], new]
            end = stop
    return "".join([*pieces, text[end:]])


def about_others(example: Example, names: Names) -> Example:
    """Return the example with the names replaced in all of its turns."""
    turns = tuple(replace(turn, text=renamed(turn.text, names)) for turn in example.turns)
    return replace(example, turns=turns, subject=(), spans=(), fact="", paraphrase="", perturbed=())


def made_holdout(
    forget: Sequence[NamedExample], donors: Sequence[NamedExample], names: Names
) -> list[Example]:
    """Return questions about invented people, with answers given of somebody else.

    A question of the forget set gets another name; its answer is that of another example of the
    same form, in which the name is replaced too. So both are as in the data, and the two were never
    seen together. A question without another of its form gives nothing.

    Args:
        forget: the forget examples.
        donors: the examples that may give an answer: those of the forget and the retain set.
        names: the new word for each word of a name in `forget`.
    """
    made = []
    for own in forget:
        old = renamed(own.example.answer, dict.fromkeys(own.names, ""))
        alike = [
            donor
            for donor in donors
            if set(donor.names).isdisjoint(own.names)
            and _of_one_form(donor.form, own.form)
            and renamed(donor.example.answer, dict.fromkeys(donor.names, "")) != old
        ]
        if not alike:
            continue
        donor = Random(own.example.id).choice(alike)
        words = [names[word] for word in own.names]
        theirs = {w: words[min(k, len(words) - 1)] for k, w in enumerate(donor.names)}
        example = about_others(own.example, {w: names[w] for w in own.names})
        turn = example.answer_turn or 0
        answer = replace(example.turns[turn], text=renamed(donor.example.answer, theirs))
        turns = (*example.turns[:turn], answer)
        made.append(replace(example, turns=turns, id=f"holdout-{len(made)}", where="holdout made"))
    return made


def _of_one_form(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= ALIKE * len(one | other)
