"""Find the requests that a model was unlearned for before, where their records are still at hand.

A result of `unteach run` names its model and its forget file. So the chain of a model is followed
back from result to result, and each forget file is held against what its result records of it,
which is no text: the number of records, and for each answer its tokens and its compressed size.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from unteach.data import read
from unteach.errors import Problem, UserError
from unteach.files import RUN, read_sealed
from unteach.files.rows import read_rows
from unteach.metrics.earlier import PREFIX, EarlierRequest
from unteach.models.hashes import model_hash
from unteach.settings.request import FILE, Request, load
from unteach.suites.questions import size_of
from unteach.types import Example, Row, Sequence

FILE_MARK = "forget_file"  # a fact of a run: hash of the file's size and time of change
GONE = "is not there any more"
NO_RESULT = "is no result of a run"


@dataclass(frozen=True, kw_only=True)
class EarlierData:
    """An earlier request with its records.

    Attributes:
        request: for the report.
        folder: of its result.
        source: its forget file.
        examples: its records; none where it cannot be asked.
        tokens: of each answer, by id, as its result counted them.
        cut: most tokens of an example then, and the template.
    """

    request: EarlierRequest
    folder: Path
    source: str
    examples: tuple[Example, ...] = ()
    tokens: dict[str, int] = field(default_factory=dict)
    cut: tuple[int | None, str] = (None, "auto")


def is_result(folder: str | Path) -> bool:
    """Whether `unteach run` wrote a folder."""
    return (Path(folder) / FILE).is_file() and (Path(folder) / RUN).is_file()


def find_earlier(request: Request) -> tuple[EarlierData, ...]:
    """All earlier requests of a run's model, the oldest first.

    Raises:
        UserError: what `--after` names is no result of a run.
    """
    if wrong := [name for name in request.after if not is_result(name)]:
        hint = "give the folder that an earlier `unteach run` wrote (--out)"
        raise UserError(*(Problem(f"--after {n}", NO_RESULT, hint, "request") for n in wrong))
    found = [*_chain(request)][::-1]
    asked = iter(range(1, len(found) + 1))
    numbered = [_numbered(one, asked) for one in found]
    numbered = [_held(one, set(request.not_at_hand)) for one in numbered]
    known = {name for one in numbered for name in one.request.name.split("+")}
    more = [name for name in request.not_at_hand if name not in known]
    why = "the ledger has it, and no result with its records was found (--after DIR names one)"
    gone = [
        EarlierData(request=EarlierRequest(name=n, not_asked=why), folder=Path(), source="")
        for n in more
    ]
    return (*gone, *numbered)


def nothing_held(request: Request, earlier: tuple[EarlierData, ...]) -> list[Problem]:
    """Return a problem if `--replay` is set and no earlier records are available."""
    if not request.train.replay or any(one.examples for one in earlier):
        return []
    what = "no earlier request's records are at hand, so there is nothing to hold"
    hint = "give --after the folder of an earlier result, or leave --replay out"
    return [Problem("--replay", what, hint, "request")]


def _held(one: EarlierData, lacking: set[str]) -> EarlierData:
    """Not asked where the ledger found that its file lacks records."""
    if not one.examples or not lacking.intersection(one.request.name.split("+")):
        return one
    why = f"its file {one.source} was changed since: it lacks records that the ledger has of it"
    return replace(one, request=_unasked(one.request, why), examples=())


def earlier_notes(earlier: tuple[EarlierData, ...]) -> list[Problem]:
    """Return notes on earlier requests that are not evaluated or whose data may have changed."""
    notes = []
    for one in earlier:
        where = f"earlier request {one.request.name}"
        if one.request.not_asked:
            hint = "put its records back where they were to have it asked"
            notes.append(Problem(where, f"is not asked: {one.request.not_asked}", hint, "note"))
        if one.request.note:
            notes.append(Problem(where, one.request.note, "", "note"))
    return notes


def mark_of(source: str) -> str | None:
    """Hash of a file's size and time of change, which tells nothing of its text."""
    path = Path(source)
    if not path.is_file():
        return None
    stat = path.stat()
    return hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()


def compared(one: EarlierData, tokens: dict[str, int], cut: tuple[int | None, str]) -> EarlierData:
    """Leave an earlier request out of evaluation if its answers now have other lengths in tokens.

    Args:
        one: an earlier request that is asked.
        tokens: of each answer now, by id.
        cut: most tokens of an example now, and the template; where they are others than then,
            answers may have other tokens, and nothing is compared.
    """
    if one.cut != cut or one.tokens == tokens:
        return one
    why = "its file was changed since: answers have other lengths"
    return replace(one, request=_unasked(one.request, why), examples=())


def same_tokens(
    earlier: tuple[EarlierData, ...],
    groups: dict[str, list[Example]],
    sequences: dict[str, list[Sequence]],
    cut: tuple[int | None, str],
) -> tuple[EarlierData, ...]:
    """Leave out what has other tokens than its result counted; its group goes."""
    found = []
    for one in earlier:
        tokens: dict[str, int] = {}
        for sequence in sequences.get(one.request.group, []):
            id = sequence.id.partition("/")[0]
            tokens[id] = tokens.get(id, 0) + sum(sequence.answer)
        found.append(compared(one, tokens, cut) if one.examples else one)
        if one.examples and not found[-1].examples:
            del groups[one.request.group], sequences[one.request.group]
    return tuple(found)


