"""Write the result of an audit: lines for a terminal, Markdown and JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from unteach.errors import listed
from unteach.escaping import json_text, markdown, prose
from unteach.metrics.blind import APART, BLIND
from unteach.metrics.memorised import CONFORMAL, Decisions
from unteach.metrics.sampled import PROBABILISTIC, TRIES
from unteach.report.grid import cell, grid
from unteach.report.table import number
from unteach.types import Score

SCHEMA = 1
SHOWN = 12  # maximum number of ids in a line
MEMBERSHIP = {
    "membership_auc_loss": "membership AUC, by the loss",
    "membership_auc_min_k": "membership AUC, by the least likely tokens",
    "membership_auc_zlib": "membership AUC, by the loss against how far the text compresses",
    "membership_tpr_loss": "found at 1 false alarm in 100, by the loss",
    "extraction_strength": "drawn out word for word by its beginning, share",
    "probabilistic_extraction": "given word for word by one of 100 sampled answers, chance",
    "probability": "probability per token",
}
LIMITS = """\
- A record that is not distinguishable from never seen may still have been trained on: the model
  shows nothing of it in this wording.
- A record is called known if the model finds it likelier than texts like it. If other models
  have the same text from elsewhere, unlearning it here does not remove it from them.
- Every decision depends on the holdout: it must be like the forget set, and the model must never
  have been trained on it."""


@dataclass(frozen=True, kw_only=True)
class SampledAnswers:
    """The records that sampled answers give, word for word or by their fact.

    Attributes:
        answers: number of answers sampled to each question.
        given: ids of the forget records that at least one answer gives.
        forget: their share of all forget records.
        holdout: the same of the holdout, by guesses; None without questions there.
    """

    answers: int
    given: tuple[str, ...]
    forget: Score
    holdout: Score | None


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The result of an audit; holds no text of the data.

    Attributes:
        model: as the user named it.
        decisions: the decision on each record, and the power of the test.
        scores: metric -> score, of the forget set (against the holdout).
        blind: AUC of a classifier that tells forget from holdout without the model.
        by_person: membership AUC with its interval over persons; None if the data names none.
        persons: number of persons in the forget set, and number of those with a known record.
        persons_from: "subject" if they come from this column, "names" if from the texts, else "".
        sampled: the records that sampled answers give; None where none were sampled.
        notes: notes for the reader.
        facts: counts and versions.
    """

    model: str
    decisions: Decisions
    scores: Mapping[str, Score]
    blind: Score
    by_person: Score | None = None
    persons: tuple[int, int] | None = None
    persons_from: str = ""
    sampled: SampledAnswers | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def known(self) -> tuple[str, ...]:
        """Ids of the records that the model knows."""
        return self.decisions.ids("known")

    @property
    def apart(self) -> bool:
        """Whether forget and holdout can be distinguished without the model."""
        value, low = self.blind.value, self.blind.low
        return value is not None and value > APART and (low is None or low > 0.5)


def sentence(audit: Audit) -> str:
    """The result in one sentence.

    Example:
        >>> from unteach.metrics.memorised import decide
        >>> from unteach.types import Row
        >>> never = [Row(id=f"holdout-{k}", tokens=9, logp=-2.0) for k in range(30)]
        >>> rows = {"forget": [Row(id="forget-0", tokens=9, logp=-3.0)], "holdout": never}
        >>> sentence(Audit(model="m", decisions=decide(rows), scores={}, blind=Score(None)))
        'None of 1 records can be told from records that the model never saw.'
    """
    found, count = audit.decisions, len(audit.decisions.records)
    if audit.known and audit.apart:
        return (
            f"{len(audit.known)} of {count} records stand out from the holdout, but so they do "
            "without the model: whether it knows them is doubtful."
        )
    if audit.known:
        return (
            f"The model knows {len(audit.known)} of {count} records, of which at most "
            f"{found.level:.0%} are to be expected wrong."
        )
    unclear = len(found.ids("cannot tell"))
    if unclear:
        return (
            f"None of {count} records was found to be known, but of {unclear} it cannot be told "
            f"with {found.holdout} holdout records."
        )
    return f"None of {count} records can be told from records that the model never saw."


def warnings(audit: Audit) -> list[str]:
    """Reasons why the result is doubtful or weak."""
    found = audit.decisions
    lines = []
    if audit.apart:
        lines.append(
            "doubtful: forget and holdout can be distinguished by their texts alone, without the "
            f"model: AUC {cell(audit.blind)}. Likelier answers may only mean different texts; give "
            "a holdout that is like the forget set"
        )
    elif audit.blind.value is None:
        lines.append(
            "not checked: whether forget and holdout can be distinguished without the model "
            f"({audit.blind.note.removeprefix('not measurable: ')})"
        )
    if found.fewest is None:
        least = int(1 / found.level + 0.5) - 1
        lines.append(
            f"too few: with {found.holdout} holdout records no p-value is below "
            f"{number(found.smallest_p)}; give at least {least}"
        )
    return lines


