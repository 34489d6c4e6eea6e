"""Sample answers of a model, and count the records that they give."""

from collections.abc import Mapping

from unteach.evaluation.check import CheckedEvaluation
from unteach.evaluation.hashes import ASKING, code_hash
from unteach.evaluation.rows import cache_answers, cached_answers, key_of, loader
from unteach.files.rows import Groups
from unteach.metrics.clustered import by_person, clustered_mean
from unteach.metrics.given import verbatim
from unteach.models.unchanged import require_unchanged
from unteach.processes.main import shared
from unteach.progress import ProgressListener
from unteach.report.audited import SampledAnswers
from unteach.suites.ask import ModelAnswers
from unteach.suites.generated import decoded, gives, rouge_l
from unteach.suites.questions import Question
from unteach.types import Row

SEED = 0
TEMPERATURE = 1.0


def sampled_answers(
    name: str,
    plan: CheckedEvaluation,
    listener: ProgressListener,
    count: int,
    persons: Mapping[str, Mapping[str, str]] | None = None,
) -> SampledAnswers | None:
    """Sample `count` answers to each question, from the row cache where they are in it.

    A sample gives a record if it has 19 in 20 of the answer's words in order, or the fact that the
    data name. Raw texts are not sampled: they have no question.

    Args:
        name: the model's label.
        plan: the checked evaluation, with the groups `forget` and `holdout`.
        listener: receives progress.
        count: number of answers to each question; 0 for none.
        persons: whom each record is about, by group and id, so that intervals are over persons.

    Returns:
        None where nothing was sampled.
    """
    if not count:
        return None
    key = shared(lambda: key_of(name, plan))
    if key:
        code = shared(lambda: code_hash((*ASKING, "evaluation.sampled")))
        key = f"{key}:{count} samples at {TEMPERATURE} with seed {SEED}, {code}"
    found = cached_answers(plan.asked.cache, key)
    if not found:
        listener.stage(f"sampling {count} answers to each question")
        found = ModelAnswers(_sampled(name, plan, listener, count), {})
        shared(lambda: require_unchanged(plan.ages))  # else it would be cached under a wrong key
        cache_answers(plan.asked.cache, key, found, listener)
    given = {role: [row.id for row in rows if _gives(row)] for role, rows in found.rows.items()}
    if not found.rows.get("forget"):
        return None
    shares = {
        role: clustered_mean(
            by_person({row.id: float(_gives(row)) for row in rows}, (persons or {}).get(role, {}))
        )
        for role, rows in found.rows.items()
        if rows
    }
    return SampledAnswers(
        answers=count,
        given=tuple(given["forget"]),
        forget=shares["forget"],
        holdout=shares.get("holdout"),
    )


def _gives(row: Row) -> bool:
    return bool(row.verbatim or row.fact_given)


def _sampled(name: str, plan: CheckedEvaluation, listener: ProgressListener, count: int) -> Groups:
    """One row for each record: whether a sample gives the answer word for word, or the fact.

    In how many samples is not kept: whoever draws them again would know the answer by it.
    """
    from unteach.inference import end_tokens, loaded_model
    from unteach.inference.sampling import samples

    place = plan.places[name]
    asked = [q for q in plan.questions(place.tokenizer) if q.prompt]
    prompts = sorted({(q.prompt.ids, q.prompt.limit) for q in asked if q.prompt})
    rows: Groups = {role: [] for role in plan.groups}
    if not prompts:
        return rows
    said = loaded_model(
        loader(place, plan),
        lambda model: samples(
            model,
            prompts,
            count,
            temperature=TEMPERATURE,
            end=end_tokens(model, place.tokenizer),
            seed=SEED,
            tokens_per_batch=4 * plan.settings.tokens_per_batch,
            progress=lambda done, total: listener.progress("sampling", done, total),
        ),
    )
    by_prompt = dict(zip(prompts, said, strict=True))
    for question in asked:
        assert question.prompt is not None
        texts = [
            decoded(ids, place.tokenizer, question.stop)[0]
            for ids in by_prompt[question.prompt.ids, question.prompt.limit]
        ]
        rows[question.group].append(_judged(question, texts))
    return rows


def _judged(question: Question, texts: list[str]) -> Row:
    recall = max(
        rouge_l(text, question.expected, stemmed=question.stemmed).recall for text in texts
    )
    return Row(
        id=question.row.id,
        verbatim=verbatim(Row(id="", rouge_l_recall=recall)),
        fact_given=any(gives(text, question.fact) for text in texts) if question.fact else None,
    )
