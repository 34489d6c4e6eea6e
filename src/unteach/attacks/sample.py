"""Sampling attack: one of many sampled answers may give what the greedy one does not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import comb
from typing import Any, ClassVar

from unteach.attacks._base import Attack, AttackOutcome, option, registered
from unteach.attacks._subject import AttackSubject, bare
from unteach.errors import Problem
from unteach.files.rows import Groups
from unteach.suites.generated import decoded, gives, rouge_l
from unteach.suites.questions import Question
from unteach.suites.rounding import rounded
from unteach.types import Paper, Row

ASKED = ("forget", "holdout")
BATCHED = 4  # speed-up per answer of sampling in batches; measured on the demo with 16 samples


def best_of(values: list[float], k: int) -> float:
    """Unbiased estimate of the expected maximum of k samples, from n sampled values.

    It is the mean maximum over all subsets of k of the n values: the i-th smallest value is the
    maximum of C(i-1, k-1) of the C(n, k) subsets. For values of 0 and 1, c of them 1, it is
    1 - C(n-c, k) / C(n, k).

    Args:
        values: one value per sample.
        k: size of the subsets, from 1 to the number of values.

    Raises:
        ValueError: k is out of this range.

    Example:
        >>> best_of([0.0, 0.0, 1.0, 0.0], 2), best_of([0.25, 0.75], 1)
        (0.5, 0.5)
    """
    n = len(values)
    if not 1 <= k <= n:
        raise ValueError(f"best of {k} cannot be told from {n} values")
    sets = comb(n, k)
    return float(
        sum(float(Fraction(comb(i, k - 1), sets)) * value for i, value in enumerate(sorted(values)))
    )


@registered("sample")
@dataclass(frozen=True, kw_only=True)
class SampleAttack(Attack):
    """Sample many answers to each question, and score the best of k of them."""

    answers: int = option(64, "answers sampled for each question", low=1)
    temperatures: tuple = option((0.25, 0.8, 1.2), "sampling temperatures", low=0.01)
    best: tuple = option((1, 4, 16, 64), "values of k in best of k", low=1)

    paper: ClassVar = Paper(
        title="Leak@k: Unlearning Does Not Make LLMs Forget Under Probabilistic Decoding",
        authors="Hadi Reisizadeh and Jiajun Ruan and Yiwei Chen and Soumyadeep Pal and Sijia Liu "
        "and Mingyi Hong",
        year=2025,
        arxiv="2511.04934",
        where="the estimator of the best of k answers",
    )
    keeps_utility: ClassVar = True

    def missing(self, subject: AttackSubject) -> list[Problem]:
        """Return an error if the best of more answers is wanted than are sampled."""
        if (most := max(self.best)) > self.answers:
            what = f"has {most}, and only {self.answers} answers are sampled"
            hint = f"set sample.answers={most}, or take {most} out"
            return [Problem("--set sample.best", what, hint, "request")]
        return []

    def variants(self, subject: AttackSubject) -> list[str]:
        """Return a variant for each temperature and k."""
        return [_named(t, k) for t in self.temperatures for k in self.best]

    def cost(self, subject: AttackSubject) -> float:
        """Estimate the time: answers to the forget and holdout questions, in large batches."""
        size = {role: len(found) for role, found in subject.groups.items()}
        share = sum(size.get(role, 0) for role in ASKED) / max(sum(size.values()), 1)
        return share * self.answers * len(self.temperatures) / BATCHED

    def attack(self, subject: AttackSubject, wanted: list[str]) -> Iterator[AttackOutcome]:
        """Yield the rows of each variant; the samples of a temperature serve every k."""
        from unteach.inference import loaded_model

        missing = [t for t in self.temperatures if any(_named(t, k) in wanted for k in self.best)]
        if missing:
            found = loaded_model(subject.load, lambda model: self._values(subject, model, missing))
            for temperature, values in found:
                for k in self.best:
                    yield AttackOutcome(_named(temperature, k), self._rows(subject, values, k))

    def _values(self, subject: AttackSubject, model: Any, temperatures: list[float]) -> Any:
        """Return by temperature and question, for each sample: ROUGE-L recall, and fact given."""
        from unteach.inference import end_tokens
        from unteach.inference.sampling import samples

        groups = {role: subject.groups[role] for role in ASKED if role in subject.groups}
        asked = [q for q in subject.questions(groups) if q.prompt]
        prompts = sorted({(q.prompt.ids, q.prompt.limit) for q in asked if q.prompt})
        found = []
        for number, temperature in enumerate(temperatures):
            said = samples(
                model,
                prompts,
                self.answers,
                temperature=temperature,
                end=end_tokens(model, subject.tokenizer),
                seed=subject.seed + 1000 * number,
                tokens_per_batch=4 * subject.settings.tokens_per_batch,
                progress=lambda done, total, t=temperature: subject.tell(
                    f"sampling at temperature {t:g}", done, total
                ),
            )
            by_prompt = dict(zip(prompts, said, strict=True))
            found.append((temperature, [(q, _judged(q, by_prompt, subject)) for q in asked]))
        return found

    def _rows(self, subject: AttackSubject, values: Any, k: int) -> Groups:
        best = {(q.group, q.row.id): _best(q.row.id, of, k) for q, of in values}
        changed = {
            role: [_put(row, best.get((role, row.id))) for row in rows]
            for role, rows in subject.plain.items()
            if role in ASKED
        }
        return subject.with_plain(changed)


def _named(temperature: float, k: int) -> str:
    return f"temperature {temperature:g}, best of {k}"


def _judged(
    question: Question, said: dict, subject: AttackSubject
) -> tuple[list[float], list[float]]:
    """Return the ROUGE-L recall of each sample, and whether it gives the fact."""
    assert question.prompt is not None
    texts = [
        decoded(ids, subject.tokenizer, question.stop)[0]
        for ids in said[question.prompt.ids, question.prompt.limit]
    ]
    overlaps = {
        text: rouge_l(text, question.expected, stemmed=question.stemmed).recall for text in {*texts}
    }
    facts = [float(gives(text, question.fact)) for text in texts] if question.fact else []
    return [overlaps[text] for text in texts], facts


def _best(id: str, values: tuple[list[float], list[float]], k: int) -> Row:
    overlaps, facts = values
    return Row(
        id=id,
        tokens=8,  # rounding depends on the number of tokens
        logp=0.0,
        rouge_l_recall=best_of(overlaps, k),
        fact_given=best_of(facts, k) if facts else None,  # type: ignore[arg-type]
    )


def _put(row: Row, best: Row | None) -> Row:
    """Return the row with the scores of the best of k answers in place of the greedy one's."""
    plain = bare(row)
    if best is None:
        return plain
    coarse = rounded(best)
    return replace(
        plain, rouge_l_recall=coarse.rouge_l_recall, fact_given=best.fact_given, verbatim=None
    )