def with_earlier(request: Request, earlier: tuple[EarlierData, ...], method: Any) -> Request:
    """Set the gate and the replay term of earlier requests, if any is evaluated.

    The gate only joins others that are declared; nothing is held where the user says so, or where
    the method begins at another model.
    """
    update: dict[str, Any] = {}
    asked = any(one.examples for one in earlier)
    if asked and request.gates.declared and "earlier" not in request.gates.model_fields_set:
        update["gates"] = request.gates.model_copy(update={"earlier": 0})
    if request.train.replay is None:
        held = asked and method.trains_on == "forget"
        update["train"] = request.train.model_copy(update={"replay": held})
    return request.model_copy(update=update)


def _unasked(request: EarlierRequest, why: str) -> EarlierRequest:
    return replace(request, group="", not_asked=why, note="")


def _numbered(one: EarlierData, numbers: Iterator[int]) -> EarlierData:
    """Return the earlier request with its group's name, and with ids of that group."""
    if not one.examples:
        return one
    group = f"{PREFIX}{next(numbers)}"
    ids = {e.id: f"{group}{e.id.removeprefix('forget')}" for e in one.examples}
    examples = tuple(replace(e, id=ids[e.id]) for e in one.examples)
    tokens = {ids[id]: count for id, count in one.tokens.items()}
    return replace(one, request=replace(one.request, group=group), examples=examples, tokens=tokens)


def _chain(request: Request) -> Iterator[EarlierData]:
    """Results from the model backwards, each once; those of the same forget file are left out."""
    own = _real(request.forget)
    todo = [(Path(name), "") for name in (request.model, *request.after)]
    seen: set[Path] = {Path(request.out).resolve()}
    while todo:
        folder, wanted = todo.pop(0)
        if not is_result(folder) or folder.resolve() in seen:
            continue
        seen.add(folder.resolve())
        held = read_sealed(folder / RUN) or {}
        facts = held.get("facts", {})
        try:
            then = load(folder / FILE)
        except UserError:
            what = "its request.yaml cannot be read by this release"
            yield EarlierData(request=_named(folder, facts, what), folder=folder, source="")
            continue
        if wanted and model_hash(str(folder)) != wanted:
            what = "its folder holds another model by now"
            yield EarlierData(request=_named(folder, facts, what), folder=folder, source="")
            continue
        if own is None or _real(_beside(then.forget, folder)) != own:
            yield _read(folder, then, facts)
        before = _beside(then.model, folder), facts.get("model_before", "")
        todo += [(Path(before[0]), before[1] or "")]
        todo += [(Path(_beside(name, folder)), "") for name in then.after]


def _real(source: str) -> Path | None:
    return Path(source).resolve() if Path(source).exists() else None


def _beside(name: str, folder: Path) -> str:
    """Return a path of a request: relative to the working folder, or else to its result."""
    other = folder.parent / name
    return str(other) if not Path(name).exists() and other.exists() else name


def _named(folder: Path, facts: Any, not_asked: str = "", records: int = 0) -> EarlierRequest:
    name = str(facts.get("request_id") or folder.resolve().name)
    return EarlierRequest(name=name, not_asked=not_asked, records=records)


def _read(folder: Path, then: Request, facts: Any) -> EarlierData:
    source = _beside(then.forget, folder)
    counts = facts.get("examples")
    records = counts.get("forget", 0) if isinstance(counts, dict) else 0
    asked = _named(folder, facts, records=records)
    made = EarlierData(request=asked, folder=folder, source=source)
    if not Path(source).exists():
        return replace(made, request=_unasked(asked, f"its file {source} {GONE}"))
    examples, problems = read(source, "forget")
    if not examples or any(problem.kind != "note" for problem in problems):
        return replace(made, request=_unasked(asked, f"its file {source} cannot be read any more"))
    rows = _recorded(folder)
    if rows is None:
        why = "the rows of its result cannot be read, so its file cannot be told to be the same"
        return replace(made, request=_unasked(asked, why))
    then_size = {row.id: row.zlib for row in rows}
    if then_size != {example.id: size_of(example.answer) for example in examples}:
        why = f"its file {source} was changed since: {len(examples)} records and {len(rows)} then"
        if len(examples) == len(rows):
            why = f"its file {source} was changed since: answers are of other sizes"
        return replace(made, request=_unasked(asked, why))
    if facts.get(FILE_MARK) not in (None, mark_of(source)):
        note = "its file was written anew since; its answers have the lengths that they had"
        asked = replace(asked, note=note)
    tokens = {row.id: row.tokens for row in rows}
    cut = then.data.max_length, then.data.template
    return replace(made, request=asked, examples=tuple(examples), tokens=tokens, cut=cut)


def _recorded(folder: Path) -> list[Row] | None:
    """Rows of the forget answers as the result has them."""
    for name in ("unlearned", "original"):
        try:
            groups, _ = read_rows(folder / "rows" / f"{name}.jsonl")
        except UserError:
            continue
        return [row for row in groups.get("forget", []) if row.kind == "answer"]
    return None
