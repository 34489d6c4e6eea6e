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
    what = "it lacks records that the ledger has of it"
    return _left_out(one, f"its file {one.source} was changed since: {what}")


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


def same_tokens(
    earlier: tuple[EarlierData, ...],
    groups: dict[str, list[Example]],
    sequences: dict[str, list[Sequence]],
    cut: tuple[int | None, str],
) -> tuple[EarlierData, ...]:
    """Leave out what has answers of other lengths in tokens than its result counted.

    Args:
        earlier: the earlier requests.
        groups: examples by role; the group of what is left out goes.
        sequences: the same, tokenised.
        cut: most tokens of an example now, and the template; where they are others than then,
            answers may have other tokens, and nothing is compared.
    """
    found = []
    for one in earlier:
        tokens: dict[str, int] = {}
        for sequence in sequences.get(one.request.group, []):
            id = sequence.id.partition("/")[0]
            tokens[id] = tokens.get(id, 0) + sum(sequence.answer)
        if one.examples and one.cut == cut and one.tokens != tokens:
            del groups[one.request.group], sequences[one.request.group]
            one = _left_out(one, "its file was changed since: answers have other lengths")
        found.append(one)
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


def _left_out(one: EarlierData, why: str) -> EarlierData:
    """The same, not asked for a reason."""
    asked = replace(one.request, group="", not_asked=why, note="")
    return replace(one, request=asked, examples=())


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
        named = EarlierRequest(name=str(facts.get("request_id") or folder.resolve().name))
        one = EarlierData(request=named, folder=folder, source="")
        try:
            then = load(folder / FILE)
        except UserError:
            yield _left_out(one, "its request.yaml cannot be read by this release")
            continue
        if wanted and model_hash(str(folder)) != wanted:
            yield _left_out(one, "its folder holds another model by now")
            continue
        if own is None or _real(_beside(then.forget, folder)) != own:
            yield _read(one, then, facts)
        before = _beside(then.model, folder), facts.get("model_before", "")
        todo += [(Path(before[0]), before[1] or "")]
        todo += [(Path(_beside(name, folder)), "") for name in then.after]


def _real(source: str) -> Path | None:
    return Path(source).resolve() if Path(source).exists() else None


def _beside(name: str, folder: Path) -> str:
    """Return a path of a request: relative to the working folder, or else to its result."""
    other = folder.parent / name
    return str(other) if not Path(name).exists() and other.exists() else name


def _read(one: EarlierData, then: Request, facts: Any) -> EarlierData:
    """Read the records of a result's forget file, if it is still what its result was made of."""
    source, counts = _beside(then.forget, one.folder), facts.get("examples")
    records = counts.get("forget", 0) if isinstance(counts, dict) else 0
    asked = replace(one.request, records=records)
    one = replace(one, request=asked, source=source)
    if not Path(source).exists():
        return _left_out(one, f"its file {source} {GONE}")
    examples, problems = read(source, "forget")
    if not examples or any(problem.kind != "note" for problem in problems):
        return _left_out(one, f"its file {source} cannot be read any more")
    rows = _recorded(one.folder)
    if rows is None:
        why = "the rows of its result cannot be read, so its file cannot be told to be the same"
        return _left_out(one, why)
    then_size = {row.id: row.zlib for row in rows}
    if then_size != {example.id: size_of(example.answer) for example in examples}:
        what = f"{len(examples)} records and {len(rows)} then"
        what = "answers are of other sizes" if len(examples) == len(rows) else what
        return _left_out(one, f"its file {source} was changed since: {what}")
    if facts.get(FILE_MARK) not in (None, mark_of(source)):
        note = "its file was written anew since; its answers have the lengths that they had"
        asked = replace(asked, note=note)
    tokens = {row.id: row.tokens for row in rows}
    cut = then.data.max_length, then.data.template
    return replace(one, request=asked, examples=tuple(examples), tokens=tokens, cut=cut)


def _recorded(folder: Path) -> list[Row] | None:
    """Rows of the forget answers as the result has them."""
    for name in ("unlearned", "original"):
        try:
            groups, _ = read_rows(folder / "rows" / f"{name}.jsonl")
        except UserError:
            continue
        return [row for row in groups.get("forget", []) if row.kind == "answer"]
    return None
