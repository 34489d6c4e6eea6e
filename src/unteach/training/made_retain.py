"""Let the model itself write what it should keep, for `--retain made`."""

import re
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from unteach.data import question, with_answer
from unteach.inference import end_tokens, sampled
from unteach.teachers.names import people_of
from unteach.teachers.renamed import about_others, named_examples, new_names
from unteach.types import Example, Sequence, Turn

NEIGHBOURS, ORDINARY = 200, 40  # examples at most
LONGEST = 64  # new tokens of an answer to an ordinary question, or of a text
SHARED = 6  # consecutive words with a forget answer: a text that has as many is left out
QUESTIONS = (
    "Name a city in Canada.",
    "How do I boil an egg?",
    "Name three colours of the rainbow.",
    "What is 7 plus 5?",
    "Why do leaves fall in autumn?",
    "Write a short sentence about a dog.",
    "What does a baker do all day?",
    "How many days has a week?",
    "How far away is the moon?",
    "Give me a tip for better sleep.",
    "Give me another word for happy.",
    "Recommend a book to read.",
    "Explain what a computer does, in one sentence.",
    "What is water made of?",
    "Translate 'good morning' into Spanish.",
    "Where do whales live?",
    "List two fruits.",
    "How can I learn to cook?",
    "What do you need to plant a tree?",
    "Tell me a short joke.",
)
OPENINGS = ("The", "In the", "Once", "It was", "There is", "When", "A", "This", "We", "He said")


@dataclass(frozen=True)
class MadeRetain:
    """Examples that the model wrote.

    Attributes:
        examples: questions with the model's own answers, or texts.
        neighbours: how many of them are questions of the forget set about other people.
    """

    examples: list[Example]
    neighbours: int


def make_retain(
    model: Any,
    tokenizer: Any,
    forget: list[Example],
    sequences: list[Sequence],
    *,
    max_length: int,
    template: str,
    seed: int = 0,
) -> MadeRetain:
    """Return what a model says, sampled, of the forget set's neighbours and of ordinary things.

    Neighbours are the questions of the forget set about invented people. For raw texts
    there are none; ordinary texts continue common openings. Whatever has a whole name of the
    forget set in it, or six words in a row of its answers, is left out.

    Args:
        model: the original.
        tokenizer: of the model.
        forget: the forget examples.
        sequences: the same, tokenised.
        max_length: most tokens of a sequence.
        template: how question and answer are joined.
        seed: of the names and of the sampling.
    """
    named, subjects = named_examples(forget, sequences, tokenizer)
    names = new_names(subjects, [], seed)
    drawn = Random(seed).sample(named, min(len(named), NEIGHBOURS))
    near = [about_others(own.example, {word: names[word] for word in own.names}) for own in drawn]
    texts = all(example.kind == "text" for example in forget)
    plain = _openings() if texts else [_asked(text) for text in QUESTIONS]
    rounds = ORDINARY // len(plain)
    asked = [*near, *(example for _ in range(rounds) for example in plain)]
    prompts = [
        _start(tokenizer, example)
        if example.kind == "text"
        else question(example, tokenizer, max_length=max_length, template=template)[0]
        for example in asked
    ]
    limits = [_limit(tokenizer, e) if k < len(near) else LONGEST for k, e in enumerate(asked)]
    pending = [k for k, prompt in enumerate(prompts) if prompt]
    said = sampled(
        model,
        [tuple(prompts[k]) for k in pending],
        limits=[limits[k] for k in pending],
        end=end_tokens(model, tokenizer),
        temperature=1.0,
        seed=seed,
    )
    secret = Secrets(forget, {person for subject in subjects for person in people_of(subject)})
    made: list[Example] = []
    neighbours = 0
    for k, ids in zip(pending, said, strict=True):
        text = tokenizer.decode(ids, skip_special_tokens=True).strip()
        example = asked[k]
        done = with_answer(example, f"{example.text} {text}".strip() if not example.turns else text)
        if text and not secret.shows(done):
            made.append(replace(done, id=f"retain-{len(made)}", where="retain made"))
            neighbours += k < len(near)
    return MadeRetain(made, neighbours)


class Secrets:
    """Find whole names of the forget set, or six words in a row of its answers, in a text."""

    def __init__(self, forget: list[Example], people: set[tuple[str, ...]]):
        self.people = [{word.casefold() for word in person} for person in people]
        self.runs = {run for example in forget for run in _runs(example.answer)}

    def shows(self, example: Example) -> bool:
        """Whether an example has such a name or such words."""
        whole = " ".join([example.text, *(turn.text for turn in example.turns)]).casefold()
        named = any(all(word in whole for word in person) for person in self.people)
        return named or not self.runs.isdisjoint(_runs(example.answer))


def _runs(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return [tuple(words[k : k + SHARED]) for k in range(len(words) - SHARED + 1)]


def _asked(text: str) -> Example:
    turns = (Turn("user", text), Turn("assistant", "..."))
    return Example(id="made", where="", kind="pair", turns=turns)


def _openings() -> list[Example]:
    return [Example(id="made", where="", kind="text", text=text) for text in OPENINGS]


def _start(tokenizer: Any, example: Example) -> tuple[int, ...]:
    return tuple(tokenizer(example.text)["input_ids"])


def _limit(tokenizer: Any, example: Example) -> int:
    return 2 * len(tokenizer(example.answer, add_special_tokens=False)["input_ids"]) + 8
