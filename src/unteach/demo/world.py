"""Make a world from a seed: people to forget, to retain and to hold out, and known lands."""

from dataclasses import dataclass
from random import Random
from typing import Any

from unteach.demo.words import FIRST, LAND_NAMES, LANDS, LAST, PEOPLE, Relation

Row = dict[str, Any]
WRONG = 5  # number of wrong answers per fact


@dataclass(frozen=True)
class World:
    """Question/answer rows with the columns of data files, by group.

    Every fact has two rows with different questions and answers. Only the first has the columns of
    TOFU's perturbed files (a paraphrase in a third wording, and wrong answers in it), so that truth
    ratios count facts, not rows. Each row has an alternate answer with another value, for methods
    that train on one.
    """

    forget: list[Row]
    retain: list[Row]
    holdout: list[Row]
    world: list[Row]


def make_world(
    seed: int,
    *,
    forget: int = 10,
    retain: int = 90,
    holdout: int = 20,
    lands: int = 30,
    facts: int = 10,
) -> World:
    """Make the world of a seed.

    Args:
        seed: determines everything.
        forget: number of people to forget.
        retain: number of people to keep.
        holdout: number of people that no model is trained on.
        lands: number of lands that every model learns, and that unlearning never uses.
        facts: number of facts per person.

    Example:
        >>> world = make_world(0, forget=1, retain=1, holdout=1, lands=1, facts=2)
        >>> [row["fact"] in row["answer"] for row in world.forget]
        [True, True, True, True]
    """
    random = Random(f"world {seed}")
    # First and last names are shared between people: models cannot reproduce a name whose parts
    # they never saw, so that answers about holdout people would be recognisable.
    everyone = [f"{a} {b}" for a in FIRST for b in LAST]
    names = iter(random.sample(everyone, forget + retain + holdout))
    groups = {
        group: [
            row
            for _ in range(count)
            for row in _about(next(names), random.sample(PEOPLE, facts), random)
        ]
        for group, count in (("forget", forget), ("retain", retain), ("holdout", holdout))
    }
    places = [
        row for name in random.sample(LAND_NAMES, lands) for row in _about(name, LANDS, random)
    ]
    return World(**groups, world=places)


def _about(who: str, relations: Any, random: Random) -> list[Row]:
    return [row for relation in relations for row in _fact(who, relation, random)]


def _fact(who: str, relation: Relation, random: Random) -> list[Row]:
    value, *wrong = random.sample(relation.values, 1 + WRONG)
    rows: list[Row] = [
        {"question": q.format(who=who), "answer": a.format(who=who, x=value), "fact": value}
        for q, a in zip(relation.questions, relation.answers, strict=True)
    ]
    others = [x for x in relation.values if x not in (value, *wrong)]
    alternate = Random(f"{who} {relation.name}").choice(others)
    for row, answer in zip(rows, relation.answers, strict=True):
        row["alternate"] = answer.format(who=who, x=alternate)
    rows[0]["paraphrased_answer"] = relation.paraphrase.format(who=who, x=value)
    rows[0]["perturbed_answer"] = [relation.paraphrase.format(who=who, x=x) for x in wrong]
    return rows