def size_lines(audit: Audit) -> list[str]:
    """Lines on intervals, and on the smallest effect that a test of this size can detect."""
    found, lines = audit.decisions, []
    if audit.by_person and audit.persons:
        where = "the column subject" if audit.persons_from == "subject" else "names in the texts"
        lines.append(
            f"Intervals are over {audit.persons[0]} persons, by {where}: records about one person "
            "are not independent."
        )
    if found.fewest:
        lines.append(
            f"Records are called known if at least {found.fewest} of "
            f"{len(found.records)} are likelier than all {found.holdout} holdout records; with "
            "more holdout records fewer are enough."
        )
    if found.smallest_auc is not None:
        lines.append(
            f"A membership AUC of {number(found.smallest_auc)} or more is distinguished from 0.5 "
            "in 4 of 5 such tests."
        )
    return lines


def glance_rows(audit: Audit) -> list[list[str]]:
    """Table of the three decisions: number of records, and the first ids."""
    found, rows = audit.decisions, [["answer", "records", "which"]]
    for answer in ("known", "not distinguishable from never seen", "cannot tell"):
        ids = found.ids(answer)
        rows.append([answer, str(len(ids)), listed(ids, SHOWN) or "-"])
    return rows


def score_rows(audit: Audit) -> list[list[str]]:
    """Table of membership and extraction scores, with intervals."""
    rows = [["measure", "value"]]
    for name, words in MEMBERSHIP.items():
        score = audit.scores.get(name)
        if score is not None and score.value is not None:
            rows.append([words, cell(score)])
    blind = "forget against holdout without the model, AUC (0.5 or less: alike)"
    rows.append([blind, cell(audit.blind)])
    word = sum(record.verbatim is True for record in audit.decisions.records)
    rows.append(["given word for word", f"{word} of {len(audit.decisions.records)}"])
    if audit.sampled:
        rows += _sampled_rows(audit.sampled)
    if audit.persons:
        rows.append(["persons of whom a record is known", "{1} of {0}".format(*audit.persons)])
    return rows


def _sampled_rows(sampled: SampledAnswers) -> list[list[str]]:
    """Lines of the table of scores: share of the records that sampled answers give."""
    words = f"given by one of {sampled.answers} sampled answers, word for word or its fact"
    rows = [[words, cell(sampled.forget)]]
    if sampled.holdout:
        rows.append(["the same of the holdout, which are guesses", cell(sampled.holdout)])
    return rows


def audit_markdown(audit: Audit) -> str:
    """The text of audit.md: result, scores, and the decision on each record by id."""
    bullets = "\n".join(f"- {markdown(line)}" for line in warnings(audit))
    records = [["record", "answer", "p", "word for word", "when sampled", "evidence"]]
    for record in audit.decisions.records:
        word = {True: "yes", False: "no", None: "-"}[record.verbatim]
        chance = number(record.sampled)
        records.append(
            [record.id, record.answer, number(record.p), word, chance, record.why or "-"]
        )
    papers = [
        f"- {p.authors}. {p.title}. {p.year}. <{p.url}>" for p in (CONFORMAL, PROBABILISTIC, BLIND)
    ]
    parts = [
        f"# Audit: {markdown(audit.model)}",
        f"**{sentence(audit)}**",
        bullets,
        grid(glance_rows(audit), left=(0, 2)),
        "## Evidence",
        grid(score_rows(audit)),
        "\n".join(f"- {line}" for line in size_lines(audit)),
        "## What this does not say",
        LIMITS,
        "## Each record",
        f"p: the share of the {audit.decisions.holdout} holdout records, itself counted among "
        "them, that the model finds at least as likely per token. When sampled: the chance that "
        f"one of {TRIES} answers sampled at temperature 1 is the record word for word, computed "
        "from its probability.",
        grid(records, left=(0, 1, 3, 5)),
        *(["## Notes", "\n".join(f"- {prose(n)}" for n in audit.notes)] if audit.notes else []),
        "## References",
        "\n".join(papers),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def audit_json(audit: Audit) -> str:
    """The text of audit.json, schema 1."""
    found = audit.decisions
    record = {
        "schema": SCHEMA,
        "model": audit.model,
        "answer": sentence(audit),
        "warnings": warnings(audit),
        "level": found.level,
        "holdout": found.holdout,
        "smallest_p": found.smallest_p,
        "fewest_known_that_show": found.fewest,
        "smallest_auc_that_shows": found.smallest_auc,
        "records": [asdict(each) for each in found.records],
        "scores": {name: asdict(score) for name, score in audit.scores.items()},
        "blind_auc": asdict(audit.blind),
        "membership_auc_by_person": asdict(audit.by_person) if audit.by_person else None,
        "persons": dict(zip(("named", "known"), audit.persons, strict=True))
        if audit.persons
        else None,
        "sampled": asdict(audit.sampled) if audit.sampled else None,
        "persons_from": audit.persons_from,
        "notes": list(audit.notes),
        "facts": dict(audit.facts),
    }
    return json_text(record)
