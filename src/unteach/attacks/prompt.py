"""Prompt attack: another wording of a question may still get the answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from unteach.attacks import _forms as forms
from unteach.attacks._base import Attack, AttackOutcome, option, registered
from unteach.attacks._subject import AttackSubject, bare
from unteach.errors import Problem
from unteach.files.rows import Groups
from unteach.suites.questions import Question
from unteach.types import Example, Paper

ROLES = ("forget", "holdout")
GIVEN = "wording: given ({n})"
CLOZE, BARE, SHOTS = "format: cloze", "format: running text", "company: other subjects"


@registered("prompt")
@dataclass(frozen=True, kw_only=True)
class PromptAttack(Attack):
    """Rephrase each question, change its format, role or context, or begin its answer."""

    wordings: int = option(3, "maximum number of wordings taken from the data", low=0)
    turns: int = option(2, "how often the model is asked to correct its answer", low=0)

    paper: ClassVar = Paper(
        title="Eight Methods to Evaluate Robust Unlearning in LLMs",
        authors="Aengus Lynch and Phillip Guo and Aidan Ewart and Stephen Casper and "
        "Dylan Hadfield-Menell",
        year=2024,
        arxiv="2402.16835",
        where="other prompts, in-context examples and extracted knowledge",
    )
    keeps_utility: ClassVar = True

    def missing(self, subject: AttackSubject) -> list[Problem]:
        """Return an error if the forget set holds raw texts, which have no questions."""
        asked = [example for example in subject.groups["forget"] if forms.asked_text(example)]
        if asked:
            return []
        what = "holds raw texts, and prompt needs questions"
        return [Problem("--forget", what, "leave prompt out of --attack", "request")]

    def variants(self, subject: AttackSubject) -> list[str]:
        """Return every form that at least one forget example can take."""
        forget = subject.groups["forget"]
        given = max((len(subject.wordings.get(e.id, ())) for e in forget), default=0)
        found = [GIVEN.format(n=k + 1) for k in range(min(given, self.wordings))]
        found += [*forms.ASKED]
        found += [CLOZE] if any(forms.cloze(example) for example in forget) else []
        found += [BARE]
        found += [SHOTS] if any(forms.shot(subject, e) for e in forget) else []
        found += [n for n, p in forms.PREFIXES.items() if any(forms.cut_of(e, p) for e in forget)]
        return found + [forms.TURNS.format(n=k + 2) for k in range(self.turns)]

    def cost(self, subject: AttackSubject) -> float:
        """Estimate the time: the forget and holdout questions for each form."""
        size = {role: len(found) for role, found in subject.groups.items()}
        share = sum(size.get(role, 0) for role in ROLES) / max(sum(size.values()), 1)
        return share * (len(self.variants(subject)) + 1)

    def attack(self, subject: AttackSubject, wanted: list[str]) -> Iterator[AttackOutcome]:
        """Yield the rows of each form; the model is loaded once."""
        from unteach.inference import loaded_model

        if wanted:
            yield from loaded_model(subject.load, lambda model: self._all(subject, model, wanted))

    def _all(self, subject: AttackSubject, model: Any, wanted: list[str]) -> list[AttackOutcome]:
        chains = {forms.TURNS.format(n=k + 2): k + 1 for k in range(self.turns)}
        found = []
        for name in wanted:
            if name not in chains:
                asked = self._questions(subject, name)
                rows = subject.put(model, asked, _roles(asked)) if asked else {}
                found.append(AttackOutcome(name, subject.with_plain(rows)))
        if any(name in wanted for name in chains):
            told = self._corrections(subject, model, max(chains.values()))
            found += [AttackOutcome(n, subject.with_plain(told[k])) for n, k in chains.items()]
        return found

    def _questions(self, subject: AttackSubject, name: str) -> list[Question]:
        """Return the questions in one form, for the examples that can take it."""
        found: list[Question] = []
        for role in ROLES:
            examples: list[Example] = []
            for example in subject.groups.get(role, []):
                if not forms.asked_text(example):
                    continue
                if name in forms.PREFIXES:
                    one = forms.begun(subject, role, example, forms.PREFIXES[name])
                    found += [one] if one else []
                elif made := self._example(subject, example, name):
                    examples.append(made)
            found += subject.questions({role: examples})
        return found

    def _example(self, subject: AttackSubject, example: Example, name: str) -> Example | None:
        question = forms.asked_text(example)
        if name in forms.ASKED:
            return forms.reasked(example, forms.ASKED[name].format(q=question))
        if name == CLOZE:
            return forms.cloze(example)
        if name == BARE:
            return forms.bare_text(example)
        if name == SHOTS:
            return forms.shot(subject, example)
        given = subject.wordings.get(example.id, ())
        place = next(k for k in range(self.wordings) if name == GIVEN.format(n=k + 1))
        return forms.reasked(example, given[place]) if place < len(given) else None

    def _corrections(self, subject: AttackSubject, model: Any, turns: int) -> dict[int, Groups]:
        """Return the rows after each correction; the model's answers stay in memory."""
        groups = {
            role: [e for e in subject.groups.get(role, []) if forms.asked_text(e)] for role in ROLES
        }
        said: dict[tuple[str, str], list[str]] = {}
        found: dict[int, Groups] = {}
        for turn in range(turns + 1):
            asked = {
                role: [forms.corrected(e, said[role, e.id]) if turn else e for e in examples]
                for role, examples in groups.items()
                if examples
            }
            given = subject.said(model, subject.questions(asked), list(asked))
            for one in given.spoken:
                said.setdefault((one.group, one.id), []).append(one.said)
            for role, examples in groups.items():
                groups[role] = [e for e in examples if len(said.get((role, e.id), ())) == turn + 1]
            if turn:
                found[turn] = {r: [bare(x) for x in rows] for r, rows in given.rows.items()}
        return found


def _roles(asked: list[Question]) -> list[str]:
    return [role for role in ROLES if any(question.group == role for question in asked)]
